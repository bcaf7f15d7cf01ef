"""How the package is built: who may import what, and what a user sees of it."""

from __future__ import annotations

import ast
import functools
import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import keras
import networkx
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "keras_interp"
# Imports go from a name to those before it, never the other way.
ORDER = (
    "_backend",
    "_network",
    "datasets",
    "losses",
    "layers",
    "models",
    "receptive_fields",
    "metrics",
    "attribution",
    "graphs",
    "plotting",
    "callbacks",
    "reporting",
    "reproduce",
    "cli_process",
    "cli_data",
    "cli_explain",
    "cli_report",
    "cli",
    "__main__",
)
# A method that is a shorter way to call what stands above it imports that when called.
SHORTER_WAYS = {
    ("models/explainer/_explainer.py", "attribution/__init__.py"),
    ("models/explanation_module/_answers.py", "attribution/__init__.py"),
    ("models/explanation_module/_answers.py", "metrics/__init__.py"),
}
# The rooms that may look into Keras; the first alone may name a backend.
READERS_OF_BACKENDS = ("_backend",)
READERS_OF_KERAS = ("_backend", "_network")
BACKENDS = ("tensorflow", "jax", "torch")
# "torch" is there what keras.applications call a way to prepare images.
NAMES_A_PREPARATION = "_preparation.py"
# What a named tuple offers to everybody, underscore or not.
NAMED_TUPLE = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
LONGEST_FILE = 500
SUBPACKAGES = tuple(
    name for name in ORDER if (PACKAGE / name).is_dir() and not name.startswith("_")
)


@functools.cache
def files() -> dict[str, ast.Module]:
    """The syntax tree of each file, by its path inside the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def outside(rooms: tuple[str, ...]) -> Iterator[tuple[str, ast.AST]]:
    """Every node of every file that is in none of the rooms."""
    for path, tree in files().items():
        if room(path) not in rooms:
            for node in ast.walk(tree):
                yield path, node


def room(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def imported(node: ast.AST) -> list[str]:
    """Full names of the modules, or of what is in them, that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert not node.level, "relative imports are not used here"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [a.value for a in node.args if isinstance(a, ast.Constant)]
    return []


def where(path: str, node: ast.AST) -> str:
    return f"{path}:{node.lineno}: {ast.unparse(node)[:70]}"


def test_keras_own_modules_are_imported_by_its_readers_alone():
    found = [
        where(path, node)
        for path, node in outside(READERS_OF_KERAS)
        if any(f"{name}.".startswith("keras.src.") for name in imported(node))
        or (isinstance(node, ast.Attribute) and ast.unparse(node) == "keras.src")
    ]
    assert found == []


def test_a_backend_is_named_by_the_backends_alone():
    found = [
        where(path, node)
        for path, node in outside(READERS_OF_BACKENDS)
        if any(name.split(".")[0] in BACKENDS for name in imported(node))
        or (
            isinstance(node, ast.Constant)
            and node.value in BACKENDS
            and not path.endswith(NAMES_A_PREPARATION)
        )
    ]
    assert found == []


@functools.cache
def names_of_keras() -> frozenset[str]:
    """Underscore names that objects of Keras have, on the class or on the object."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    functional = keras.Model(model.inputs, model.outputs)
    objects = [
        model,
        functional,
        keras.layers.Conv2D(1, 1),
        keras.layers.LSTM(1),
        model.inputs[0],
        model.layers[0],
        model.weights[0],
        model.optimizer,
        keras.metrics.Mean(),
        keras.callbacks.Callback(),
        keras.losses.MeanSquaredError(),
        keras.random.SeedGenerator(0),
        keras.utils.PyDataset(),
    ]
    names = {name for one in objects for name in (*dir(one), *vars(one))}
    return frozenset(filter(is_private, names))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@functools.cache
def names_of_ours() -> frozenset[str]:
    """Underscore names that a file of the package gives to something."""
    found = set()
    for tree in files().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.alias):
                found.add((node.asname or node.name).split(".")[-1])
    found |= {Path(path).stem for path in files()}
    found |= {part for path in files() for part in Path(path).parts[:-1]}
    return frozenset(filter(is_private, found))


def private_name(node: ast.AST) -> str | None:
    """The underscore name that an expression reads or sets on some other object."""
    if isinstance(node, ast.Attribute) and is_private(node.attr):
        own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        return None if own else node.attr
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in ("getattr", "hasattr", "setattr", "delattr"):
            name = node.args[1]
            if isinstance(name, ast.Constant) and is_private(name.value):
                return name.value
    return None


def test_insides_of_keras_are_read_by_its_readers_alone():
    """An underscore name is ours if a file of ours defines it and no Keras object."""
    found = []
    for path, node in outside(READERS_OF_KERAS):
        name = private_name(node)
        if name is None or name in NAMED_TUPLE:
            continue
        if name in names_of_keras() or name not in names_of_ours():
            found.append(where(path, node))
    assert found == []


def test_insides_that_a_class_inherits_from_keras_are_left_alone():
    found = []
    for path, node in outside(READERS_OF_KERAS):
        if isinstance(node, ast.ClassDef):
            reads, sets = own_names(node)
            inherited = (reads - sets) & names_of_keras()
            found += [f"{path}: {node.name}.{name}" for name in inherited]
    assert found == []


def own_names(node: ast.ClassDef) -> tuple[set[str], set[str]]:
    """Names that a class reads on itself, and those that it gives itself."""
    reads, sets = set(), {part.name for part in node.body if hasattr(part, "name")}
    for inner in ast.walk(node):
        if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
            sets.add(inner.target.id)
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            if inner.value.id in ("self", "cls"):
                is_set = isinstance(inner.ctx, ast.Store)
                (sets if is_set else reads).add(inner.attr)
    return reads, sets


def test_no_private_method_of_keras_is_replaced():
    found = [
        f"{path}:{method.lineno}: {node.name}.{method.name}"
        for path, node in outside(READERS_OF_KERAS)
        if isinstance(node, ast.ClassDef) and node.bases
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name in names_of_keras()
    ]
    assert found == []


def module_of(name: str) -> str | None:
    """Path inside the package of the module that a full name belongs to."""
    parts = name.split(".")
    if parts[0] != "keras_interp":
        return None
    for end in range(len(parts), 0, -1):
        inner = "/".join(parts[1:end])
        for path in (f"{inner}.py", f"{inner}/__init__.py".lstrip("/")):
            if path in files():
                return path
    return None


@functools.cache
def import_graph() -> networkx.DiGraph:
    """From each file to the files that it imports, inside functions as well."""
    graph = networkx.DiGraph()
    for path, tree in files().items():
        for node in ast.walk(tree):
            for name in imported(node):
                # The version is no module's business, and read at the end of the way.
                target = None if name.endswith("__version__") else module_of(name)
                if target not in (None, path) and (path, target) not in SHORTER_WAYS:
                    graph.add_edge(path, target)
    return graph


def test_every_room_has_its_place():
    assert {room(path) for path in files()} <= {"__init__", *ORDER}


def test_imports_run_one_way():
    wrong = [
        f"{path} imports {target}"
        for path, target in import_graph().edges
        if "__init__" not in (room(path), room(target))
        and ORDER.index(room(target)) > ORDER.index(room(path))
    ]
    assert wrong == []


def test_there_is_no_cycle_of_imports():
    groups = networkx.strongly_connected_components(import_graph())
    assert [sorted(group) for group in groups if len(group) > 1] == []


def public_packages() -> list[str]:
    return ["keras_interp", *(f"keras_interp.{name}" for name in SUBPACKAGES)]


@pytest.mark.parametrize("package", public_packages())
def test_dir_shows_the_public_names_alone(package):
    module = importlib.import_module(package)
    for inner in pkgutil.walk_packages(module.__path__, f"{package}."):
        importlib.import_module(inner.name)
    shown = {name for name in dir(module) if not name.startswith("_")}
    assert shown == {name for name in module.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("package", public_packages())
def test_no_public_name_is_that_of_a_module_beside_it(package):
    module = importlib.import_module(package)
    beside = {inner.name for inner in pkgutil.iter_modules(module.__path__)}
    rooms = {"keras_interp": set(SUBPACKAGES)}.get(package, set())
    assert (set(module.__all__) - rooms) & beside == set()


@pytest.mark.parametrize("package", public_packages())
def test_a_pickle_of_a_public_name_holds_the_public_name(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        value = getattr(module, name)
        if callable(value):
            assert pickle.loads(pickle.dumps(value)) is value


def docstrings() -> Iterator[tuple[str, str]]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for path, tree in files().items():
        for node in ast.walk(tree):
            if isinstance(node, kinds) and ast.get_docstring(node):
                yield f"{path}: {getattr(node, 'name', '')}", ast.get_docstring(node)


def test_every_argument_is_explained_where_it_stands():
    found = [place for place, text in docstrings() if "likewise" in text.lower()]
    assert found == []


def test_no_file_is_too_long_to_read():
    lengths = {
        path: (PACKAGE / path).read_text("utf-8").count("\n") for path in files()
    }
    assert {path: n for path, n in lengths.items() if n > LONGEST_FILE} == {}
    assert not any(Path(path).stem.strip("_") == "utils" for path in lengths)

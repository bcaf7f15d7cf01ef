"""The package as it is built, installed and imported."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import keras_interp

ROOT = Path(__file__).resolve().parent.parent
# What `import keras` does not load by itself and our import must not load either.
HEAVY = ("matplotlib", "scipy", "sklearn", "networkx", "PIL", "tensorflow_datasets")


def run_python(code: str, **environment: str) -> str:
    """Standard output of a fresh interpreter that runs `code`."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """The wheel that `pip install .` would install."""
    pytest.importorskip("setuptools", minversion="77")
    folder = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    code = f"""
import os, shutil
for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
    shutil.copy(name, {str(source)!r})
unwanted = shutil.ignore_patterns("__pycache__")
shutil.copytree("keras_interp", {str(source / "keras_interp")!r}, ignore=unwanted)
os.chdir({str(source)!r})
from setuptools import build_meta
build_meta.build_wheel({str(folder)!r})
"""
    run_python(code)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def metadata(wheel: zipfile.ZipFile):
    (name,) = [n for n in wheel.namelist() if n.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode("utf-8"))


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    package = ROOT / "keras_interp"
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "keras_interp/py.typed" in wanted
    assert "keras_interp/reporting/templates/report.html" in wanted
    inside = {name for name in wheel.namelist() if name.startswith("keras_interp/")}
    assert inside == wanted


def test_nothing_but_the_package_is_in_the_wheel(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {
        "keras_interp",
        f"keras_interp-{keras_interp.__version__}.dist-info",
    }


def test_metadata(wheel):
    fields = metadata(wheel)
    assert fields["Name"] == "keras_interp"
    assert fields["Version"] == keras_interp.__version__
    assert fields["Requires-Python"] == ">=3.11.4"
    assert "Apache-2.0" in (fields["License"] or fields["License-Expression"])
    assert fields.get_all("License-File") == ["LICENSE"]
    assert fields.get_payload().startswith("# keras_interp")
    extras = set(fields.get_all("Provides-Extra"))
    wanted = "data text jax torch tutorials docs bench dev".split()
    assert set(wanted) <= extras


def test_the_command_line_is_installed(wheel):
    (name,) = [n for n in wheel.namelist() if n.endswith("entry_points.txt")]
    entries = configparser.ConfigParser()
    entries.read_string(wheel.read(name).decode("utf-8"))
    assert entries["console_scripts"]["keras-interp"] == "keras_interp.cli:main"


def test_the_import_is_quick_and_light(capsys):
    code = f"""
import sys, time
import keras
before, start = set(sys.modules), time.perf_counter()
import keras_interp
seconds = time.perf_counter() - start
new = set(sys.modules) - before
heavy = [name for name in {HEAVY!r} if any(m.split(".")[0] == name for m in new)]
print(seconds, *heavy)
"""
    measured = [run_python(code).split() for _ in range(3)]
    quickest = min(float(words[0]) for words in measured)
    with capsys.disabled():
        print(f"\nimport keras_interp adds {quickest:.3f} s to import keras")
    assert [words[1:] for words in measured] == [[], [], []]
    assert quickest < 0.5


def test_every_public_name_can_be_had():
    for name in keras_interp.__all__:
        assert getattr(keras_interp, name) is not None
    assert keras_interp.InterpretableConv is keras_interp.layers.InterpretableConv
    assert set(keras_interp.__all__) <= set(dir(keras_interp))
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        keras_interp.missing  # noqa: B018


def test_public_functions_stay_functions_whatever_is_imported_first():
    code = """
import keras_interp.reporting._page, keras_interp.receptive_fields
import keras_interp as ki
print(callable(ki.report), callable(ki.receptive_field))
"""
    assert run_python(code).split() == ["True", "True"]

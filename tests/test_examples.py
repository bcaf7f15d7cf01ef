"""The examples of the docstrings, of README and of the documentation run.

An example is given the names that it does not define from `Things`, all of them small,
and an empty folder to write to.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_interp as ki

# The networks of the examples are not trained, or for a step or two.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The accuracy:UserWarning", "ignore:Layer .* the filter loss:UserWarning"
)

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
# What a test cannot have at hand; these are read, not run.
NOT_HERE = {
    "callbacks.FilterBoard": "TensorBoard",
    "datasets.prepare": "an archive of a gigabyte",
    "datasets.prepare_tfds": "files of TensorFlow Datasets",
    "datasets.from_tfds": "files of TensorFlow Datasets",
    "metrics.MeteorScorer": "a Java runtime",
    "metrics.meteor": "a Java runtime",
    "models.load_weights": "the published file of VGG-M",
    "docs/keras_torch_convolutions.md": "the torch backend",
}
# Published data and weights, in the folder that KERAS_INTERP_DATA names.
PUBLISHED = re.compile(
    r'"(cub|animal_part|pascal_part|CUB_200_2011)"|"imagenet"|find_weights'
)
# Networks and sets of full size: more than a second each.
LONG = re.compile(
    r'VGG|AlexNet|InterpretableModel|"cub"|CUB_200_2011|pascal_part|fit.*report',
    re.DOTALL,
)
# An example says what one would do; a test needs less of it.
SMALLER = {
    r"epochs=\d+": "epochs=1",
    r"1_000_000": "300",
    r'load\("synthetic_parts"': 'load("synthetic_parts", num_images=48',
    r'_2011", crop': '_2011", "test", max_images_per_category=1, crop',
    r'load\("cub"': 'load("cub", max_images_per_category=1',
    r'VGG16\(weights="imagenet"': "VGG16(weights=None, input_shape=(64, 64, 3)",
    r"alpha=0.25, include_top=False\)": r"weights=None, \g<0>",
}
# What has to be there before an example.
BEFORE = {
    "datasets.ShardedFeatures": "features",
    "datasets.load_features": "features",
    "reporting.results_tables": "results",
}
# Things that an example means by another name than most.
MEANT = {
    "attribution.grad_cam": {"model": "nested_model"},
    "attribution.unit_maps": {"model": "performer"},
    "models.SqueezeNet": {"rgb_images": "large_images"},
    "plotting.part_heatmap": {"inputs": "feature_maps"},
}
# A few images are enough where a figure or a map is made of each.
IMAGES = {"attribution": 2, "models": 8, "plotting": 6}


class Things:
    """What the examples take for granted, made when it is asked for."""

    ki, keras, np = ki, keras, np

    def __init__(self, count: int):
        self.count = count

    @cached_property
    def dataset(self) -> ki.datasets.PartsDataset:
        return ki.datasets.synthetic_parts(
            self.count, image_size=64, categories=["bird", "cat"], negatives=0.0, seed=1
        )

    @cached_property
    def images(self) -> np.ndarray:
        return self.dataset.images.astype("float32")

    @cached_property
    def large_images(self) -> np.ndarray:
        return np.zeros((2, 227, 227, 3), "uint8")

    @property
    def image(self) -> np.ndarray:
        return self.dataset.images[0]

    @property
    def section(self) -> ki.reporting.ReportSection:
        return ki.reporting.ReportSection("Data", ["Drawn animals."])

    @property
    def heat(self) -> np.ndarray:
        return self.feature_maps[0, ..., 0]

    @cached_property
    def labels(self) -> np.ndarray:
        return self.dataset.labels

    @cached_property
    def model(self) -> keras.Model:
        return self.classifier(*self.convolutions())

    @cached_property
    def nested_model(self) -> keras.Model:
        inner = [keras.Input((64, 64, 3)), *self.convolutions()]
        return self.classifier(keras.Sequential(inner, name="backbone"))

    def convolutions(self) -> list[keras.layers.Layer]:
        same = {"padding": "same", "activation": "relu"}
        return [
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 5, 4, name="conv1", **same),
            keras.layers.Conv2D(10, 3, name="conv5", **same),
            keras.layers.Conv2D(8, 3, name="fire8", **same),
        ]

    def classifier(self, *body: keras.layers.Layer) -> keras.Model:
        model = keras.Sequential(
            [
                keras.Input((64, 64, 3)),
                *body,
                ki.InterpretableConv(8, 3, padding="same", name="interpretable_conv"),
                keras.layers.MaxPooling2D(4),
                keras.layers.Flatten(),
                keras.layers.Dense(100, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    @cached_property
    def performer(self) -> keras.Model:
        relu, same = {"activation": "relu"}, {"padding": "same"}
        return keras.Sequential(
            [
                keras.Input((64, 64, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Conv2D(8, 5, 4, name="relu4", **same, **relu),
                keras.layers.Conv2D(8, 3, name="relu5_2", **same, **relu),
                keras.layers.MaxPooling2D(2),
                keras.layers.Flatten(),
                keras.layers.Dense(8, name="fc6", **relu),
                keras.layers.Dense(8, name="fc7", **relu),
                keras.layers.Dense(2, activation="softmax"),
            ]
        )

    @cached_property
    def explainer(self) -> ki.models.Explainer:
        explainer = ki.models.Explainer(
            self.performer, "relu4", filter_loss_balance=2 / 3
        )
        explainer.compile()
        return explainer

    @cached_property
    def module(self) -> ki.models.ExplanationModule:
        module = ki.models.ExplanationModule(
            self.performer, "fc6", class_index=1, hidden_units=(16, 8)
        )
        module.compile()
        module.fit(self.images, epochs=1, verbose=0)
        return module

    @cached_property
    def graph(self) -> ki.graphs.ExplanatoryGraph:
        graph = ki.graphs.ExplanatoryGraph(iterations=1)
        return graph.fit(self.model, ["conv1", "conv5"], self.images, verbose=0)

    @cached_property
    def found(self) -> Any:
        return self.explainer.part_contributions(self.images[:4], self.dataset)

    @cached_property
    def layer(self) -> keras.layers.Layer:
        return self.model.get_layer("interpretable_conv")

    @cached_property
    def feature_maps(self) -> np.ndarray:
        maps = keras.Model(self.model.inputs, self.layer.input)
        return maps.predict(self.images, verbose=0)

    @cached_property
    def field(self) -> ki.ReceptiveField:
        return ki.receptive_field(self.model, "interpretable_conv")

    @cached_property
    def positions(self) -> np.ndarray:
        return ki.metrics.positions_and_scores(self.feature_maps, self.field)[0]

    @cached_property
    def scores(self) -> np.ndarray:
        return ki.metrics.positions_and_scores(self.feature_maps, self.field)[1]

    @cached_property
    def landmarks(self) -> np.ndarray:
        return self.dataset.landmarks

    @property
    def pieces(self) -> list[ki.datasets.PartsDataset]:
        return [self.dataset, self.dataset]

    @property
    def batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(self.images, self.dataset.part_masks[:, :4])]

    @property
    def class_names(self) -> list[str]:
        return ["bird"] * self.count

    @property
    def vectors(self) -> np.ndarray:
        return self.feature_maps.max(axis=(1, 2))

    def predict(self, images: np.ndarray) -> np.ndarray:
        maps = keras.Model(self.model.inputs, self.layer.input)
        return maps.predict_on_batch(images)

    def maps_of(self, images: np.ndarray) -> np.ndarray:
        return np.tile(self.predict(images), 64)


# The same things by other names.
ALSO = {
    "class_maps": "feature_maps",
    "inputs": "images",
    "maps": "feature_maps",
    "normalised": "feature_maps",
    "part_maps": "feature_maps",
    "performer_features": "feature_maps",
    "pictures": "images",
    "pooled_parts": "vectors",
    "pooled_textures": "vectors",
    "rebuilt": "feature_maps",
    "rgb_images": "images",
    "texture_maps": "feature_maps",
    "wanted": "feature_maps",
}


def prepare(every: Things, what: str) -> None:
    """Write a file that an example reads."""
    if what == "features":
        network = keras.Sequential([keras.Input((64, 64, 3)), *every.convolutions()])
        ki.datasets.extract_features(network, every.dataset, out="features")
    else:
        rows = [{"table": "5", "row": "ordinary", "metric": "accuracy", "value": 0.9}]
        Path("results.json").write_text(json.dumps({"rows": rows}))


def things(name: str, code: str) -> dict[str, Any]:
    """What an example is given."""
    every = Things(IMAGES.get(name.split(".")[0], 24))
    if name in BEFORE:
        prepare(every, BEFORE[name])
    meant = ALSO | MEANT.get(name, {})
    wanted = {one: meant.get(one, one) for one in sorted(taken_for_granted(code))}
    return {
        one: getattr(every, thing)
        for one, thing in wanted.items()
        if hasattr(Things, thing)
    }


def taken_for_granted(code: str) -> set[str]:
    """Names that an example uses before it gives them a value."""
    used: set[str] = set()
    given: set[str] = set()
    for statement in ast.parse(code).body:
        names = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
        stored = {n.id for n in names if isinstance(n.ctx, ast.Store)}
        # A loop names what it uses, an assignment uses what was there before.
        own = set() if isinstance(statement, ast.Assign) else stored
        used |= {n.id for n in names if isinstance(n.ctx, ast.Load)} - given - own
        given |= stored
    return used


def blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def documented() -> Iterator[tuple[str, Any]]:
    """All that is public by its name, methods included."""
    for package in (getattr(ki, name) for name in ki.__all__):
        if not inspect.ismodule(package):
            continue
        for name in package.__all__:
            value = getattr(package, name)
            place = f"{package.__name__.split('.')[-1]}.{name}"
            yield place, value
            if inspect.isclass(value):
                for inner, method in vars(value).items():
                    if not inner.startswith("_"):
                        yield f"{place}.{inner}", method


def examples() -> list[Any]:
    texts = {name: getattr(value, "__doc__", None) for name, value in documented()}
    texts["keras_interp"] = ki.__doc__
    for page in PAGES:
        texts[page.relative_to(ROOT).as_posix()] = page.read_text("utf-8")
    return [
        pytest.param(
            name,
            code,
            id=f"{name}-{number}",
            marks=[pytest.mark.slow] if LONG.search(code) else [],
        )
        for name, text in texts.items()
        for number, code in enumerate(blocks(inspect.cleandoc(text or "")))
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with the published data under their own names."""
    monkeypatch.chdir(tmp_path)
    home = os.environ.get("KERAS_INTERP_DATA")
    if home:
        for name, published in {
            "CUB_200_2011": "cub",
            "animal_part": "animal_part",
            "pascal_part": "pascal_part",
        }.items():
            (tmp_path / name).symlink_to(Path(home).resolve() / published)
    return tmp_path


@pytest.mark.parametrize(("name", "code"), examples())
def test_an_example_runs(name, code, folder, request):
    import matplotlib

    for long, short in SMALLER.items():
        code = re.sub(long, short, code)
    compiled = compile(code, name, "exec")
    if name in NOT_HERE:
        return
    if PUBLISHED.search(code):
        request.getfixturevalue("real_data")
    with matplotlib.rc_context({"backend": "agg"}):
        exec(compiled, {"__name__": name, **things(name, code)})


def sessions() -> list[Any]:
    """Examples in the form of a session, `>>>` and what it prints."""
    find, found = doctest.DocTestParser().get_doctest, []
    for name, value in documented():
        text = inspect.cleandoc(getattr(value, "__doc__", None) or "")
        if ">>>" in text:
            names = {"ki": ki, "keras": keras, "np": np}
            session = find(text, names, name, None, None)
            found.append(pytest.param(session, id=name))
    return found


@pytest.mark.parametrize("session", sessions())
def test_a_session_prints_what_it_says(session, folder):
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    failed = runner.run(session, out=said.append).failed
    assert not failed, "".join(said)

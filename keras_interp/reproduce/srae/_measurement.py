"""What explanation modules and their baselines look at, measured class by class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_interp import attribution, metrics
from keras_interp.models import ExplanationModule
from keras_interp.reproduce.srae._networks import MAPS, ExplainedNetwork

# The three modules of table 1: what is rebuilt, its weight, and the pre-training. The
# weight of SAE is that of the released code, whose NN rebuilds nothing at any time.
MODULES: dict[str, dict[str, Any]] = {
    "SRAE": {"reconstruction": "sparse", "reconstruction_weight": 10.0},
    "NN": {"reconstruction": None, "pretraining": None},
    "SAE": {"reconstruction": "mse", "reconstruction_weight": 300.0},
}
# Weight of SRAE's reconstruction where it has the pull-away term, of the released code.
WEIGHT_WITH_PULL_AWAY = 15.0
CONTRASTIVE = "ContrastiveExcitationBP"
CONTROLS = ("uniform", "constant_center", "random_cell", "perfect")
# What is measured at one go: the row of a module, and all that need none.
BASELINES = "baselines"
MEASURED = (*MODULES, BASELINES)
# An x-feature that adds less than this share of what all add is not live.
LIVE_SHARE = 0.01
UNITS_MEASURED = 64
# Of the encoder; layers of up to 512 units need no more.
HIDDEN_UNITS = (200, 50)


@dataclasses.dataclass
class ClassFigures:
    """What one explanation of one class scores; NaN where nothing was measured."""

    locality: float
    shuffled: float
    part_gain: float
    locality_groups: float = float("nan")
    part_gain_groups: float = float("nan")
    live: float = float("nan")
    map_cosine: float = float("nan")
    contribution_correlation: float = float("nan")


# Of a class without a positive test image.
UNKNOWN = ClassFigures(float("nan"), float("nan"), float("nan"))


@dataclasses.dataclass
class Rows:
    """Figures of some rows of the table.

    Attributes:
        figures: By row, one for each class.
        faithfulness: By row, `faithfulness_train`, `faithfulness_test` and
            `faithfulness_test_relative`; of modules alone.
    """

    figures: dict[str, list[ClassFigures]]
    faithfulness: dict[str, dict[str, float]]

    @classmethod
    def read(cls, content: dict[str, Any]) -> Rows:
        """From what `dataclasses.asdict` made of it."""
        figures = {
            kind: [ClassFigures(**one) for one in classes]
            for kind, classes in content["figures"].items()
        }
        return cls(figures, content["faithfulness"])


@dataclasses.dataclass
class Measured(Rows):
    """Everything that was measured on one network with one seed.

    Attributes:
        kind: Of the network.
        place: Backbone and task.
        accuracy: Of the network on the test images, None where it has no classes.
        images: Positive test images of all classes.
        learnt: Images that modules learn from.
        tested: Test images.
    """

    kind: str
    place: str
    accuracy: float | None
    images: int
    learnt: int
    tested: int

    @classmethod
    def of(cls, network: ExplainedNetwork) -> Measured:
        """Of a network, without rows."""
        tested = ~network.is_train
        return cls(
            {},
            {},
            kind=network.kind,
            place=network.place,
            accuracy=network.accuracy,
            images=int(network.positives[tested].sum()),
            learnt=int((~tested).sum()),
            tested=int(tested.sum()),
        )

    @classmethod
    def read(cls, content: dict[str, Any]) -> Measured:
        """From what `dataclasses.asdict` made of it."""
        rows = Rows.read(content)
        return cls(**{**content, "figures": rows.figures})

    def add(self, rows: Rows) -> None:
        """Take in some rows."""
        self.figures |= rows.figures
        self.faithfulness |= rows.faithfulness


def train_module(
    network: ExplainedNetwork,
    kind: str,
    features: np.ndarray,
    logits: np.ndarray,
    epochs: int,
    seed: int,
    pull_away: float = 0.0,
) -> ExplanationModule:
    """One module for each class, all trained together.

    Args:
        network: What is explained.
        kind: `"SRAE"`, `"NN"` or `"SAE"`.
        features: float32 `(N, units)`, Z of the training images.
        logits: float32 `(N, classes)`.
        epochs: After the pre-training.
        seed: Of the weights.
        pull_away: Weight of SRAE's pull-away term; 0 is without.
    """
    options = dict(MODULES[kind])
    if kind == "SRAE" and pull_away:
        options["pull_away"] = pull_away
        options["reconstruction_weight"] = WEIGHT_WITH_PULL_AWAY
    # Of the order of the examples.
    keras.utils.set_random_seed(seed)
    module = ExplanationModule(
        network.head,
        network.layer,
        network.classes,
        hidden_units=HIDDEN_UNITS,
        seed=seed,
        **options,
    )
    module.compile()
    module.fit_features(features, logits, epochs=epochs, verbose=0)
    return module


class ClassMeasure:
    """Measures maps of the positive test images of one class, with their controls."""

    def __init__(self, network: ExplainedNetwork, number: int, seed: int):
        chosen = network.positives[:, number] & ~network.is_train
        self.rows = np.flatnonzero(chosen)
        self.maps = network.maps[self.rows]
        self.head, self.layer = network.head, network.layer
        self.class_index = network.classes[number]
        self._dataset = network.dataset.subset(self.rows)
        self._groups = network.groups
        self._seed = seed

    def figures(self, maps: np.ndarray) -> ClassFigures:
        """Of maps `(images, n, h, w)` or `(images, h, w)`."""
        found = self._controls(maps, None)
        figures = ClassFigures(found.locality.value, found.shuffled, found.part_gain)
        if self._groups is not None:
            merged = self._controls(maps, self._groups)
            figures.locality_groups = merged.locality.value
            figures.part_gain_groups = merged.part_gain
        return figures

    def controls(self) -> dict[str, ClassFigures]:
        """Of maps of which it is known what they look at."""
        anything = np.ones((len(self.maps), 1, *self.maps.shape[1:3]), "float32")
        found = self._controls(anything, None)
        groups = self._groups
        merged = None if groups is None else self._controls(anything, groups)
        rows = {}
        for name in CONTROLS:
            value = getattr(found, name)
            # Maps that do not know the image are the same against any part points.
            shuffled = found.perfect_shuffled if name == "perfect" else value
            rows[name] = ClassFigures(value, shuffled, shuffled - value)
            if merged is not None:
                value = getattr(merged, name)
                shuffled = merged.perfect_shuffled if name == "perfect" else value
                rows[name].locality_groups = value
                rows[name].part_gain_groups = shuffled - value
        return rows

    def of_module(self, module: ExplanationModule) -> ClassFigures:
        """Of the contrastive maps of the x-features."""
        if not len(self.rows):
            return UNKNOWN
        found = attribution.x_feature_maps(module, self.maps, MAPS, self.class_index)
        figures = self.figures(found.maps)
        mean = np.abs(found.weights).mean(axis=0)
        figures.live = float((mean > LIVE_SHARE * max(mean.sum(), 1e-9)).sum())
        alike = metrics.orthogonality(found.maps, found.weights)
        figures.map_cosine = alike.map_cosine
        figures.contribution_correlation = alike.contribution_correlation
        return figures

    def of_baselines(self, units: np.ndarray) -> dict[str, ClassFigures]:
        """Of single units of Z, and of the class score itself."""
        if not len(self.rows):
            return dict.fromkeys(("Z", "ExcitationBP", CONTRASTIVE), UNKNOWN)
        options: dict[str, Any] = {"layer_name": MAPS, "resize": False}
        head, maps, index = self.head, self.maps, self.class_index
        return {
            "Z": self.figures(
                attribution.unit_maps(
                    head, maps, self.layer, units.tolist(), layer_name=MAPS
                )
            ),
            "ExcitationBP": self.figures(
                attribution.excitation_backprop(head, maps, index, **options)
            ),
            CONTRASTIVE: self.figures(
                attribution.contrastive_excitation_backprop(
                    head, maps, index, **options
                )
            ),
        }

    def _controls(
        self, maps: np.ndarray, groups: np.ndarray | None
    ) -> metrics.LocalityControls:
        return metrics.locality_controls(
            maps,
            self._dataset.landmarks,
            self._dataset.boxes,
            image_size=self._dataset.image_size,
            groups=groups,
            seed=self._seed,
        )


class NetworkMeasure:
    """Measures the rows of table 1 on one network, one after another.

    Args:
        network: What is explained.
        epochs: Of the modules.
        seed: Of modules, controls and the choice of units.
        draw: Takes each trained module and its row, for a figure.
        pull_away: Weight of SRAE's pull-away term.
    """

    def __init__(
        self,
        network: ExplainedNetwork,
        epochs: int,
        seed: int,
        draw: Callable[[str, ExplanationModule], None] = lambda kind, module: None,
        pull_away: float = 0.0,
    ):
        self.network, self.epochs, self.seed, self.draw = network, epochs, seed, draw
        self.pull_away = pull_away
        self.classes = [
            ClassMeasure(network, number, seed)
            for number in range(len(network.classes))
        ]

    def row(self, name: str) -> Rows:
        """One of `MEASURED`."""
        reader = ExplanationModule(
            self.network.head, self.network.layer, self.network.classes
        )
        features, logits = reader.features(self.network.maps)
        if name == BASELINES:
            return self._baselines(features)
        return self._module(name, features, logits)

    def _module(self, kind: str, features: np.ndarray, logits: np.ndarray) -> Rows:
        train = self.network.is_train
        module = train_module(
            self.network,
            kind,
            features[train],
            logits[train],
            self.epochs,
            self.seed,
            self.pull_away,
        )
        self.draw(kind, module)
        predicted = module.predict(features)
        on_train, on_test = (
            metrics.faithfulness(predicted[rows], logits[rows])
            for rows in (train, ~train)
        )
        faithfulness = {
            "faithfulness_train": on_train.value,
            "faithfulness_test": on_test.value,
            "faithfulness_test_relative": on_test.relative,
        }
        figures = [one.of_module(module) for one in self.classes]
        return Rows({kind: figures}, {kind: faithfulness})

    def _baselines(self, features: np.ndarray) -> Rows:
        """Z, excitation backprop, and the maps of which all is known."""
        deviations = features[self.network.is_train].std(axis=0)
        alive = np.flatnonzero(deviations > 0)
        units = np.random.default_rng(self.seed).permutation(alive)[:UNITS_MEASURED]
        rows = Rows({}, {})
        for one in self.classes:
            found = one.of_baselines(np.sort(units)) | one.controls()
            for kind, figures in found.items():
                rows.figures.setdefault(kind, []).append(figures)
        return rows


def line(rows: Rows, kind: str) -> str:
    """Figures of a row in words."""
    mean = means(rows.figures[kind])
    text = f"locality {mean['locality']:.3f} (shuffled {mean['shuffled']:.3f})"
    if kind in rows.faithfulness:
        known = rows.faithfulness[kind]
        on_train, on_test = known["faithfulness_train"], known["faithfulness_test"]
        share = 100 * known["faithfulness_test_relative"]
        text += (
            f", F {on_train:.3f} / {on_test:.3f} ({share:.1f} % of the range), "
            f"live {mean['live']:.1f}"
        )
    return text


def means(figures: list[ClassFigures]) -> dict[str, float]:
    """Mean over the classes of each figure, NaN where none is known."""
    found = {}
    for field in dataclasses.fields(ClassFigures):
        values = np.array([getattr(one, field.name) for one in figures], "float64")
        known = values[np.isfinite(values)]
        found[field.name] = float(known.mean()) if known.size else float("nan")
    return found

"""What explanation modules and their baselines look at, measured class by class."""

from __future__ import annotations

import dataclasses
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
CONTRASTIVE = "ContrastiveExcitationBP"
CONTROLS = ("uniform", "constant_center", "random_cell", "perfect")
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
class Measured:
    """Everything that was measured on one network with one seed.

    Attributes:
        network: The network, without its maps.
        figures: By row, one for each class.
        faithfulness: By row, on training and on test images.
        images: Positive test images of each class.
    """

    network: ExplainedNetwork
    figures: dict[str, list[ClassFigures]]
    faithfulness: dict[str, tuple[metrics.Faithfulness, metrics.Faithfulness]]
    images: list[int]


def train_module(
    network: ExplainedNetwork,
    kind: str,
    features: np.ndarray,
    logits: np.ndarray,
    epochs: int,
    seed: int,
) -> ExplanationModule:
    """One module for each class, all trained together.

    Args:
        network: What is explained.
        kind: `"SRAE"`, `"NN"` or `"SAE"`.
        features: float32 `(N, units)`, Z of the training images.
        logits: float32 `(N, classes)`.
        epochs: After the pre-training.
        seed: Of the weights.
    """
    # Of the order of the examples.
    keras.utils.set_random_seed(seed)
    module = ExplanationModule(
        network.head,
        network.layer,
        network.classes,
        hidden_units=HIDDEN_UNITS,
        seed=seed,
        **MODULES[kind],
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


def measure(
    network: ExplainedNetwork, epochs: int, seed: int, say: Any
) -> tuple[Measured, ExplanationModule]:
    """Train the modules of table 1 on a network, and measure all its rows.

    Args:
        network: What is explained.
        epochs: Of the modules.
        seed: Of modules, controls and the choice of units.
        say: Takes a line of progress.

    Returns:
        The figures, and the trained SRAE.
    """
    train = network.is_train
    found = Measured(network, {}, {}, [])
    classes = [
        ClassMeasure(network, number, seed) for number in range(len(network.classes))
    ]
    found.images = [len(one.rows) for one in classes]
    modules = {}
    for kind in MODULES:
        reader = ExplanationModule(network.head, network.layer, network.classes)
        features, logits = reader.features(network.maps)
        module = train_module(
            network, kind, features[train], logits[train], epochs, seed
        )
        predicted = module.predict(features)
        on_train, on_test = (
            metrics.faithfulness(predicted[rows], logits[rows])
            for rows in (train, ~train)
        )
        found.faithfulness[kind] = on_train, on_test
        found.figures[kind] = [one.of_module(module) for one in classes]
        modules[kind] = module
        say(f"  {kind}: {line(found, kind)}")
    alive = np.flatnonzero(features[train].std(axis=0) > 0)
    units = np.random.default_rng(seed).permutation(alive)[:UNITS_MEASURED]
    for one in classes:
        for kind, figures in (
            one.of_baselines(np.sort(units)) | one.controls()
        ).items():
            found.figures.setdefault(kind, []).append(figures)
    for kind in ("Z", "ExcitationBP", CONTRASTIVE, *CONTROLS):
        say(f"  {kind}: {line(found, kind)}")
    return found, modules["SRAE"]


def line(found: Measured, kind: str) -> str:
    """Figures of a row in words."""
    mean = means(found.figures[kind])
    text = f"locality {mean['locality']:.3f} (shuffled {mean['shuffled']:.3f})"
    if kind in found.faithfulness:
        on_train, on_test = found.faithfulness[kind]
        text += (
            f", F {on_train.value:.3f} / {on_test.value:.3f} "
            f"({100 * on_test.relative:.1f} % of the range), live {mean['live']:.1f}"
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

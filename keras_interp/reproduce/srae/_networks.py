"""The networks that the explanation modules of the reproduction explain."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from keras_interp import datasets, models
from keras_interp.datasets import PartsDataset
from keras_interp.layers import InterpretableConv
from keras_interp.reproduce._tasks import Plan, development_split
from keras_interp.reproduce._trunk import FrozenTrunk, Projection

MAPS, FC6, PEAKS = "maps", "fc6", "peaks"
PART_FILTERS, PLANTED = "part_filters", "planted"
COMPONENTS = 96
# Of the 40 species at hand, as many as the paper takes of its 200.
CLASSES = 30
DRAWN_IMAGES, DRAWN_SIZE = 3600, 64
PLANTED_IMAGES = 1600
# The positives of a planted target: its greatest scores.
PLANTED_SHARE = 0.04


@dataclasses.dataclass(frozen=True)
class ExplainedNetwork:
    """A trained network from feature maps on, and what it is explained with.

    Attributes:
        kind: `"fc6"`, `"peaks"`, `"part_filters"` or `"planted"`.
        place: Backbone and task, the end of the names of rows.
        head: Keras model from maps to class scores; its layer `maps` hands them on.
        layer: Name of the explained layer, Z.
        maps: float32 `(N, h, w, C)`, zero or positive, of all images.
        dataset: Images, part points and boxes.
        classes: The outputs that have a module.
        positives: bool `(N, classes)`, the images of each.
        accuracy: Of the network on the test images, None where it has no classes.
    """

    kind: str
    place: str
    head: keras.Model
    layer: str
    maps: np.ndarray
    dataset: PartsDataset
    classes: list[int]
    positives: np.ndarray
    accuracy: float | None

    @property
    def is_train(self) -> np.ndarray:
        """Bool, the images that modules learn from."""
        return np.asarray(self.dataset.split) != "test"

    @property
    def groups(self) -> np.ndarray | None:
        """Part of each of a bird's landmarks after merging; None of planted data."""
        if self.kind == PLANTED:
            return None
        names = self.dataset.landmark_names
        merged = datasets.landmark_groups(names).values()
        part = {name: k for k, members in enumerate(merged) for name in members}
        return np.array([part[name] for name in names])


@dataclasses.dataclass(frozen=True)
class PerformerRecipe:
    """What a performer is trained with; chosen on held-back training images.

    Attributes:
        filters: Of the convolution whose maps explanations end at.
        units: Of the dense layer above.
        epochs: Passes over the training images and their mirror images.
        learning_rates: Of Adam, where Z is a dense layer (it dies at 1e-3) and where it
            is the peaks of filters.
        filter_loss_weight: Of the part filters.
    """

    filters: int = 96
    units: int = 256
    epochs: int = 24
    learning_rates: tuple[float, float] = (3e-4, 1e-3)
    filter_loss_weight: float = 0.3


def build_head(
    map_shape: tuple[int, ...], classes: int, kind: str, units: int
) -> keras.Model:
    """From maps to class scores, compiled with nothing.

    Args:
        map_shape: `(h, w, C)`.
        classes: Number of outputs of the softmax.
        kind: `"fc6"`: pooling and a dense layer that stands for the fc6 of VGG, which
            is Z. Otherwise Z are the greatest values of the channels, below a dense
            layer.
        units: Of the dense layer.
    """
    inputs = keras.Input(map_shape)
    maps = keras.layers.Activation("relu", name=MAPS)(inputs)
    if kind == FC6:
        vector = keras.layers.Flatten()(keras.layers.MaxPooling2D(3, 2)(maps))
    else:
        vector = keras.layers.GlobalMaxPooling2D(name=PEAKS)(maps)
    vector = keras.layers.Dropout(0.5 if kind == FC6 else 0.2)(vector)
    vector = keras.layers.Dense(units, activation="relu", name=FC6)(vector)
    scores = keras.layers.Dense(classes, activation="softmax", name="scores")
    return keras.Model(inputs, scores(vector), name=f"head_{kind}")


def train_performer(
    kind: str,
    values: np.ndarray,
    targets: np.ndarray,
    train: np.ndarray,
    mirrored: np.ndarray,
    recipe: PerformerRecipe,
    seed: int,
    below: Callable[[keras.KerasTensor], keras.KerasTensor] | None = None,
    weights: Path | None = None,
) -> tuple[keras.Model, keras.Model]:
    """Train a convolution and a head on inputs of any kind.

    Args:
        kind: `"fc6"`, `"peaks"` or `"part_filters"`.
        values: float32 inputs `(N, h, w, C)`.
        targets: int `(N,)`.
        train: bool `(N,)`, the images to learn from.
        mirrored: Inputs of the mirror images of these, in their order.
        recipe: Sizes and epochs.
        seed: Of weights, order and dropout.
        below: Layers between inputs and the convolution.
        weights: File of its weights, read where there is one and written where not.

    Returns:
        The model from inputs to maps, and the head.
    """
    keras.utils.set_random_seed(seed)
    inputs = keras.Input(values.shape[1:])
    lower = inputs if below is None else below(inputs)
    maps = _top_convolution(kind, recipe)(lower)
    classes = int(targets.max()) + 1
    head = build_head(maps.shape[1:], classes, kind, recipe.units)
    # A plain model tells the filter loss no labels: parts are those of all species.
    model = keras.Model(inputs, head(maps))
    found = keras.Model(inputs, maps), head
    if weights is not None and weights.is_file():
        model.load_weights(weights)
        return found
    model.compile(
        keras.optimizers.Adam(recipe.learning_rates[kind != FC6]),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    learnt = np.concatenate([values[train], mirrored])
    labels = np.concatenate([targets[train]] * 2)
    model.fit(learnt, labels, epochs=recipe.epochs, batch_size=64, verbose=0)
    if weights is not None:
        weights.parent.mkdir(parents=True, exist_ok=True)
        temporary = weights.with_name(f".{os.getpid()}{weights.name}")
        model.save_weights(temporary)
        temporary.replace(weights)
    return found


def _top_convolution(kind: str, recipe: PerformerRecipe) -> keras.layers.Layer:
    options = {
        "padding": "same",
        "activation": "relu",
        "kernel_regularizer": keras.regularizers.L2(1e-4),
        "name": "top",
    }
    if kind != PART_FILTERS:
        return keras.layers.Conv2D(recipe.filters, 3, **options)
    return InterpretableConv(
        recipe.filters,
        3,
        fraction=1.0,
        filter_loss_weight=recipe.filter_loss_weight,
        **options,
    )


def networks_on_photographs(
    plan: Plan,
    trunk: FrozenTrunk,
    kinds: tuple[str, ...],
    recipe: PerformerRecipe,
    seed: int,
    say: Callable[[str], None],
    weights: Callable[[str], Path],
) -> Iterator[ExplainedNetwork]:
    """Performers on the frozen maps of photographs, one after another."""
    (task,) = plan.tasks(trunk)
    projection = Projection.fit(task.features[task.is_train], COMPONENTS)
    values, mirrored = projection(task.features), projection(task.mirrored)
    for kind in kinds:
        say(f"The performer with {_WORDS[kind]}")
        yield _explained(
            kind,
            trunk.name,
            task.dataset,
            values,
            mirrored,
            recipe,
            seed,
            None,
            weights(kind),
        )


def networks_on_drawings(
    kinds: tuple[str, ...],
    recipe: PerformerRecipe,
    seed: int,
    say: Callable[[str], None],
    weights: Callable[[str], Path],
    *,
    quick: bool,
    development: bool,
) -> Iterator[ExplainedNetwork]:
    """Performers that start at the pixels of drawn birds."""
    dataset = datasets.load(
        "synthetic_birds",
        num_images=DRAWN_IMAGES // (3 if quick else 1),
        image_size=DRAWN_SIZE,
        difficulty=0.3,
        part_masks=False,
        captions=False,
        seed=seed,
    )
    dataset = development_split(dataset) if development else dataset
    values = dataset.images.astype("float32") / 127.5 - 1.0
    train = np.asarray(dataset.split) != "test"
    for kind in kinds:
        say(f"The performer with {_WORDS[kind]}")
        mirrored = values[train][:, :, ::-1]
        yield _explained(
            kind,
            "small",
            dataset,
            values,
            mirrored,
            recipe,
            seed,
            _small_trunk,
            weights(kind),
        )


_WORDS = {
    FC6: "a dense layer that stands for fc6",
    PEAKS: "the peaks of ordinary filters",
    PART_FILTERS: "the peaks of part filters",
}


def _small_trunk(images: keras.KerasTensor) -> keras.KerasTensor:
    maps = keras.layers.Conv2D(32, 5, strides=2, padding="same", activation="relu")(
        images
    )
    maps = keras.layers.MaxPooling2D(2)(maps)
    return keras.layers.Conv2D(64, 3, padding="same", activation="relu")(maps)


def _explained(
    kind: str,
    backbone: str,
    dataset: PartsDataset,
    values: np.ndarray,
    mirrored: np.ndarray,
    recipe: PerformerRecipe,
    seed: int,
    below: Callable[[keras.KerasTensor], keras.KerasTensor] | None,
    weights: Path,
) -> ExplainedNetwork:
    labels = np.asarray(dataset.labels)
    train = np.asarray(dataset.split) != "test"
    lower, head = train_performer(
        kind, values, labels, train, mirrored, recipe, seed, below, weights
    )
    maps = lower.predict(values, batch_size=64, verbose=0)
    scores = head.predict(maps[~train], verbose=0)
    known = len(dataset.class_names)
    chosen = np.random.default_rng(seed).permutation(known)[: min(CLASSES, known)]
    classes = sorted(int(one) for one in chosen)
    words = "part filters" if kind == PART_FILTERS else kind
    return ExplainedNetwork(
        kind=kind,
        place=f"{backbone}/{len(classes)} species, {words}",
        head=head,
        layer=FC6 if kind == FC6 else PEAKS,
        maps=maps,
        dataset=dataset,
        classes=classes,
        positives=labels[:, None] == np.array(classes),
        accuracy=float((scores.argmax(axis=1) == labels[~train]).mean()),
    )


def planted_network(seed: int, *, quick: bool, targets: int = 8) -> ExplainedNetwork:
    """The network of planted data, of which the right answer is known.

    Args:
        seed: Of the data.
        quick: Half as many images.
        targets: Number of scores.
    """
    planted = datasets.PlantedParts(targets=targets, seed=seed)
    dataset = planted.load(PLANTED_IMAGES // (2 if quick else 1))
    whole = models.planted_network(planted)
    below = keras.Model(whole.inputs, whole.get_layer(MAPS).output)
    maps = below.predict(dataset.images.astype("float32"), batch_size=64, verbose=0)
    inputs = keras.Input(maps.shape[1:])
    peaks = whole.get_layer(PEAKS)(keras.layers.Activation("relu", name=MAPS)(inputs))
    head = keras.Model(inputs, whole.get_layer("scores")(peaks), name="planted_head")
    scores = planted.scores(dataset.ids)
    test = np.asarray(dataset.split) == "test"
    least = np.quantile(scores[test], 1.0 - PLANTED_SHARE, axis=0)
    return ExplainedNetwork(
        kind=PLANTED,
        place=f"none/{targets} targets",
        head=head,
        layer=PEAKS,
        maps=maps,
        dataset=dataset,
        classes=list(range(targets)),
        positives=scores >= least,
        accuracy=None,
    )

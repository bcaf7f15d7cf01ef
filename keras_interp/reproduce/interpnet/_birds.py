"""Birds with sentences, as the features that InterpNET starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp import datasets, models
from keras_interp.datasets import PartsDataset
from keras_interp.reproduce._tasks import development_split

CUB, DRAWN = "cub", "synthetic_birds"
# Training images of each class that decide when to stop.
VALIDATION_IMAGES = 3
QUICK_CLASSES = 10
IMAGE_SIZE = 227
DRAWN_IMAGES, QUICK_DRAWN_IMAGES, DRAWN_SIZE = 2400, 720, 64
# More of them, of another seed, that are for training alone: the images that are scored
# stay those of `DRAWN_IMAGES`.
MORE_DRAWN_IMAGES, QUICK_MORE_DRAWN_IMAGES, MORE_SEED = 9600, 1200, 1
# Of the network that learns the drawn species.
DRAWN_EPOCHS, DRAWN_BATCH, DRAWN_RATE = 6, 32, 3e-3
# Its maps are averaged over a grid of so many by so many cells: where a color is tells
# of which part it is.
DRAWN_CELLS = 4


@dataclasses.dataclass(frozen=True)
class DescribedBirds:
    """Birds, what people or a grammar say of them, and their features.

    Attributes:
        dataset: Images, labels and sentences; each class has a number from 0.
        features: float32 `(N, D)`, x of the paper.
        fit: Rows that are learnt from.
        validation: Rows that decide when to stop; training images, too.
        test: Rows that are scored.
    """

    dataset: PartsDataset
    features: np.ndarray
    fit: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def captions(self, rows: np.ndarray) -> list[list[str]]:
        """Sentences of some images, a list for each."""
        assert self.dataset.captions is not None
        return [list(self.dataset.captions[row]) for row in rows]

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Classes of some images."""
        return np.asarray(self.dataset.labels)[rows]

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.dataset.class_names)


def described_birds(
    data: str,
    root: Path | None,
    weights: str | None,
    cache: Path,
    say: Callable[[str], None],
    *,
    quick: bool,
    development: bool,
) -> DescribedBirds:
    """Read or draw the birds, and compute their features or find them in files.

    Args:
        data: `"cub"` or `"synthetic_birds"`.
        root: The dataset's folder; None looks in `$KERAS_INTERP_DATA`.
        weights: Path of SqueezeNet's weights; None looks in `$KERAS_INTERP_DATA`.
        cache: Folder in which features of photographs are kept.
        say: Takes a line of progress.
        quick: Fewer classes or images.
        development: Score on held-back training images.
    """
    dataset = _photographs(root) if data == CUB else _drawings(quick)
    kept = sorted(set(np.asarray(dataset.labels).tolist()))
    if data == CUB and quick:
        kept = kept[:QUICK_CLASSES]
    dataset = _of_classes(dataset, kept)
    dataset = development_split(dataset) if development else dataset
    if data == DRAWN:
        dataset = _with_more_to_learn(dataset, quick)
    fit, validation, test = _parts(dataset)
    say(
        f"{data}: {len(fit)} images to learn from, {len(validation)} to stop by, "
        f"{len(test)} to score, {len(kept)} classes"
    )
    if data == CUB:
        features = _of_squeezenet(dataset, weights, cache)
    else:
        say("Training the network whose features are explained")
        features = _of_small_network(dataset, fit)
    return DescribedBirds(dataset, features, fit, validation, test)


def _photographs(root: Path | None) -> PartsDataset:
    """The birds of CUB that have sentences."""
    dataset = datasets.load(CUB, root, size=IMAGE_SIZE, captions=True)
    assert dataset.captions is not None
    return dataset.subset(np.array([len(one) > 0 for one in dataset.captions]))


def _drawings(quick: bool) -> PartsDataset:
    count = QUICK_DRAWN_IMAGES if quick else DRAWN_IMAGES
    return datasets.load(
        DRAWN, num_images=count, image_size=DRAWN_SIZE, part_masks=False
    )


def _with_more_to_learn(dataset: PartsDataset, quick: bool) -> PartsDataset:
    """The drawn birds, and behind them more that are for training."""
    more = datasets.load(
        DRAWN,
        num_images=QUICK_MORE_DRAWN_IMAGES if quick else MORE_DRAWN_IMAGES,
        image_size=DRAWN_SIZE,
        test_fraction=0.0,
        part_masks=False,
        seed=MORE_SEED,
    )
    assert dataset.captions is not None and more.captions is not None
    # Another seed draws other birds under the same numbers.
    first, others = np.asarray(dataset.ids), np.asarray(more.ids)
    ids = np.concatenate([first, others + first.max() + 1])
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(dataset, name), getattr(more, name)])
        for name in ("images", "labels", "landmarks", "boxes", "split")
    }
    return dataclasses.replace(
        dataset, captions=dataset.captions + more.captions, ids=ids, **arrays
    )


def _of_classes(dataset: PartsDataset, kept: list[int]) -> PartsDataset:
    """Some classes of a dataset, numbered from 0."""
    labels = np.asarray(dataset.labels)
    rows = np.isin(labels, kept)
    return dataclasses.replace(
        dataset.subset(rows),
        labels=np.searchsorted(kept, labels[rows]),
        class_names=[dataset.class_names[label] for label in kept],
    )


def _parts(dataset: PartsDataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to learn from, to stop by and to score.

    The rows to stop by are the first of each class that are for training; a class with
    few keeps half.
    """
    labels, split = np.asarray(dataset.labels), np.asarray(dataset.split)
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero((labels == label) & (split != "test"))
        held[rows[: min(VALIDATION_IMAGES, len(rows) // 2)]] = True
    train = split != "test"
    parts = (train & ~held, held, ~train)
    fit, validation, test = (np.flatnonzero(part) for part in parts)
    if not min(len(fit), len(validation), len(test)):
        raise ValueError(
            "Expected images with sentences to learn from, to stop by and to score. "
            f"Received: {len(fit)}, {len(validation)} and {len(test)} of them. Take "
            "the whole set."
        )
    return fit, validation, test


def _of_squeezenet(
    dataset: PartsDataset, weights: str | None, cache: Path
) -> np.ndarray:
    """Compact bilinear features of the last maps of a pretrained SqueezeNet."""
    trunk = models.SqueezeNet(weights=weights or "imagenet", include_top=False)
    return datasets.extract_features(
        models.compact_bilinear_network(trunk),
        dataset,
        cache,
        preprocess=_squeezenet_input,
    ).array()


def _squeezenet_input(images: np.ndarray) -> np.ndarray:
    return models.preprocess_input(images, backbone="squeezenet")


def _of_small_network(dataset: PartsDataset, fit: np.ndarray) -> np.ndarray:
    """Maps of a network that learns the drawn species first, averaged over a grid."""
    keras.utils.set_random_seed(0)
    network = _small_network(dataset.images.shape[1:], len(dataset.class_names))
    steps = DRAWN_EPOCHS * max(1, len(fit) // DRAWN_BATCH)
    rate = keras.optimizers.schedules.CosineDecay(
        DRAWN_RATE / 10,
        steps - steps // 20,
        warmup_target=DRAWN_RATE,
        warmup_steps=steps // 20,
    )
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    network.fit(
        dataset.images[fit],
        np.asarray(dataset.labels)[fit],
        batch_size=DRAWN_BATCH,
        epochs=DRAWN_EPOCHS,
        verbose=2,
    )
    features = keras.Model(network.inputs, network.get_layer("cells").output)
    return features.predict(dataset.images, batch_size=64, verbose=0)


def _small_network(shape: tuple[int, ...], classes: int) -> keras.Model:
    """Four convolutions, their maps averaged over a grid, and a layer of classes."""
    inputs = keras.Input(shape, dtype="uint8")
    maps = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
    # The figures of a species do not depend on which way its birds look.
    maps = keras.layers.RandomFlip("horizontal", seed=0)(maps)
    for width, size, pooled in (
        (32, 5, True),
        (64, 3, True),
        (96, 3, False),
        (96, 3, False),
    ):
        stride = 2 if size == 5 else 1
        maps = keras.layers.Conv2D(width, size, stride, "same", use_bias=False)(maps)
        maps = keras.layers.BatchNormalization(momentum=0.9)(maps)
        maps = keras.layers.Activation("relu")(maps)
        maps = keras.layers.MaxPooling2D(2)(maps) if pooled else maps
    cell = max(1, maps.shape[1] // DRAWN_CELLS)
    maps = keras.layers.AveragePooling2D(cell)(maps)
    vector = keras.layers.Flatten(name="cells")(maps)
    outputs = keras.layers.Dense(classes, activation="softmax")(vector)
    return keras.Model(inputs, outputs, name="small_network")

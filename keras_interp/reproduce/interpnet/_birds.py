"""Birds with sentences, as the features that InterpNET starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

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
DRAWN_FEATURES = 2048
DRAWN_EPOCHS = 20


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
    """Compact bilinear features of a network that learns the drawn species first."""
    keras.utils.set_random_seed(0)
    values = dataset.images.astype("float32") / 127.5 - 1.0
    inputs = keras.Input(values.shape[1:])
    maps = inputs
    for width, stride in ((32, 2), (64, 1), (64, 1)):
        maps = keras.layers.Conv2D(width, 3, stride, "same", use_bias=False)(maps)
        maps = keras.layers.BatchNormalization()(maps)
        maps = keras.layers.Activation("relu")(maps)
        maps = keras.layers.MaxPooling2D(2)(maps) if stride == 1 else maps
    network = models.compact_bilinear_network(
        keras.Model(inputs, maps),
        classes=len(dataset.class_names),
        output_dim=DRAWN_FEATURES,
    )
    network.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    # The figures of a species do not depend on which way its birds look.
    both = np.concatenate([values[fit], values[fit][:, :, ::-1]])
    labels = np.tile(np.asarray(dataset.labels)[fit], 2)
    network.fit(both, labels, epochs=DRAWN_EPOCHS, batch_size=32, verbose=0)
    pooled = keras.Model(network.inputs, network.get_layer("compact_bilinear").output)
    return pooled.predict(values, batch_size=64, verbose=0)

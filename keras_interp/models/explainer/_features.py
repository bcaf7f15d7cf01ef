"""Features of a frozen performer, computed once and kept in memory or in files."""

from __future__ import annotations

import contextlib
import itertools
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.images import ACCEPTED, image_inputs

PerformerFeatures = dict[str, np.ndarray]
BATCH_SIZE = 32
# What `tf.data.Dataset.cardinality` says then.
ENDLESS = -1
# Above this they go to files.
MOST_BYTES_IN_MEMORY = 2 * 1024**3


def is_features(inputs: Any) -> bool:
    """Whether inputs are features of a performer, and not its images."""
    return isinstance(inputs, dict) and "target" in inputs and "rebuilt_0" in inputs


def computed_features(
    network: keras.Model, names: Sequence[str], images: Any, batch_size: int
) -> PerformerFeatures:
    """All features of images that fit into memory."""
    batches = ((batch, None) for batch in image_batches(network, images, batch_size))
    arrays, _ = _collected(network, names, batches, None)
    return arrays


def first_images(images: Any, most: int = 64) -> Any:
    """The first images, or features, of whatever `fit` is given."""
    if isinstance(images, FeatureBatches):
        images = images.features
    if is_features(images):
        return {name: values[:most] for name, values in images.items()}
    if hasattr(images, "shape"):
        return images[:most]
    if hasattr(images, "__next__"):
        raise ValueError(
            "Expected images that can be looked at before training. Received: an "
            "iterator. Give a sample of images as "
            "callbacks=[keras_interp.callbacks.FilterLossBalance(ratio, sample)]."
        )
    found: list[np.ndarray] = []
    for (batch, _), _ in _elements(images):
        found.append(ops.convert_to_numpy(batch))
        if sum(map(len, found)) >= most:
            break
    return np.concatenate(found)[:most]


@contextlib.contextmanager
def cached_features(
    network: keras.Model,
    names: Sequence[str],
    images: Any,
    labels: Any,
    *,
    folder: str | Path | None,
    batch_size: int | None,
    shuffle: bool,
) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """Features for `fit`, its labels, and what else `fit` must be told.

    They are computed a batch at a time. What is larger than `MOST_BYTES_IN_MEMORY`
    goes to files from which training reads batch by batch.

    Args:
        network: From images to features.
        names: Of the features.
        images: Array of images, or an iterable data set of batches.
        labels: Array, or None.
        folder: Folder for the files; None takes a temporary one. Files are removed at
            the end.
        batch_size: Images at a time, here and in training. None takes 32, or as many
            as the first batch of a data set has.
        shuffle: Whether training takes the images in a new order each epoch.
    """
    with tempfile.TemporaryDirectory(
        prefix="performer_features_", dir=_made(folder)
    ) as name:
        batches = _batches(images, labels, batch_size or BATCH_SIZE)
        first = list(itertools.islice(batches, 1))
        batch_size = batch_size or max((len(one) for one, _ in first), default=1)
        batches = itertools.chain(first, batches)
        arrays, kept_labels = _collected(network, names, batches, Path(name))
        told: dict[str, Any] = {"batch_size": batch_size, "shuffle": shuffle}
        if not isinstance(arrays["target"], np.memmap):
            yield arrays, kept_labels, told
        else:
            source = FeatureBatches(arrays, kept_labels, batch_size, shuffle)
            yield source, None, {"shuffle": shuffle}


class FeatureBatches(keras.utils.PyDataset):
    """Batches of features that lie in files.

    Args:
        features: Arrays of one length.
        labels: Array of the same length, or None.
        batch_size: Images of a batch.
        shuffle: Whether each epoch has an order of its own.
    """

    def __init__(
        self,
        features: PerformerFeatures,
        labels: np.ndarray | None,
        batch_size: int,
        shuffle: bool,
    ):
        super().__init__()
        self.features = features
        self.labels = labels
        self.batch_size = batch_size
        self.shuffle = shuffle
        self._order = np.arange(len(features["target"]))
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self.batch_size)

    def __getitem__(self, index: int) -> Any:
        start = index * self.batch_size
        # Files are read from the front to the back.
        rows = np.sort(self._order[start : start + self.batch_size])
        batch = {name: array[rows] for name, array in self.features.items()}
        return (batch,) if self.labels is None else (batch, self.labels[rows])

    def on_epoch_end(self) -> None:
        if self.shuffle:
            # Follows keras.utils.set_random_seed.
            np.random.shuffle(self._order)


def _made(folder: str | Path | None) -> str | None:
    if folder is None:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return str(folder)


def image_batches(model: keras.Model, images: Any, size: int) -> Iterator[Any]:
    """The images that a model takes, checked, `size` at a time."""
    several = not isinstance(images, str) and hasattr(images, "__len__")
    if several and len(images) == 0:
        raise ValueError(f"Expected at least one image: {ACCEPTED}. Received none.")
    inputs = getattr(model, "inputs", None) or []
    takes_images = [len(tensor.shape) for tensor in inputs] == [4]
    # An array is converted batch by batch, for it may be large.
    whole = isinstance(images, np.ndarray) and images.ndim == 4
    if takes_images and not whole:
        images = image_inputs(model, images).images
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        yield image_inputs(model, batch).images if takes_images else batch


def _batches(images: Any, labels: Any, size: int) -> Iterator[tuple[Any, Any]]:
    if hasattr(images, "shape"):
        if labels is not None and len(labels) != len(images):
            raise ValueError(
                f"Expected as many labels as images. Received: {len(images)} "
                f"images and {len(labels)} labels."
            )
        for start in range(0, len(images), size):
            rows = slice(start, start + size)
            yield images[rows], None if labels is None else labels[rows]
        return
    _check_finite(images)
    if labels is not None:
        raise ValueError(
            "Expected the labels in the data set, as (images, labels) batches. "
            f"Received: a {type(images).__name__} and labels beside it."
        )
    for (batch, batch_labels), weights in _elements(images):
        if weights is not None:
            raise ValueError(
                "Expected a data set of images, or of images and labels. Received "
                "one with sample weights: train with cache_features=False."
            )
        yield batch, batch_labels


def _elements(images: Any) -> Iterator[tuple[tuple[Any, Any], Any]]:
    """Batches of a data set: images and labels, and their weights."""
    # A PyDataset has a length and can be asked for ever.
    count = len(images) if isinstance(images, keras.utils.PyDataset) else None
    source = (images[i] for i in range(count)) if count is not None else images
    for batch in source:
        taken, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
        yield (taken, labels), weights


def _check_finite(images: Any) -> None:
    """A `tf.data.Dataset` knows whether it ends."""
    cardinality = getattr(images, "cardinality", None)
    if callable(cardinality) and int(cardinality()) == ENDLESS:
        raise ValueError(
            "Expected a data set that ends, whose features can be kept. Received one "
            "that repeats for ever: leave out its repeat(), or train with "
            "cache_features=False."
        )


def _collected(
    network: keras.Model,
    names: Sequence[str],
    batches: Iterator[tuple[Any, Any]],
    folder: Path | None,
) -> tuple[PerformerFeatures, np.ndarray | None]:
    """Runs the performer over all batches; the parts are joined at the end."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    labels: list[np.ndarray] = []
    files: dict[str, Any] = {}
    held = 0
    try:
        for batch, batch_labels in batches:
            # A data set may give tensors of another backend.
            found = network.predict_on_batch(_array(batch))
            for name, value in zip(names, found, strict=True):
                parts[name].append(_storable(value))
                held += parts[name][-1].nbytes
            if batch_labels is not None:
                labels.append(_array(batch_labels))
            if folder is not None and held > MOST_BYTES_IN_MEMORY:
                _check_space(folder, held)
                _append(files, parts, folder)
                held = 0
        if not files and not parts["target"]:
            raise ValueError("Expected at least one image. Received none.")
        if files:
            _append(files, parts, folder)
    finally:
        for file, *_ in files.values():
            file.close()
    joined = np.concatenate(labels) if labels else None
    if not files:
        return {name: np.concatenate(arrays) for name, arrays in parts.items()}, joined
    return {name: _mapped(*entry) for name, entry in files.items()}, joined


def _array(values: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(values))


def _storable(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind in "iu":
        return array.astype("int32")
    # Half precision stays as it is: it is what the performer said.
    return array if array.dtype == np.float16 else array.astype("float32")


def _append(files: dict[str, Any], parts: dict[str, Any], folder: Path | None) -> None:
    for name, arrays in parts.items():
        if not arrays:
            continue
        if name not in files:
            path = (folder or Path()) / f"{name}.raw"
            files[name] = [path.open("wb"), path, arrays[0].dtype, arrays[0].shape[1:]]
        for array in arrays:
            files[name][0].write(np.ascontiguousarray(array).tobytes())
        arrays.clear()


def _mapped(file: Any, path: Path, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    del file
    return np.memmap(path, dtype, "r").reshape(-1, *shape)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < 2 * needed:
        raise OSError(
            f"Expected room for the performer's features in {folder}; only "
            f"{free // 1024**2} MiB are free. Pass `cache_folder=` on a larger disk, "
            "or train with cache_features=False."
        )

"""Any source of images as batches of one size, with the images' ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_interp.datasets._field_checks import refused
from keras_interp.datasets.parts_dataset import PartsDataset

Identity = str | int


class ImageBatch(NamedTuple):
    """Some images: `(B, height, width, channels)`, and their B ids."""

    images: np.ndarray
    ids: list[Identity]

    def take(self, rows: slice) -> ImageBatch:
        """Some of them."""
        return ImageBatch(self.images[rows], self.ids[rows])


def count_images(dataset: Any) -> int | None:
    """How many images there are, where that is known without reading them."""
    if isinstance(dataset, PartsDataset) or hasattr(dataset, "chunks"):
        return len(dataset)
    return None


def check_source(dataset: Any) -> None:
    """Refuses what cannot be gone through.

    Raises:
        ValueError: if `dataset` is not iterable, or is an array.
    """
    fits = isinstance(dataset, PartsDataset) or any(
        hasattr(dataset, name) for name in ("chunks", "__iter__")
    )
    if not fits or isinstance(dataset, np.ndarray | Mapping | str):
        raise ValueError(
            "Expected dataset as a PartsDataset, a tf.data.Dataset or an iterable of "
            f"images or batches. Received: {type(dataset).__name__}. Put a single "
            "batch into a list: [batch]."
        )


def image_batches(dataset: Any, batch_size: int) -> Iterator[ImageBatch]:
    """Goes through images once, `batch_size` of them at a time.

    Args:
        dataset: as `extract_features` takes it.
        batch_size: images in every batch but the last.

    Yields:
        Batches in the order of the dataset.

    Raises:
        ValueError: if an element is no image or batch of images, or the images
            differ in shape or type.
    """
    held: list[ImageBatch] = []
    kind = None
    for piece in _pieces(dataset, batch_size):
        found = piece.images.shape[1:], piece.images.dtype
        if found != (kind := kind or found):
            raise ValueError(
                f"the images from {piece.ids[:1]} on are {found[1]} of shape "
                f"{found[0]}, those before {kind[1]} of shape {kind[0]}; bring them to "
                "one size and type"
            )
        held.append(piece)
        if sum(len(one.ids) for one in held) < batch_size:
            continue
        whole = _joined(held)
        start = 0
        for start in range(0, len(whole.ids) - batch_size + 1, batch_size):
            yield whole.take(slice(start, start + batch_size))
        held = [whole.take(slice(start + batch_size, None))]
    rest = _joined(held) if held else None
    if rest is not None and rest.ids:
        yield rest


def _joined(pieces: list[ImageBatch]) -> ImageBatch:
    if len(pieces) == 1:
        return pieces[0]
    images = np.concatenate([piece.images for piece in pieces])
    return ImageBatch(images, [i for piece in pieces for i in piece.ids])


def _pieces(dataset: Any, batch_size: int) -> Iterator[ImageBatch]:
    """Images as they come: a slice of an array, a batch or a single one."""
    if isinstance(dataset, PartsDataset):
        for start in range(0, len(dataset), batch_size):
            rows = slice(start, start + batch_size)
            ids = None if dataset.ids is None else dataset.ids[rows]
            yield _batch({"images": dataset.images[rows], "ids": ids}, start)
        return
    if hasattr(dataset, "chunks"):
        dataset = dataset.chunks(length=batch_size)
    number = 0
    for element in dataset:
        if isinstance(element, PartsDataset):
            element = {"images": element.images, "ids": element.ids}
        piece = _batch(element, number)
        number += len(piece.ids)
        yield piece


def _batch(element: Any, number: int) -> ImageBatch:
    """One element of a stream; `number` images came before it."""
    ids = None
    if isinstance(element, Mapping):
        ids = _first(element, ("ids", "id"))
        images = _first(element, ("images", "image"))
        if images is None:
            raise ValueError(
                'Expected a dictionary of images with the key "image" or "images". '
                f"Received: {sorted(map(str, element))}. Rename the key."
            )
    else:
        images = element[0] if isinstance(element, tuple | list) else element
    batch = np.asarray(images)
    if batch.ndim == 3:
        batch, ids = batch[None], None if ids is None else [ids]
    if batch.ndim != 4 or batch.dtype.kind not in "uif":
        raise ValueError(
            "Expected images (height, width, channels) or batches of them. Received: "
            f"{batch.dtype} of shape {batch.shape} after {number} images. Pass pixels."
        )
    if ids is None:
        return ImageBatch(batch, list(range(number, number + len(batch))))
    names = [_identity(one) for one in np.asarray(ids).tolist()]
    if len(names) != len(batch):
        raise ValueError(
            f"got {len(names)} ids for {len(batch)} images after {number} images"
        )
    return ImageBatch(batch, names)


def _first(element: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((element[name] for name in names if name in element), None)


def _identity(value: Any) -> Identity:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, str | int):
        return value
    raise refused("an id as a string or an integer", id=value)

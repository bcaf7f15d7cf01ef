"""What features depend on, so that a run goes on only where nothing has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets.features.picture_stream import Identity, PictureBatch

_MOST_PICTURES = 1024  # in a shard: so much work is lost when the process is killed
_SHARD_BYTES = 1 << 26  # and so much memory is used

_WHAT = {
    "model": "the model or the layer",
    "first_picture": "the dataset: its first picture",
    "preprocess": "what preprocess makes of the first picture",
    "shape": "the shape of a picture's features",
    "dtype": "dtype",
    "shard_size": "shard_size",
}


class InputDigest:
    """A digest of pictures and ids that does not depend on how they are batched."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)
        self._ids: list[Identity] = []

    def add(self, batch: PictureBatch) -> None:
        """Takes in further pictures."""
        if not self._ids:
            kind = f"{batch.images.dtype} {batch.images.shape[1:]}"
            self._digest.update(kind.encode())
        self._digest.update(np.ascontiguousarray(batch.images).data)
        self._ids += batch.ids

    def hexdigest(self) -> str:
        """32 hexadecimal digits."""
        digest = self._digest.copy()
        digest.update(json.dumps(self._ids).encode())
        return digest.hexdigest()


def default_shard_size(features: np.ndarray) -> int:
    """Pictures in a shard of 64 MiB, a power of two up to 1,024.

    Args:
        features: of some pictures.
    """
    bytes_of_one = max(1, features[:1].nbytes)
    fitting = max(1, _SHARD_BYTES // bytes_of_one)
    return min(_MOST_PICTURES, 1 << (fitting.bit_length() - 1))


def prepared(images: np.ndarray, preprocess: Callable | None) -> Any:
    """The network's input for a batch of pictures."""
    if preprocess is None:
        return images.astype("float32")
    # Some functions write into the array that they are given.
    values = preprocess(images.copy())
    if len(values) != len(images):
        raise ValueError(
            f"preprocess gave {len(values)} pictures for {len(images)}; it must give "
            "one for each"
        )
    return values


def digest_of(batch: PictureBatch) -> str:
    """The digest of one batch."""
    digest = InputDigest()
    digest.add(batch)
    return digest.hexdigest()


def check_same_settings(
    folder: Path, earlier: dict[str, Any], now: dict[str, Any]
) -> None:
    """Refuses to mix features that were computed differently.

    Raises:
        ValueError: if a setting differs; the message says which.
    """
    for name, words in _WHAT.items():
        if earlier.get(name) != now[name]:
            raise ValueError(
                f"{folder} has features that were computed differently. What differs "
                f"is {words} (there {earlier.get(name)}, here {now[name]}). Choose "
                "another folder, or pass resume=False to delete these features."
            )

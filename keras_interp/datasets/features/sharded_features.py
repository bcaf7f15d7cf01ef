"""Reads features that `extract_features` wrote."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets.features.picture_stream import Identity
from keras_interp.datasets.features.shards import (
    MANIFEST,
    ShardRecord,
    damage_of,
    open_shard,
    read_manifest,
    read_record,
)


@dataclasses.dataclass(frozen=True)
class ShardedFeatures:
    """The features of a dataset in files, in the order of its pictures.

    Example:

    ```python
    features = ki.datasets.load_features("features")
    for ids, maps in features.shards():
        print(ids[0], maps.shape)
    ```

    Args:
        folder: the folder with the files.
        manifest: what `manifest.json` says.
    """

    folder: Path
    manifest: dict[str, Any]

    def __len__(self) -> int:
        return self.manifest["pictures"]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of `array()`: the pictures first, then the features of one."""
        return (len(self), *self.manifest["settings"]["shape"])

    @property
    def dtype(self) -> np.dtype:
        """The type of the numbers."""
        return np.dtype(self.manifest["settings"]["dtype"])

    @cached_property
    def ids(self) -> np.ndarray:
        """Array `(N,)`: the ids of the pictures, in the order of the features."""
        return np.array([i for record in self._records() for i in record.ids])

    def shards(self) -> Iterator[tuple[list[Identity], np.ndarray]]:
        """Goes through the features, a file at a time.

        Yields:
            The ids of some pictures and their features, an array of rows that are
            read from the disk where they are used.

        Raises:
            ValueError: if a file is missing or cut off; the message names it.
        """
        for record in self._records():
            yield record.ids, open_shard(self.folder, record)

    def array(self) -> np.ndarray:
        """All features in one array in memory.

        Returns:
            Array of shape `shape`.

        Raises:
            ValueError: if a file is missing or cut off; the message names it.
        """
        whole = np.empty(self.shape, self.dtype)
        start = 0
        for ids, features in self.shards():
            whole[start : start + len(ids)] = features
            start += len(ids)
        return whole

    def check(self) -> None:
        """Compares every file with its checksum.

        Raises:
            ValueError: if a file is missing or has changed; the message names it.
        """
        damages = [damage_of(self.folder, record) for record in self._records()]
        found = [damage for damage in damages if damage is not None]
        if found:
            raise ValueError(
                "; ".join(found) + ". Run extract_features with the same arguments "
                "again: it computes these shards anew."
            )

    def _records(self) -> Iterator[ShardRecord]:
        for index in range(len(self.manifest["shards"])):
            record = read_record(self.folder, index)
            if record is None:
                raise ValueError(
                    f"the record of shard {index} is missing in {self.folder}; run "
                    "extract_features with the same arguments again"
                )
            yield record


def load_features(out: str | Path, *, check: bool = False) -> ShardedFeatures:
    """Opens a folder that `extract_features` wrote.

    Example:

    ```python
    features = ki.datasets.load_features("features").array()
    ```

    Args:
        out: the folder.
        check: whether to compare every file with its checksum, which reads them all.

    Returns:
        A `ShardedFeatures`: ids, shape, one array or a shard at a time.

    Raises:
        FileNotFoundError: if the folder has no features.
        ValueError: if they are not complete, or a file is damaged.
    """
    folder = Path(out)
    manifest = read_manifest(folder)
    if manifest is None:
        raise FileNotFoundError(
            f"{folder} has no {MANIFEST}: extract_features did not write this folder"
        )
    if not manifest.get("complete"):
        raise ValueError(
            f"the features in {folder} are not complete; run extract_features with the "
            "same arguments again, which goes on where it ended"
        )
    features = ShardedFeatures(folder, manifest)
    if check:
        features.check()
    return features

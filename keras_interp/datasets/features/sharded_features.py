"""The files that hold the features of a dataset, and how they are read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets._safe_files import (
    SUFFIX,
    write_array_atomically,
    write_text_atomically,
)
from keras_interp.datasets.features._image_stream import Identity
from keras_interp.datasets.preparation._archives import sha256_of

MANIFEST = "manifest.json"
_FORMAT = "keras_interp features 1"


@dataclasses.dataclass(frozen=True)
class ShardRecord:
    """What is known of a finished shard.

    Args:
        file: name of the `.npy` file.
        sha256: of that file.
        inputs: digest of the images and ids that went in.
        ids: of the images, in the order of the rows.
    """

    file: str
    sha256: str
    inputs: str
    ids: list[Identity]


def shard_name(index: int) -> str:
    """The name of the file of a shard."""
    return f"features-{index:05d}.npy"


def write_shard(
    folder: Path, index: int, features: np.ndarray, ids: list[Identity], inputs: str
) -> ShardRecord:
    """Writes a shard and then its record."""
    path = folder / shard_name(index)
    write_array_atomically(path, features)
    record = ShardRecord(path.name, sha256_of(path), inputs, ids)
    text = json.dumps(dataclasses.asdict(record))
    write_text_atomically(path.with_suffix(".json"), text + "\n")
    return record


def read_record(folder: Path, index: int) -> ShardRecord | None:
    """The record of a shard; None where the shard is not finished.

    Raises:
        ValueError: if the record is damaged; the message names it.
    """
    path = (folder / shard_name(index)).with_suffix(".json")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return ShardRecord(**fields)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error})") from error


def damage_of(folder: Path, record: ShardRecord) -> str | None:
    """What is wrong with the file of a shard, in words; None if nothing is."""
    path = folder / record.file
    if not path.is_file():
        return f"{path} is missing"
    found = sha256_of(path)
    if found != record.sha256:
        return f"{path} is damaged: expected the SHA-256 {record.sha256}, got {found}"
    return None


def open_shard(folder: Path, record: ShardRecord) -> np.ndarray:
    """The array of a shard, read from the disk where it is used.

    Raises:
        ValueError: if the file is missing, cut off or no array of that many images.
    """
    path = folder / record.file
    advice = "run extract_features with the same arguments again to compute it anew"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is missing or damaged ({error}); {advice}") from error
    if len(array) != len(record.ids):
        raise ValueError(
            f"{path} has {len(array)} rows for {len(record.ids)} images; {advice}"
        )
    return array


def write_manifest(folder: Path, settings: dict[str, Any], **result: Any) -> None:
    """Writes what is computed here and, at the end, what has come out."""
    manifest = {"format": _FORMAT, "settings": settings, **result}
    write_text_atomically(folder / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder; None where there is none.

    Raises:
        ValueError: if it is damaged or of something else; the message names it.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({error}); choose another folder"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ValueError(f"{path} was not written by extract_features")
    return manifest


def feature_files(folder: Path) -> list[Path]:
    """Everything that belongs to the features in a folder, drafts included."""
    patterns = (MANIFEST, "features-*.npy", "features-*.json")
    return [
        path
        for pattern in patterns
        for path in sorted((*folder.glob(pattern), *folder.glob(pattern + SUFFIX)))
    ]


@dataclasses.dataclass(frozen=True)
class ShardedFeatures:
    """The features of a dataset in files, in the order of its images.

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
        """That of `array()`: the images first, then the features of one."""
        return (len(self), *self.manifest["settings"]["shape"])

    @property
    def dtype(self) -> np.dtype:
        """The type of the numbers."""
        return np.dtype(self.manifest["settings"]["dtype"])

    @cached_property
    def ids(self) -> np.ndarray:
        """Array `(N,)`: the ids of the images, in the order of the features."""
        return np.array([i for record in self._records() for i in record.ids])

    def shards(self) -> Iterator[tuple[list[Identity], np.ndarray]]:
        """Goes through the features, a file at a time.

        Yields:
            The ids of some images and their features, an array of rows that are
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

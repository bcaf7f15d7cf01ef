"""The files that hold the features of a dataset, and what is written about them.

A folder of features has

- `manifest.json`: what was computed (`settings`), and at the end `complete`, the number
  of pictures and name, pictures and SHA-256 of every shard;
- `features-00000.npy`, ...: an array `(pictures, ...)` each, the shards;
- `features-00000.json`, ...: of each finished shard the ids of its pictures in order,
  the SHA-256 of its file and a digest of the pictures that went in.

A shard's `.json` is written after its `.npy`, so a shard counts once it is whole.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets.atomic_files import (
    SUFFIX,
    write_array_atomically,
    write_text_atomically,
)
from keras_interp.datasets.features.picture_stream import Identity
from keras_interp.datasets.preparation.checksums import sha256_of

MANIFEST = "manifest.json"
_FORMAT = "keras_interp features 1"


@dataclasses.dataclass(frozen=True)
class ShardRecord:
    """What is known of a finished shard.

    Args:
        file: name of the `.npy` file.
        sha256: of that file.
        inputs: digest of the pictures and ids that went in.
        ids: of the pictures, in the order of the rows.
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
        ValueError: if the file is missing, cut off or no array of that many pictures.
    """
    path = folder / record.file
    advice = "run extract_features with the same arguments again to compute it anew"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is missing or damaged ({error}); {advice}") from error
    if len(array) != len(record.ids):
        raise ValueError(
            f"{path} has {len(array)} rows for {len(record.ids)} pictures; {advice}"
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

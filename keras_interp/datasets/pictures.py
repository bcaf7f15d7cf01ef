"""Reads picture files, many at a time, and names the file that is damaged."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".webp")


def list_pictures(folder: Path) -> list[Path]:
    """The picture files of a folder in the order of their names."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder of pictures")
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)


def picture_sizes(paths: Sequence[Path]) -> np.ndarray:
    """Reads only the headers: an int array `(N, 2)` of (width, height) pixels."""

    def size(path: Path) -> tuple[int, int]:
        with _open(path) as image:
            return image.size

    return np.array(in_threads(size, paths), np.int64).reshape(-1, 2)


def read_pictures(
    paths: Sequence[Path],
    size: tuple[int, int],
    boxes: np.ndarray | None = None,
) -> np.ndarray:
    """Reads pictures as RGB, cropped and resized to one size.

    The resizing is bilinear with antialiasing and does not keep the aspect ratio.

    Args:
        paths: the N files.
        size: (height, width) of the result in pixels.
        boxes: optional `(N, 4)` crops (x0, y0, x1, y1) in pixels of the file.

    Returns:
        uint8 array of shape `(N, height, width, 3)`.

    Raises:
        ValueError: if a file is damaged or no picture; the message names it.
        FileNotFoundError: if a file is missing.
    """
    images = np.empty((len(paths), *size, 3), np.uint8)

    def read(position: int) -> None:
        box = None if boxes is None else tuple(boxes[position].tolist())
        images[position] = _read(paths[position], size, box)

    in_threads(read, range(len(paths)))
    return images


def clip_boxes(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Cuts boxes (x0, y0, x1, y1) off at the edges of pictures of (width, height)."""
    return np.clip(boxes, 0, np.tile(sizes, 2))


def same_picture_groups(paths: Sequence[Path]) -> np.ndarray:
    """Numbers the files so that byte-identical ones have the same number.

    Args:
        paths: the N files. One that is missing counts as different from all others.

    Returns:
        int array `(N,)`: the position of the first file with the same content.
    """
    lengths = np.array([_length(path) for path in paths], np.int64)
    groups = np.arange(len(paths))
    _, alike, count = np.unique(lengths, return_inverse=True, return_counts=True)
    # Files of different lengths differ, so most need not be read.
    rows = np.flatnonzero((count[alike.reshape(-1)] > 1) & (lengths >= 0))

    def digest(row: int) -> bytes:
        return hashlib.blake2b(paths[row].read_bytes(), digest_size=16).digest()

    first: dict[bytes, int] = {}
    digests = in_threads(digest, rows.tolist())
    pairs = zip(digests, rows.tolist(), strict=True)
    groups[rows] = [first.setdefault(digest, row) for digest, row in pairs]
    return groups


def _length(path: Path) -> int:
    return os.path.getsize(path) if os.path.isfile(path) else -1


def in_threads(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Calls a function that decodes or reads files on every item, in order."""
    if len(items) < 2:
        return [function(item) for item in items]
    # Decoding and resizing release the interpreter lock, so threads run in parallel.
    with ThreadPoolExecutor(max_workers=min(16, (os.cpu_count() or 1) + 1)) as pool:
        return list(pool.map(function, items))


def _open(path: Path) -> Any:
    from PIL import Image

    try:
        return Image.open(path)
    except (FileNotFoundError, PermissionError):
        raise
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise _damaged(path, error) from error


def _read(path: Path, size: tuple[int, int], box: Any) -> np.ndarray:
    from PIL import Image

    height, width = size
    with _open(path) as image:
        try:
            image = image.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise _damaged(path, error) from error
    if box is not None:
        # Cut first: the filter must not reach over the edge of the crop.
        left, top = math.floor(box[0]), math.floor(box[1])
        image = image.crop((left, top, math.ceil(box[2]), math.ceil(box[3])))
        box = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    image = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(image)


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path} is damaged or not a picture ({error}); fetch or extract it again"
    )

"""Images: read from files of every kind, compared, resized many at a time."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".gif", ".webp")


def list_images(folder: Path) -> list[Path]:
    """The image files of a folder in the order of their names."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder of images")
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)


def image_sizes(paths: Sequence[Path]) -> np.ndarray:
    """Reads only the headers: an int array `(N, 2)` of (width, height) pixels."""

    def size(path: Path) -> tuple[int, int]:
        with _open(path) as image:
            return image.size

    return np.array(in_threads(size, paths), np.int64).reshape(-1, 2)


def read_images(
    paths: Sequence[Path],
    size: tuple[int, int],
    boxes: np.ndarray | None = None,
) -> np.ndarray:
    """Reads images as RGB, cropped and resized to one size.

    The resizing is bilinear with antialiasing and does not keep the aspect ratio.

    Args:
        paths: the N files.
        size: (height, width) of the result in pixels.
        boxes: optional `(N, 4)` crops (x0, y0, x1, y1) in pixels of the file.

    Returns:
        uint8 array of shape `(N, height, width, 3)`.

    Raises:
        ValueError: if a file is damaged or no image; the message names it.
        FileNotFoundError: if a file is missing.
    """
    images = np.empty((len(paths), *size, 3), np.uint8)

    def read(position: int) -> None:
        box = None if boxes is None else tuple(boxes[position].tolist())
        images[position] = _read_one(paths[position], size, box)

    in_threads(read, range(len(paths)))
    return images


def clip_boxes(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Cuts boxes (x0, y0, x1, y1) off at the edges of images of (width, height)."""
    return np.clip(boxes, 0, np.tile(sizes, 2))


def same_image_groups(paths: Sequence[Path]) -> np.ndarray:
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
    except (FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:
        # Of a damaged header each of Pillow's formats raises errors of its own kind.
        raise _damaged(path, error) from error


def read_photograph(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Reads one image of any kind as somebody who opens it sees it.

    It is turned as its camera says, and on white where it is transparent; of several
    frames the first is read. Resizing is as in `read_images`.

    Args:
        path: the file.
        size: (height, width) of the result in pixels. Default: that of the file.

    Returns:
        uint8 array of shape `(height, width, 3)`.

    Raises:
        ValueError: if the file is damaged or no image; the message names it.
        FileNotFoundError: if it is missing.
    """
    from PIL import Image, ImageOps

    with _open(path) as image:
        _load(image, path)
        image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            straight = image.convert("LA") if image.mode == "La" else image
            straight = straight.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, straight)
        image = _as_rgb(image, path)
    if size is not None:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image)


def _load(image: Any, path: Path) -> None:
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged(path, error) from error


def _read_one(path: Path, size: tuple[int, int], box: Any) -> np.ndarray:
    from PIL import Image

    height, width = size
    with _open(path) as image:
        _load(image, path)
        image = _as_rgb(image, path)
    if box is not None:
        # Cut first: the filter must not reach over the edge of the crop.
        left, top = math.floor(box[0]), math.floor(box[1])
        image = image.crop((left, top, math.ceil(box[2]), math.ceil(box[3])))
        box = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    image = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(image)


def _as_rgb(image: Any, path: Path) -> Any:
    """An image of any mode as 8-bit RGB.

    Transparency is left out, as Keras and TensorFlow do. Values of more than 16 bits
    and floating-point values have no white that the file would tell, so they are
    refused: Pillow would cut them off at 255 without a word.
    """
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        # A PNG file has no more than 16 bits; older Pillow reads them as 32.
        levels = np.asarray(image).astype(np.float64) / 257
        grey = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("I", "F"):
        kind = "32-bit integers" if image.mode == "I" else "floating-point values"
        raise ValueError(
            f"Expected an image of 8 or 16 bits a channel. Received: {path} with "
            f"{kind} (mode {image.mode!r} of Pillow). Scale its values to 0 to 255 and "
            "save it again."
        )
    if image.mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    # Premultiplied colours are divided by their opacity on the way.
    through = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)
    try:
        image = image if through is None else image.convert(through)
        return image.convert(
            "RGBA" if _is_transparent_palette(image) else "RGB"
        ).convert("RGB")
    except (OSError, ValueError) as error:
        raise ValueError(
            "Expected an image that Pillow can convert to RGB. Received: "
            f"{path} of the mode {image.mode!r} ({error}). Save it as RGB."
        ) from error


def _is_transparent_palette(image: Any) -> bool:
    """Whether Pillow would warn that the palette has transparent colours."""
    return image.mode == "P" and isinstance(image.info.get("transparency"), bytes)


def _damaged(path: Path, error: Exception) -> ValueError:
    reason = str(error) or type(error).__name__
    return ValueError(
        f"{path} is damaged or not an image ({reason}); fetch or extract it again"
    )


_CHUNK_BYTES = 64 * 2**20
# Rounding errors must not decide about pixels that are covered by half.
_HALF = 0.5 - 1e-5


def resize_images(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes uint8 images of shape `(N, height, width, 3)`."""
    channels_first = np.moveaxis(images, 3, 1)
    resized = np.empty((len(images), *size, images.shape[3]), np.uint8)
    for chunk, values in _resized_chunks(channels_first, size):
        rounded = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        resized[chunk] = np.moveaxis(rounded, 1, 3)
    return resized


def resize_maps(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes bool masks of shape `(N, P, height, width)`."""
    resized = np.empty((*masks.shape[:2], *size), bool)
    for chunk, values in _resized_chunks(masks, size):
        resized[chunk] = values >= _HALF
    return resized


def resize_patches(
    patches: Sequence[tuple[int, int, np.ndarray]],
    old_size: tuple[int, int],
    size: tuple[int, int],
) -> np.ndarray:
    """Resizes masks that are true in a small part of their image only.

    Args:
        patches: for each mask the position (x, y) of a bool array in the image; what
            sticks out is cut off.
        old_size: (height, width) of the image.
        size: (height, width) of the result.

    Returns:
        bool array `(len(patches), *size)`, what `resize_maps` gives for whole masks.
    """
    rows = _weights(old_size[0], size[0])
    columns = _weights(old_size[1], size[1]).T
    resized = np.zeros((len(patches), *size), bool)
    for mask, (x, y, patch) in zip(resized, patches, strict=True):
        patch = patch[max(0, -y) : max(0, old_size[0] - y)]
        patch = patch[:, max(0, -x) : max(0, old_size[1] - x)]
        x, y = max(0, x), max(0, y)
        height, width = patch.shape
        across = patch.astype(np.float32) @ columns[x : x + width]
        mask[:] = rows[:, y : y + height] @ across >= _HALF
    return resized


def _resized_chunks(
    maps: np.ndarray, size: tuple[int, int]
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields slices of the first axis and the resized float32 maps of each."""
    rows = _weights(maps.shape[2], size[0])
    columns = _weights(maps.shape[3], size[1]).T
    pixels = max(maps.shape[2] * maps.shape[3], size[0] * size[1])
    step = max(1, _CHUNK_BYTES // (4 * max(1, maps.shape[1]) * pixels))
    for start in range(0, len(maps), step):
        chunk = slice(start, start + step)
        yield chunk, rows @ (maps[chunk].astype(np.float32) @ columns)


def _weights(old: int, new: int) -> np.ndarray:
    """Matrix `(new, old)` of a triangle filter as wide as the coarser pixel grid."""
    scale = old / new
    support = max(scale, 1.0)
    centres = (np.arange(new)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(old)[None, :] + 0.5 - centres) / support
    weights = np.maximum(0.0, 1.0 - distance)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)

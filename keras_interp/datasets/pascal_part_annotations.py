"""The MATLAB files of PASCAL-Part (Chen et al., 2014), one for each picture."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets.pascal_part_names import CLASS_ALIASES, PARTS, part_code

ORIGIN = (
    "trainval.tar.gz from http://roozbehm.info/pascal-parts/pascal-parts.html "
    "(annotations) and VOCtrainval_03-May-2010.tar from "
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2010/ (pictures)"
)


@dataclasses.dataclass(frozen=True, eq=False)
class PartPixels:
    """The pixels of one part: a bool `mask` whose upper left pixel is (`x`, `y`)."""

    code: str
    x: int
    y: int
    mask: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class PascalObject:
    """One object of a picture.

    `category` is a class of PASCAL VOC; `box` (x0, y0, x1, y1) surrounds the pixels of
    the object, in pixels of the picture, and is NaN where it has none; `parts` holds
    those that have pixels, several with the same code where there are several wheels.
    """

    category: str
    box: np.ndarray
    parts: list[PartPixels]


@dataclasses.dataclass(frozen=True, eq=False)
class PascalPicture:
    """What one file says: the name and (width, height) of a picture, and its objects.

    `size` is (0, 0) where the file lists no object.
    """

    name: str
    size: tuple[int, int]
    objects: list[PascalObject]


def read_pascal_part_annotations(root: Path | str) -> Iterator[PascalPicture]:
    """Reads one MATLAB file after another, without opening a picture.

    Args:
        root: the folder with `Annotations_Part`, or one with `.mat` files and pictures
            side by side.

    Yields:
        The pictures in the order of their names.

    Raises:
        FileNotFoundError: if there are no files.
        ValueError: if one is damaged; the message names it.
    """
    yield from map(read_pascal_picture, find_annotation_files(Path(root)))


def find_annotation_files(root: Path) -> list[Path]:
    """The `.mat` files in the order of their names.

    Raises:
        FileNotFoundError: if there are none.
    """
    places = (root / "Annotations_Part", root / "trainval" / "Annotations_Part", root)
    for folder in places:
        files = sorted(folder.glob("*.mat")) if folder.is_dir() else []
        if files:
            return files
    raise FileNotFoundError(
        f"{root} holds no Annotations_Part/*.mat and no *.mat; get {ORIGIN}"
    )


def read_pascal_picture(path: Path) -> PascalPicture:
    """Reads one `.mat` file; the last few that were read are remembered.

    Raises:
        FileNotFoundError: if it is missing.
        ValueError: if it is damaged, of another MATLAB version or has another
            structure; the message names it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it comes from {ORIGIN}")
    status = path.stat()
    return _read(path, status.st_mtime_ns, status.st_size)


# Objects of one picture are read one after another; a file that changed is read anew.
@functools.lru_cache(maxsize=8)
def _read(path: Path, modified: int, length: int) -> PascalPicture:
    import scipy.io

    try:
        content = scipy.io.loadmat(str(path), variable_names=["anno"])
        annotation = content["anno"].flat[0]
        objects = [_object(node) for node in annotation["objects"].flat]
        shapes = {node["mask"].shape for node in annotation["objects"].flat}
        if len(shapes) > 1:
            raise ValueError(f"the masks have different sizes {sorted(shapes)}")
        height, width = shapes.pop() if shapes else (0, 0)
        name = str(annotation["imname"].item())
    except NotImplementedError as error:
        raise ValueError(
            f"{path} is of MATLAB v7.3; the published files are v5, get them again "
            f"from {ORIGIN}"
        ) from error
    except Exception as error:
        # The library raises a dozen kinds of errors on damaged files.
        raise ValueError(
            f"{path} is damaged or has another structure than published "
            f"({type(error).__name__}: {error}); get it again from {ORIGIN}"
        ) from error
    if name != path.stem:
        raise ValueError(f"{path} describes another picture, {name!r}")
    return PascalPicture(name, (width, height), objects)


def _object(node: Any) -> PascalObject:
    published = str(node["class"].item())
    category = CLASS_ALIASES.get(published, published)
    if category not in PARTS:
        raise ValueError(f"unknown class {published!r}; known: {list(PARTS)}")
    whole = _cut_out("", node["mask"])
    parts = []
    for part in node["parts"].flat:
        if part["mask"].shape != node["mask"].shape:
            raise ValueError(
                f"the mask of {part['part_name'].item()} is {part['mask'].shape} and "
                f"that of its object {node['mask'].shape}"
            )
        code = part_code(category, str(part["part_name"].item()))
        pixels = _cut_out(code, part["mask"])
        if pixels is not None:
            parts.append(pixels)
    box = np.full(4, np.nan)
    if whole is not None:
        height, width = whole.mask.shape
        box = np.array([whole.x, whole.y, whole.x + width, whole.y + height], float)
    return PascalObject(category, box, parts)


def _cut_out(code: str, mask: np.ndarray) -> PartPixels | None:
    """The smallest rectangle with all pixels of a mask; None for an empty one."""
    if mask.ndim != 2:
        raise ValueError(f"a mask has the shape {mask.shape}, expected (height, width)")
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    pixels = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] != 0
    return PartPixels(code, int(columns[0]), int(rows[0]), pixels)


def unite(parts: Sequence[PartPixels]) -> PartPixels | None:
    """All pixels of some parts as one; None where there are none."""
    if not parts:
        return None
    left, top = min(part.x for part in parts), min(part.y for part in parts)
    width = max(part.x + part.mask.shape[1] for part in parts) - left
    height = max(part.y + part.mask.shape[0] for part in parts) - top
    united = np.zeros((height, width), bool)
    for part in parts:
        rows, columns = part.mask.shape
        y, x = part.y - top, part.x - left
        united[y : y + rows, x : x + columns] |= part.mask
    return PartPixels(parts[0].code, left, top, united)


def centre_of(part: PartPixels | None) -> tuple[float, float]:
    """The mean (x, y) of the pixels of a part; NaN where it has none."""
    if part is None:
        return np.nan, np.nan
    rows, columns = np.nonzero(part.mask)
    return part.x + columns.mean() + 0.5, part.y + rows.mean() + 0.5

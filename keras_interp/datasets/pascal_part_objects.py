"""The objects of PASCAL-Part as a table: which picture, what, where, which side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets.annotated_pictures import object_array
from keras_interp.datasets.pascal_part_annotations import (
    ORIGIN,
    PascalObject,
    centre_of,
    find_annotation_files,
    read_pascal_picture,
    unite,
)
from keras_interp.datasets.pascal_part_names import MERGED_PARTS, PARTS, named_parts
from keras_interp.datasets.pictures import (
    in_threads,
    picture_sizes,
    same_picture_groups,
)
from keras_interp.datasets.splits import split_as_authors, split_by_groups
from keras_interp.datasets.text_tables import read_table

_PICTURE_FOLDERS = (
    "JPEGImages",
    "VOCdevkit/VOC2010/JPEGImages",
    "VOC2010/JPEGImages",
    ".",
)

_FIELDS = ("category", "annotation", "number", "path", "size", "box", "landmarks")


def read_pascal_objects(root: Path, parts: str) -> dict[str, np.ndarray]:
    """Reads all MATLAB files and keeps what fits into memory: no pixels.

    Args:
        root: the folder with the annotations and the pictures.
        parts: `"merged"` or `"original"`, whose centres are wanted.

    Returns:
        Arrays of one row for each object: `category`; `annotation`, the file, and
        `number`, the position in it; `path` of the picture; `size`, the (width,
        height) that it should have; `box`; `landmarks`, a dict of the centres by name.

    Raises:
        FileNotFoundError: if there are no annotations or pictures.
        ValueError: if a file is damaged; the message names it.
    """
    files = find_annotation_files(root)
    folder = _picture_folder(root, files)
    tables = in_threads(lambda file: _objects(file, folder, parts), files)
    rows = [row for table in tables for row in table]
    return {name: object_array([row[name] for row in rows]) for name in _FIELDS}


def _objects(file: Path, folder: Path, parts: str) -> list[dict[str, Any]]:
    """What is kept of one MATLAB file: no pixels."""
    picture = read_pascal_picture(file)
    return [
        {
            "category": shown.category,
            "annotation": file,
            "number": number,
            "path": folder / f"{picture.name}.jpg",
            "size": picture.size,
            "box": shown.box,
            "landmarks": _centres(shown, parts),
        }
        for number, shown in enumerate(picture.objects)
    ]


def _centres(shown: PascalObject, parts: str) -> dict[str, tuple[float, float]]:
    """The centre of each part of one object that has one."""
    if parts == "original":
        codes = named_parts(shown.category)
    elif shown.category in MERGED_PARTS:
        whole = {"neck": ["neck"], "torso": ["torso"]}
        codes = MERGED_PARTS[shown.category] | whole
    else:
        return {}
    centres = {}
    for name, wanted in codes.items():
        pixels = [part for part in shown.parts if part.code in wanted]
        if parts == "merged" or len(pixels) == 1:
            centres[name] = centre_of(unite(pixels))
    return centres


def add_split(
    objects: dict[str, np.ndarray], split_by: str, test_fraction: float
) -> dict[str, np.ndarray]:
    """Adds `group` and `split`, which do not depend on the categories chosen later.

    Args:
        objects: what `read_pascal_objects` returns.
        split_by: `"photo"`, `"authors"` or `"voc"`, see `load_pascal_part`.
        test_fraction: share of the photographs in the split `"test"`.

    Raises:
        FileNotFoundError: if a list of PASCAL VOC is missing.
    """
    paths, position = np.unique(objects["path"], return_inverse=True)
    group = same_picture_groups(paths.tolist())[position.reshape(-1)]
    order = {name: label for label, name in enumerate(PARTS)}
    labels = np.array([order[name] for name in objects["category"]], np.int64)
    if split_by == "photo":
        split = split_by_groups(group, labels, test_fraction)
    elif split_by == "authors":
        split = np.full(len(labels), "train")
        for label in np.unique(labels):
            rows = labels == label
            split[rows] = split_as_authors(int(rows.sum()))
    else:
        split = _published_split(objects["path"])
    return objects | {"group": group, "split": split}


def _published_split(paths: np.ndarray) -> np.ndarray:
    """`"train"` and `"test"` of the lists of PASCAL VOC; "" for what is in neither."""
    lists = paths[0].parent.parent / "ImageSets" / "Main"
    split = np.full(len(paths), "", "<U5")
    stems = np.array([path.stem for path in paths], str)
    for name, file in (("train", "train.txt"), ("test", "val.txt")):
        (listed,) = read_table(lists / file, (str.strip,), ORIGIN)
        split[np.isin(stems, listed)] = name
    return split


def _picture_folder(root: Path, files: Sequence[Path]) -> Path:
    """The folder with the picture of the first annotation file."""
    parents = dict.fromkeys([root, files[0].parent, root.parent])
    folders = [parent / name for parent in parents for name in _PICTURE_FOLDERS]
    for folder in folders:
        if (folder / f"{files[0].stem}.jpg").is_file():
            return folder
    raise FileNotFoundError(
        f"no picture {files[0].stem}.jpg of {files[0]} in {root} or its folders "
        f"{', '.join(_PICTURE_FOLDERS[:2])}; get the pictures of {ORIGIN}"
    )


def check_pictures(objects: dict[str, np.ndarray]) -> None:
    """Checks that all pictures are there and as large as their masks.

    Raises:
        ValueError: if one is not; the message names it.
    """
    paths, first = np.unique(objects["path"], return_index=True)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ValueError(
            f"{len(missing)} annotated pictures are missing, the first is "
            f"{missing[0]}; get {ORIGIN}"
        )
    sizes = picture_sizes(paths.tolist())
    for path, size, row in zip(paths, sizes.tolist(), first, strict=True):
        if tuple(size) != objects["size"][row]:
            raise ValueError(
                f"{path} is {size[0]}x{size[1]} pixels, but the masks of "
                f"{objects['annotation'][row]} are {objects['size'][row]}"
            )

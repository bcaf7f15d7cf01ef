"""The text files of CUB-200-2011 (Wah et al., 2011), read without opening a picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath

import numpy as np

from keras_interp.datasets.cub_attributes import CubAttributes, read_cub_attributes
from keras_interp.datasets.text_tables import (
    find_repeated,
    finite_number,
    read_names,
    read_rows,
    read_table,
    whole_number,
    zero_or_one,
)

ORIGIN = "CUB_200_2011.tgz from https://www.vision.caltech.edu/datasets/cub_200_2011/"


@dataclasses.dataclass(frozen=True, eq=False)
class CubAnnotations:
    """The text files of CUB-200-2011, one row for each picture.

    `boxes` are (x0, y0, x1, y1) and `landmarks` (x, y) pixels of the stored picture,
    NaN where a part is not visible; `class_ids` start at 1 as in `classes.txt`;
    `image_ids` and `names` are those of `images.txt`, and `ids` the names without
    their suffix. `attributes` is None unless asked for.
    """

    folder: Path
    image_ids: np.ndarray
    names: np.ndarray
    ids: np.ndarray
    class_ids: np.ndarray
    class_names: dict[int, str]
    is_train: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    landmark_names: list[str]
    attributes: CubAttributes | None = None

    def __len__(self) -> int:
        return len(self.names)


def read_cub_annotations(root: Path | str, attributes: bool = False) -> CubAnnotations:
    """Reads the text files alone, without opening a picture.

    Args:
        root: the folder `CUB_200_2011` or the one that holds it.
        attributes: whether to read the 312 attributes too, which takes seconds. They
            stay None where `attributes/image_attribute_labels.txt` is not there.

    Returns:
        One row for each line of `images.txt`, in its order.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is damaged: a line short of a column, a value that is no
            number, text that is not UTF-8, an id that is listed twice or in one file
            alone. The message names the file, and the line where there is one.
    """
    folder = published_folder(Path(root))
    pictures = read_names(folder / "images.txt", ORIGIN)
    image_ids = list(pictures)
    ids = _ids_of(folder / "images.txt", list(pictures.values()))
    class_names = read_names(folder / "classes.txt", ORIGIN)
    parts = read_names(folder / "parts" / "parts.txt", ORIGIN)
    labels_path = folder / "image_class_labels.txt"
    labels = read_rows(labels_path, (whole_number, whole_number), image_ids, ORIGIN)
    class_ids = labels[:, 0].astype(np.int64)
    unknown = sorted(set(class_ids.tolist()) - class_names.keys())
    if unknown:
        raise ValueError(
            f"{labels_path}: the class ids {unknown[:5]} are not in "
            f"{folder / 'classes.txt'}"
        )
    sides = folder / "train_test_split.txt"
    is_train = read_rows(sides, (whole_number, zero_or_one), image_ids, ORIGIN)
    boxes = read_rows(
        folder / "bounding_boxes.txt",
        (whole_number, *[finite_number] * 4),
        image_ids,
        ORIGIN,
    )
    boxes[:, 2:] += boxes[:, :2]
    return CubAnnotations(
        folder=folder,
        image_ids=np.array(image_ids, np.int64),
        names=np.array(list(pictures.values()), dtype=str),
        ids=np.array(ids, dtype=str),
        class_ids=class_ids,
        class_names=class_names,
        is_train=is_train[:, 0] == 1,
        boxes=boxes,
        landmarks=_read_landmarks(folder, image_ids, list(parts)),
        landmark_names=list(parts.values()),
        attributes=read_cub_attributes(folder, image_ids, ORIGIN)
        if attributes
        else None,
    )


def published_folder(root: Path) -> Path:
    """The folder with `images.txt`: `root` or the `CUB_200_2011` in it."""
    for folder in (root, root / "CUB_200_2011"):
        if (folder / "images.txt").is_file():
            return folder
    raise FileNotFoundError(
        f"{root} has no images.txt and no CUB_200_2011/images.txt; root must be the "
        f"extracted folder CUB_200_2011 or the one that holds it, from {ORIGIN}"
    )


def _ids_of(path: Path, names: list[str]) -> list[str]:
    """The names of pictures without their suffix, checked."""
    for name in names:
        place = PurePosixPath(name)
        if not place.name or "\0" in name:
            raise ValueError(f"{path}: {name!r} is no name of a picture")
        if place.is_absolute() or ".." in place.parts or "\\" in name:
            raise ValueError(f"{path}: {name!r} leads out of the folder of pictures")
    ids = [str(PurePosixPath(name).with_suffix("")) for name in names]
    repeated = find_repeated(ids)
    if repeated is not None:
        raise ValueError(f"{path}: {repeated!r} is listed twice")
    return ids


def _read_landmarks(
    folder: Path, image_ids: list[int], part_ids: list[int]
) -> np.ndarray:
    path = folder / "parts" / "part_locs.txt"
    kinds = (whole_number, whole_number, finite_number, finite_number, zero_or_one)
    columns = read_table(path, kinds, ORIGIN)
    image_row = {image_id: row for row, image_id in enumerate(image_ids)}
    part_row = {part_id: row for row, part_id in enumerate(part_ids)}
    unknown = set(columns[0]) - image_row.keys() or set(columns[1]) - part_row.keys()
    if unknown:
        raise ValueError(
            f"{path}: the ids {sorted(unknown)[:5]} are in neither images.txt nor "
            "parts.txt"
        )
    repeated = find_repeated(list(zip(columns[0], columns[1], strict=True)))
    if repeated is not None:
        raise ValueError(
            f"{path}: part {repeated[1]} of image {repeated[0]} is listed twice"
        )
    rows = [image_row[key] for key in columns[0]]
    parts = [part_row[key] for key in columns[1]]
    visible = np.array(columns[4], bool).reshape(-1, 1)
    points = np.array(columns[2:4], np.float64).T.reshape(-1, 2)
    landmarks = np.full((len(image_ids), len(part_ids), 2), np.nan)
    landmarks[rows, parts] = np.where(visible, points, np.nan)
    return landmarks

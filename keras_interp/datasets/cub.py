"""Reader of CUB-200-2011 (Wah et al., 2011) in its published layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_interp.datasets.background import add_background
from keras_interp.datasets.field_checks import check_size
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.pictures import (
    clip_boxes,
    list_pictures,
    picture_sizes,
    read_pictures,
    same_picture_groups,
)
from keras_interp.datasets.splits import split_by_groups
from keras_interp.datasets.text_tables import read_table

ORIGIN = "CUB_200_2011.tgz from https://www.vision.caltech.edu/datasets/cub_200_2011/"
_DEFAULT_SIZE = (224, 224)


@dataclasses.dataclass(frozen=True)
class CubAnnotations:
    """The text files of CUB-200-2011, one row for each picture.

    `boxes` are (x0, y0, x1, y1) and `landmarks` (x, y) pixels of the stored picture,
    NaN where a part is not visible; `class_ids` start at 1 as in `classes.txt`.
    """

    folder: Path
    names: np.ndarray
    class_ids: np.ndarray
    class_names: dict[int, str]
    is_train: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    landmark_names: list[str]

    def take(self, index: np.ndarray) -> CubAnnotations:
        """The rows of a bool mask or of positions."""
        rows = ("names", "class_ids", "is_train", "boxes", "landmarks")
        return dataclasses.replace(
            self, **{field: getattr(self, field)[index] for field in rows}
        )


def load_cub(
    root: Path | str,
    split: str | None = None,
    *,
    categories: Sequence[str | int] | None = None,
    size: int | tuple[int, int] | None = None,
    crop: str | None = "box",
    max_images_per_category: int | None = None,
    single_category: bool = False,
    negatives: Path | str | None = None,
) -> PartsDataset:
    """Loads birds with their 15 landmarks.

    Example:

    ```python
    birds = ki.datasets.load("cub", split="test", categories=[1, 4], size=128)
    ```

    Args:
        root: the folder `CUB_200_2011` or the one that holds it.
        split: `"train"` or `"test"` of the official split; None for both.
        categories: names (`"004.Groove_billed_Ani"` or `"Groove_billed_Ani"`) or ids
            (1 to 200) of the classes wanted. Default: all that have pictures.
        size: height and width of the pictures in pixels, or a (height, width) pair.
            Default: that of the files where all pictures have one size, else 224.
        crop: `"box"` cuts every picture to the bounding box of its bird, and landmarks
            outside the box become NaN; None keeps the whole picture.
        max_images_per_category: take only the first pictures of each category (and of
            the split, where one is given).
        single_category: whether all birds get the one class `"bird"`.
        negatives: a folder of pictures without birds, added as the class
            `"background"`; every second one is in the split `"test"`.

    Returns:
        A `PartsDataset`; `ids` are the names in `images.txt` without the suffix.

    Raises:
        FileNotFoundError: if an annotation file is missing.
        ValueError: if a file is damaged, an annotated picture is missing or an
            argument does not fit; the message names it.

    Reference:

    - Wah, Branson, Welinder, Perona, Belongie, "The Caltech-UCSD Birds-200-2011
      Dataset", 2011.
    """
    if crop not in ("box", None):
        raise ValueError(f'crop must be "box" or None, got {crop!r}')
    if split not in ("train", "test", None):
        raise ValueError(f'split must be "train", "test" or None, got {split!r}')
    wanted_size = None if size is None else check_size(size)
    annotations = read_cub_annotations(root)
    class_ids = _class_ids(annotations, categories)
    annotations = _select(annotations, class_ids, split, max_images_per_category)
    class_names = [annotations.class_names[class_id] for class_id in class_ids]
    labels = np.searchsorted(class_ids, annotations.class_ids)
    birds = _read_birds(annotations, wanted_size, crop)
    if single_category:
        class_names, labels = ["bird"], np.zeros_like(labels)
    dataset = PartsDataset(class_names=class_names, labels=labels, **birds)
    if negatives is None:
        return dataset
    return _add_negatives(dataset, Path(negatives), split)


def read_cub_annotations(root: Path | str) -> CubAnnotations:
    """Reads the text files alone, without opening a picture."""
    folder = _published_folder(Path(root))
    image_ids, names = read_table(folder / "images.txt", (int, str.strip), ORIGIN)
    class_keys, class_names = read_table(
        folder / "classes.txt", (int, str.strip), ORIGIN
    )
    part_keys, part_names = read_table(
        folder / "parts" / "parts.txt", (int, str.strip), ORIGIN
    )
    labels = _by_image(folder / "image_class_labels.txt", (int, int), image_ids)
    is_train = _by_image(folder / "train_test_split.txt", (int, int), image_ids)
    boxes = _by_image(
        folder / "bounding_boxes.txt", (int, float, float, float, float), image_ids
    )
    boxes[:, 2:] += boxes[:, :2]
    unknown = sorted(set(labels[:, 0].astype(int).tolist()) - set(class_keys))
    if unknown:
        raise ValueError(
            f"{folder / 'image_class_labels.txt'}: the class ids {unknown[:5]} are not "
            f"in {folder / 'classes.txt'}"
        )
    return CubAnnotations(
        folder=folder,
        names=np.array(names, dtype=str),
        class_ids=labels[:, 0].astype(np.int64),
        class_names=dict(zip(class_keys, class_names, strict=True)),
        is_train=is_train[:, 0] == 1,
        boxes=boxes,
        landmarks=_read_landmarks(folder, image_ids, part_keys),
        landmark_names=part_names,
    )


def _published_folder(root: Path) -> Path:
    for folder in (root, root / "CUB_200_2011"):
        if (folder / "images.txt").is_file():
            return folder
    raise FileNotFoundError(
        f"{root} has no images.txt and no CUB_200_2011/images.txt; root must be the "
        f"extracted folder CUB_200_2011 or the one that holds it, from {ORIGIN}"
    )


def _by_image(path: Path, columns: tuple, image_ids: list[int]) -> np.ndarray:
    """The columns after the image id, as rows in the order of `image_ids`."""
    keys, *values = read_table(path, columns, ORIGIN)
    row_of = {key: row for row, key in enumerate(keys)}
    missing = [image_id for image_id in image_ids if image_id not in row_of]
    if missing:
        raise ValueError(f"{path}: no line for the image ids {missing[:5]}")
    rows = [row_of[image_id] for image_id in image_ids]
    return np.array(values, np.float64).T.reshape(-1, len(values))[rows]


def _read_landmarks(
    folder: Path, image_ids: list[int], part_keys: list[int]
) -> np.ndarray:
    path = folder / "parts" / "part_locs.txt"
    columns = read_table(path, (int, int, float, float, int), ORIGIN)
    image_row = {image_id: row for row, image_id in enumerate(image_ids)}
    part_row = {key: row for row, key in enumerate(part_keys)}
    unknown = set(columns[0]) - image_row.keys() or set(columns[1]) - part_row.keys()
    if unknown:
        raise ValueError(
            f"{path}: the ids {sorted(unknown)[:5]} are in neither images.txt nor "
            "parts.txt"
        )
    rows = [image_row[key] for key in columns[0]]
    parts = [part_row[key] for key in columns[1]]
    visible = np.array(columns[4], bool).reshape(-1, 1)
    points = np.array(columns[2:4], np.float32).T.reshape(-1, 2)
    landmarks = np.full((len(image_ids), len(part_keys), 2), np.nan, np.float32)
    landmarks[rows, parts] = np.where(visible, points, np.float32(np.nan))
    return landmarks


def _class_ids(
    annotations: CubAnnotations, categories: Sequence[str | int] | None
) -> list[int]:
    """The wanted class ids that have pictures, in increasing order."""
    present = set(annotations.class_ids.tolist())
    if categories is None:
        return sorted(present)
    ids = {name: key for key, name in annotations.class_names.items()}
    ids |= {name.partition(".")[2]: key for name, key in list(ids.items())}
    wanted = [ids.get(c) if isinstance(c, str) else int(c) for c in categories]
    wrong = [c for c, key in zip(categories, wanted, strict=True) if key not in present]
    if wrong or not wanted:
        raise ValueError(
            f"no pictures of the categories {wrong}; {len(present)} have some, for "
            f"instance {[annotations.class_names[key] for key in sorted(present)[:3]]}"
        )
    return sorted(set(key for key in wanted if key is not None))


def _select(
    annotations: CubAnnotations,
    class_ids: list[int],
    split: str | None,
    max_images: int | None,
) -> CubAnnotations:
    if max_images is not None and max_images < 1:
        raise ValueError(f"max_images_per_category must be >= 1, got {max_images}")
    chosen = np.isin(annotations.class_ids, class_ids)
    if split is not None:
        chosen &= annotations.is_train == (split == "train")
    if max_images is not None:
        same_class = annotations.class_ids[:, None] == np.array(class_ids)
        rank = np.cumsum(same_class & chosen[:, None], axis=0)
        chosen &= (rank * same_class).max(axis=1) <= max_images
    if not chosen.any():
        raise ValueError(f"no picture of these categories has the split {split!r}")
    return annotations.take(chosen)


def _read_birds(
    annotations: CubAnnotations, size: tuple[int, int] | None, crop: str | None
) -> dict:
    paths = [annotations.folder / "images" / name for name in annotations.names]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ValueError(
            f"{len(missing)} pictures of images.txt are missing, the first is "
            f"{missing[0]}; extract {ORIGIN} again"
        )
    sizes = picture_sizes(paths)
    boxes = clip_boxes(annotations.boxes, sizes)
    frames = boxes if crop == "box" else np.pad(sizes, ((0, 0), (2, 0)))
    extents = frames[:, 2:] - frames[:, :2]
    if (extents < 1).any():
        raise ValueError(
            f"{annotations.folder / 'bounding_boxes.txt'}: the box of "
            f"{annotations.names[np.argmin(extents.min(axis=1))]} is empty or outside "
            "its picture"
        )
    if size is None:
        same = (extents == extents[0]).all()
        size = check_size(np.rint(extents[0, ::-1]).astype(int)) if same else None
    height, width = size or _DEFAULT_SIZE
    scale = np.array([width, height]) / extents
    landmarks = (annotations.landmarks - frames[:, None, :2]) * scale[:, None]
    inside = (landmarks >= 0) & (landmarks <= [width, height])
    landmarks[~inside.all(axis=2)] = np.nan
    return {
        "images": read_pictures(paths, (height, width), frames),
        "landmarks": landmarks,
        "landmark_names": annotations.landmark_names,
        "boxes": (boxes - np.tile(frames[:, :2], 2)) * np.tile(scale, 2),
        "ids": np.array([name.rpartition(".")[0] for name in annotations.names]),
        "split": np.where(annotations.is_train, "train", "test"),
    }


def _add_negatives(
    dataset: PartsDataset, folder: Path, split: str | None
) -> PartsDataset:
    paths = list_pictures(folder)
    if not paths:
        raise ValueError(f"{folder} holds no pictures")
    groups = same_picture_groups(paths)
    # CUB's official split is about half and half, and so is this one.
    names = split_by_groups(groups, np.zeros_like(groups), test_fraction=0.5)
    chosen = np.flatnonzero(names == (names if split is None else split))
    return add_background(dataset, [paths[i] for i in chosen], names[chosen])

"""Reader of ILSVRC 2013 DET Animal-Part (Zhang et al., 2018) as it was published."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_interp.datasets.background import add_background
from keras_interp.datasets.field_checks import check_size
from keras_interp.datasets.matlab_truth import (
    PartTruth,
    read_object_boxes,
    read_part_truth,
)
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.pictures import (
    clip_boxes,
    list_pictures,
    picture_sizes,
    read_pictures,
    same_picture_groups,
)
from keras_interp.datasets.splits import split_as_authors, split_by_groups

IMAGES_ORIGIN = "https://github.com/zqs1022/detanimalpart"
TRUTH_ORIGIN = (
    "https://github.com/zqs1022/interpretableCNN, folder "
    "code/data_input/data_input_DET-2015-subset-ILSVRC2013train"
)
ORIGIN = f"{IMAGES_ORIGIN} (pictures) and {TRUTH_ORIGIN} (annotations)"
LANDMARKS = ["head", "front_legs"]
CATEGORIES = {
    "goldfish": "n01443537",
    "bird": "n01503061",
    "frog": "n01639765",
    "turtle": "n01662784",
    "lizard": "n01674464",
    "koala": "n01882714",
    "lobster": "n01982650",
    "dog": "n02084071",
    "fox": "n02118333",
    "cat": "n02121808",
    "lion": "n02129165",
    "tiger": "n02129604",
    "bear": "n02131653",
    "rabbit": "n02324045",
    "hamster": "n02342885",
    "squirrel": "n02355227",
    "horse": "n02374451",
    "zebra": "n02391049",
    "swine": "n02395003",
    "hippopotamus": "n02398521",
    "cattle": "n02402425",
    "sheep": "n02411705",
    "antelope": "n02419796",
    "camel": "n02437136",
    "otter": "n02444819",
    "armadillo": "n02454379",
    "monkey": "n02484322",
    "elephant": "n02503517",
    "red_panda": "n02509815",
    "giant_panda": "n02510455",
}
_FRAME = 224  # part boxes are drawn in crops of this height and width
_SMALLEST_BOX = 2500  # square pixels; the authors drop smaller objects
_NO_LEGS = "n01443537"  # goldfish


@dataclasses.dataclass(frozen=True)
class AnimalAnnotations:
    """What the MATLAB files say about one category, one row for each object.

    `boxes` are (x0, y0, x1, y1) pixels of the photograph, not clipped, NaN where the
    files have none. `centers` (x, y) and `scales` (width, height) `(N, 2, 2)` of the
    first head box and the first leg box are shares of the crop's width and height,
    NaN where absent; `box_counts` `(N, 2)` says how many boxes there are.
    """

    wnid: str
    boxes: np.ndarray
    centers: np.ndarray
    scales: np.ndarray
    box_counts: np.ndarray


def load_animal_part(
    root: Path | str,
    split: str | None = None,
    *,
    categories: Sequence[str] | None = None,
    size: int | tuple[int, int] = 224,
    negatives: bool | int = True,
    split_by: str = "photo",
    test_fraction: float = 0.25,
    multiple_boxes: str = "drop",
    part_masks: bool = False,
    max_images_per_category: int | None = None,
) -> PartsDataset:
    """Loads crops of animals with the centres of head and front legs.

    Every crop is resized to `size` without keeping its aspect ratio, as the authors
    do. Objects under 2,500 square pixels, objects without a box and files that are
    not there are left out. `bird` was published without `data.mat`, so only its
    annotated objects are read.

    Example:

    ```python
    dogs = ki.datasets.load("animal_part", categories=["dog"], size=128)
    ```

    Args:
        root: the folder with `<wnid>_obj/`, `annotations/` and `neg/`.
        split: `"train"`, `"test"` or None for both.
        categories: names such as `"dog"` or WordNet ids such as `"n02084071"`.
            Default: all that are in `root`.
        size: height and width of the crops in pixels, or a (height, width) pair.
        negatives: whether to add the photographs in `neg/` as the class
            `"background"`; a number adds the first so many.
        split_by: `"photo"` keeps all objects of one photograph on one side;
            `"authors"` is the published split, which does not, with the authors'
            validation pictures named `"test"`.
        test_fraction: share of the photographs in the split `"test"`, evenly spaced;
            only for `split_by="photo"`.
        multiple_boxes: what to do where a part has several boxes: `"drop"` the
            landmark, as the authors do, or take the `"first"`.
        part_masks: whether to fill the part boxes into `part_masks`. They take as
            much memory as two thirds of the pictures.
        max_images_per_category: take only the first objects of each category (and of
            the split, where one is given).

    Returns:
        A `PartsDataset`; `groups` are equal for crops of one photograph.

    Raises:
        FileNotFoundError: if an annotation file or folder is missing.
        ValueError: if a file is damaged or an argument does not fit.

    Reference:

    - Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018,
      section 5.
    """
    root, height_width = Path(root), check_size(size)
    if split not in ("train", "test", None):
        raise ValueError(f'split must be "train", "test" or None, got {split!r}')
    if split_by not in ("photo", "authors"):
        raise ValueError(f'split_by must be "photo" or "authors", got {split_by!r}')
    if multiple_boxes not in ("drop", "first"):
        raise ValueError(
            f'multiple_boxes must be "drop" or "first", got {multiple_boxes!r}'
        )
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must lie in (0, 1), got {test_fraction}")
    if max_images_per_category is not None and max_images_per_category < 1:
        raise ValueError(
            f"max_images_per_category must be >= 1, got {max_images_per_category}"
        )
    names = _category_names(root, categories)
    fraction = test_fraction if split_by == "photo" else None
    tables = [
        _take(
            _objects(root, CATEGORIES[name], label, fraction),
            split,
            max_images_per_category,
        )
        for label, name in enumerate(names)
    ]
    objects = {key: np.concatenate([t[key] for t in tables]) for key in tables[0]}
    objects["groups"] = np.unique(objects["groups"], return_inverse=True)[1].reshape(-1)
    dataset = _read_objects(objects, names, height_width, multiple_boxes, part_masks)
    return _add_negatives(dataset, root / "neg", negatives, fraction, split)


def read_animal_annotations(root: Path | str, wnid: str) -> AnimalAnnotations:
    """Reads the MATLAB files of one category, without opening a picture."""
    root = Path(root)
    folder = root / "annotations" / wnid
    head = read_part_truth(folder / "truth_part01.mat", TRUTH_ORIGIN)
    parts = [head]
    if wnid != _NO_LEGS:
        parts.append(read_part_truth(folder / "truth_part02.mat", TRUTH_ORIGIN))
    else:
        parts.append(_absent(head))
    boxes_path = root / f"{wnid}_obj" / "img" / "data.mat"
    if wnid == CATEGORIES["bird"] and not boxes_path.is_file():
        # The part files repeat the box of each annotated object.
        annotated = np.isfinite(head.object_boxes)
        boxes = np.where(annotated, head.object_boxes, parts[1].object_boxes)
    else:
        boxes = read_object_boxes(boxes_path, IMAGES_ORIGIN)
    lengths = [len(boxes), *(len(part.box_counts) for part in parts)]
    if len(set(lengths)) != 1:
        raise ValueError(
            f"{boxes_path} and the files in {folder} list different numbers of "
            f"objects: {lengths}; they belong to different versions"
        )
    return AnimalAnnotations(
        wnid=wnid,
        # Ends are counted from 1 and included: pixel 1 covers 0 <= x < 1.
        boxes=boxes - np.array([1, 1, 0, 0]),
        centers=np.stack([(part.centers - 0.5) / _FRAME for part in parts], axis=1),
        scales=np.stack([part.scales / _FRAME for part in parts], axis=1),
        box_counts=np.stack([part.box_counts for part in parts], axis=1),
    )


def _absent(part: PartTruth) -> PartTruth:
    return PartTruth(
        centers=np.full_like(part.centers, np.nan),
        scales=np.full_like(part.scales, np.nan),
        box_counts=np.zeros_like(part.box_counts),
        object_boxes=np.full_like(part.object_boxes, np.nan),
    )


def _category_names(root: Path, categories: Sequence[str] | None) -> list[str]:
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder; get {ORIGIN}")
    if isinstance(categories, str):
        raise ValueError(f"categories must be a list of names, got {categories!r}")
    present = [name for name, wnid in CATEGORIES.items() if _folder(root, wnid)]
    if categories is None:
        if not present:
            raise FileNotFoundError(f"{root} holds no folder <wnid>_obj; get {ORIGIN}")
        return present
    by_wnid = {wnid: name for name, wnid in CATEGORIES.items()}
    names = list(dict.fromkeys(by_wnid.get(name, name) for name in categories))
    missing = [name for name in names if name not in present]
    if missing or not names:
        raise ValueError(
            f"{root} has no categories {missing}; it has {present}, and the whole "
            f"benchmark {list(CATEGORIES)}"
        )
    return names


def _folder(root: Path, wnid: str) -> bool:
    return (root / f"{wnid}_obj").is_dir()


def _objects(
    root: Path, wnid: str, label: int, test_fraction: float | None
) -> dict[str, np.ndarray]:
    """The usable objects of one category as arrays of one row each."""
    annotations = read_animal_annotations(root, wnid)
    boxed = np.isfinite(annotations.boxes).all(axis=1)
    folder = root / f"{wnid}_obj" / "img" / "img"
    paths = np.array(
        [folder / f"{number:05d}.jpg" for number in range(1, len(boxed) + 1)], object
    )
    found = boxed & np.array([path.is_file() for path in paths], bool)
    if not found.any():
        raise FileNotFoundError(
            f"{folder} holds none of the pictures 00001.jpg to {len(boxed):05d}.jpg; "
            f"get them from {IMAGES_ORIGIN}"
        )
    boxes = annotations.boxes[found]
    boxes = clip_boxes(boxes, picture_sizes(paths[found]))
    groups = same_picture_groups(paths[found])
    if test_fraction is None:
        # Positions count the objects that are left out further down, too.
        split = split_as_authors(int(boxed.sum()))[found[boxed]]
    else:
        split = split_by_groups(groups, np.zeros_like(groups), test_fraction)
    large = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) >= _SMALLEST_BOX
    objects = {
        "paths": paths[found],
        "ids": np.array([f"{wnid}/{path.stem}" for path in paths[found]]),
        "labels": np.full(len(boxes), label),
        # No photograph is shared between categories: numbers of their own for each.
        "groups": groups + 10**6 * label,
        "split": split,
        "boxes": boxes,
        "centers": annotations.centers[found],
        "scales": annotations.scales[found],
        "box_counts": annotations.box_counts[found],
    }
    return {key: values[large] for key, values in objects.items()}


def _take(
    objects: dict[str, np.ndarray], split: str | None, max_images: int | None
) -> dict[str, np.ndarray]:
    rows = np.arange(len(objects["split"]))
    if split is not None:
        rows = np.flatnonzero(objects["split"] == split)
    return {key: values[rows[:max_images]] for key, values in objects.items()}


def _read_objects(
    objects: dict[str, np.ndarray],
    class_names: list[str],
    size: tuple[int, int],
    multiple_boxes: str,
    part_masks: bool,
) -> PartsDataset:
    height, width = size
    usable = objects["box_counts"] == 1
    if multiple_boxes == "first":
        usable |= objects["box_counts"] > 1
    centers = np.where(usable[..., None], objects["centers"], np.nan)
    masks = None
    if part_masks:
        masks = _box_masks(centers, objects["scales"], size)
    whole = np.array([0, 0, width, height], np.float32)
    return PartsDataset(
        images=read_pictures(objects["paths"].tolist(), size, objects["boxes"]),
        labels=objects["labels"],
        class_names=class_names,
        landmarks=centers * np.array([width, height]),
        landmark_names=LANDMARKS,
        part_masks=masks,
        boxes=np.tile(whole, (len(centers), 1)),
        ids=objects["ids"],
        groups=objects["groups"],
        split=objects["split"],
    )


def _box_masks(
    centers: np.ndarray, scales: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Bool masks of boxes given as shares of the picture; empty for NaN."""
    rows = (np.arange(size[0]) + 0.5) / size[0]
    columns = (np.arange(size[1]) + 0.5) / size[1]
    in_columns = np.abs(columns - centers[..., :1]) <= scales[..., :1] / 2
    in_rows = np.abs(rows - centers[..., 1:]) <= scales[..., 1:] / 2
    return in_rows[..., :, None] & in_columns[..., None, :]


def _add_negatives(
    dataset: PartsDataset,
    folder: Path,
    negatives: bool | int,
    test_fraction: float | None,
    split: str | None,
) -> PartsDataset:
    if not negatives:
        return dataset
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is missing; get code/data/neg from "
            "https://github.com/zqs1022/interpretableCNN or pass negatives=False"
        )
    paths = list_pictures(folder)
    if not paths:
        raise ValueError(f"{folder} holds no pictures; pass negatives=False")
    if test_fraction is None:
        names = split_as_authors(len(paths))
    else:
        groups = same_picture_groups(paths)
        names = split_by_groups(groups, np.zeros_like(groups), test_fraction)
    chosen = np.flatnonzero(names == (names if split is None else split))
    if negatives is not True:
        chosen = chosen[: int(negatives)]
    return add_background(dataset, [paths[i] for i in chosen], names[chosen])

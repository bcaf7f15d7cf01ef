"""Reader of ILSVRC 2013 DET Animal-Part (Zhang et al., 2018) as it was published."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets._field_checks import (
    check_choice,
    check_count,
    check_share,
    check_size,
    refused,
)
from keras_interp.datasets._images import (
    clip_boxes,
    image_sizes,
    same_image_groups,
)
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.readers._splits import (
    add_background,
    check_split,
    split_as_authors,
    split_by_groups,
)
from keras_interp.datasets.readers.animal_part_annotations import (
    CATEGORIES,
    IMAGES_ORIGIN,
    NO_LEGS,
    ORIGIN,
    read_animal_annotations,
)
from keras_interp.datasets.readers.annotated_images import (
    AnnotatedImages,
    object_array,
)


@dataclasses.dataclass(frozen=True, eq=False)
class PartRectangles:
    """Boxes of the P parts of one image.

    `boxes` `(P, 4)` are (x0, y0, x1, y1) pixels of the stored image, NaN for a part
    that is not there.
    """

    boxes: np.ndarray

    def draw(self, frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bool masks `(P, height, width)` of what `frame` shows, see `PartMasks`."""
        height, width = size
        left, top, right, bottom = frame
        x = left + (np.arange(width) + 0.5) / width * (right - left)
        y = top + (np.arange(height) + 0.5) / height * (bottom - top)
        in_columns = (x >= self.boxes[:, :1]) & (x <= self.boxes[:, 2:3])
        in_rows = (y >= self.boxes[:, 1:2]) & (y <= self.boxes[:, 3:])
        return in_rows[:, :, None] & in_columns[:, None, :]


LANDMARKS = ["head", "front_legs"]
SMALLEST_BOX = 2500  # square pixels; the authors drop smaller objects
_NEGATIVES_ORIGIN = "code/data/neg from https://github.com/zqs1022/interpretableCNN"


def load_animal_part(
    root: Path | str,
    split: str | None = None,
    *,
    categories: Sequence[str] | None = None,
    size: int | tuple[int, int] = 224,
    crop: str | None = "box",
    mirror: bool = False,
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
    not there are left out. Of a copy that lacks the `data.mat` of `bird`, the birds
    with annotated parts are read.

    Example:

    ```python
    dogs = ki.datasets.load("animal_part", categories=["dog"], size=128)
    ```

    Args:
        root: the folder with `<wnid>_obj/`, `annotations/` and `neg/`.
        split: `"train"` or `"test"`; None for both; `"authors"` for both with
            `split_by="authors"`.
        categories: names such as `"dog"` or WordNet ids such as `"n02084071"`.
            Default: all that are in `root`.
        size: height and width of the images in pixels, or a (height, width) pair.
        crop: `"box"` cuts every photograph to the box of its object; None keeps the
            whole photograph.
        mirror: whether to append the mirror image of every object, as the authors do
            for training; see `add_mirror_images`.
        negatives: whether to add the photographs in `neg/` as the class
            `"background"`; a number adds the first so many.
        split_by: `"photo"` keeps all objects of one photograph on one side;
            `"authors"` is the published split, which does not, with the authors'
            validation images named `"test"`.
        test_fraction: share of the photographs in the split `"test"`, evenly spaced;
            only for `split_by="photo"`.
        multiple_boxes: what to do where a part has several boxes: `"drop"` the
            landmark, as the authors do, or take the `"first"`.
        part_masks: whether to fill the part boxes into `part_masks`. They take as
            much memory as two thirds of the images.
        max_images_per_category: take only the first objects of each category (and of
            the split, where one is given).

    Returns:
        A `PartsDataset` with the landmarks `"head"` and `"front_legs"`, of goldfish
        alone `"head"`; `groups` are equal for crops of one photograph.

    Raises:
        FileNotFoundError: if an annotation file or folder is missing.
        ValueError: if a file is damaged or an argument does not fit.

    Reference:

    - Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018,
      section 5.
    """
    height_width = check_size(size)
    images = open_animal_part(
        root,
        split,
        categories=categories,
        crop=crop,
        negatives=negatives,
        split_by=split_by,
        test_fraction=test_fraction,
        multiple_boxes=multiple_boxes,
        part_masks=part_masks,
        max_images_per_category=max_images_per_category,
    )
    return images.load(height_width, mirror)


def open_animal_part(
    root: Path | str,
    split: str | None = None,
    *,
    categories: Sequence[str] | None = None,
    crop: str | None = "box",
    negatives: bool | int = True,
    split_by: str = "photo",
    test_fraction: float = 0.25,
    multiple_boxes: str = "drop",
    part_masks: bool = False,
    max_images_per_category: int | None = None,
) -> AnnotatedImages:
    """Opens Animal-Part for reading its images one after another.

    Example:

    ```python
    dogs = ki.datasets.open_animal_part("animal_part", "train", categories=["dog"])
    example = dogs.example(0, size=(224, 224))
    ```

    Args:
        root: the folder with `<wnid>_obj/`, `annotations/` and `neg/`.
        split: `"train"` or `"test"`; None for both; `"authors"` for both with
            `split_by="authors"`.
        categories: names such as `"dog"` or WordNet ids such as `"n02084071"`.
            Default: all that are in `root`.
        crop: `"box"` cuts every photograph to the box of its object; None keeps the
            whole photograph.
        negatives: whether to add the photographs in `neg/` as the class
            `"background"`; a number adds the first so many.
        split_by: `"photo"` keeps all objects of one photograph on one side;
            `"authors"` is the published split, which does not, with the authors'
            validation images named `"test"`.
        test_fraction: share of the photographs in the split `"test"`, evenly spaced;
            only for `split_by="photo"`.
        multiple_boxes: what to do where a part has several boxes: `"drop"` the
            landmark, as the authors do, or take the `"first"`.
        part_masks: whether to fill the part boxes into `part_masks`. They take as
            much memory as two thirds of the images.
        max_images_per_category: take only the first objects of each category (and of
            the split, where one is given).

    Returns:
        The chosen images, of which only the headers were read.

    Raises:
        FileNotFoundError: if an annotation file or folder is missing.
        ValueError: if a file is damaged or an argument does not fit.
    """
    root = Path(root)
    split, split_by = check_split(split, split_by, ("photo", "authors"))
    _check_options(crop, multiple_boxes, test_fraction, max_images_per_category)
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
    images = _annotated(objects, names, multiple_boxes, part_masks, root)
    images = dataclasses.replace(images, crop=crop)
    if not negatives:
        return images
    if not (root / "neg").is_dir():
        raise FileNotFoundError(
            f"{root / 'neg'} is missing; get {_NEGATIVES_ORIGIN} or pass "
            "negatives=False"
        )
    count = None if negatives is True else int(negatives)
    return add_background(images, root / "neg", split, fraction, count)


def _check_options(
    crop: str | None,
    multiple_boxes: str,
    test_fraction: float,
    max_images_per_category: int | None,
) -> None:
    check_choice("crop", crop, ("box", None))
    check_choice("multiple_boxes", multiple_boxes, ("drop", "first"))
    check_share("test_fraction", test_fraction, inside=True)
    check_count("max_images_per_category", max_images_per_category, optional=True)


def _category_names(root: Path, categories: Sequence[str] | None) -> list[str]:
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder; get {ORIGIN}")
    if isinstance(categories, str):
        raise refused("categories as a list of names", categories=categories)
    present = [
        name for name, wnid in CATEGORIES.items() if (root / f"{wnid}_obj").is_dir()
    ]
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


def _objects(
    root: Path, wnid: str, label: int, test_fraction: float | None
) -> dict[str, np.ndarray]:
    """The usable objects of one category as arrays of one row each."""
    annotations = read_animal_annotations(root, wnid)
    boxed = np.isfinite(annotations.boxes).all(axis=1)
    folder = root / f"{wnid}_obj" / "img" / "img"
    numbers = np.arange(1, len(boxed) + 1)
    paths = object_array([folder / f"{number:05d}.jpg" for number in numbers])
    found = boxed & np.array([path.is_file() for path in paths], bool)
    if not found.any():
        raise FileNotFoundError(
            f"{folder} holds none of the images 00001.jpg to {len(boxed):05d}.jpg; "
            f"get them from {IMAGES_ORIGIN}"
        )
    boxes = annotations.boxes[found]
    boxes = clip_boxes(boxes, image_sizes(paths[found]))
    first = same_image_groups(paths[found])
    if test_fraction is None:
        # Positions count the objects that are left out further down, too.
        split = split_as_authors(int(boxed.sum()))[found[boxed]]
    else:
        split = split_by_groups(first, np.zeros_like(first), test_fraction)
    large = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) >= SMALLEST_BOX
    objects = {
        "paths": paths[found],
        "ids": np.array([f"{wnid}/{path.stem}" for path in paths[found]]),
        "labels": np.full(len(boxes), label),
        # No photograph is shared between categories: 00007.jpg of n02084071 is group
        # 208407100007, unless an earlier file is the same.
        "groups": int(wnid[1:]) * 10**5 + numbers[found][first],
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


def _annotated(
    objects: dict[str, np.ndarray],
    class_names: list[str],
    multiple_boxes: str,
    part_masks: bool,
    root: Path,
) -> AnnotatedImages:
    usable = objects["box_counts"] == 1
    if multiple_boxes == "first":
        usable |= objects["box_counts"] > 1
    shares = np.where(usable[..., None], objects["centers"], np.nan)
    boxes = objects["boxes"]
    extents = (boxes[:, 2:] - boxes[:, :2])[:, None]
    # Parts are given in shares of the crop, which both ways of cropping start from.
    centers = boxes[:, None, :2] + shares * extents
    half = objects["scales"] * extents / 2
    rectangles = np.concatenate([centers - half, centers + half], axis=2)
    per_image: dict[str, Any] = {
        name: objects[name]
        for name in ("paths", "ids", "labels", "groups", "split", "boxes")
    }
    # Goldfish have no legs.
    names = LANDMARKS if class_names != [NO_LEGS] else LANDMARKS[:1]
    if part_masks:
        masks = [PartRectangles(parts) for parts in rectangles[:, : len(names)]]
        per_image |= {"part_names": names, "masks": object_array(masks)}
    return AnnotatedImages(
        class_names=class_names,
        landmark_names=names,
        landmarks=centers[:, : len(names)],
        source=root / "annotations",
        **per_image,
    )

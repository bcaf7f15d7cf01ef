"""Reader of PASCAL-Part (Chen et al., 2014) as it was published."""

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
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.readers._pascal_part_names import (
    MERGED_LANDMARKS,
    MERGED_NAMES,
    MERGED_PARTS,
    PARTS,
    named_parts,
)
from keras_interp.datasets.readers._splits import add_background, check_split
from keras_interp.datasets.readers.annotated_images import (
    AnnotatedImages,
    object_array,
)
from keras_interp.datasets.readers.pascal_part_annotations import (
    ORIGIN,
    PascalMasks,
    add_split,
    check_images,
    read_pascal_objects,
)

__all__ = ["ORIGIN", "load_pascal_part", "open_pascal_part"]


def load_pascal_part(
    root: Path | str,
    split: str | None = None,
    *,
    categories: Sequence[str] | None = None,
    size: int | tuple[int, int] = 224,
    crop: str | None = "box",
    mirror: bool = False,
    parts: str = "merged",
    part_masks: bool = True,
    split_by: str = "photo",
    test_fraction: float = 0.25,
    smallest_box: int = 2500,
    max_images_per_category: int | None = None,
    negatives: Path | str | None = None,
) -> PartsDataset:
    """Loads objects with the masks and centres of their parts.

    There is one image for each object, so a photograph of three dogs is there three
    times, with one box and one dog's parts each.

    With `parts="merged"` the parts are those of the papers: head, torso, legs and tail
    of `bird`; head, torso, front legs, back legs and tail of `cat` and `dog`; the same
    without the tail of `cow`, `horse` and `sheep`. The landmarks are the centres of
    head, neck and torso, which the papers measure location instability by, and then
    those of the other merged parts; the torso of the landmark is that without neck and
    wings. Parts and landmarks that none of the categories has are left out.

    With `parts="original"` they are those of the files, under names in words such as
    `"left_front_paw"`. Parts that have numbers (`wheel_1`, `wheel_2`) share a mask, and
    the landmark is NaN where there are several of them.

    Example:

    ```python
    dogs = ki.datasets.load("pascal_part", categories=["dog"], size=128)
    ```

    Args:
        root: the folder with `Annotations_Part/` and `VOCdevkit/VOC2010/JPEGImages/` or
            `JPEGImages/`, or one with `.mat` and `.jpg` files side by side.
        split: `"train"` or `"test"`; None for both; `"authors"` for both with
            `split_by="authors"`.
        categories: classes of PASCAL VOC, such as `"dog"`. Default: all that are there
            and have the parts asked for: six animals for `"merged"`, else any of
            twenty.
        size: height and width of the images in pixels, or a (height, width) pair.
        crop: `"box"` cuts every photograph to the pixels of its object; None keeps the
            whole photograph.
        mirror: whether to append the mirror image of every object, with left and right
            parts exchanged; see `add_mirror_images`.
        parts: `"merged"` or `"original"`.
        part_masks: whether to read the masks. Each takes a third of the memory of its
            image, and the original parts of all classes are some seventy.
        split_by: `"photo"` keeps all objects of one photograph on one side, evenly
            spaced; `"authors"` is the rule of the interpretable-CNN authors for the
            objects of each category in the order of the files, which does not;
            `"voc"` takes `ImageSets/Main/train.txt` and, for `"test"`, `val.txt`.
        test_fraction: share of the photographs in the split `"test"`; only for
            `split_by="photo"`.
        smallest_box: objects whose box has fewer square pixels are left out. The
            authors of the interpretable CNN drop those under 50 by 50.
        max_images_per_category: take only the first objects of each category (and of
            the split, where one is given).
        negatives: a folder of images without these objects, added as the class
            `"background"`.

    Returns:
        A `PartsDataset`; `ids` are such as `"2008_000019_2"` for the second object of
        an image, `groups` are equal for objects of one photograph. A landmark is the
        mean position of the visible pixels of its part.

    Raises:
        FileNotFoundError: if there are no annotations.
        ValueError: if a file is damaged, an image is missing or has another size than
            its masks, or an argument does not fit; the message names it.

    Reference:

    - Chen, Mottaghi, Liu, Fidler, Urtasun, Yuille, "Detect What You Can: Detecting and
      Representing Objects Using Holistic Models and Body Parts", CVPR 2014.
    - Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018, section
      5.2.1, for the merged parts.
    """
    height_width = check_size(size)
    images = open_pascal_part(
        root,
        split,
        categories=categories,
        crop=crop,
        parts=parts,
        part_masks=part_masks,
        split_by=split_by,
        test_fraction=test_fraction,
        smallest_box=smallest_box,
        max_images_per_category=max_images_per_category,
        negatives=negatives,
    )
    return images.load(height_width, mirror)


def open_pascal_part(
    root: Path | str,
    split: str | None = None,
    *,
    categories: Sequence[str] | None = None,
    crop: str | None = "box",
    parts: str = "merged",
    part_masks: bool = True,
    split_by: str = "photo",
    test_fraction: float = 0.25,
    smallest_box: int = 2500,
    max_images_per_category: int | None = None,
    negatives: Path | str | None = None,
) -> AnnotatedImages:
    """Opens PASCAL-Part for reading its images one after another.

    All MATLAB files are read once, which takes some ten milliseconds each; the masks
    are read again with their image and never all in memory.

    Example:

    ```python
    dogs = ki.datasets.open_pascal_part("pascal_part", categories=["dog"])
    example = dogs.example(0)  # the crop at its own size
    ```

    Args:
        root: the folder with `Annotations_Part/` and `VOCdevkit/VOC2010/JPEGImages/` or
            `JPEGImages/`, or one with `.mat` and `.jpg` files side by side.
        split: `"train"` or `"test"`; None for both; `"authors"` for both with
            `split_by="authors"`.
        categories: classes of PASCAL VOC, such as `"dog"`. Default: all that are there
            and have the parts asked for: six animals for `"merged"`, else any of
            twenty.
        crop: `"box"` cuts every photograph to the pixels of its object; None keeps the
            whole photograph.
        parts: `"merged"` or `"original"`.
        part_masks: whether to read the masks. Each takes a third of the memory of its
            image, and the original parts of all classes are some seventy.
        split_by: `"photo"` keeps all objects of one photograph on one side, evenly
            spaced; `"authors"` is the rule of the interpretable-CNN authors for the
            objects of each category in the order of the files, which does not;
            `"voc"` takes `ImageSets/Main/train.txt` and, for `"test"`, `val.txt`.
        test_fraction: share of the photographs in the split `"test"`; only for
            `split_by="photo"`.
        smallest_box: objects whose box has fewer square pixels are left out. The
            authors of the interpretable CNN drop those under 50 by 50.
        max_images_per_category: take only the first objects of each category (and of
            the split, where one is given).
        negatives: a folder of images without these objects, added as the class
            `"background"`.

    Returns:
        The chosen images, not read yet.

    Raises:
        FileNotFoundError: if there are no annotations.
        ValueError: if a file is damaged, an image is missing or has another size than
            its masks, or an argument does not fit; the message names it.
    """
    split, split_by = check_split(split, split_by, ("photo", "authors", "voc"))
    _check_options(crop, parts, test_fraction, max_images_per_category)
    objects = read_pascal_objects(Path(root), parts)
    objects = add_split(objects, split_by, test_fraction)
    names = _category_names(set(objects["category"]), categories, parts)
    chosen = _choose(objects, names, split, smallest_box, max_images_per_category)
    objects = {name: values[chosen] for name, values in objects.items()}
    check_images(objects)
    images = _images(objects, names, parts, part_masks)
    images = dataclasses.replace(images, crop=crop)
    if negatives is None:
        return images
    fraction = test_fraction if split_by == "photo" else None
    return add_background(images, Path(negatives), split, fraction)


def _category_names(
    present: set[str], categories: Sequence[str] | None, parts: str
) -> list[str]:
    """The wanted categories in the order of PASCAL VOC."""
    if isinstance(categories, str):
        raise refused("categories as a list of names", categories=categories)
    possible = list(MERGED_PARTS if parts == "merged" else PARTS)
    there = [name for name in possible if name in present]
    if categories is None:
        if not there:
            raise ValueError(
                f'no object of the categories {possible}; parts="original" takes '
                f"{list(PARTS)}"
            )
        return there
    wrong = [name for name in categories if name not in there]
    if wrong or not len(categories):
        raise ValueError(
            f"no objects of the categories {wrong} with {parts} parts; there are "
            f"{there}, and the papers merge parts of {list(MERGED_PARTS)} only: "
            'parts="original" takes all'
        )
    return [name for name in there if name in set(categories)]


def _choose(
    objects: dict[str, np.ndarray],
    names: list[str],
    split: str | None,
    smallest_box: int,
    max_images: int | None,
) -> np.ndarray:
    """The positions of the objects wanted."""
    boxes = np.array(objects["box"].tolist(), np.float64).reshape(-1, 4)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    # An object without a single pixel has a NaN for its area.
    chosen = areas >= max(smallest_box, 1)
    chosen &= objects["split"] == split if split else objects["split"] != ""
    rows = [
        np.flatnonzero(chosen & (objects["category"] == name))[:max_images]
        for name in names
    ]
    positions = np.sort(np.concatenate(rows))
    if not len(positions):
        raise ValueError(
            f"no object of {names} has the split {split!r} and a box of {smallest_box} "
            "square pixels; give another split or smallest_box="
        )
    return positions


def _images(
    objects: dict[str, np.ndarray],
    class_names: list[str],
    parts: str,
    part_masks: bool,
) -> AnnotatedImages:
    if parts == "merged":
        tables = {name: MERGED_PARTS[name] for name in class_names}
        occurring = {part for table in tables.values() for part in table}
        part_names = [name for name in MERGED_NAMES if name in occurring]
        landmark_names = [
            name for name in MERGED_LANDMARKS if name in occurring | {"neck"}
        ]
    else:
        tables = {name: named_parts(name) for name in class_names}
        part_names = list(dict.fromkeys(part for t in tables.values() for part in t))
        landmark_names = part_names
    nowhere = (np.nan, np.nan)
    landmarks = [
        [centres.get(name, nowhere) for name in landmark_names]
        for centres in objects["landmarks"]
    ]
    masks: dict[str, Any] = {}
    if part_masks:
        codes = {
            name: [table.get(part, ()) for part in part_names]
            for name, table in tables.items()
        }
        columns = [objects[name] for name in ("annotation", "number", "category")]
        masks["part_names"] = part_names
        masks["masks"] = object_array(
            [
                PascalMasks(file, number, codes[name])
                for file, number, name in zip(*columns, strict=True)
            ]
        )
    numbers = zip(objects["path"], objects["number"], strict=True)
    return AnnotatedImages(
        class_names=class_names,
        landmark_names=landmark_names,
        paths=objects["path"],
        ids=np.array([f"{path.stem}_{number + 1}" for path, number in numbers], str),
        labels=np.array([class_names.index(c) for c in objects["category"]], np.int64),
        groups=objects["group"].astype(np.int64),
        split=objects["split"].astype(str),
        boxes=np.array(objects["box"].tolist(), np.float64),
        landmarks=np.array(landmarks, np.float64).reshape(-1, len(landmark_names), 2),
        source=objects["annotation"][0].parent,
        **masks,
    )


def _check_options(
    crop: str | None,
    parts: str,
    test_fraction: float,
    max_images_per_category: int | None,
) -> None:
    check_choice("crop", crop, ("box", None))
    check_choice("parts", parts, ("merged", "original"))
    check_share("test_fraction", test_fraction, inside=True)
    check_count("max_images_per_category", max_images_per_category, optional=True)

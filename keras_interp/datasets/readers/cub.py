"""Reader of CUB-200-2011 (Wah et al., 2011) in its published layout."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_interp.datasets._field_checks import (
    check_choice,
    check_count,
    check_size,
)
from keras_interp.datasets._images import same_image_groups
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.readers._splits import add_background, check_split
from keras_interp.datasets.readers.annotated_images import (
    AnnotatedImages,
    object_array,
)
from keras_interp.datasets.readers.cub_annotations import (
    ORIGIN,
    CubAnnotations,
    find_captions_folder,
    read_cub_annotations,
    read_cub_captions,
)

_logger = logging.getLogger(__name__)


def load_cub(
    root: Path | str,
    split: str | None = None,
    *,
    categories: Sequence[str | int] | None = None,
    size: int | tuple[int, int] | None = None,
    crop: str | None = "box",
    mirror: bool = False,
    captions: bool = False,
    captions_root: Path | str | None = None,
    split_by: str = "photo",
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
        split: `"train"` or `"test"`; None for both; `"authors"` for both with
            `split_by="authors"`.
        categories: names (`"004.Groove_billed_Ani"` or `"Groove_billed_Ani"`) or ids
            (1 to 200) of the classes wanted. Default: all that have images.
        size: height and width of the images in pixels, or a (height, width) pair.
            Default: that of the files where all images have one size, else 224.
        crop: `"box"` cuts every image to the bounding box of its bird, and landmarks
            outside the box become NaN; None keeps the whole image.
        mirror: whether to append the mirror image of every bird, with left and right
            parts exchanged; see `add_mirror_images`.
        captions: whether to read the sentences of Reed et al. (2016), ten an image.
            Images without sentences are left out, which a warning in the log counts,
            and so are classes without any, unless `categories` names them.
        captions_root: the folder `text_c10` of the sentences. Default: in `root`,
            beside `CUB_200_2011` or where `data prepare` puts `cub_captions`.
        split_by: `"photo"` is the official split, except that a byte-identical copy of
            a training image is in training, too; `"authors"` is the official split
            as it was published.
        max_images_per_category: take only the first images of each category (and of
            the split, where one is given).
        single_category: whether all birds get the one class `"bird"`.
        negatives: a folder of images without birds, added as the class
            `"background"`; every second one is in the split `"test"`.

    Returns:
        A `PartsDataset`; `ids` are the names in `images.txt` without the suffix, and
        `groups` are equal for byte-identical files: the number in `images.txt` of the
        first of them.

    Raises:
        FileNotFoundError: if an annotation file or the folder of sentences is missing.
        ValueError: if a file is damaged, an annotated image is missing or an
            argument does not fit; the message names it.

    Reference:

    - Wah, Branson, Welinder, Perona, Belongie, "The Caltech-UCSD Birds-200-2011
      Dataset", 2011.
    """
    wanted_size = None if size is None else check_size(size)
    images = open_cub(
        root,
        split,
        categories=categories,
        crop=crop,
        captions=captions,
        captions_root=captions_root,
        split_by=split_by,
        max_images_per_category=max_images_per_category,
        single_category=single_category,
        negatives=negatives,
    )
    if wanted_size is None and negatives is not None:
        # The birds decide: photographs without birds have any size.
        birds = images.labels < len(images.class_names) - 1
        wanted_size = images.take(birds).common_size()
    return images.load(wanted_size, mirror)


def open_cub(
    root: Path | str,
    split: str | None = None,
    *,
    categories: Sequence[str | int] | None = None,
    crop: str | None = "box",
    captions: bool = False,
    captions_root: Path | str | None = None,
    split_by: str = "photo",
    max_images_per_category: int | None = None,
    single_category: bool = False,
    negatives: Path | str | None = None,
) -> AnnotatedImages:
    """Opens CUB-200-2011 for reading its images one after another.

    With the default arguments and `crop=None` row i is row i of
    `read_cub_annotations(root)`.

    Example:

    ```python
    birds = ki.datasets.open_cub("CUB_200_2011", "train")
    example = birds.example(0)  # the crop at its own size
    ```

    Args:
        root: the folder `CUB_200_2011` or the one that holds it.
        split: `"train"` or `"test"`; None for both; `"authors"` for both with
            `split_by="authors"`.
        categories: names (`"004.Groove_billed_Ani"` or `"Groove_billed_Ani"`) or ids
            (1 to 200) of the classes wanted. Default: all that have images.
        crop: `"box"` cuts every image to the bounding box of its bird, and landmarks
            outside the box become NaN; None keeps the whole image.
        captions: whether to read the sentences of Reed et al. (2016), ten an image.
            Images without sentences are left out, which a warning in the log counts,
            and so are classes without any, unless `categories` names them.
        captions_root: the folder `text_c10` of the sentences. Default: in `root`,
            beside `CUB_200_2011` or where `data prepare` puts `cub_captions`.
        split_by: `"photo"` is the official split, except that a byte-identical copy of
            a training image is in training, too; `"authors"` is the official split
            as it was published.
        max_images_per_category: take only the first images of each category (and of
            the split, where one is given).
        single_category: whether all birds get the one class `"bird"`.
        negatives: a folder of images without birds, added as the class
            `"background"`; every second one is in the split `"test"`.

    Returns:
        The chosen images, not read yet.

    Raises:
        FileNotFoundError: if an annotation file or the folder of sentences is missing.
        ValueError: if a file is damaged, an annotated image is missing or an
            argument does not fit; the message names it.
    """
    check_choice("crop", crop, ("box", None))
    check_count("max_images_per_category", max_images_per_category, optional=True)
    split, split_by = check_split(split, split_by, ("photo", "authors"))
    annotations = read_cub_annotations(root)
    class_ids = _class_ids(annotations, categories)
    images = dataclasses.replace(_all_birds(annotations, split_by), crop=crop)
    if captions:
        folder = find_captions_folder(annotations.folder, captions_root)
        chosen = np.isin(annotations.class_ids, class_ids)
        images = _with_captions(images, chosen, folder)
        if categories is None:
            class_ids = sorted(set(images.labels.tolist()))
    rows = _choose(images, class_ids, split, max_images_per_category)
    images = _relabel(images.take(rows), annotations, class_ids, single_category)
    _check_files(images.paths.tolist())
    if negatives is None:
        return images
    # CUB's official split is about half and half, and so is this one.
    return add_background(images, Path(negatives), split, test_fraction=0.5)


def _all_birds(annotations: CubAnnotations, split_by: str) -> AnnotatedImages:
    """All images; their labels are still the ids of `classes.txt`."""
    folder = annotations.folder / "images"
    paths = [folder / name for name in annotations.names]
    first = same_image_groups(paths)
    is_train = annotations.is_train
    if split_by == "photo":
        is_train = np.isin(first, first[is_train])
    return AnnotatedImages(
        class_names=list(annotations.class_names.values()),
        landmark_names=annotations.landmark_names,
        paths=object_array(paths),
        ids=annotations.ids,
        labels=annotations.class_ids,
        groups=annotations.image_ids[first],
        split=np.where(is_train, "train", "test"),
        boxes=annotations.boxes,
        landmarks=annotations.landmarks,
        source=annotations.folder / "bounding_boxes.txt",
    )


def _class_ids(
    annotations: CubAnnotations, categories: Sequence[str | int] | None
) -> list[int]:
    """The wanted class ids that have images, in increasing order."""
    present = set(annotations.class_ids.tolist())
    if categories is None:
        return sorted(present)
    ids = {name: key for key, name in annotations.class_names.items()}
    ids |= {name.partition(".")[2]: key for name, key in list(ids.items())}
    wanted = [ids.get(c) if isinstance(c, str) else int(c) for c in categories]
    wrong = [c for c, key in zip(categories, wanted, strict=True) if key not in present]
    if wrong or not wanted:
        raise ValueError(
            f"no images of the categories {wrong}; {len(present)} have some, for "
            f"instance {[annotations.class_names[key] for key in sorted(present)[:3]]}"
        )
    return sorted(set(key for key in wanted if key is not None))


def _with_captions(
    images: AnnotatedImages, chosen: np.ndarray, folder: Path
) -> AnnotatedImages:
    """Those of the chosen images that have sentences, with them."""
    ids = images.ids[chosen].tolist()
    captions = read_cub_captions(folder, ids, known_ids=images.ids.tolist())
    if captions.without_sentences or captions.without_image:
        _logger.warning(captions.summary)
    kept = images.take(np.isin(images.ids, list(captions.sentences)))
    sentences = [captions.sentences[name] for name in kept.ids.tolist()]
    return dataclasses.replace(kept, captions=object_array(sentences))


def _choose(
    images: AnnotatedImages,
    class_ids: list[int],
    split: str | None,
    max_images: int | None,
) -> np.ndarray:
    """Bool `(N,)`: the images of these classes and this split."""
    chosen = np.isin(images.labels, class_ids)
    if split is not None:
        chosen &= images.split == split
    if max_images is not None:
        same_class = images.labels[:, None] == np.array(class_ids)
        rank = np.cumsum(same_class & chosen[:, None], axis=0)
        chosen &= (rank * same_class).max(axis=1) <= max_images
    if not chosen.any():
        raise ValueError(f"no image of these categories has the split {split!r}")
    return chosen


def _relabel(
    images: AnnotatedImages,
    annotations: CubAnnotations,
    class_ids: list[int],
    single_category: bool,
) -> AnnotatedImages:
    """Labels from 0 on, of the chosen classes alone."""
    names = [annotations.class_names[class_id] for class_id in class_ids]
    labels = np.searchsorted(class_ids, images.labels)
    if single_category:
        names, labels = ["bird"], np.zeros_like(labels)
    return dataclasses.replace(images, class_names=names, labels=labels)


def _check_files(paths: Sequence[Path]) -> None:
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise ValueError(
            f"{len(missing)} images of images.txt are missing, the first is "
            f"{missing[0]}; extract {ORIGIN} again"
        )

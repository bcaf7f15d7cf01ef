"""The MATLAB files of ILSVRC 2013 DET Animal-Part, read without opening a picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from keras_interp.datasets.matlab_truth import (
    PartTruth,
    read_object_boxes,
    read_part_truth,
)

IMAGES_ORIGIN = "https://github.com/zqs1022/detanimalpart"
TRUTH_ORIGIN = (
    "https://github.com/zqs1022/interpretableCNN, folder "
    "code/data_input/data_input_DET-2015-subset-ILSVRC2013train"
)
ORIGIN = f"{IMAGES_ORIGIN} (pictures) and {TRUTH_ORIGIN} (annotations)"
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
_NO_LEGS = "n01443537"  # goldfish


@dataclasses.dataclass(frozen=True, eq=False)
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

    def __len__(self) -> int:
        return len(self.boxes)


def read_animal_annotations(root: Path | str, wnid: str) -> AnimalAnnotations:
    """Reads the MATLAB files of one category, without opening a picture.

    Files of MATLAB v5 and of v7.3 (HDF5) are read alike. `bird` was published without
    `data.mat`; the boxes of its annotated objects are taken from the part files.

    Args:
        root: the folder with `<wnid>_obj/` and `annotations/`.
        wnid: the WordNet id of the category, such as `"n02084071"`.

    Returns:
        One row for each object of the full list, whether its picture is there or not.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if one is damaged or they list different numbers of objects.
    """
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

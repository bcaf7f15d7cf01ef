"""The MATLAB files of ILSVRC 2013 DET Animal-Part, read without opening an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets.readers._matlab import load_matlab


@dataclasses.dataclass(frozen=True)
class PartTruth:
    """The boxes of one part, one row for each object of a category.

    `centers` (x, y) and `scales` (width, height) of the first box are in pixels of the
    object's crop resized to 224x224, counted from 1, NaN where there is none;
    `box_counts` says how many boxes of the part the object has; `object_boxes`
    (xmin, ymin, xmax, ymax), in pixels of the photograph counted from 1, both ends
    included and not clipped, is NaN where there is none.
    """

    centers: np.ndarray
    scales: np.ndarray
    box_counts: np.ndarray
    object_boxes: np.ndarray


_EDGES = ("xmin", "ymin", "xmax", "ymax")


def read_part_truth(path: Path, origin: str) -> PartTruth:
    """Reads a `truth_partNN.mat` of MATLAB v5 or v7.3.

    Args:
        path: the file.
        origin: where a user gets it.

    Raises:
        FileNotFoundError: if it is missing.
        ValueError: if it is damaged or has another structure; the message names it.
    """
    return _read(path, origin, _truth_from_hdf5, _truth_from_version_5)


def read_object_boxes(path: Path, origin: str) -> np.ndarray:
    """Reads the object boxes of a `data.mat`, as `PartTruth.object_boxes`."""
    return _read(path, origin, _boxes_from_hdf5, _boxes_from_version_5)


def _read(
    path: Path,
    origin: str,
    from_hdf5: Callable[[Any], Any],
    from_version_5: Callable[[Any], Any],
) -> Any:
    import h5py

    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it comes from {origin}")
    try:
        # A v7.3 file is an HDF5 file behind 512 bytes of MATLAB header.
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return from_hdf5(file)
        return from_version_5(load_matlab(path))
    except Exception as error:
        # Both libraries raise a dozen kinds of errors on damaged files.
        raise ValueError(
            f"{path} is damaged or has another structure than published "
            f"({type(error).__name__}: {error}); get it again from {origin}"
        ) from error


def _truth_from_hdf5(file: Any) -> PartTruth:
    truth = file["truth"]
    # HDF5 has the axes of MATLAB arrays reversed: `.T` gives (row; column) x boxes.
    centers = [_hdf5_array(file[ref]).T for ref in truth["pHW_center"][()].flat]
    scales = [_hdf5_array(file[ref]).T for ref in truth["pHW_scale"][()].flat]
    boxes = [_hdf5_object_box(file, ref) for ref in truth["obj"][()].flat]
    return _part_truth(centers, scales, boxes)


def _hdf5_array(dataset: Any) -> np.ndarray:
    # An empty array is stored as its shape, marked by this attribute.
    if "MATLAB_empty" in dataset.attrs:
        return np.zeros((0, 2))
    return dataset[()]


def _hdf5_object_box(file: Any, reference: Any) -> list[float]:
    node = file[reference]
    if "MATLAB_empty" in node.attrs:
        return [np.nan] * 4
    box = node["bndbox"]
    if hasattr(box, "dtype"):  # several parts: the fields are arrays of references
        box = file[box[()].flat[0]]
    return [float("".join(map(chr, box[edge][()].flat))) for edge in _EDGES]


def _truth_from_version_5(content: dict[str, Any]) -> PartTruth:
    truth = content["truth"].reshape(-1)
    centers = [np.asarray(center, float) for center in truth["pHW_center"]]
    scales = [np.asarray(scale, float) for scale in truth["pHW_scale"]]
    boxes = [
        [float(entry["bndbox"].flat[0][edge].item().item()) for edge in _EDGES]
        if entry.size
        else [np.nan] * 4
        for entry in (np.asarray(entry).reshape(-1)[:1] for entry in truth["obj"])
    ]
    return _part_truth(centers, scales, boxes)


def _part_truth(
    centers: list[np.ndarray], scales: list[np.ndarray], boxes: list[list[float]]
) -> PartTruth:
    def first(values: list[np.ndarray]) -> np.ndarray:
        # (row; column) or (height; width) becomes (x, y) or (width, height).
        pairs = [v[::-1, 0] if v.size else [np.nan, np.nan] for v in values]
        return np.array(pairs, np.float64).reshape(-1, 2)

    if not len(centers) == len(scales) == len(boxes):
        raise ValueError("the fields of truth have different lengths")
    return PartTruth(
        centers=first(centers),
        scales=first(scales),
        box_counts=np.array([c.shape[1] if c.size else 0 for c in centers], np.int64),
        object_boxes=np.array(boxes, np.float64).reshape(-1, 4),
    )


def _boxes_from_hdf5(file: Any) -> np.ndarray:
    nodes = (file[ref]["bndbox"] for ref in file["samples"]["obj"][()].flat)
    boxes = [[float(node[edge][()].item()) for edge in _EDGES] for node in nodes]
    return np.array(boxes, np.float64).reshape(-1, 4)


def _boxes_from_version_5(content: dict[str, Any]) -> np.ndarray:
    nodes = (entry["bndbox"].flat[0] for entry in content["samples"]["obj"].flat)
    boxes = [[float(node[edge].item().item()) for edge in _EDGES] for node in nodes]
    return np.array(boxes, np.float64).reshape(-1, 4)


IMAGES_ORIGIN = "https://github.com/zqs1022/detanimalpart"
TRUTH_ORIGIN = (
    "https://github.com/zqs1022/interpretableCNN, folder "
    "code/data_input/data_input_DET-2015-subset-ILSVRC2013train"
)
ORIGIN = f"{IMAGES_ORIGIN} (images) and {TRUTH_ORIGIN} (annotations)"
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
NO_LEGS = "goldfish"


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
    """Reads the MATLAB files of one category, without opening an image.

    Files of MATLAB v5 and of v7.3 (HDF5) are read alike. Where the
    `data.mat` of `bird` is missing, as in some copies, the boxes of its annotated
    objects are taken from the part files.

    Args:
        root: the folder with `<wnid>_obj/` and `annotations/`.
        wnid: the WordNet id of the category, such as `"n02084071"`.

    Returns:
        One row for each object of the full list, whether its image is there or not.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if one is damaged or they list different numbers of objects.
    """
    root = Path(root)
    folder = root / "annotations" / wnid
    head = read_part_truth(folder / "truth_part01.mat", TRUTH_ORIGIN)
    parts = [head]
    if wnid != CATEGORIES[NO_LEGS]:
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

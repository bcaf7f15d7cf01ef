"""Reads the MATLAB files of the ILSVRC Animal-Part annotations, both versions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


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
    import scipy.io

    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it comes from {origin}")
    try:
        # A v7.3 file is an HDF5 file behind 512 bytes of MATLAB header.
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return from_hdf5(file)
        return from_version_5(scipy.io.loadmat(str(path)))
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

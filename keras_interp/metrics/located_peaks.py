"""Checked peaks of filters beside the landmarks of the same pictures."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np


def to_numpy(array: Any) -> np.ndarray:
    """Turns a NumPy array, nested list or backend tensor into a NumPy array."""
    if isinstance(array, np.ndarray):
        return array
    if keras.ops.is_tensor(array):
        return np.asarray(keras.ops.convert_to_numpy(array))
    return np.asarray(array)


def height_width(image_size: int | tuple[int, int]) -> tuple[float, float]:
    """Reads `image_size`, a number or `(height, width)`, as two positive floats."""
    pair = np.ravel(np.asarray(image_size, dtype="float64"))
    if pair.size == 1:
        pair = np.repeat(pair, 2)
    if pair.size != 2 or not np.all(np.isfinite(pair)) or np.any(pair <= 0):
        raise ValueError(
            "image_size must be a positive number or (height, width) in pixels; "
            f"got {image_size!r}. Pass the size of the pictures that the landmarks "
            "refer to, such as model.input_shape[1:3]."
        )
    return float(pair[0]), float(pair[1])


def image_diagonal(image_size: int | tuple[int, int]) -> float:
    """Length of the diagonal of the pictures, in pixels."""
    return float(np.hypot(*height_width(image_size)))


def check_feature_maps(feature_maps: Any) -> np.ndarray:
    """Maps `(N, H, W, F)` with at least one cell and no NaN."""
    maps = to_numpy(feature_maps)
    if maps.ndim != 4:
        raise ValueError(
            "feature_maps must have shape (pictures, height, width, filters); got "
            f"shape {maps.shape}."
        )
    if maps.shape[1] * maps.shape[2] == 0:
        raise ValueError(
            f"feature_maps must have at least one cell; got shape {maps.shape}."
        )
    if maps.dtype.kind not in "fiub":
        # The bfloat16 of mixed precision is a type that NumPy itself lacks.
        maps = maps.astype("float32")
    # The maximum is NaN if any value is; it costs less than a look at every value.
    if maps.size and np.isnan(maps.max()):
        broken = np.isnan(maps).any(axis=(1, 2)).sum()
        raise ValueError(
            f"feature_maps hold NaN in {broken} of {maps.shape[0] * maps.shape[3]} "
            "maps; check that training did not diverge."
        )
    return maps


def check_positions(positions: Any) -> np.ndarray:
    """Positions as float64 `(N, F, 2)`, refused if the shape is another one."""
    positions = to_numpy(positions).astype("float64", copy=False)
    if positions.ndim != 3 or positions.shape[-1] != 2:
        raise ValueError(
            "positions must have shape (pictures, filters, 2) with (x, y) in pixels; "
            f"got shape {positions.shape}. ki.metrics.positions_and_scores makes them "
            "from feature maps."
        )
    if np.isinf(positions).any():
        raise ValueError(
            "positions must be finite, or NaN where a filter does not fire; got "
            "infinite ones. Check the feature maps they were made from."
        )
    return positions


def check_landmarks(landmarks: Any, pictures: int) -> np.ndarray:
    """Landmarks as float64 `(N, K, 2)`, both coordinates NaN where one is."""
    landmarks = to_numpy(landmarks).astype("float64")
    if landmarks.ndim != 3 or landmarks.shape[-1] != 2:
        raise ValueError(
            "landmarks must have shape (pictures, landmarks, 2) with (x, y) in pixels "
            f"and NaN where absent; got shape {landmarks.shape}."
        )
    if len(landmarks) != pictures:
        raise ValueError(
            f"positions hold {pictures} pictures but landmarks hold {len(landmarks)}; "
            "pass both for the same pictures in the same order."
        )
    if np.isinf(landmarks).any():
        raise ValueError("landmarks must be finite, or NaN where absent; got infinity.")
    landmarks[np.isnan(landmarks).any(axis=-1)] = np.nan
    return landmarks


def check_scores(scores: Any, positions: np.ndarray) -> np.ndarray:
    """Scores as float64 `(N, F)`, one for each of the positions."""
    scores = to_numpy(scores).astype("float64", copy=False)
    if scores.shape != positions.shape[:2]:
        raise ValueError(
            "scores must have shape (pictures, filters) = "
            f"{positions.shape[:2]} as positions do; got shape {scores.shape}. They "
            "are the peak values of the maps."
        )
    return scores


def check_integers(values: Any, name: str, length: int) -> np.ndarray:
    """Integer array `(length,)`, refused if it is another shape or kind."""
    array = to_numpy(values)
    if array.shape != (length,) or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be integers of shape ({length},); got {array.dtype} of shape "
            f"{array.shape}. For one-hot labels pass labels.argmax(axis=1)."
        )
    return array


@dataclasses.dataclass(frozen=True)
class LocatedPeaks:
    """Peaks of filters and landmarks of the same pictures, checked.

    A filter fires in a picture when its position and score are finite and its score is
    not exactly 0, the maximum of a map that the ReLU silenced. Scores below 0 count:
    maps taken before the ReLU have them.

    Args:
        positions: float64 `(N, F, 2)`, (x, y) in pixels; NaN where not firing.
        scores: float64 `(N, F)`, the peak values.
        firing: bool `(N, F)`.
        landmarks: float64 `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        present: bool `(N, K)`.
        diagonal: diagonal of the pictures in pixels.
    """

    positions: np.ndarray
    scores: np.ndarray
    firing: np.ndarray
    landmarks: np.ndarray
    present: np.ndarray
    diagonal: float

    @classmethod
    def check(
        cls,
        positions: Any,
        scores: Any,
        landmarks: Any,
        image_size: int | tuple[int, int],
    ) -> LocatedPeaks:
        """Checks the arguments that the metrics share and converts them."""
        diagonal = image_diagonal(image_size)
        positions = check_positions(positions)
        scores = check_scores(scores, positions)
        landmarks = check_landmarks(landmarks, len(positions))
        firing = ~np.isnan(positions).any(axis=-1) & np.isfinite(scores) & (scores != 0)
        present = ~np.isnan(landmarks[..., 0])
        return cls(positions, scores, firing, landmarks, present, diagonal)

    def subset(
        self, pictures: np.ndarray, filters: np.ndarray | slice = slice(None)
    ) -> LocatedPeaks:
        """The same peaks on some of the pictures and for some of the filters."""
        return LocatedPeaks(
            self.positions[pictures][:, filters],
            self.scores[pictures][:, filters],
            self.firing[pictures][:, filters],
            self.landmarks[pictures],
            self.present[pictures],
            self.diagonal,
        )

    def groups(
        self, labels: Any, categories: Any
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pictures and filters of each category, to be judged by themselves.

        Args:
            labels: int `(N,)`, category of each picture, or `None`.
            categories: int `(F,)`, category of each filter, or `None`. Both are
                `None` where all pictures count for all filters.

        Returns:
            Pairs of a boolean `(N,)` and a boolean `(F,)`, one for each category that
            has filters.
        """
        pictures, filters = self.firing.shape
        if labels is None and categories is None:
            return [(np.ones(pictures, dtype=bool), np.ones(filters, dtype=bool))]
        if labels is None or categories is None:
            raise ValueError(
                "labels and categories must come together: the category of each "
                "picture and of each filter. Pass both or neither."
            )
        labels = check_integers(labels, "labels", pictures)
        categories = check_integers(categories, "categories", filters)
        return [
            (labels == category, categories == category)
            for category in np.unique(categories)
        ]

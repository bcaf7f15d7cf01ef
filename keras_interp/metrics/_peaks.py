"""Peaks of filters beside the landmarks of the same images."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from keras_interp.receptive_fields import ReceptiveField


def to_numpy(array: Any) -> np.ndarray:
    """Turns a NumPy array, nested list or backend tensor into a NumPy array.

    Raises:
        ValueError: if it holds anything but real numbers, or rows of several lengths.
    """
    if keras.ops.is_tensor(array) and not isinstance(array, keras.Variable):
        return np.asarray(keras.ops.convert_to_numpy(array))
    try:
        # NumPy warns about the way that convert_to_numpy takes with variables.
        array = np.asarray(array)
    except ValueError:
        raise ValueError(
            "Expected an array of numbers. Received: a list whose rows differ in "
            "length. Make them equally long."
        ) from None
    if array.dtype.kind in "OUScmM":
        raise ValueError(
            f"Expected an array of real numbers. Received: an array of {array.dtype}. "
            "Convert it to float32 first."
        )
    return array


def height_width(image_size: int | tuple[int, int]) -> tuple[float, float]:
    """Reads `image_size`, a number or `(height, width)`, as two positive floats."""
    pair = np.ravel(np.asarray(image_size))
    if pair.size == 1:
        pair = np.repeat(pair, 2)
    numbers = pair.dtype.kind in "iuf" and pair.size == 2
    if not numbers or not np.all(np.isfinite(pair)) or np.any(pair <= 0):
        raise ValueError(
            "Expected image_size as a positive number or (height, width) in pixels. "
            f"Received: image_size={image_size!r}. Pass the size of the images that "
            "the landmarks refer to, such as model.input_shape[1:3]."
        )
    return float(pair[0]), float(pair[1])


def image_diagonal(image_size: int | tuple[int, int]) -> float:
    """Length of the diagonal of the images, in pixels."""
    return float(np.hypot(*height_width(image_size)))


def check_feature_maps(feature_maps: Any) -> np.ndarray:
    """Maps `(N, H, W, F)` with at least one cell, all finite."""
    maps = to_numpy(feature_maps)
    if maps.ndim != 4:
        raise ValueError(
            "Expected feature_maps of shape (images, height, width, filters). "
            f"Received: feature_maps of shape {maps.shape}. Pass the maps of a batch "
            "of images, channels last."
        )
    if maps.shape[1] * maps.shape[2] == 0:
        raise ValueError(
            "Expected feature_maps with at least one cell. Received: feature_maps of "
            f"shape {maps.shape}. Check the size of the images they were made from."
        )
    if maps.dtype.kind not in "fiub":
        # The bfloat16 of mixed precision is a type that NumPy itself lacks.
        maps = maps.astype("float32")
    # The maximum is NaN if any value is; it costs less than a look at every value.
    if maps.size and np.isnan(maps.max()):
        broken = np.isnan(maps).any(axis=(1, 2)).sum()
        raise ValueError(
            f"Expected feature_maps without NaN. Received: NaN in {broken} of "
            f"{maps.shape[0] * maps.shape[3]} maps. Check that training did not "
            "diverge."
        )
    if maps.size and not (np.isfinite(maps.max()) and np.isfinite(maps.min())):
        raise ValueError(
            f"Expected finite feature_maps. Received: {int(np.isinf(maps).sum())} "
            "infinite values. Check for overflow, such as that of float16."
        )
    return maps


def check_positions(positions: Any) -> np.ndarray:
    """Positions as float64 `(N, F, 2)`, refused if the shape is another one."""
    positions = to_numpy(positions).astype("float64", copy=False)
    if positions.ndim != 3 or positions.shape[-1] != 2:
        raise ValueError(
            "Expected positions of shape (images, filters, 2) with (x, y) in pixels. "
            f"Received: positions of shape {positions.shape}. "
            "ki.metrics.positions_and_scores makes them from feature maps."
        )
    if np.isinf(positions).any():
        raise ValueError(
            "Expected positions that are finite, or NaN where a filter does not "
            "fire. Received: infinite positions. Check the feature maps they were "
            "made from."
        )
    return positions


def check_landmarks(landmarks: Any, images: int) -> np.ndarray:
    """Landmarks as float64 `(N, K, 2)`, both coordinates NaN where one is."""
    landmarks = to_numpy(landmarks).astype("float64")
    if landmarks.ndim != 3 or landmarks.shape[-1] != 2:
        raise ValueError(
            "Expected landmarks of shape (images, landmarks, 2) with (x, y) in "
            "pixels and NaN where absent. Received: landmarks of shape "
            f"{landmarks.shape}. Pass dataset.landmarks."
        )
    if len(landmarks) != images:
        raise ValueError(
            "Expected positions and landmarks of the same images in the same order. "
            f"Received: positions of {images} images and landmarks of "
            f"{len(landmarks)}. Pass both for the same images."
        )
    if np.isinf(landmarks).any():
        raise ValueError(
            "Expected landmarks that are finite, or NaN where absent. Received: "
            "infinite landmarks. Set those that are absent to NaN."
        )
    landmarks[np.isnan(landmarks).any(axis=-1)] = np.nan
    return landmarks


def check_scores(scores: Any, positions: np.ndarray) -> np.ndarray:
    """Scores as float64 `(N, F)`, one for each of the positions."""
    scores = to_numpy(scores).astype("float64", copy=False)
    if scores.shape != positions.shape[:2]:
        raise ValueError(
            f"Expected scores of shape {positions.shape[:2]} (images, filters), as "
            f"positions have. Received: scores of shape {scores.shape}. Pass the peak "
            "values of the same maps."
        )
    return scores


def check_radius(radius: float) -> None:
    """Refuses what is no positive share of the diagonal."""
    if not radius > 0:
        raise ValueError(
            "Expected radius as a positive share of the diagonal. Received: "
            f"radius={radius!r}. Pass 0.1, the default."
        )


def check_iou(iou: float) -> None:
    """Refuses what is no share."""
    if not 0 <= iou < 1:
        raise ValueError(
            f"Expected iou of at least 0 and below 1. Received: iou={iou!r}. Leave it "
            "out for the paper's value."
        )


def check_together(labels: Any, categories: Any) -> None:
    """Refuses categories of images without those of filters, or the reverse."""
    if labels is None or categories is None:
        missing = "labels" if labels is None else "categories"
        raise ValueError(
            "Expected labels and categories together: the category of each image and "
            f"of each filter. Received: {missing}=None. Pass both or neither."
        )


def check_same_settings(metric: Any, other: Any) -> None:
    """Refuses to add up what metrics of different settings have seen."""
    own, theirs = metric.get_config(), other.get_config()
    changed = [key for key in own if key != "name" and own[key] != theirs.get(key)]
    if changed:
        raise ValueError(
            f"Expected metrics of the same settings to merge. Received: {changed} of "
            f"{other.name!r} differ from those of {metric.name!r}. Make them alike."
        )


def check_integers(values: Any, name: str, length: int) -> np.ndarray:
    """Integer array `(length,)`, refused if it is another shape or kind."""
    array = to_numpy(values)
    if array.shape != (length,) or array.dtype.kind not in "iu":
        raise ValueError(
            f"Expected {name} as integers of shape ({length},). Received: {name} of "
            f"{array.dtype}, shape {array.shape}. For one-hot labels pass "
            "labels.argmax(axis=1)."
        )
    return array


@dataclasses.dataclass(frozen=True)
class LocatedPeaks:
    """Peaks of filters and landmarks of the same images, checked.

    A filter fires in an image when its position and score are finite and its score is
    not exactly 0, the maximum of a map that the ReLU silenced. Scores below 0 count:
    maps taken before the ReLU have them.

    Args:
        positions: float64 `(N, F, 2)`, (x, y) in pixels; NaN where not firing.
        scores: float64 `(N, F)`, the peak values.
        firing: bool `(N, F)`.
        landmarks: float64 `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        present: bool `(N, K)`.
        diagonal: diagonal of the images in pixels.
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
        self, images: np.ndarray, filters: np.ndarray | slice = slice(None)
    ) -> LocatedPeaks:
        """The same peaks on some of the images and for some of the filters."""
        return LocatedPeaks(
            self.positions[images][:, filters],
            self.scores[images][:, filters],
            self.firing[images][:, filters],
            self.landmarks[images],
            self.present[images],
            self.diagonal,
        )

    def groups(
        self, labels: Any, categories: Any
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Images and filters of each category, to be judged by themselves.

        Args:
            labels: int `(N,)`, category of each image, or `None`.
            categories: int `(F,)`, category of each filter, or `None`. Both are
                `None` where all images count for all filters.

        Returns:
            Pairs of a boolean `(N,)` and a boolean `(F,)`, one for each category that
            has filters.
        """
        images, filters = self.firing.shape
        if labels is None and categories is None:
            return [(np.ones(images, dtype=bool), np.ones(filters, dtype=bool))]
        check_together(labels, categories)
        labels = check_integers(labels, "labels", images)
        categories = check_integers(categories, "categories", filters)
        return [
            (labels == category, categories == category)
            for category in np.unique(categories)
        ]


def positions_and_scores(
    feature_maps: Any, receptive_field: ReceptiveField, *, keep_silent: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the peak of each map and puts it at its receptive field's centre.

    Of several equal peaks the first in reading order counts. A map whose maximum is
    0 or less has no peak: its position is NaN and its score 0, and every metric of
    this package leaves it out.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = np.zeros((1, 14, 14, 2))
    >>> maps[0, 5, 6, 0] = 3.0
    >>> field = ki.ReceptiveField(size=196, stride=16, start=7.5)
    >>> positions, scores = ki.metrics.positions_and_scores(maps, field)
    >>> positions[0, 0], scores[0]
    (array([103.5,  87.5]), array([3., 0.]))

    Args:
        feature_maps: float `(N, H, W, F)`, channels last, after the ReLU and before
            any mask.
        receptive_field: of the layer that gave the maps, see
            `keras_interp.receptive_field`.
        keep_silent: keep the peaks of maps whose maximum is not positive. Set it for
            maps taken before the ReLU, as the released code of the paper does.

    Returns:
        positions: float64 `(N, F, 2)`, (x, y) in pixels of the input image.
        scores: float64 `(N, F)`, the peak values.

    Raises:
        ValueError: if the maps have another rank, no cells, or hold NaN.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.2.
    """
    maps = check_feature_maps(feature_maps)
    images, height, width, filters = maps.shape
    cells = np.argmax(maps.reshape(images, height * width, filters), axis=1)
    rows, columns = np.divmod(cells, width)
    scores = maps[
        np.arange(images)[:, None], rows, columns, np.arange(filters)[None, :]
    ].astype("float64")
    positions = receptive_field.pixels(np.stack([rows, columns], axis=-1))
    if not keep_silent:
        silent = scores <= 0
        positions[silent] = np.nan
        scores[silent] = 0.0
    return positions, scores


GRID = 16
MOST_FREQUENT = 256


def regular_cells(image_size: int | tuple[int, int]) -> np.ndarray:
    """Centres `(256, 2)` of a regular 16x16 grid over the image, (x, y) pixels."""
    height, width = height_width(image_size)
    # Cell i of n covers the pixels i*L/n ... (i+1)*L/n - 1, centres from 0.
    x = (np.arange(GRID) + 0.5) * width / GRID - 0.5
    y = (np.arange(GRID) + 0.5) * height / GRID - 0.5
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def center_cell(image_size: int | tuple[int, int]) -> np.ndarray:
    """Middle `(1, 2)` of the image, (x, y) pixels."""
    height, width = height_width(image_size)
    return np.array([[(width - 1) / 2, (height - 1) / 2]])


def check_cells(cells: Any, image_size: int | tuple[int, int]) -> np.ndarray:
    """Given cells as float64 `(M, 2)`, or the regular grid for `None`."""
    if cells is None:
        return regular_cells(image_size)
    cells = to_numpy(cells).astype("float64")
    if cells.ndim == 3:
        cells = cells.reshape(-1, cells.shape[-1])
    if cells.ndim != 2 or cells.shape[1] != 2 or not len(cells):
        raise ValueError(
            "Expected cells of shape (cells, 2) or (height, width, 2) with (x, y) in "
            f"pixels, at least one. Received: cells of shape {cells.shape}. Pass "
            "receptive_field.centers(height, width) of a layer."
        )
    return cells


def candidate_cells(
    positions: np.ndarray,
    firing: np.ndarray,
    image_size: int | tuple[int, int],
    cells: Any = None,
) -> np.ndarray:
    """Middle of the image, grid and the places where the filters really peak.

    Of the peaks' own places the 256 most frequent are taken, so that a filter which
    never moves cannot beat the best constant cell by sitting between grid points.

    Args:
        positions: float `(N, F, 2)`.
        firing: bool `(N, F)`.
        image_size: side or `(height, width)` in pixels.
        cells: float `(M, 2)` to use in place of the 16x16 grid.

    Returns:
        float64 `(M', 2)`, the middle of the image first.
    """
    # One number holds x and y of float32, which sorts far faster than rows do.
    seen = np.ascontiguousarray(positions[firing], dtype="float32")
    keys, counts = np.unique(seen.view("uint64"), return_counts=True)
    keys = keys[np.argsort(-counts, kind="stable")[:MOST_FREQUENT]]
    frequent = keys.view("float32").reshape(-1, 2).astype("float64")
    return np.concatenate(
        [center_cell(image_size), check_cells(cells, image_size), frequent]
    )

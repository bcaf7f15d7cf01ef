"""Agreement between filters and landmarks, as part discovery measures it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics._peaks import (
    check_feature_maps,
    check_landmarks,
    height_width,
)
from keras_interp.receptive_fields import ReceptiveField


@dataclasses.dataclass(frozen=True)
class PartAssignment:
    """How well the filter that is strongest at a landmark tells which one it is.

    Args:
        nmi: normalised mutual information of filters and landmarks, x 100.
        ari: adjusted Rand index of filters and landmarks, x 100.
        assignment: int `(N, K)`, the filter that is strongest at each landmark; F where
            none fires there, -1 where the landmark is absent.
        count: the number of landmarks behind the figures.
        filters: F. Published figures are for a few parts, such as 4, 8 or 16.
        baseline_constant_nmi: the nmi of F cells of a fixed grid over the image.
        baseline_constant_ari: the ari of F cells of a fixed grid over the image.
        baseline_random_nmi: the nmi of filters drawn at random.
        baseline_random_ari: the ari of filters drawn at random.
    """

    nmi: float
    ari: float
    assignment: np.ndarray
    count: int
    filters: int
    baseline_constant_nmi: float
    baseline_constant_ari: float
    baseline_random_nmi: float
    baseline_random_ari: float


def part_assignment(
    feature_maps: Any,
    receptive_field: ReceptiveField,
    landmarks: Any,
    image_size: int | tuple[int, int],
    *,
    relative: bool = True,
    seed: int = 0,
) -> PartAssignment:
    """Scores filters as parts by the landmarks that they are strongest at.

    Each visible landmark is given to the filter whose map is the strongest at its
    place. That assignment is compared with the landmarks' own names: the normalised
    mutual information (NMI) and the adjusted Rand index (ARI) are 100 where each
    landmark has a filter of its own, and about 0 where filters tell nothing. They rise
    with the number of filters, also for cells of a fixed grid, which stands beside them
    as a baseline.

    The protocol is that of part discovery with image labels, whose maps are a softmax
    over K parts and the background. Three things differ here, as a filter is no
    softmax: each map is divided by the filter's greatest peak (`relative`);
    "background" is where no filter fires; and a map is read at a landmark by its
    receptive field, bilinearly between cells, in place of being enlarged to the image.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> rng = np.random.default_rng(0)
    >>> cells = rng.integers(0, 8, (50, 3, 2))  # (row, column) of three landmarks
    >>> maps = np.zeros((50, 8, 8, 3))
    >>> for part in range(3):
    ...     maps[np.arange(50), cells[:, part, 0], cells[:, part, 1], part] = 1.0
    >>> field = ki.ReceptiveField(size=8, stride=8, start=3.5)
    >>> found = ki.metrics.part_assignment(maps, field, field.pixels(cells), 64)
    >>> found.nmi > 90 > 30 > found.baseline_constant_nmi
    True

    Args:
        feature_maps: float `(N, H, W, F)`, channels last, after the ReLU; of an
            interpretable layer best after the mask.
        receptive_field: of the layer that gave the maps, see
            `keras_interp.receptive_field`.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels.
        relative: divide each filter's maps by its greatest value over the images, so
            that filters compete on one scale.
        seed: of the random baseline.

    Returns:
        `PartAssignment` with `.nmi`, `.ari`, `.assignment`, `.count`, `.filters` and
        the baselines; NaN where fewer than 2 landmarks are seen.

    Raises:
        ValueError: if shapes do not fit together or the maps hold NaN.

    Reference:
        Choudhury, Laina, Rupprecht and Vedaldi, Unsupervised Part Discovery from
        Contrastive Reconstruction, NeurIPS 2021 (NMI and ARI at the keypoints of CUB);
        van der Klis et al., PDiscoNet, ICCV 2023 (448-pixel images, ResNet-101; 4, 8
        or 16 parts); Aniraj et al., PDiscoFormer, ECCV 2024 (ViT-B of DINOv2).
    """
    maps = check_feature_maps(feature_maps)
    landmarks = check_landmarks(landmarks, len(maps))
    size = height_width(image_size)
    filters = maps.shape[-1]
    present = ~np.isnan(landmarks[..., 0])
    assignment = np.full(present.shape, -1)
    truth = np.nonzero(present)[1]
    unknown = float("nan"), float("nan")
    figures = [unknown] * 3
    if len(np.unique(truth)) > 1 and filters:
        values = _values_at(maps, receptive_field, landmarks, present)
        if relative:
            greatest = maps.max(axis=(0, 1, 2))
            values = values / np.where(greatest > 0, greatest, 1)
        silent = values.max(axis=1) <= 0
        assignment[present] = np.where(silent, filters, values.argmax(axis=1))
        drawn = np.random.default_rng(seed).integers(0, filters, truth.size)
        figures = [
            _agreement(truth, found)
            for found in (
                assignment[present],
                _grid_cells(landmarks[present], size, filters),
                drawn,
            )
        ]
    (nmi, ari), (fixed_nmi, fixed_ari), (random_nmi, random_ari) = figures
    return PartAssignment(
        nmi=nmi,
        ari=ari,
        assignment=assignment,
        count=int(truth.size),
        filters=filters,
        baseline_constant_nmi=fixed_nmi,
        baseline_constant_ari=fixed_ari,
        baseline_random_nmi=random_nmi,
        baseline_random_ari=random_ari,
    )


def _agreement(truth: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """NMI and ARI, x 100."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    return (
        100 * float(normalized_mutual_info_score(truth, found)),
        100 * float(adjusted_rand_score(truth, found)),
    )


def _values_at(
    maps: np.ndarray,
    field: ReceptiveField,
    landmarks: np.ndarray,
    present: np.ndarray,
) -> np.ndarray:
    """Values `(visible landmarks, F)` of the maps, bilinear between four cells."""
    height, width = maps.shape[1:3]
    # Cells are evenly spaced: two of them give start and stride of both axes.
    x0, y0 = field.pixels(np.zeros(2))
    stride_x, stride_y = field.pixels(np.ones(2)) - (x0, y0)
    image = np.nonzero(present)[0]
    x, y = landmarks[present].T
    column, right = _neighbours((x - x0) / stride_x, width)
    row, below = _neighbours((y - y0) / stride_y, height)
    next_row, next_column = (
        np.minimum(row + 1, height - 1),
        np.minimum(column + 1, width - 1),
    )
    below, right = below[:, None], right[:, None]
    upper = (
        maps[image, row, column] * (1 - right) + maps[image, row, next_column] * right
    )
    lower = (
        maps[image, next_row, column] * (1 - right)
        + maps[image, next_row, next_column] * right
    )
    return upper * (1 - below) + lower * below


def _neighbours(place: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The cell before each place, and how far beyond it that lies, 0 to 1."""
    place = np.clip(place, 0, count - 1)
    before = np.floor(place).astype(int)
    return before, place - before


def grid_shape(cells: int) -> tuple[int, int]:
    """Rows and columns of a grid that is nearly square with about so many cells."""
    rows = max(1, int(np.sqrt(cells)))
    return rows, max(1, round(cells / rows))


def _grid_cells(
    places: np.ndarray, size: tuple[float, float], cells: int
) -> np.ndarray:
    """Cell of a fixed grid over the image that each place `(M, 2)` lies in."""
    rows, columns = grid_shape(cells)
    row = np.clip(places[:, 1] / size[0] * rows, 0, rows - 1).astype(int)
    column = np.clip(places[:, 0] / size[1] * columns, 0, columns - 1).astype(int)
    return row * columns + column

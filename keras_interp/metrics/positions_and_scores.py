"""Place and strength of the peak of every feature map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics.located_peaks import check_feature_maps

if TYPE_CHECKING:
    from keras_interp.receptive_field import ReceptiveField


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
        positions: float64 `(N, F, 2)`, (x, y) in pixels of the input picture.
        scores: float64 `(N, F)`, the peak values.

    Raises:
        ValueError: if the maps have another rank, no cells, or hold NaN.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.2.
    """
    maps = check_feature_maps(feature_maps)
    pictures, height, width, filters = maps.shape
    cells = np.argmax(maps.reshape(pictures, height * width, filters), axis=1)
    rows, columns = np.divmod(cells, width)
    scores = maps[
        np.arange(pictures)[:, None], rows, columns, np.arange(filters)[None, :]
    ].astype("float64")
    positions = receptive_field.pixels(np.stack([rows, columns], axis=-1))
    if not keep_silent:
        silent = scores <= 0
        positions[silent] = np.nan
        scores[silent] = 0.0
    return positions, scores

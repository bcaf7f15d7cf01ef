"""How alike two attribution maps are."""

from __future__ import annotations

import numpy as np

# Window and constants of Wang et al. 2004, with the window of equal weights.
WINDOW = 7
K1, K2 = 0.01, 0.03


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of two maps of each image.

    Args:
        first: `(batch, height, width)`.
        second: `(batch, height, width)`, other maps of the same images.

    Returns:
        float64 `(batch,)` from -1 to 1, NaN where a map is constant.
    """
    from scipy.stats import rankdata

    ranks = [rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (first, second)]
    one, other = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    scale = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    with np.errstate(invalid="ignore"):
        return (one * other).sum(axis=1) / scale


def structural_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean structural similarity (SSIM) of two maps of each image.

    Each map is first scaled to values from 0 to 1.

    Args:
        first: `(batch, height, width)`.
        second: `(batch, height, width)`, other maps of the same images.

    Returns:
        float64 `(batch,)`, 1 for equal maps.

    Reference:
        Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error
        Visibility to Structural Similarity", 2004, equation 13.
    """
    one, other = _scaled(first), _scaled(second)
    mean_one, mean_other = _local_mean(one), _local_mean(other)
    variances = (
        _local_mean(one**2) - mean_one**2 + _local_mean(other**2) - mean_other**2
    )
    covariance = _local_mean(one * other) - mean_one * mean_other
    luminance = (2 * mean_one * mean_other + K1**2) / (
        mean_one**2 + mean_other**2 + K1**2
    )
    structure = (2 * covariance + K2**2) / (variances + K2**2)
    return (luminance * structure).mean(axis=(1, 2))


def _scaled(maps: np.ndarray) -> np.ndarray:
    least = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - least
    return (maps - least) / np.where(span > 0, span, 1)


def _local_mean(maps: np.ndarray) -> np.ndarray:
    """Mean over the window, where it lies wholly inside the map."""
    from scipy.ndimage import uniform_filter

    sizes = [min(WINDOW, size) for size in maps.shape[1:]]
    means = uniform_filter(maps, size=(1, *sizes), mode="nearest")
    inside = tuple(
        slice(size // 2, length - (size - 1) // 2)
        for size, length in zip(sizes, maps.shape[1:], strict=True)
    )
    return means[(slice(None), *inside)]

"""Noise and stripes for backgrounds and coats, and where they can be seen."""

from __future__ import annotations

import functools

import numpy as np

from keras_interp.datasets.synthetic.random_numbers import PictureRandom

TEXTURES = ["striped", "mottled", "plain"]

_SHEET = 512  # pixels along a side of the sheet of noise
# Standard deviations of a pattern, as shares of white: what can be seen, what cannot.
_SEEN, _UNSEEN = 0.03, 0.01


@functools.lru_cache(maxsize=1)
def _noise_sheets() -> dict[str, np.ndarray]:
    """Square sheets of cloudy, mottled and grainy noise of unit variance.

    They repeat without a seam and are the same for every dataset; pictures differ in
    the windows that they cut out.
    """
    white = np.random.default_rng(20180618).standard_normal((3, _SHEET, _SHEET))
    frequency = np.hypot(
        np.fft.fftfreq(_SHEET)[:, None], np.fft.rfftfreq(_SHEET)[None, :]
    )
    frequency[0, 0] = 1 / _SHEET
    cloudy = frequency**-1.6 * (frequency > 2 / _SHEET)
    mottled = np.exp(-(((frequency - 0.07) / 0.03) ** 2))
    grainy = np.exp(-((frequency / 0.25) ** 2))
    filters = np.stack([cloudy, mottled, grainy])
    sheets = np.fft.irfft2(np.fft.rfft2(white) * filters, s=white.shape[1:])
    sheets /= sheets.std(axis=(1, 2), keepdims=True)
    return dict(
        zip(("cloudy", "mottled", "grainy"), sheets.astype(np.float32), strict=True)
    )


@functools.lru_cache(maxsize=12)
def _windows(kind: str, height: int, width: int) -> np.ndarray:
    """All windows of a sheet, `(512, 512, height, width)`, as a view."""
    sheet = np.pad(_noise_sheets()[kind], ((0, height), (0, width)), "wrap")
    return np.lib.stride_tricks.sliding_window_view(sheet, (height, width))


def cut_noise(
    random: PictureRandom, kind: str, height: int, width: int, windows: int
) -> np.ndarray:
    """float32 `(n, windows, height * width)`: random windows of a sheet of noise."""
    corner = random.integers(_SHEET, shape=(windows, 2))
    chosen = _windows(kind, height, width)[corner[..., 0], corner[..., 1]]
    return chosen.reshape(*corner.shape[:2], height * width)


def stripes(random: PictureRandom, height: int, width: int) -> np.ndarray:
    """float32 `(n, height * width)` in -1..1: waves of random direction and width."""
    angle = random.uniform(0, np.pi)
    wavelength = random.uniform(0.06, 0.14) * min(height, width)
    phase = random.uniform(0, 1)
    x = np.arange(width, dtype=np.float32) * (np.cos(angle) / wavelength)[:, None]
    y = np.arange(height, dtype=np.float32) * (np.sin(angle) / wavelength)[:, None]
    turns = (y + phase[:, None])[:, :, None] + x[:, None, :]
    # A triangle wave: as good as a sine here, and several times faster.
    turns -= np.floor(turns)
    return (np.abs(turns - 0.5) * 4 - 1).reshape(len(angle), -1)


def visible_textures(strength: np.ndarray, height: int, width: int) -> np.ndarray:
    """Where a pattern can be seen, and where there is none.

    Args:
        strength: float32 `(n, 2, pixels)`, what stripes and mottles were multiplied by.
        height: rows of the pictures.
        width: columns of the pictures.

    Returns:
        bool `(n, 3, height, width)` in the order of `TEXTURES`. A pixel may be striped
        and mottled, or neither clearly patterned nor plain.
    """
    # A triangle wave in -1..1 has the variance 1/3, the mottles have 1.
    deviation = strength * np.array([[3**-0.5], [1]], np.float32)
    plain = (deviation < _UNSEEN).all(axis=1, keepdims=True)
    masks = np.concatenate([deviation >= _SEEN, plain], axis=1)
    return masks.reshape(-1, len(TEXTURES), height, width)

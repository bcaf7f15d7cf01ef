"""Random numbers that depend on a seed and the number of the picture alone."""

from __future__ import annotations

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class PictureRandom:
    """Draws numbers for many pictures at once, as if each had its own generator.

    Picture i gets the same numbers whichever pictures are drawn with it: the numbers
    are hashes of (seed, i, how many were drawn before). The hash is SplitMix64.

    Args:
        seed: any integer.
        numbers: int array of shape `(n,)`, the numbers of the pictures.

    Reference:

    - Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
      OOPSLA 2014.
    """

    def __init__(self, seed: int, numbers: np.ndarray) -> None:
        start = np.array([seed % 2**64], np.uint64)
        self._keys = _mix(_mix(start) + numbers.astype(np.uint64))[:, None]
        self._drawn = 0

    def take(self, rows: slice) -> PictureRandom:
        """The generators of some of the pictures, from where they are now on."""
        taken = object.__new__(PictureRandom)
        taken._keys, taken._drawn = self._keys[rows], self._drawn
        return taken

    def uniform(
        self,
        low: float | np.ndarray = 0.0,
        high: float | np.ndarray = 1.0,
        shape: tuple[int, ...] = (),
    ) -> np.ndarray:
        """float32 array `(n, *shape)`, uniform in [low, high)."""
        count = int(np.prod(shape, dtype=int))
        steps = np.arange(self._drawn + 1, self._drawn + count + 1, dtype=np.uint64)
        self._drawn += count
        bits = _mix(self._keys + steps * _GOLDEN) >> np.uint64(40)
        unit = (bits.astype(np.float32) * np.float32(2**-24)).reshape(-1, *shape)
        low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        return low + unit * (high - low)

    def chance(
        self, probability: float | np.ndarray, shape: tuple[int, ...] = ()
    ) -> np.ndarray:
        """Bool array `(n, *shape)`, true with the given probability."""
        return self.uniform(shape=shape) < probability

    def integers(self, end: int, shape: tuple[int, ...] = ()) -> np.ndarray:
        """int array `(n, *shape)` in 0..end-1."""
        return (self.uniform(shape=shape) * end).astype(np.int64)


def _mix(values: np.ndarray) -> np.ndarray:
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))

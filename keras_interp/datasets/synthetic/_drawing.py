"""The tools of drawing: random numbers, shapes, noise and stripes."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class ImageRandom:
    """Draws numbers for many images at once, as if each had its own generator.

    Image i gets the same numbers whichever images are drawn with it: the numbers
    are hashes of (seed, i, how many were drawn before). The hash is SplitMix64.

    Args:
        seed: any integer.
        numbers: int array of shape `(n,)`, the numbers of the images.

    Reference:

    - Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
      OOPSLA 2014.
    """

    def __init__(self, seed: int, numbers: np.ndarray) -> None:
        start = np.array([seed % 2**64], np.uint64)
        self._keys = _mix(_mix(start) + numbers.astype(np.uint64))[:, None]
        self._drawn = 0

    def take(self, rows: slice) -> ImageRandom:
        """The generators of some of the images, from where they are now on."""
        taken = object.__new__(ImageRandom)
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


@dataclasses.dataclass(frozen=True)
class Shapes:
    """P shapes in each of n images: images of the unit disc or a unit triangle.

    A point v of the unit shape lies at `centers + axes @ v`. The unit triangle has its
    tip at (1, 0) and its base from (-1, -1) to (-1, 1). Shapes with zero axes are
    absent.

    Args:
        centers: float32 `(n, P, 2)`, (x, y).
        axes: float32 `(n, P, 2, 2)`; the columns are the half axes.
        is_triangle: bool `(P,)`.
    """

    centers: np.ndarray
    axes: np.ndarray
    is_triangle: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """Bool array `(n, P)`."""
        return np.abs(self.axes).sum(axis=(2, 3)) > 0

    def pick(self, columns: np.ndarray) -> Shapes:
        """Some of the shapes, other ones in each image.

        Args:
            columns: int array `(n, Q)` of positions of shapes. All images must pick
                a triangle, or all an ellipse, for one place.
        """
        return Shapes(
            centers=np.take_along_axis(self.centers, columns[:, :, None], axis=1),
            axes=np.take_along_axis(self.axes, columns[:, :, None, None], axis=1),
            is_triangle=self.is_triangle[columns[0]],
        )

    def take(self, rows: slice) -> Shapes:
        """The shapes of some of the images."""
        return dataclasses.replace(
            self, centers=self.centers[rows], axes=self.axes[rows]
        )

    def keep(self, mask: np.ndarray) -> Shapes:
        """The same shapes, those outside the bool mask `(n, P)` made absent."""
        return dataclasses.replace(self, axes=self.axes * mask[:, :, None, None])

    def transform(
        self, matrix: np.ndarray, pivot: np.ndarray, place: np.ndarray
    ) -> Shapes:
        """Turns and scales about a pivot that then lies at a new place.

        Args:
            matrix: `(n, 2, 2)` or one for each shape, `(n, P, 2, 2)`.
            pivot: `(n, 2)` or `(n, P, 2)`.
            place: as `pivot`.
        """
        if matrix.ndim == 3:
            matrix, pivot, place = matrix[:, None], pivot[:, None], place[:, None]
        offsets = (matrix @ (self.centers - pivot)[..., None])[..., 0]
        return dataclasses.replace(
            self, centers=place + offsets, axes=matrix @ self.axes
        )

    def bounds(self) -> np.ndarray:
        """float32 `(n, 4)`: (x0, y0, x1, y1) around the shapes that are present."""
        reach = np.sqrt((self.axes**2).sum(axis=3))
        hidden = np.where(self.present, 0, np.float32(1e6))[..., None]
        low = (self.centers - reach + hidden).min(axis=1)
        high = (self.centers + reach - hidden).max(axis=1)
        return np.concatenate([low, high], axis=1)

    def coverage(self, height: int, width: int) -> np.ndarray:
        """float32 `(n, P, height * width)`: how much of each pixel a shape covers.

        The share is 0.5 plus the distance to the outline in pixels, which smooths the
        outline over about one pixel. An ellipse and the three sides of a triangle are
        polynomials in x and y, so one matrix product evaluates all of them.
        """
        middle = np.array([width, height], np.float32) / 2
        inverse, shift = _to_unit(self.axes, self.centers - middle)
        powers = _powers(height, width)
        cover = _ellipses(inverse, shift, self.axes) @ powers
        corners = np.flatnonzero(self.is_triangle)
        if len(corners):
            sides = _triangle_sides(inverse[:, corners], shift[:, corners])
            cover[:, corners] = (sides @ powers[3:]).min(axis=2)
        cover[~self.present] = 0
        return np.clip(cover, 0, 1, out=cover)


def rotation(angle: np.ndarray) -> np.ndarray:
    """Matrices `(..., 2, 2)` that turn by an angle in radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    rows = [np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)]
    return np.stack(rows, axis=-2).astype(np.float32)


@functools.lru_cache(maxsize=4)
def _powers(height: int, width: int) -> np.ndarray:
    """float32 `(6, height * width)`: x2, xy, y2, x, y, 1 of the pixels' centres.

    They are counted from the middle of the image, which keeps rounding errors small.
    """
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = x.ravel() - width / 2, y.ravel() - height / 2
    return np.stack([x * x, x * y, y * y, x, y, np.ones_like(x)]).astype(np.float32)


def _to_unit(axes: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`inverse @ position + shift` is the position in the frame of the unit shape."""
    a, b = axes[..., 0, 0], axes[..., 0, 1]
    c, d = axes[..., 1, 0], axes[..., 1, 1]
    determinant = a * d - b * c
    safe = np.where(np.abs(determinant) < 1e-6, 1, determinant)
    rows = [np.stack([d, -b], -1), np.stack([-c, a], -1)]
    inverse = np.stack(rows, axis=-2) / safe[..., None, None]
    return inverse, -(inverse @ centers[..., None])[..., 0]


def _ellipses(inverse: np.ndarray, shift: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Coefficients `(n, P, 6)` of 0.5 + k (1 - |v|^2) over x2, xy, y2, x, y, 1."""
    # On the outline |v|^2 grows by 2 / (half width) a pixel: k makes that 1.
    half_width = np.sqrt((axes**2).sum(axis=2).min(axis=2))
    square = np.swapaxes(inverse, 2, 3) @ inverse
    linear = 2 * (shift[..., None, :] @ inverse)[..., 0, :]
    terms = [
        -square[..., 0, 0],
        -2 * square[..., 0, 1],
        -square[..., 1, 1],
        -linear[..., 0],
        -linear[..., 1],
        1 - (shift**2).sum(axis=2),
    ]
    coefficients = np.stack(terms, axis=2) * (half_width / 2)[..., None]
    coefficients[..., 5] += 0.5
    return coefficients


def _triangle_sides(inverse: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Coefficients `(n, T, 3, 3)` of 0.5 + the distance to each side over x, y, 1."""
    # v0 >= -1 (base), |v1| <= (1 - v0) / 2 (the sides that meet in the tip)
    normals = np.array([[1, 0], [-0.5, 1], [-0.5, -1]], np.float32)
    slopes = normals @ inverse
    offsets = (normals @ shift[..., None])[..., 0] + np.array([1, 0.5, 0.5], np.float32)
    length = np.sqrt((slopes**2).sum(axis=3))
    length = np.where(length > 0, length, 1)
    distance = np.concatenate([slopes, offsets[..., None]], axis=3) / length[..., None]
    distance[..., 2] += 0.5
    return distance


def cover_from_front(
    coverage: np.ndarray, in_sight: np.ndarray | None = None
) -> np.ndarray:
    """Turns coverages, in place, into the shares that are not behind other shapes.

    Args:
        coverage: `(n, P, pixels)`, the first shape in front.
        in_sight: `(n, pixels)`, the share that is not covered yet.

    Returns:
        `(n, pixels)`: the share that no shape covers.
    """
    in_sight = np.ones_like(coverage[:, 0]) if in_sight is None else in_sight.copy()
    for shape in range(coverage.shape[1]):
        share = coverage[:, shape]
        share *= in_sight
        in_sight -= share
    return in_sight


TEXTURES = ["striped", "mottled", "plain"]

_SHEET = 512  # pixels along a side of the sheet of noise
# Standard deviations of a pattern, as shares of white: what can be seen, what cannot.
_SEEN, _UNSEEN = 0.03, 0.01


@functools.lru_cache(maxsize=1)
def _noise_sheets() -> dict[str, np.ndarray]:
    """Square sheets of cloudy, mottled and grainy noise of unit variance.

    They repeat without a seam and are the same for every dataset; images differ in
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
    random: ImageRandom, kind: str, height: int, width: int, windows: int
) -> np.ndarray:
    """float32 `(n, windows, height * width)`: random windows of a sheet of noise."""
    corner = random.integers(_SHEET, shape=(windows, 2))
    chosen = _windows(kind, height, width)[corner[..., 0], corner[..., 1]]
    return chosen.reshape(*corner.shape[:2], height * width)


def stripes(random: ImageRandom, height: int, width: int) -> np.ndarray:
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
        height: rows of the images.
        width: columns of the images.

    Returns:
        bool `(n, 3, height, width)` in the order of `TEXTURES`. A pixel may be striped
        and mottled, or neither clearly patterned nor plain.
    """
    # A triangle wave in -1..1 has the variance 1/3, the mottles have 1.
    deviation = strength * np.array([[3**-0.5], [1]], np.float32)
    plain = (deviation < _UNSEEN).all(axis=1, keepdims=True)
    masks = np.concatenate([deviation >= _SEEN, plain], axis=1)
    return masks.reshape(-1, len(TEXTURES), height, width)

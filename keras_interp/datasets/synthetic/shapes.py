"""Ellipses and triangles of many pictures, and how to move and draw them."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True)
class Shapes:
    """P shapes in each of n pictures: images of the unit disc or a unit triangle.

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
        """Some of the shapes, other ones in each picture.

        Args:
            columns: int array `(n, Q)` of positions of shapes. All pictures must pick
                a triangle, or all an ellipse, for one place.
        """
        return Shapes(
            centers=np.take_along_axis(self.centers, columns[:, :, None], axis=1),
            axes=np.take_along_axis(self.axes, columns[:, :, None, None], axis=1),
            is_triangle=self.is_triangle[columns[0]],
        )

    def take(self, rows: slice) -> Shapes:
        """The shapes of some of the pictures."""
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

    They are counted from the middle of the picture, which keeps rounding errors small.
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

"""Ellipses and triangles: where they are and what they cover."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.datasets.synthetic.shapes import Shapes, rotation


def one(center, angle, half_sizes, triangle=False) -> Shapes:
    axes = rotation(np.array([[angle]])) * np.array(half_sizes, np.float32)
    return Shapes(
        np.array([[center]], np.float32), axes.astype(np.float32), np.array([triangle])
    )


def exact_cover(shape: Shapes, height: int, width: int, fine: int = 8) -> np.ndarray:
    """The share of each pixel's fine grid of points that lies inside."""
    y, x = (np.mgrid[: height * fine, : width * fine] + 0.5) / fine
    points = np.stack([x, y], axis=-1) - shape.centers[0, 0]
    unit = points @ np.linalg.inv(shape.axes[0, 0]).T
    if shape.is_triangle[0]:
        inside = (unit[..., 0] >= -1) & (np.abs(unit[..., 1]) <= (1 - unit[..., 0]) / 2)
    else:
        inside = (unit**2).sum(-1) <= 1
    return inside.reshape(height, fine, width, fine).mean(axis=(1, 3))


@pytest.mark.parametrize("triangle", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.6, 2.5])
def test_coverage_is_the_covered_share(triangle, angle):
    shape = one((21.3, 14.8), angle, (12, 7), triangle)
    cover = shape.coverage(32, 40)[0, 0].reshape(32, 40)
    expected = exact_cover(shape, 32, 40)
    assert np.abs(cover - expected).max() < 0.45  # tips are drawn softer
    assert np.abs(cover - expected).mean() < 0.01
    assert cover.sum() == pytest.approx(expected.sum(), rel=0.03)
    assert ((cover >= 0.5) != (expected >= 0.5)).mean() < 0.01


def test_an_absent_shape_covers_nothing():
    shape = one((8, 8), 0.3, (0, 0))
    assert not shape.present.any()
    assert not shape.coverage(16, 16).any()
    kept = one((8, 8), 0.3, (4, 4)).keep(np.array([[False]]))
    assert not kept.coverage(16, 16).any()


def test_transform_turns_about_the_pivot():
    shape = one((10, 4), 0, (3, 1))
    turn = rotation(np.array([np.pi / 2])) * 2
    moved = shape.transform(turn, np.array([[8, 4]], "f4"), np.array([[20, 30]], "f4"))
    # 2 to the right of the pivot becomes 4 below the new place (y points down).
    np.testing.assert_allclose(moved.centers[0, 0], [20, 34], atol=1e-5)
    np.testing.assert_allclose(np.abs(moved.axes[0, 0]), [[0, 2], [6, 0]], atol=1e-5)


def test_bounds_surround_the_shapes_that_are_present():
    shape = one((10, 20), 0.7, (5, 2))
    both = Shapes(
        np.concatenate([shape.centers, shape.centers + 50], axis=1),
        np.concatenate([shape.axes, np.zeros_like(shape.axes)], axis=1),
        np.array([False, False]),
    )
    rows, columns = np.nonzero(exact_cover(shape, 40, 40))
    x0, y0, x1, y1 = both.bounds()[0]
    np.testing.assert_allclose([x0, x1], [columns.min(), columns.max() + 1], atol=1)
    np.testing.assert_allclose([y0, y1], [rows.min(), rows.max() + 1], atol=1)
    turned = np.hypot(5 * np.cos(0.7), 2 * np.sin(0.7))
    assert (x1 - x0) / 2 == pytest.approx(turned, rel=1e-5)

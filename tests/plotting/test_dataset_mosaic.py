"""Images of a dataset with what is known about them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_interp.datasets import synthetic_parts
from keras_interp.plotting import dataset_mosaic
from keras_interp.plotting._landmarks import part_colors


@pytest.fixture(scope="module")
def dataset():
    return synthetic_parts(24, 32, negatives=0.25, seed=1)


def test_images_are_evenly_spaced_and_rows_filled(dataset):
    axes = dataset_mosaic(dataset, 7, columns=3)
    assert axes.shape == (3, 3)
    titles = [ax.get_title() for ax in axes.flat]
    rows = np.linspace(0, 23, 7).round().astype(int)
    assert titles[:7] == [dataset.class_names[k] for k in dataset.labels[rows]]
    assert titles[7:] == ["", ""] and not axes[2, 1].axison


def test_points_boxes_and_masks_are_where_they_belong(dataset):
    row = int(np.flatnonzero(~dataset.is_background)[0])
    ax = dataset_mosaic(dataset, [row])[0, 0]
    present = np.flatnonzero(np.isfinite(dataset.landmarks[row, :, 0]))
    points = ax.lines[: len(present)]
    for part, line in zip(present, points, strict=True):
        x, y = dataset.landmarks[row, part]
        assert float(line.get_xdata()[0]) == pytest.approx(x - 0.5)
        assert float(line.get_ydata()[0]) == pytest.approx(y - 0.5)
    box = ax.lines[len(present)]
    x0, y0, x1, y1 = dataset.boxes[row] - 0.5
    np.testing.assert_allclose(box.get_xdata(), [x0, x1, x1, x0, x0])
    np.testing.assert_allclose(box.get_ydata(), [y0, y0, y1, y1, y0])
    tints = [image.get_array() for image in ax.images[1:]]
    assert len(tints) == len(dataset.part_names)
    for tint, mask in zip(tints, dataset.part_masks[row], strict=True):
        np.testing.assert_array_equal(tint[..., 3] > 0, mask)
    assert len(dataset_mosaic(dataset, [row], masks=False)[0, 0].images) == 1


def test_a_part_with_a_mask_alone_has_a_colour_and_a_name(dataset):
    row = int(np.flatnonzero(~dataset.is_background)[0])
    names = ["head", *(f"mask {k}" for k in range(1, 10))]
    changed = dataclasses.replace(
        dataset,
        landmarks=dataset.landmarks[:, :1],
        landmark_names=["head"],
        part_names=names[1:] + names[:1],
        part_masks=np.roll(dataset.part_masks, -1, axis=1),
    )
    axes = dataset_mosaic(changed, [row])
    ax = axes[0, 0]
    seen = dataset.part_masks[row].any(axis=(1, 2))
    texts = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert texts == [name for name, s in zip(names, seen, strict=True) if s]
    colors = part_colors(10)
    for color, mask, image in zip(
        colors, dataset.part_masks[row], ax.images[1:], strict=True
    ):
        tint = image.get_array()
        np.testing.assert_array_equal(tint[..., 3] > 0, mask)
        np.testing.assert_allclose(tint[0, 0, :3], color[:3])


def test_without_boxes_masks_and_landmarks(dataset):
    bare = dataclasses.replace(
        dataset,
        part_masks=None,
        part_names=None,
        boxes=None,
        landmarks=np.full_like(dataset.landmarks, np.nan),
    )
    axes = dataset_mosaic(bare, slice(0, 2))
    assert axes.shape == (1, 5) and not axes[0, 0].lines
    assert not axes[0, 0].figure.legends


def test_axes_that_were_given_are_drawn_on(dataset):
    given = Figure().subplots(1, 2)
    axes = dataset_mosaic(dataset, [0, 1], given, columns=2)
    assert axes[0, 0] is given[0] and not given[0].figure.legends
    with pytest.raises(ValueError, match="ax to hold 2 rows and 1 columns"):
        dataset_mosaic(dataset, [0, 1], Figure().subplots(1, 3), columns=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": 0}, "Expected columns of at least 1.*Received: columns=0"),
        ({"index": 0}, "Expected index as at least one image.*Received: index=0"),
        ({"index": []}, "Expected index to choose at least.*Received: index of none"),
        ({"index": [99]}, "Expected positions in"),
    ],
)
def test_wrong_arguments(dataset, options, message):
    with pytest.raises(ValueError, match=message):
        dataset_mosaic(dataset, **options)

"""Methods side by side: which map stands where, and on which scale."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.plotting import attribution_grid


@pytest.fixture
def attributions():
    """One-signed maps up to 1 and 10, and signed ones up to 4 with three colours."""
    plain, colored = np.zeros((2, 32, 32)), np.zeros((2, 32, 32, 3))
    plain[0, 0, 0], plain[1, 0, 0] = 1.0, 10.0
    colored[0, 0, 0, 1], colored[1, 0, 0] = 4.0, -1.0
    return {"grad_cam": plain, "integrated_gradients": colored}


def heats(grid):
    """First pixel of every map, as a share of its limit."""
    return [[float(ax.images[-1].get_array()[0, 0]) for ax in row[1:]] for row in grid]


def bars(grid):
    return [ax for ax in grid[0, 0].figure.axes if ax not in grid.ravel().tolist()]


def test_rows_are_images_and_columns_methods(images, attributions, tmp_path):
    grid = attribution_grid(images[:2], attributions, explained=["cat", "dog"])
    assert grid.shape == (2, 3)
    titles = [ax.get_title() for ax in grid[0]]
    assert titles == ["", "grad cam", "integrated gradients"]
    assert [ax.get_ylabel() for ax in grid[:, 0]] == [
        "explained:\ncat",
        "explained:\ndog",
    ]
    for image, ax in zip(images[:2], grid[:, 0], strict=True):
        np.testing.assert_allclose(ax.images[0].get_array(), image / 255, atol=1e-6)
    grid[0, 0].figure.savefig(tmp_path / "grid.png")


def test_each_map_has_its_own_scale_by_default(images, attributions):
    grid = attribution_grid(images[:2], attributions)
    assert heats(grid) == [[1.0, 1.0], [1.0, -1.0]]
    # A method with a negative value on one image has both signs on all.
    names = [[ax.images[-1].get_cmap().name for ax in row[1:]] for row in grid]
    assert names == [["inferno", "RdBu_r"]] * 2
    assert sorted(bar.get_ylim() for bar in bars(grid)) == [(-1.0, 1.0), (0.0, 1.0)]
    label = bars(grid)[0].get_ylabel()
    assert label == "relative; 1 % of a map's pixels exceed 1"


def test_one_scale_for_each_method(images, attributions):
    grid = attribution_grid(images[:2], attributions, scale="method")
    assert heats(grid) == [[0.1, 1.0], [1.0, -0.75]]
    assert [bar.get_xlim() for bar in bars(grid)] == [(0.0, 10.0), (-4.0, 4.0)]


def test_one_scale_for_everything(images, attributions):
    grid = attribution_grid(images[:2], attributions, scale="all")
    np.testing.assert_allclose(heats(grid), [[0.1, 0.4], [1.0, -0.3]])
    assert [bar.get_ylim() for bar in bars(grid)] == [(-10.0, 10.0)]


def test_maps_alone_without_bars(images, attributions):
    grid = attribution_grid(images[:2], attributions, beneath=False, color_bar=False)
    assert [len(ax.images) for ax in grid.ravel()] == [1] * 6
    assert bars(grid) == []


def test_clipped_values_are_told_by_the_bars(images):
    rising = np.arange(1024.0).reshape(1, 32, 32)
    clipped = attribution_grid(images[:1], {"a": rising}, percentile=90)
    (bar,) = bars(clipped)
    assert bar.get_ylabel() == "relative; 10 % of a map's pixels exceed 1"
    above = np.asarray(clipped[0, 1].images[-1].get_array()) == 1
    assert above.mean() == pytest.approx(0.1, abs=2e-3)


def test_given_axes_are_drawn_on(images, attributions):
    from matplotlib.figure import Figure

    axes = Figure().subplots(2, 3)
    grid = attribution_grid(list(images[:2]), attributions, axes)
    assert grid.tolist() == axes.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attributions": {}}, "Expected attributions as a dict from"),
        (
            {"attributions": np.zeros((2, 32, 32))},
            "Expected attributions as a dict from",
        ),
        ({"images": np.zeros((0, 32, 32, 3))}, "and 0 images"),
        (
            {"attributions": {"a": np.zeros((3, 32, 32))}},
            r"Expected a map for each of.*Received: 3 maps in attributions\['a'\]",
        ),
        ({"attributions": {"a": np.zeros((2, 8, 8))}}, "the image's height and"),
        (
            {"attributions": {"a": np.zeros((2, 32))}},
            r"Expected attributions\['a'\]\[0\] of shape \(height, width\),",
        ),
        ({"attributions": {"a": np.full((2, 32, 32), np.inf)}}, "NaN or infinite"),
        ({"explained": ["cat"]}, "one word for each of the 2 images"),
        ({"explained": "cat"}, "one word for each of the 2 images"),
        ({"scale": "row"}, r"Expected scale as one of \('map',.*Received: scale='row'"),
        (
            {"channels": "mean"},
            r"Expected channels as one of \('sum', 'max'\).*Received: channels='mean'",
        ),
        (
            {"percentile": 0},
            "Expected percentile above 0 and up.*Received: percentile=0",
        ),
        ({"opacity": -1}, "Expected opacity from 0 to 1.*Received: opacity=-1"),
        ({"ax": np.empty((2, 2), object)}, "ax to hold 2 rows and 3 columns"),
    ],
)
def test_bad_input_is_refused(images, attributions, change, message):
    arguments = {"images": images[:2], "attributions": attributions, **change}
    with pytest.raises(ValueError, match=message):
        attribution_grid(**arguments)

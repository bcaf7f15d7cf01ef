"""The figure of the input-shift check."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_interp.attribution import InputShiftReport
from keras_interp.plotting import input_shift


@pytest.fixture
def report():
    return InputShiftReport(
        methods=("saliency", "integrated_gradients, baseline 0"),
        differences=np.array([[0.0, 1e-7], [0.25, 0.5]]),
        rank_correlations=np.array([[1.0, 1.0], [0.3, 0.2]]),
        score_difference=0.0,
        tolerance=1e-3,
        image=np.full((4, 5, 3), 0.5, "float32"),
        maps=np.arange(2 * 2 * 4 * 5, dtype=float).reshape(2, 2, 4, 5),
    )


def test_a_column_for_each_method(report):
    axes = input_shift(report)
    assert axes.shape == (2, 3)
    assert axes[0, 2].get_title() == "integrated gradients\nbaseline 0"
    assert [ax.get_xlabel() for ax in axes[1]] == ["", "same", "changed by 50%"]
    for ax, values in zip(axes[:, 1], report.maps[0], strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), values)
        # Both in the scale of the larger one.
        assert ax.images[0].get_clim() == (0, np.quantile(report.maps[0], 0.995))


def test_axes_and_image_of_the_caller(report):
    mine = Figure().subplots(2, 3)
    axes = input_shift(report, mine, image=np.full((8, 8, 3), 255, "uint8"))
    assert axes[1, 2] is mine[1, 2]
    np.testing.assert_array_equal(axes[0, 0].images[0].get_array(), 1)
    with pytest.raises(ValueError, match="2 rows and 3 columns"):
        input_shift(report, Figure().subplots(2, 2))

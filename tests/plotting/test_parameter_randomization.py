"""The figure of the parameter-randomisation check."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_interp.attribution import ParameterRandomizationReport
from keras_interp.plotting import parameter_randomization


@pytest.fixture
def report():
    return ParameterRandomizationReport(
        methods=("saliency", "guided_backprop"),
        stages=("classes", "second", "first"),
        cascading=True,
        rank_correlation=np.array([[0.5, 0.2, -0.3], [0.9, 0.8, np.nan]]),
        structural_similarity=np.array([[0.6, 0.5, 0.4], [0.7, 0.7, 0.6]]),
    )


def test_a_curve_for_each_method_from_one_downwards(report):
    ax = parameter_randomization(report)
    first, second = ax.get_lines()[:2]
    np.testing.assert_array_equal(first.get_ydata(), [1, 0.5, 0.2, -0.3])
    np.testing.assert_array_equal(second.get_ydata(), [1, 0.9, 0.8, np.nan])
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == ["none", "classes", "second", "first"]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["saliency", "guided backprop"]
    assert ax.get_ylim()[0] <= -0.3


def test_the_other_measure_on_axes_of_the_caller(report):
    mine = Figure().subplots()
    ax = parameter_randomization(report, mine, measure="structural_similarity")
    assert ax is mine
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [1, 0.6, 0.5, 0.4])
    with pytest.raises(
        ValueError,
        match="Expected measure as one of.*Received: measure='colour'",
    ):
        parameter_randomization(report, measure="colour")

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

import keras_interp as ki
from keras_interp.losses._templates import template_matrix, templates_at


def test_corner_template_of_a_three_by_three_map():
    expected = [[1, -1 / 3, -1], [-1 / 3, -1, -1], [-1, -1, -1]]
    np.testing.assert_allclose(ki.losses.part_templates(3, 3)[0], expected, atol=1e-15)


def test_corner_template_of_a_two_by_two_map():
    np.testing.assert_array_equal(
        ki.losses.part_templates(2, 2)[0], [[1, -1], [-1, -1]]
    )


@pytest.mark.parametrize(
    "side, norm, positive_cells, positive_sum, clipped",
    [
        (14, "l1", 25, 9.0, 111),
        (13, "l1", 25, 7.76923, 84),
        (17, "l1", 41, 12.76471, 144),
        (6, "l1", 5, 2.33333, 23),
        (14, "l2", 37, 12.95505, 51),
    ],
)
def test_central_template(side, norm, positive_cells, positive_sum, clipped):
    centre = side // 2 * side + side // 2
    template = ki.losses.part_templates(side, side, norm=norm)[centre]
    assert (template > 1e-12).sum() == positive_cells
    np.testing.assert_allclose(template[template > 0].sum(), positive_sum, atol=1e-5)
    assert (template == -1).sum() == clipped


def test_negative_template_comes_last():
    templates = ki.losses.part_templates(4, 6)
    assert templates.shape == (25, 4, 6)
    np.testing.assert_array_equal(templates[-1], -np.ones((4, 6)))


@given(
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    beta=st.floats(0.1, 9),
    norm=st.sampled_from(["l1", "l2"]),
)
def test_templates_computed_at_peaks_equal_the_table(height, width, beta, norm):
    rows, columns = np.indices((height, width)).reshape(2, 1, -1).astype("float64")
    at_peaks = templates_at(
        ops.convert_to_tensor(rows), ops.convert_to_tensor(columns), height, width,
        beta, norm,
    )  # fmt: skip
    table = ki.losses.part_templates(height, width, beta, norm)
    computed = np.moveaxis(ops.convert_to_numpy(at_peaks)[0], -1, 0)
    np.testing.assert_allclose(computed, table[:-1], atol=1e-9)


def test_sizes_known_only_at_run_time_give_the_same_matrix():
    height, width = ops.convert_to_tensor(4), ops.convert_to_tensor(5)
    matrix = template_matrix(height, width, 4.0, "l2")
    expected = ki.losses.part_templates(4, 5, norm="l2").reshape(21, 20)
    np.testing.assert_allclose(ops.convert_to_numpy(matrix), expected, atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"height": 0, "width": 3}, "height"),
        ({"height": 3, "width": 2.5}, "width"),
        ({"height": 3, "width": 3, "beta": 0}, "beta"),
        ({"height": 3, "width": 3, "beta": float("nan")}, "beta"),
        ({"height": 3, "width": 3, "norm": "linf"}, "norm"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ki.losses.part_templates(**arguments)

"""Faithfulness of predictions, worked out by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki


def test_mean_distance_and_its_share_of_the_range():
    found = ki.metrics.faithfulness([2.5, 1.5, 0.0], [3.0, 1.0, -1.0])
    assert found.value == float(found) == pytest.approx(2 / 3)
    assert found.relative == pytest.approx(2 / 3 / 4)
    assert found.count == 3


def test_a_column_against_a_vector_is_no_table_of_all_pairs():
    # [N, 1] - [N] broadcasts to [N, N]: the mean would be 1 here.
    column, vector = np.array([[0.0], [2.0]]), np.array([0.0, 2.0])
    assert ki.metrics.faithfulness(column, vector).value == 0.0
    assert ki.metrics.faithfulness(vector, column).value == 0.0


def test_each_class_has_its_own_range():
    predicted, target = np.zeros((2, 2)), np.array([[1.0, 10.0], [-1.0, -10.0]])
    found = ki.metrics.faithfulness(keras.ops.convert_to_tensor(predicted), target)
    assert found.per_output.tolist() == [1.0, 10.0]
    assert found.relative_per_output.tolist() == [0.5, 0.5]
    assert (found.value, found.relative) == (5.5, 0.5)


def test_a_target_that_never_changes_has_no_range():
    found = ki.metrics.faithfulness([1.0, 2.0], [1.0, 1.0])
    assert found.value == 0.5 and np.isnan(found.relative)


def test_no_images_give_nan():
    assert np.isnan(ki.metrics.faithfulness([], []).value)


@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        ([1.0, 2.0], [1.0], "the same images and classes"),
        (np.ones((3, 2)), np.ones(3), "the same images and classes"),
        (np.ones((2, 2, 2)), np.ones(2), "Expected predicted of shape"),
        ([1.0], [np.nan], "Expected finite scores as target"),
    ],
)
def test_bad_input_is_refused(predicted, target, message):
    with pytest.raises(ValueError, match=message):
        ki.metrics.faithfulness(predicted, target)

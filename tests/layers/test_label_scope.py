import threading

import numpy as np
import pytest
from keras import ops

from keras_interp.layers._labels import (
    category_matrix,
    current_label_scope,
    label_scope,
)


def matrix(labels, num_categories):
    return ops.convert_to_numpy(category_matrix(np.array(labels), num_categories))


@pytest.mark.parametrize(
    "labels", [[0, 1, 1], [-1, 1, 1], [[0], [1], [1]], [[-1.0], [1.0], [1.0]]]
)
def test_one_category(labels):
    result = matrix(labels, 1)
    assert result.dtype == "float32"
    np.testing.assert_array_equal(result, [[0], [1], [1]])


@pytest.mark.parametrize("labels", [[2, 0], [[2], [0]], [[2.0], [0.0]]])
def test_class_indices(labels):
    np.testing.assert_array_equal(matrix(labels, 3), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    "labels",
    [
        [[0, 1, 1], [1, 0, 0]],
        [[-1, 1, 1], [1, -1, -1]],
        [[0.05, 0.9, 0.9], [0.9, 0.05, 0.05]],
    ],
)
def test_one_hot_several_hot_and_smoothed(labels):
    np.testing.assert_array_equal(matrix(labels, 3), [[0, 1, 1], [1, 0, 0]])


def test_booleans():
    np.testing.assert_array_equal(matrix([True, False], 1), [[1], [0]])


@pytest.mark.parametrize("shape", [(2, 4), (2, 2, 3), (2, 3, 1)])
def test_another_width_is_refused(shape):
    with pytest.raises(ValueError, match="num_categories=3.*Received: shape="):
        category_matrix(np.zeros(shape), 3)


def test_scopes_nest_and_end_with_their_block():
    assert current_label_scope() is None
    with label_scope("outer") as outer:
        with label_scope("inner"):
            assert current_label_scope().labels == "inner"
        assert current_label_scope() is outer
    assert current_label_scope() is None
    with pytest.raises(RuntimeError), label_scope("broken"):
        raise RuntimeError
    assert current_label_scope() is None


def test_another_thread_has_its_own_scope():
    seen = []
    with label_scope("here"):
        thread = threading.Thread(target=lambda: seen.append(current_label_scope()))
        thread.start()
        thread.join()
    assert seen == [None]

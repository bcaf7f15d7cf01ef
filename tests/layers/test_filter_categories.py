import numpy as np
import pytest
from keras import ops

from keras_interp.layers.filter_categories import FilterCategories, Targets


@pytest.fixture
def categories():
    layer = FilterCategories()
    layer.build((2, 3))
    return layer


def one_hot(labels):
    return ops.convert_to_tensor(np.eye(3, dtype="float32")[labels])


def test_category_that_activates_a_filter_most(categories):
    np.testing.assert_array_equal(categories.assigned(), [-1, -1])
    activation = np.array([[1, 9], [5, 1], [3, 2]], "float32")
    targets = categories.update(activation, one_hot([0, 1, 2]), training=True)
    np.testing.assert_array_equal(categories.assigned(), [1, 0])
    np.testing.assert_array_equal(targets.is_target, [[0, 1], [1, 0], [0, 0]])
    np.testing.assert_allclose(targets.density, 1 / 3, rtol=1e-6)


def test_a_category_that_no_picture_has_is_never_assigned(categories):
    # All means that were seen are 0, as is the one of category 2 that was not.
    categories.update(np.zeros((4, 2), "float32"), one_hot([0, 1, 0, 1]), True)
    assert set(categories.assigned()) <= {0, 1}
    categories.update(-np.ones((4, 2), "float32"), one_hot([0, 1, 0, 1]), True)
    assert set(categories.assigned()) <= {0, 1}


def test_running_mean_starts_with_the_first_batch_that_shows_the_category(categories):
    categories.update(np.full((2, 2), 4.0, "float32"), one_hot([0, 0]), True)
    categories.update(np.full((2, 2), 2.0, "float32"), one_hot([0, 1]), True)
    np.testing.assert_allclose(
        ops.convert_to_numpy(categories.mean_activation)[0],
        [(4 + 4 + 2) / 3, 2.0, 0.0],
        rtol=1e-6,
    )


def test_each_picture_counts_alike_and_old_ones_are_forgotten(categories):
    categories.update(np.full((90, 2), 4.0, "float32"), one_hot([0, 1, 2] * 30), True)
    categories.update(np.full((60, 2), 4.0, "float32"), one_hot([0] * 60), True)
    categories.update(np.full((1, 2), 5.0, "float32"), one_hot([0]), True)
    means = ops.convert_to_numpy(categories.mean_activation)[0]
    np.testing.assert_allclose(means, [4.02, 4.0, 4.0], rtol=1e-6)
    categories.update(np.full((300, 2), 9.0, "float32"), one_hot([0] * 300), True)
    assert 8.9 < ops.convert_to_numpy(categories.mean_activation)[0, 0] < 9


def test_share_of_a_category_is_exact_over_many_batches(categories, rng):
    labels = rng.integers(0, 3, (50, 8))
    for batch in labels:
        categories.update(np.ones((8, 2), "float32"), one_hot(batch), True)
    np.testing.assert_allclose(
        ops.convert_to_numpy(categories.category_share),
        np.bincount(labels.ravel()) / labels.size,
        rtol=1e-5,
    )


def test_share_keeps_its_meaning_after_very_many_pictures(categories):
    categories.category_share.assign([0.5, 0.25, 0.25])
    categories.pictures.assign(2.0**25)
    for _ in range(3):
        categories.update(np.ones((4, 2), "float32"), one_hot([0, 0, 1, 2]), True)
    np.testing.assert_allclose(
        ops.convert_to_numpy(categories.category_share), [0.5, 0.25, 0.25], rtol=1e-6
    )


def test_without_training_nothing_is_remembered(categories):
    before = [ops.convert_to_numpy(v) for v in categories.variables]
    targets = categories.update(np.eye(2, dtype="float32"), one_hot([0, 1]), False)
    # The batch itself is looked at, so that a first evaluation has targets.
    np.testing.assert_array_equal(targets.is_target, np.eye(2))
    for variable, old in zip(categories.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), old)


def test_a_nan_map_and_an_empty_batch_leave_the_state_usable(categories):
    categories.update(np.array([[1, 1], [2, 2]], "float32"), one_hot([0, 1]), True)
    broken = np.array([[np.nan, 1], [np.nan, 2]], "float32")
    categories.update(broken, one_hot([0, 1]), True)
    categories.update(np.zeros((0, 2), "float32"), ops.zeros((0, 3)), True)
    for variable in categories.variables:
        assert np.isfinite(ops.convert_to_numpy(variable)).all()
    np.testing.assert_array_equal(categories.assigned(), [1, 1])


def test_weights_let_targets_and_others_count_alike():
    is_target = np.array([[1.0], [0.0], [0.0], [0.0]], "float32")
    weights = ops.convert_to_numpy(Targets(is_target, np.float32([0.25])).weights())
    np.testing.assert_allclose(weights[:, 0], [2, 2 / 3, 2 / 3, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(weights.mean(), 1, rtol=1e-6)


def test_weights_stay_bounded_where_a_category_is_everywhere_or_nowhere():
    is_target = np.ones((2, 2), "float32")
    weights = Targets(is_target, np.float32([0.0, 1.0])).weights()
    assert ops.convert_to_numpy(weights).max() <= 100.0

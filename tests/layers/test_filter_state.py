"""Running state of the filter losses: values worked out by hand, and constants."""

import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp.layers._filter_state import FilterState, Targets

Mask = ki.layers.InterpretableMask
PEAKS = np.array([[1.0, 8.0], [3.0, 0.0]], "float32")


def state_of(filters=2, categories=None, literal=False):
    state = FilterState(by_response=False, literal=literal)
    state.prepare(filters, None, None)
    if categories:
        state.set_num_categories(categories)
    return state


def one_hot(labels, categories=3):
    return ops.convert_to_tensor(np.eye(categories, dtype="float32")[labels])


def by_label(state, activation, labels, categories=3, training=True):
    activation = np.asarray(activation, "float32")
    maps = activation[:, None, None, :]
    return state.targets(maps, activation, one_hot(labels, categories), training)


def mean_peak(state, peaks, is_target, training=True):
    is_target = np.array(is_target, "float32")
    targets = Targets(is_target, is_target.sum(axis=0))
    return ops.convert_to_numpy(state.mean_peak(peaks, targets, training))


def test_mean_peak_is_that_of_targets_and_a_tenth_of_it_is_new():
    state = state_of()
    # Before a target all images say how large the maps are: (1 + 3) / 2, (8 + 0) / 2.
    np.testing.assert_array_equal(mean_peak(state, PEAKS, [[0, 0], [0, 0]]), [2, 4])
    np.testing.assert_array_equal(mean_peak(state, PEAKS, [[1, 1], [0, 0]]), [1, 8])
    np.testing.assert_array_equal(mean_peak(state, PEAKS, [[0, 0], [0, 0]]), [1, 8])
    found = mean_peak(state, 3 * PEAKS, [[1, 1], [0, 0]])
    np.testing.assert_allclose(found, [1.2, 9.6], rtol=1e-6)
    # No target to be seen, and a map that is no number, change nothing.
    broken = np.full_like(PEAKS, np.nan)
    found = mean_peak(state, broken, [[1, 1], [0, 0]])
    np.testing.assert_allclose(found, [1.2, 9.6], rtol=1e-6)


def test_response_levels_by_hand():
    state = state_of(filters=1)
    peaks = np.array([[0.0], [4.0]], "float32")
    # Mean 2 and deviation 2 give 4 and 0, where both groups already are.
    targets = state.targets(peaks[:, None, None], peaks, None, True)
    np.testing.assert_array_equal(targets.is_target, [[0], [1]])
    np.testing.assert_allclose(targets.density, [0.5])
    targets = state.targets(peaks[:, None, None], peaks + 1, None, True)
    # A tenth of the way from 4 to 5, and from 0 to 1.
    np.testing.assert_allclose(state.high.numpy(), [4.1], rtol=1e-6)
    np.testing.assert_allclose(state.low.numpy(), [0.1], rtol=1e-5)


def test_category_that_activates_a_filter_most():
    state = state_of(categories=3)
    assert state.assigned_categories().tolist() == [-1, -1]
    targets = by_label(state, [[1, 9], [5, 1], [3, 2]], [0, 1, 2])
    assert state.assigned_categories().tolist() == [1, 0]
    np.testing.assert_array_equal(targets.is_target, [[0, 1], [1, 0], [0, 0]])


def test_a_filter_has_the_density_of_its_own_category():
    state = state_of(categories=3)
    activation = [[0, 9], [0, 9], [0, 9], [0, 9], [0, 9], [7, 0], [7, 0], [0, 0]]
    targets = by_label(state, activation, [0, 0, 0, 0, 0, 1, 1, 2])
    np.testing.assert_allclose(targets.density, [2 / 8, 5 / 8], rtol=1e-6)
    weights = ops.convert_to_numpy(targets.weights())
    np.testing.assert_allclose(weights[5], [2.0, 4 / 3], rtol=1e-6)
    np.testing.assert_allclose(weights[0], [2 / 3, 0.8], rtol=1e-6)


def test_weights_are_bounded_by_a_hundred():
    weights = Targets(np.ones((2, 2), "float32"), np.float32([0, 1])).weights()
    np.testing.assert_allclose(ops.convert_to_numpy(weights)[0], [100, 0.5 / 0.995])


def test_a_memory_of_some_fifty_images():
    state = state_of(filters=1, categories=3)
    by_label(state, np.full((90, 1), 4.0), [0, 1, 2] * 30)
    by_label(state, np.full((60, 1), 4.0), [0] * 60)
    by_label(state, [[5.0]], [0])
    np.testing.assert_allclose(
        state.mean_activation.numpy()[0], [4.02, 4.0, 4.0], rtol=1e-6
    )
    np.testing.assert_allclose(state.images.numpy(), 151)
    np.testing.assert_allclose(
        state.category_share.numpy(), [91 / 151, 30 / 151, 30 / 151], rtol=1e-5
    )


def test_released_code_all_images_of_a_category_in_the_first_batch():
    state = state_of(categories=3, literal=True)
    matrix = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]], "float32")
    peaks = np.array([[1, 9], [5, 1], [3, 2]], "float32")
    first = state.targets(peaks[:, None, None], peaks, matrix, True)
    np.testing.assert_array_equal(first.is_target, [[1, 1], [1, 1], [0, 0]])
    second = state.targets(peaks[:, None, None], peaks, matrix, True)
    np.testing.assert_array_equal(second.is_target, [[0, 1], [1, 0], [0, 0]])


@pytest.mark.parametrize(("categories", "density"), [(10, 0.5), (11, 1 / 11)])
def test_released_code_above_ten_categories(categories, density):
    state = state_of(filters=1, categories=categories, literal=True)
    targets = by_label(state, [[5.0], [5.0], [0.0], [0.0]], [0, 0, 1, 2], categories)
    np.testing.assert_allclose(targets.density, [density], rtol=1e-6)


def test_released_code_goes_by_the_maximum_of_a_map():
    maps = np.zeros((2, 2, 2, 1), "float32")
    maps[0, 0, 0], maps[1] = 3, 2
    matrix, peaks = one_hot([0, 1], 2), maps.max(axis=(1, 2))
    for literal, category in ((False, 1), (True, 0)):
        state = state_of(filters=1, categories=2, literal=literal)
        state.targets(maps, peaks, matrix, True)
        assert state.assigned_categories().tolist() == [category]


def test_a_slope_moves_a_twentieth_of_the_way_to_three_cells_over_the_spread():
    maps = np.zeros((2, 9, 9, 1), "float32")
    maps[:, 4, 4] = 1
    layer = Mask(fraction=1.0, filter_loss="authors", learn_beta=True, num_categories=1)
    layer(maps, training=True, labels=np.ones(2))
    # From 4 / (2 * 9 / 8) towards 3, the most that is allowed.
    slope = layer._statistics.slope.numpy()
    np.testing.assert_allclose(slope, [1.7777778 + 0.05 * 1.2222222], rtol=1e-6)


def test_no_filter_is_blown_up_beyond_ten_times_the_others():
    maps = np.zeros((2, 3, 3, 2), "float32")
    maps[:, 1, 1] = [1.0, 0.001]
    layer = Mask(fraction=1.0, num_categories=1)
    layer.build(maps.shape)
    inputs = layer._loss_inputs(ops.convert_to_tensor(maps), np.ones((2, 1)), False)
    found = ops.convert_to_numpy(inputs.feature_maps)[0, 1, 1]
    np.testing.assert_allclose(found, [1.0, 0.001 / 0.05005], rtol=1e-5)


@pytest.mark.parametrize(
    ("mode", "one", "several", "temperature"),
    [
        ("posterior", 0.1, 0.15, 1.0),
        ("exact", 0.3, 0.3, 0.3),
        ("running", 0.03, 0.03, 0.3),
        ("approx", 0.003, 0.01, 0.3),
        ("authors", 0.03, 0.03, 0.3),
    ],
)
def test_default_weights(mode, one, several, temperature):
    def weight(**keywords):
        return Mask(filter_loss=mode, **keywords).effective_filter_loss_weight

    assert weight() == weight(num_categories=1) == one
    assert weight(num_categories=6) == several
    assert weight(scale="paper") == weight(scale="paper", num_categories=6) == 1.0
    assert ki.losses.FILTER_LOSSES[mode].temperature == temperature


@pytest.mark.parametrize(
    ("mode", "expected"), [("exact", 2.5), ("running", 2.5), ("authors", 0.5)]
)
def test_weight_of_the_paper_grows_with_the_peak_and_falls_with_the_epoch(
    mode, expected
):
    layer = Mask(filter_loss=mode, scale="paper", num_categories=1)
    layer.build((2, 3, 3, 2))
    layer.epoch.assign(2.0)
    weight = layer._current_weight(ops.convert_to_tensor(np.float32([4.0, 6.0])))
    assert float(weight) == expected

import numpy as np
from keras import ops

from keras_interp._backend import gradient
from keras_interp.losses import PosteriorFilterLoss


def test_by_hand_on_a_target_and_another_image(inputs_of):
    maps = np.zeros((2, 1, 2, 1))
    maps[0, 0, 0] = 1.0  # scores 1 and 1 - 4/2 -> -1
    maps[1, 0, 1] = 3.0
    loss = PosteriorFilterLoss()(inputs_of(maps, [[1], [0]], scale=1.0))
    surprise = np.log(np.exp(1) + np.exp(-1)) - 1
    np.testing.assert_allclose(ops.convert_to_numpy(loss), [(surprise + 1.5) / 2])


def test_gradient_agrees_with_finite_differences(inputs_of, rng):
    maps = rng.uniform(0, 2, (4, 4, 5, 3))
    targets = rng.integers(0, 2, (4, 3))

    def total(values):
        return ops.sum(PosteriorFilterLoss()(inputs_of(values, targets, scale=1.0)))

    slope = gradient(total, maps)
    direction = rng.normal(size=maps.shape)
    step = 1e-6
    difference = total(maps + step * direction) - total(maps - step * direction)
    np.testing.assert_allclose(
        (slope * direction).sum(), float(difference) / (2 * step), rtol=1e-6
    )


def test_a_silent_target_has_no_loss_and_no_pull(inputs_of):
    silent = np.zeros((2, 3, 3, 1))

    def total(values):
        return ops.sum(PosteriorFilterLoss()(inputs_of(values, [[1], [1]])))

    assert float(total(silent)) == 0
    np.testing.assert_array_equal(gradient(total, silent), 0)


def test_one_compact_blob_is_better_than_two(inputs_of):
    one = np.zeros((1, 9, 9, 1))
    one[0, 4, 4] = 1.0
    two = one.copy()
    two[0, 0, 0] = 0.9
    loss_of_one = PosteriorFilterLoss()(inputs_of(one, [[1]], scale=1.0))
    loss_of_two = PosteriorFilterLoss()(inputs_of(two, [[1]], scale=1.0))
    assert float(loss_of_one[0]) < float(loss_of_two[0])

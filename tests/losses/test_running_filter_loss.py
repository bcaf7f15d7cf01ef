import numpy as np
from keras import ops

import keras_interp as ki
from keras_interp._backend import gradient
from keras_interp.losses import RunningFilterLoss
from keras_interp.losses._mutual_information import log_ratio_to_mean

TAU = 0.5 / 4


def own_normaliser(inputs):
    scores = inputs.scores * inputs.score_scale
    return (scores - log_ratio_to_mean(scores, axis=0))[0]


def literal_loss(inputs_of, maps, normaliser=None):
    targets = np.ones((maps.shape[0], maps.shape[-1]))
    inputs = inputs_of(maps, targets, scale=TAU, literal=True)
    if normaliser is None:
        normaliser = own_normaliser(inputs)
    inputs = inputs_of(
        maps, targets, scale=TAU, literal=True, log_mean_likelihood=normaliser
    )
    return RunningFilterLoss()(inputs)


def test_with_the_batchs_own_normaliser_the_value_is_eq_1(inputs_of, rng):
    maps = rng.uniform(0, 9, (5, 2, 2, 3))
    expected = ops.convert_to_numpy(ki.losses.filter_mutual_information(maps))
    computed = ops.convert_to_numpy(literal_loss(inputs_of, maps))
    np.testing.assert_allclose(computed, expected, rtol=1e-10)


def test_gradient_with_constant_normaliser_check_values(inputs_of):
    maps = np.zeros((2, 2, 2, 1))
    maps[0, 0, 0] = 1
    slope = gradient(lambda x: ops.sum(literal_loss(inputs_of, x)), maps)
    slope = slope[..., 0].reshape(2, 4)
    np.testing.assert_allclose(slope[0], [-0.00254305] + 3 * [0.00069499], atol=5e-9)
    np.testing.assert_allclose(slope[1], [0.00244954] + 3 * [-0.00055462], atol=5e-9)


def test_ratios_are_held_at_e_unless_literal(inputs_of):
    maps = np.zeros((1, 3, 3, 1))
    maps[0, 1, 1] = 100.0
    low = np.full((10, 1), -50.0)

    def slope(literal):
        return gradient(
            lambda x: ops.sum(
                RunningFilterLoss()(
                    inputs_of(x, [[1]], log_mean_likelihood=low, literal=literal)
                )
            ),
            maps,
        )

    assert np.abs(slope(False)).max() == 0
    assert np.abs(slope(True)).max() > 1e6

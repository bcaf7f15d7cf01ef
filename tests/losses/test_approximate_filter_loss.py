import numpy as np
from keras import ops

import keras_interp as ki
from keras_interp._backend import gradient
from keras_interp.losses import ApproximateFilterLoss

TAU = 0.5 / 9


def test_gradient_is_minus_p_t_r_log_r(inputs_of):
    maps = np.zeros((2, 3, 3, 1))
    maps[0, 1, 1] = 10.0
    maps[1, 0, 0] = 4.0
    log_mean = np.linspace(-0.4, 0.3, 10)[:, None]

    def total(values):
        inputs = inputs_of(
            values, [[1], [0]], scale=TAU, literal=True, log_mean_likelihood=log_mean
        )
        return ops.sum(ApproximateFilterLoss()(inputs))

    slope = gradient(total, maps)[..., 0]
    templates = ki.losses.part_templates(3, 3)
    target_score = TAU * (maps[0, ..., 0] * templates[4]).sum()
    other_score = -TAU * maps[1].sum()
    for index, template, score, mean in (
        (0, templates[4], target_score, log_mean[4, 0]),
        (1, templates[-1], other_score, log_mean[-1, 0]),
    ):
        ratio = np.exp(score - mean)
        expected = -TAU * template * ratio * np.log(ratio) / 10 / 2
        np.testing.assert_allclose(slope[index], expected, rtol=1e-10)


def test_value_is_eq_1_on_the_batch(inputs_of, rng):
    maps = rng.uniform(0, 9, (4, 3, 3, 2))
    inputs = inputs_of(
        maps, np.ones((4, 2)), scale=TAU, log_mean_likelihood=np.zeros((10, 2))
    )
    expected = ops.convert_to_numpy(ki.losses.filter_mutual_information(maps))
    loss = ops.convert_to_numpy(ApproximateFilterLoss()(inputs))
    np.testing.assert_allclose(loss, expected, rtol=1e-9)

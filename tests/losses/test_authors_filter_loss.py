import numpy as np
import pytest
from keras import ops

from keras_interp._backend import gradient
from keras_interp.losses import AuthorsFilterLoss
from keras_interp.losses.authors_filter_loss import normalised_strengths, raw_strengths

TARGETS = [[1], [1], [0], [0]]
# The released code's slope w = 2 on a map of n = 3: beta = 2 w n / (n - 1).
BETA = 2 * 2.0 * 3 / 2


@pytest.fixture
def maps():
    maps = np.zeros((4, 3, 3, 1))
    maps[0, 1, 1], maps[0, 1, 2], maps[0, 2, 1] = 2, 1, 1
    maps[1, 0, 0] = 3
    maps[2] = 1
    maps[3, 2, 2] = 4
    return maps


def test_strengths_check_values(inputs_of, maps):
    inputs = inputs_of(maps, TARGETS, beta=BETA, peak="centroid")
    strengths = raw_strengths(
        inputs.feature_maps, inputs.peak_templates, inputs.targets
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(strengths)[:, 0],
        [0.9750809089, 2.5484429593, 2.487236557e-5, 0.2284712725],
        rtol=1e-8,
    )
    normalised = normalised_strengths(strengths, inputs.targets, literal=True)
    np.testing.assert_allclose(
        0.1 * ops.convert_to_numpy(normalised)[:, 0],
        [0.0553469166, 0.1446530834, 2.1770490e-5, 0.1999782295],
        rtol=1e-7,
    )


def test_literal_gradient_check_values(inputs_of, maps):
    def total(values):
        return ops.sum(
            AuthorsFilterLoss()(
                inputs_of(values, TARGETS, beta=BETA, peak="centroid", literal=True)
            )
        )

    # The released code sums over the batch, a Keras loss is a mean: factor 4.
    slope = 4 * gradient(total, maps)[..., 0]
    centre = np.full((3, 3), -1.0)
    centre[1, 1] = 1
    np.testing.assert_allclose(slope[0], -1e-5 * 0.0553469166 * centre, rtol=1e-7)
    np.testing.assert_allclose(slope[3], 1e-5 * 0.1999782295, rtol=1e-7)


def test_negative_mean_turns_the_sign_only_in_the_literal_form():
    strengths = ops.convert_to_tensor(np.array([[-3.0], [1.0]]))
    targets = ops.convert_to_tensor(np.ones((2, 1)))
    literal = ops.convert_to_numpy(normalised_strengths(strengths, targets, True))
    robust = ops.convert_to_numpy(normalised_strengths(strengths, targets, False))
    np.testing.assert_allclose(literal[:, 0], [3, -1])
    np.testing.assert_allclose(robust[:, 0], [-1.5, 0.5])


def test_overflow_and_nan_become_finite():
    strengths = ops.convert_to_tensor(np.array([[np.inf], [2.0], [np.nan]]))
    targets = ops.convert_to_tensor(np.ones((3, 1)))
    result = ops.convert_to_numpy(normalised_strengths(strengths, targets, True))
    np.testing.assert_allclose(result[:, 0], [1.5, 1.5, 0])

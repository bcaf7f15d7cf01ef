import numpy as np
import pytest
from keras import ops

from keras_interp._backend import gradient
from keras_interp.losses import AuthorsFilterLoss
from keras_interp.losses._filter_losses import normalised_strengths, raw_strengths

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
    exponent, factor = raw_strengths(
        inputs.feature_maps, inputs.peak_templates, inputs.targets
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.exp(exponent) * factor)[:, 0],
        [0.9750809089, 2.5484429593, 2.487236557e-5, 0.2284712725],
        rtol=1e-8,
    )
    normalised = normalised_strengths(exponent, factor, inputs.targets, True)
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


def normalised(exponent, factor, targets, literal):
    columns = (np.array(values)[:, None] for values in (exponent, factor, targets))
    tensors = map(ops.convert_to_tensor, columns)
    return ops.convert_to_numpy(normalised_strengths(*tensors, literal))[:, 0]


def test_negative_mean_turns_the_sign_only_in_the_literal_form():
    literal, robust = (
        normalised([0.0, 0.0], [-3.0, 1.0], [1.0, 1.0], literal)
        for literal in (True, False)
    )
    np.testing.assert_allclose(literal, [3, -1])
    np.testing.assert_allclose(robust, [-1.5, 0.5])


def test_strengths_beyond_every_float_keep_their_ratio():
    # exp(900) is infinite, exp(-900) is zero: e to 1 in both groups.
    found = normalised(
        [900.0, 901.0, -900.0, -901.0], [1.0] * 4, [1.0, 1.0, 0.0, 0.0], True
    )
    low, high = 2 / (1 + np.e), 2 * np.e / (1 + np.e)
    np.testing.assert_allclose(found, [low, high, high, low], rtol=1e-12)


def test_what_is_no_number_is_left_out():
    found = normalised(
        [np.inf, 0.0, np.nan, 0.0], [1.0, 2.0, 1.0, np.nan], [1.0] * 4, True
    )
    np.testing.assert_allclose(found, [0, 4, 0, 0])


@pytest.mark.parametrize("level", [5, 14, 15, 16, 40, 1e20])
def test_strong_maps_of_other_images_are_silenced(inputs_of, level):
    """The gradient is 1e-6 a cell on average, whatever the strength of the maps."""
    maps = np.zeros((4, 6, 6, 1), "float32")
    maps[0, 2, 3], maps[1, 1, 1] = 3, 2
    maps[2], maps[3] = level, 1.001 * level if level < 1e3 else level

    def total(values):
        inputs = inputs_of(values, TARGETS, peak="centroid", literal=True)
        return ops.sum(AuthorsFilterLoss()(inputs))

    slope = 4 * gradient(total, maps)[2:, 0, 0, 0]
    assert (slope > 0).all()
    np.testing.assert_allclose(slope.mean(), 1e-6, rtol=1e-4)

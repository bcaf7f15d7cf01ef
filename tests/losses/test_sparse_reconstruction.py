"""Equation (1) of the paper, term by term, against numbers worked out by hand."""

import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp._backend import gradient

FEATURES = np.array([[1.0, 2.0], [0.0, 1.0]], "float32")
REBUILT = np.array([[1.5, 2.0], [0.0, 0.0]], "float32")
# Mean squared errors .125 and .5; log 13.5 and log 51.
SPARSE = (np.log(13.5) + np.log(51.0)) / 2


def test_literal_values_of_equation_1():
    losses = ki.losses
    prediction = float(losses.squared_faithfulness_loss([3.0, 1.0], [2.5, 1.5]))
    sparse = float(losses.sparse_reconstruction_loss(FEATURES, REBUILT, 100.0))
    assert prediction == 0.25
    np.testing.assert_allclose(sparse, 3.267257659084355, rtol=1e-6)
    np.testing.assert_allclose(SPARSE, 3.267257659084355, rtol=1e-12)
    np.testing.assert_allclose(prediction + 10 * sparse, 32.92257659084355, rtol=1e-6)
    assert float(losses.mean_reconstruction_loss(FEATURES, REBUILT)) == 0.3125


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_a_column_is_not_compared_with_all_others(shape):
    """[B, 1] less [B] would be [B, B], whose mean square is 1.25 here."""
    approximated = np.array([2.5, 1.5], "float32").reshape(shape)
    for logits in ([3.0, 1.0], [[3.0], [1.0]]):
        loss = ki.losses.squared_faithfulness_loss(logits, approximated)
        assert float(np.squeeze(ops.convert_to_numpy(loss))) == 0.25


def test_several_modules_are_computed_each_alone(rng):
    features = rng.random((6, 4)).astype("float32")
    rebuilt = rng.random((6, 3, 4)).astype("float32")
    logits, approximated = rng.random((2, 6, 3)).astype("float32")
    for function in (
        ki.losses.sparse_reconstruction_loss,
        ki.losses.mean_reconstruction_loss,
    ):
        together = ops.convert_to_numpy(function(features, rebuilt))
        alone = [float(function(features, rebuilt[:, k])) for k in range(3)]
        np.testing.assert_allclose(together, alone, rtol=1e-5)
    together = ki.losses.squared_faithfulness_loss(logits, approximated)
    alone = [
        float(ki.losses.squared_faithfulness_loss(logits[:, k], approximated[:, k]))
        for k in range(3)
    ]
    np.testing.assert_allclose(ops.convert_to_numpy(together), alone, rtol=1e-5)


def test_weights_leave_features_out():
    weights = [0.0, 1.0]
    loss = ki.losses.sparse_reconstruction_loss(FEATURES, REBUILT, weights=weights)
    np.testing.assert_allclose(float(loss), np.log(51.0), rtol=1e-6)


def test_the_gradient_is_that_of_finite_differences(rng):
    features = rng.random((3, 4)).astype("float32")
    rebuilt = rng.random((3, 4)).astype("float32")

    def loss(values):
        return ki.losses.sparse_reconstruction_loss(features, values, 7.0)

    found = gradient(loss, rebuilt)
    step = np.float32(1e-2)
    for place in np.ndindex(*rebuilt.shape):
        moved = np.zeros_like(rebuilt)
        moved[place] = step
        slope = (float(loss(rebuilt + moved)) - float(loss(rebuilt - moved))) / (
            2 * step
        )
        np.testing.assert_allclose(found[place], slope, rtol=0.02, atol=2e-3)


def test_half_precision_is_computed_in_float32():
    large = np.full((2, 2), 300.0, "float16")
    loss = ki.losses.mean_reconstruction_loss(large, np.zeros((2, 2), "float16"))
    assert float(loss) == 90000.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: ki.losses.sparse_reconstruction_loss(FEATURES, REBUILT[:1]),
        lambda: ki.losses.sparse_reconstruction_loss(FEATURES, REBUILT, 0.0),
        lambda: ki.losses.mean_reconstruction_loss(FEATURES, REBUILT[:, :1]),
        lambda: ki.losses.squared_faithfulness_loss([1.0, 2.0], [1.0]),
        lambda: ki.losses.squared_faithfulness_loss([1.0, 2.0], [[1.0, 2.0]]),
    ],
)
def test_what_does_not_go_together_is_refused(call):
    with pytest.raises(ValueError, match="Expected .*Received"):
        call()

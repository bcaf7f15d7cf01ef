"""How a class score follows from the filters of a layer."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki


def linear_model(classes: int, seed: int = 0) -> keras.Model:
    """Interpretable maps, and a head that is linear in them."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            ki.InterpretableConv(5, 3, padding="same", filter_loss=None, name="parts"),
            keras.layers.Flatten(),
            keras.layers.Dense(
                classes, activation="sigmoid" if classes == 1 else "softmax"
            ),
        ]
    )
    model.layers[-1].bias.assign(np.arange(1.0, classes + 1))
    return model


def images(count: int = 6, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 8, 8, 3)).astype("float32")


def test_sums_of_hand_made_maps():
    maps = np.array([[[[2.0, 0.0]], [[1.0, 4.0]]]])
    slopes = np.array([[[[0.5, 1.0]], [[1.0, -0.5]]]])
    modes = ki.graphs.DecisionModes.from_maps(maps, slopes, [1.0])
    np.testing.assert_allclose(modes.activations, [[1.5, 2.0]])
    np.testing.assert_allclose(modes.gradients, [[0.75, 0.25]])
    np.testing.assert_allclose(modes.contributions, [[2.0, -2.0]])
    assert modes.positions == 2


def test_contributions_of_a_linear_head_and_its_bias_are_the_logit():
    model = linear_model(1)
    modes = ki.graphs.decision_modes(model, images())
    (kernel, bias) = model.layers[-1].get_weights()
    maps = ki.feature_maps(model, images(), "parts")
    np.testing.assert_allclose(
        modes.scores, (maps.reshape(6, -1) @ kernel + bias)[:, 0], rtol=1e-5
    )
    np.testing.assert_allclose(
        modes.contributions.sum(axis=1) + bias, modes.scores, rtol=1e-5
    )
    assert modes.positions == 64


def test_of_several_classes_the_score_says_whether_the_class_wins():
    model = linear_model(3)
    modes = ki.graphs.decision_modes(model, images(40), class_index=1)
    chosen = np.argmax(model.predict(images(40), verbose=0), axis=1)
    np.testing.assert_array_equal(modes.scores > 0, chosen == 1)
    _, bias = model.layers[-1].get_weights()
    left = modes.scores - modes.contributions.sum(axis=1)
    # What no filter adds is the difference of two biases, of the class and its rival.
    assert set(np.round(left, 4)) <= {1.0, -1.0}


def test_the_last_convolution_is_read_after_its_activation():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    maps = keras.layers.ReLU(name="relu")(keras.layers.BatchNormalization()(maps))
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(inputs, keras.layers.Dense(1)(pooled))
    with pytest.warns(UserWarning, match="no interpretable filters"):
        modes = ki.graphs.decision_modes(model, images())
    expected = ki.feature_maps(model, images(), "relu").mean(axis=(1, 2))
    np.testing.assert_allclose(modes.activations, expected, rtol=1e-5)


def test_a_row_can_be_taken():
    modes = ki.graphs.decision_modes(linear_model(1), images())
    some = modes.take([4, 0])
    assert len(some) == 2
    np.testing.assert_array_equal(some.scores, modes.scores[[4, 0]])


@pytest.mark.parametrize(
    ("maps", "slopes", "scores", "words"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), np.ones(2), "same shape"),
        (np.ones((2, 3)), np.ones((2, 3)), np.ones(3), "scores of shape"),
        (np.full((2, 3), np.nan), np.ones((2, 3)), np.ones(2), "finite"),
        (np.ones((0, 3)), np.ones((0, 3)), np.ones(0), "same shape"),
        (np.ones((2, 2, 3)), np.ones((2, 2, 3)), np.ones(2), "same shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(maps, slopes, scores, words):
    with pytest.raises(ValueError, match=words):
        ki.graphs.DecisionModes.from_maps(maps, slopes, scores)


def test_a_layer_without_maps_is_refused():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(2, 3),
            keras.layers.Reshape((6, 12)),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    with (
        pytest.warns(UserWarning, match="no interpretable filters"),
        pytest.raises(ValueError, match="Choose a convolution"),
    ):
        ki.graphs.decision_modes(model, images(), model.layers[1].name)

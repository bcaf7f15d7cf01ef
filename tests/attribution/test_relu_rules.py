"""Guided backpropagation and deconvnet: the rule at every ReLU, however written."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_interp import attribution
from keras_interp._network.explained_model import ExplainedModel, Forward
from keras_interp.attribution._guided import ReluRule

from .tiny_models import SIZE, SPELLINGS, seeded, spelled

SIGNAL = np.array([3.0, 4.0, -5.0, -6.0], "float32")
METHODS = ("gradient", "guided_backprop", "deconvnet")


def one_rectifier(rectifier, inputs, signal=SIGNAL):
    """Model and image: a ReLU of `inputs`, to which `signal` comes from above."""
    image = keras.Input((1, len(inputs), 1))
    outputs = layers.Dense(1, use_bias=False)(layers.Flatten()(rectifier(image)))
    model = keras.Model(image, outputs)
    model.set_weights([*model.get_weights()[:-1], np.array(signal)[:, None]])
    return model, np.array(inputs, "float32")[None, None, :, None]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("gradient", [3, 0, -5, 0]),
        ("deconvnet", [3, 4, 0, 0]),
        ("guided_backprop", [3, 0, 0, 0]),
    ],
)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_check_values(method, expected, spelling):
    rectifier = SPELLINGS[spelling]
    rectifier = layers.Activation("relu") if rectifier == "relu" else rectifier()
    model, image = one_rectifier(rectifier, [1, -1, 2, -2])
    maps = getattr(attribution, method)(model, image)
    np.testing.assert_array_equal(maps.ravel(), expected)


# Input 1, -1, 2, -2, 7, -7; the signals at them; what each rule passes down.
INPUTS = [1, -1, 2, -2, 7, -7]
ABOVE = [3, 4, -5, -6, 7, -8]


@pytest.mark.parametrize(
    ("rectifier", "slopes"),
    [
        (lambda: layers.ReLU(6.0), [1, 0, 1, 0, 0, 0]),
        (lambda: ops.relu6, [1, 0, 1, 0, 0, 0]),
        (lambda: layers.Activation("relu6"), [1, 0, 1, 0, 0, 0]),
        (lambda: layers.LeakyReLU(negative_slope=0.25), [1, 0.25] * 3),
        (lambda: layers.ReLU(negative_slope=0.25), [1, 0.25] * 3),
        (lambda: lambda x: ops.leaky_relu(x, 0.25), [1, 0.25] * 3),
        (lambda: layers.PReLU(alpha_initializer=_quarter), [1, 0.25] * 3),
        (lambda: layers.ReLU(max_value=3.0), [1, 0, 1, 0, 0, 0]),
        (lambda: layers.ReLU(threshold=1.5), [0, 0, 1, 0, 1, 0]),
        (lambda: layers.ReLU(3.0, negative_slope=0.25), [1, 0.25, 1, 0.25, 0, 0.25]),
        (
            lambda: layers.ReLU(negative_slope=0.5, threshold=1.5),
            [0.5, 0.5, 1, 0.5, 1, 0.5],
        ),
    ],
)
def test_variants_pass_the_positive_signal_times_their_own_slope(rectifier, slopes):
    model, image = one_rectifier(rectifier(), INPUTS, ABOVE)
    positive = np.maximum(ABOVE, 0)
    gradient, guided, deconvnet = (
        getattr(attribution, name)(model, image).ravel() for name in METHODS
    )
    np.testing.assert_allclose(gradient, np.multiply(ABOVE, slopes), rtol=1e-6)
    np.testing.assert_allclose(guided, positive * slopes, rtol=1e-6)
    np.testing.assert_allclose(deconvnet, positive, rtol=1e-6)


def _quarter(shape, dtype=None):
    return ops.full(shape, 0.25, dtype)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_gives_the_same_map(images, method, spelling):
    maps = getattr(attribution, method)(spelled(spelling), images)
    expected = getattr(attribution, method)(spelled("argument"), images)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


def test_the_three_methods_differ(model, images):
    maps = [getattr(attribution, name)(model, images) for name in METHODS]
    for one in range(3):
        assert np.abs(maps[one] - maps[one - 1]).max() > 0.01


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_relu_is_counted_once(images, spelling):
    explained = ExplainedModel(spelled(spelling), images)
    counts = []

    def body(forward: Forward, images, targets):
        rule = ReluRule("guided")

        slope, _ = forward.gradient(
            lambda at: forward.scores(at, targets, rule), images
        )
        counts.append(rule.count)
        return slope

    explained.compute("count", body)
    assert counts == [2]
    seen = explained.record.activations
    assert seen.get("relu", 0) + seen.get("maximum", 0) == 2
    assert explained.record.missed_rectifiers == []


@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
@pytest.mark.parametrize("activation", ["gelu", "silu", "elu", "tanh", "hard_silu"])
def test_a_model_without_relus_is_refused(images, method, activation):
    model = seeded(
        keras.Sequential(
            [
                keras.Input(SIZE),
                layers.Conv2D(3, 3, activation=activation),
                layers.GlobalAveragePooling2D(),
                layers.Dense(4, activation="softmax"),
            ]
        )
    )
    with pytest.raises(
        ValueError, match=f"with ReLUs.*whose activations are: {activation}"
    ):
        getattr(attribution, method)(model, images)


def test_a_relu_that_cannot_be_seen_is_refused(images):
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        def hidden(x):
            return torch.ops.aten.relu(x)
    elif backend == "jax":
        from jax.nn import relu as hidden
    else:
        from tensorflow.nn import relu as hidden
    inputs = keras.Input(SIZE)
    maps = ops.relu(layers.Conv2D(3, 3)(inputs))
    maps = layers.Lambda(hidden)(layers.Conv2D(3, 3)(maps))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(maps)))
    with pytest.raises(
        ValueError, match="1 of whose ReLUs cannot.*Write them as keras.ops.relu"
    ):
        attribution.guided_backprop(seeded(model), images)
    assert np.isfinite(attribution.gradient(model, images)).all()


def test_a_hard_sigmoid_is_no_relu(images):
    """TensorFlow computes it from a ReLU6; its gradient stays the ordinary one."""
    inputs = keras.Input(SIZE)
    maps = layers.Conv2D(3, 3, activation="hard_silu", name="first")(inputs)
    features = layers.Flatten()(maps)
    hard = seeded(keras.Model(inputs, layers.Dense(2)(ops.relu(features) - 3.0)))
    slopes = attribution.gradient(hard, images, 0)
    # A ReLU whose signals are all positive, where guided and gradient are the same.
    weights = hard.get_weights()
    hard.set_weights([*weights[:2], np.abs(weights[2]), weights[3]])
    slopes = attribution.gradient(hard, images, 0)
    maps = attribution.guided_backprop(hard, images, 0)
    np.testing.assert_allclose(maps, slopes, rtol=1e-5, atol=1e-7)


def test_a_compiled_function_of_the_user_keeps_nothing(images):
    """A trace that the user's own compiled layer makes later knows no rule."""
    model, plain = spelled("compiled"), spelled("argument")
    attribution.deconvnet(model, images)
    outputs, expected = (ops.convert_to_numpy(m(images)) for m in (model, plain))
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    expected = attribution.gradient(plain, images)
    np.testing.assert_allclose(
        attribution.gradient(model, images), expected, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("method", ["gradient", "guided_backprop", "deconvnet"])
def test_a_filter_is_explained_by_its_largest_activation(model, images, method):
    maps = getattr(attribution, method)(model, images, 2, layer_name="second")
    head = keras.Model(model.input, model.get_layer("second").output)
    activation = ops.convert_to_numpy(head(images))[..., 2].reshape(5, -1)
    cells = activation.argmax(axis=1)
    for row, cell in enumerate(cells):
        # A model whose one output is that cell.
        flat = layers.Reshape((12, 5))(head.output)[:, int(cell), 2:3]
        single = keras.Model(model.input, flat)
        expected = getattr(attribution, method)(single, images[row : row + 1])
        np.testing.assert_allclose(maps[row : row + 1], expected, rtol=1e-4, atol=1e-6)

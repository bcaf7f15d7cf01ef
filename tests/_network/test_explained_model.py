"""Models that change between two calls, or that cannot be explained."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_interp import _backend
from keras_interp._network.explained_model import ExplainedModel
from keras_interp.attribution import gradient, guided_backprop

from ..attribution.tiny_models import (
    SIZE,
    Subclassed,
    nested,
    residual,
    sample_images,
    seeded,
    spelled,
)


def test_a_model_without_weights_is_refused(images):
    model = keras.Sequential([layers.Flatten(), layers.Dense(3)])
    with pytest.raises(ValueError, match="has no weights yet. Call it on a batch"):
        gradient(model, images)
    with pytest.raises(ValueError, match="has no weights yet"):
        gradient(Subclassed(), images)


def test_an_activation_that_was_exchanged_takes_effect(images):
    model, other = spelled(), spelled()
    gradient(model, images, 1)
    model.get_layer("second").activation = keras.activations.gelu
    other.get_layer("second").activation = keras.activations.gelu
    maps = gradient(model, images, 1)
    np.testing.assert_allclose(maps, gradient(other, images, 1), rtol=1e-5, atol=1e-7)


def test_images_of_another_size(images):
    inputs = keras.Input((None, None, 3))
    maps = layers.Conv2D(4, 3, activation="relu")(inputs)
    outputs = layers.Dense(3)(layers.GlobalAveragePooling2D()(maps))
    model = seeded(keras.Model(inputs, outputs))
    assert guided_backprop(model, images).shape == images.shape
    assert guided_backprop(model, images[:, :8, :6]).shape == (5, 8, 6, 3)


def test_fit_between_two_calls_takes_effect(images):
    model = spelled(final=None)
    before = gradient(model, images, 1)
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.fit(images, np.ones((5, 4)), epochs=2, verbose=0)
    after = gradient(model, images, 1)
    assert np.abs(after - before).max() > 1e-3
    fresh = keras.models.clone_model(model)
    fresh.set_weights(model.get_weights())
    np.testing.assert_allclose(after, gradient(fresh, images, 1), rtol=1e-4, atol=1e-6)


def test_normalisation_and_dropout_are_those_of_inference(images):
    inputs = keras.Input(SIZE)
    maps = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    features = layers.Dropout(0.5)(layers.Flatten()(ops.relu(maps)))
    model = seeded(keras.Model(inputs, layers.Dense(2)(features)))
    moments = [w.copy() for w in model.get_weights()]
    # With the statistics of the batch, an image's map would depend on the others.
    maps = guided_backprop(model, images, 0)
    single = guided_backprop(model, images[:1], 0)
    np.testing.assert_allclose(maps[:1], single, rtol=1e-4, atol=1e-6)
    for one, other in zip(moments, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_record_of_a_model(images):
    record = ExplainedModel(residual(), images).record
    assert record.last_maps().path == ("second",)
    assert record.last_maps().shape == (None, 12, 10, 5)
    assert record.activations["relu"] == 3
    assert record.activations["leaky_relu"] == 1
    assert record.missed_rectifiers == []
    assert [output.activation for output in record.outputs] == ["softmax"]
    record = ExplainedModel(nested(), images).record
    assert record.find_call("second").name == "backbone/second"
    assert record.find_call("backbone/second").index == 0
    with pytest.raises(ValueError, match="layer_name='conv'"):
        record.find_call("conv")


def test_bodies_get_arrays_of_each_image_and_of_all(model):
    images, explained = sample_images(7), ExplainedModel(spelled(), sample_images(7), 1)

    def body(forward, images, targets, weights, shift):
        scores, chosen = forward.scores(images + shift, targets)
        return scores * weights, chosen

    weights = np.arange(7, dtype="float32")
    shift = np.full((1, 1, 1, 3), 0.5, "float32")
    scores, chosen = explained.compute(
        "weighted", body, weights, shared=[shift], batch_size=3
    )
    logits = keras.Model(model.input, model.layers[-2].output)(images + shift)
    kernel, bias = model.layers[-1].get_weights()
    expected = (ops.convert_to_numpy(logits) @ kernel + bias)[:, 1] * weights
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)
    assert chosen.tolist() == [1] * 7


def test_fewer_images_at_once_where_the_backend_is_faster_so(monkeypatch):
    images, model = sample_images(9), spelled()
    expected = gradient(model, images, 1)
    explained = ExplainedModel(model, images, 1)
    each = explained.record.bytes_of_largest_output()
    assert each == 12 * 10 * 6 * 4
    monkeypatch.setattr(_backend, "most_bytes_at_once", lambda: None)
    assert explained.images_at_once(32) == 32
    monkeypatch.setattr(_backend, "most_bytes_at_once", lambda: 5 * each - 1)
    assert [explained.images_at_once(size) for size in (2, 4, 5, 32)] == [2, 4, 4, 4]

    def images_of_the_call(forward, images, targets):
        return targets * 0 + ops.shape(images)[0]

    # Three calls are needed: three images each, and not 4, 4 and 1.
    (sizes,) = explained.compute("sizes", images_of_the_call, batch_size=32)
    assert sizes.tolist() == [3] * 9
    maps = gradient(model, images, 1)
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-7)
    # A single image may be too large as well.
    monkeypatch.setattr(_backend, "most_bytes_at_once", lambda: each // 2)
    assert explained.images_at_once(32) == 1


def test_half_precision_keeps_small_gradients():
    """Gradients of 1e-8, which half precision cannot hold, come out right."""
    model, images = spelled("ops", dtype="mixed_float16"), sample_images(2)
    exact = spelled("ops")
    for network in (model, exact):
        layer = network.get_layer("classes")
        layer.set_weights([w * 2e-6 for w in layer.get_weights()])
    maps, expected = gradient(model, images, 1), gradient(exact, images, 1)
    assert np.abs(expected).max() < 1e-6
    assert np.linalg.norm(maps - expected) < 0.05 * np.linalg.norm(expected)

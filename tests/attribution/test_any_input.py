"""Whatever is handed over: a defined result, or a sentence that says what to do."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies
from keras import layers

from keras_interp import attribution

from .tiny_models import SIZE, seeded, spelled

# Keywords that make a method quick on tiny images.
METHODS = {
    "contrastive_excitation_backprop": {},
    "deconvnet": {},
    "excitation_backprop": {},
    "grad_cam": {},
    "gradient": {},
    "gradient_times_input": {},
    "guided_backprop": {},
    "integrated_gradients": {"steps": 2},
    "occlusion": {"patch_size": 6, "stride": 6},
    "saliency": {},
    "smooth_grad": {"samples": 2},
}
MODEL = spelled()
MODEL_SHAPES = [(0, *SIZE), (1, *SIZE), (2, *SIZE), SIZE, SIZE[:2], (*SIZE[:2], 1)]
OTHER_SHAPES = [(), (3,), (2, 10, 12, 3), (1, 0, 10, 3), (1, *SIZE[:2], 4)]
OTHER_SHAPES += [(1, 3, *SIZE[:2]), (2, *SIZE[:2]), (1, 1, *SIZE)]


@pytest.mark.parametrize("name", METHODS)
def test_a_result_or_a_sentence(name):
    method = getattr(attribution, name)
    explains_filters = "explains a filter" in inspect.getdoc(method)

    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(
        shape=strategies.sampled_from(MODEL_SHAPES * 2 + OTHER_SHAPES),
        dtype=strategies.sampled_from(["uint8", "bool", "float16", "float64", "S1"]),
        special=strategies.sampled_from([None, None, np.nan, -np.inf]),
        class_index=strategies.sampled_from([None, 0, 3, 4, -1, [0, 1], [], 1.0, "a"]),
        layer_name=strategies.sampled_from([None, None, "second", "classes", "none"]),
        batch_size=strategies.sampled_from([1, 2, 32, 0, 1.5]),
    )
    def check(shape, dtype, special, class_index, layer_name, batch_size):
        images = np.random.default_rng(0).uniform(0, 2, shape).astype(dtype)
        if special is not None and images.size and images.dtype.kind == "f":
            images.flat[0] = special
        options = {**METHODS[name], "layer_name": layer_name, "batch_size": batch_size}
        try:
            maps = method(MODEL, images, class_index, **options)
        except ValueError as error:
            assert "Expected" in str(error)
            assert "Received: " in str(error)
            return
        count = shape[0] if len(shape) == 4 else 1
        assert maps.shape[:3] == (count, *SIZE[:2])
        assert maps.dtype == "float32"
        assert np.isfinite(maps).all()
        assert shape in MODEL_SHAPES
        assert special is None or images.dtype.kind != "f" or not images.size
        assert layer_name != "none"
        assert explains_filters or layer_name != "classes"

    check()


def sums_to_one_score():
    """A network without feature maps."""
    inputs = keras.Input(SIZE)
    flat = layers.Flatten()(inputs)
    return seeded(keras.Model(inputs, layers.Dense(1, activation="sigmoid")(flat)))


def of_any_size():
    inputs = keras.Input((None, None, 3))
    maps = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    maps = layers.Conv2D(5, 3, padding="same", activation="relu")(maps)
    pooled = layers.GlobalMaxPooling2D()(maps)
    return seeded(keras.Model(inputs, layers.Dense(3)(pooled)))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", [(2, 1, 1, 3), (1, 2, 9, 3), (9, 7, 3)])
def test_a_network_of_any_size(name, shape):
    method, model = getattr(attribution, name), of_any_size()
    keywords = {"patch_size": 1} if name == "occlusion" else METHODS[name]
    try:
        maps = method(model, np.ones(shape, "float32"), 1, **keywords)
    except ValueError as error:
        # One cell is no map.
        assert shape[1:3] == (1, 1)
        assert "feature maps" in str(error)
    else:
        assert maps.shape[:3] == (1, *shape)[-4:][:3]
        assert np.isfinite(maps).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_network_without_maps(name, images):
    method, model = getattr(attribution, name), sums_to_one_score()
    try:
        maps = method(model, images, **METHODS[name])
    except ValueError as error:
        assert "Expected" in str(error)
        assert "Received: " in str(error)
    else:
        assert maps.shape[:3] == images.shape[:3]
        with pytest.raises(ValueError, match=r"one score.*class_index=0 to explain"):
            method(model, images, 1, **METHODS[name])

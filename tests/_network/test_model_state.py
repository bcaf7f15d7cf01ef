"""An explanation is that of the model as it is now."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_interp import attribution, feature_maps
from keras_interp._network import model_state
from keras_interp._network.model_state import model_state as state_of

SIZE = (6, 5, 3)


@dataclasses.dataclass
class Settings:
    """An object of a user's that a layer holds."""

    factor: float


class Scale(layers.Layer):
    """Multiplies by a number that it keeps in many ways, one of them used."""

    def __init__(self, kept, **kwargs):
        super().__init__(**kwargs)
        self._kept = kept

    def call(self, inputs):
        return inputs * number_in(self._kept)


def number_in(kept):
    if isinstance(kept, Settings):
        return kept.factor
    if isinstance(kept, dict):
        return kept["factor"]
    if isinstance(kept, list):
        return kept[0]
    if callable(kept):
        return kept()
    return float(kept) if isinstance(kept, (int, float)) else ops.cast(kept, "float32")


def network(scale):
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(4, 3, use_bias=False, activation="relu", name="conv")(inputs)
    x = layers.GlobalAveragePooling2D()(scale(x))
    return keras.Model(inputs, layers.Dense(2, use_bias=False)(x))


def five_in(kept):
    """The same with 5 in place of 1, changed in place where that can be."""
    if isinstance(kept, Settings):
        kept.factor = 5.0
    elif isinstance(kept, dict):
        kept["factor"] = 5.0
    elif isinstance(kept, list):
        kept[0] = 5.0
    elif isinstance(kept, np.ndarray):
        kept[...] = 5.0
    elif callable(kept):
        return lambda: 5.0
    else:
        return 5.0
    return kept


def images():
    return np.random.default_rng(0).random((2, *SIZE), "float32")


@pytest.mark.parametrize(
    "make",
    [
        lambda: 1.0,
        lambda: {"factor": 1.0},
        lambda: [1.0, "other"],
        lambda: Settings(1.0),
        lambda: np.ones((), "float32"),
        lambda: lambda: 1.0,
    ],
    ids=["number", "dict", "list", "object", "array", "function"],
)
@pytest.mark.parametrize("method", ["gradient", "grad_cam", "guided_backprop"])
def test_what_a_layer_keeps_is_changed(make, method):
    explain = getattr(attribution, method)
    scale = Scale(make(), name="scale")
    model = network(scale)
    before = explain(model, images(), 0)
    assert np.abs(before).max() > 0
    scale._kept = five_in(scale._kept)
    after = explain(model, images(), 0)
    np.testing.assert_allclose(after, 5 * before, rtol=1e-2, atol=1e-5)
    np.testing.assert_allclose(
        feature_maps(model, images(), "scale"),
        5 * feature_maps(model, images(), "conv"),
        rtol=1e-5,
    )


def test_an_activation_is_exchanged():
    model = network(Scale(1.0))
    conv = model.get_layer("conv")
    conv.set_weights([-np.abs(conv.get_weights()[0])])
    assert np.abs(attribution.gradient(model, images(), 0)).max() == 0
    conv.activation = keras.activations.linear
    assert np.abs(attribution.gradient(model, images(), 0)).max() > 0


def test_a_layer_is_exchanged():
    model = keras.Sequential(
        [keras.Input(SIZE), layers.Rescaling(1.0), layers.Flatten(), layers.Dense(1)]
    )
    before = attribution.gradient(model, images(), 0)
    head = model.layers[-1]
    model.pop()
    model.pop()
    model.add(layers.Rescaling(3.0))
    model.add(layers.Flatten())
    model.add(head)
    after = attribution.gradient(model, images(), 0)
    np.testing.assert_allclose(after, 3 * before, rtol=1e-5)


def test_nothing_is_traced_again_without_a_change():
    model = network(Scale({"factor": 1.0, "none": None, "nan": float("nan")}))
    attribution.gradient(model, images(), 0)
    kept = model_state._kept[model]
    model.predict(images(), verbose=0)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    attribution.gradient(model, images(), 1)
    assert model_state._kept[model] is kept
    assert len(kept.compiled) == 1


def test_training_does_not_count_as_a_change():
    model = network(Scale(1.0))
    model.compile("sgd", "mse")
    before = state_of(model)
    model.fit(images(), np.zeros((2, 2)), verbose=0)
    assert state_of(model) == before


def test_a_layer_that_keeps_its_last_output_is_traced_once_more_only():
    class Remembers(layers.Layer):
        def call(self, inputs):
            self.last = inputs * 2
            return self.last

    model = network(Remembers())
    for _ in range(2):
        attribution.gradient(model, images(), 0)
    if keras.backend.backend() != "torch":
        kept = model_state._kept[model]
        attribution.gradient(model, images(), 0)
        assert model_state._kept[model] is kept


def test_objects_that_hold_one_another_have_an_end():
    first, second = Settings(1.0), Settings(2.0)
    first.factor, second.factor = second, first
    model = network(Scale(1.0, name="scale"))
    model.get_layer("scale").knot = first
    assert state_of(model) == state_of(model)


def test_a_model_that_is_gone_is_freed():
    model = network(Scale(Settings(1.0)))
    attribution.guided_backprop(model, images(), 0)
    feature_maps(model, images(), "conv")
    reference = weakref.ref(model)
    del model
    keras.utils.clear_session(free_memory=False)
    gc.collect()
    assert reference() is None


def test_the_next_layer_has_the_name_that_it_always_has():
    model = network(Scale(1.0))
    model_state._names_of_keras.cache_clear()
    keras.utils.clear_session(free_memory=False)
    state_of(model)
    assert keras.layers.Identity().name == "identity"
    assert keras.Sequential([]).name == "sequential"
    assert keras.optimizers.SGD().name.lower() == "sgd"

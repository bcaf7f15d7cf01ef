"""What every method promises, generated for all of them from one table.

A new method gets one line in `METHODS`.
"""

from __future__ import annotations

import functools
import gc
import os
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from keras_interp import attribution
from keras_interp._network import model_state
from keras_interp._network.calls import _modules

from .tiny_models import (
    CLASSES,
    MODELS,
    SIZE,
    nested,
    sample_images,
    seeded,
    sequential,
)

# Name of the method, and keywords that make it quick on tiny images.
METHODS = {
    "gradient": {},
    "saliency": {},
    "gradient_times_input": {},
    "smooth_grad": {"samples": 5},
    "integrated_gradients": {"steps": 5},
    "occlusion": {"patch_size": 5},
    "guided_backprop": {},
    "deconvnet": {},
    "grad_cam": {},
    "excitation_backprop": {},
    "contrastive_excitation_backprop": {},
}
# Their maps have the image's channels; the others' are `(batch, height, width)`.
WITH_CHANNELS = {
    "gradient",
    "gradient_times_input",
    "integrated_gradients",
    "guided_backprop",
    "deconvnet",
}
HALF = ("mixed_float16", "mixed_bfloat16")


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


@pytest.fixture
def method(name):
    return functools.partial(getattr(attribution, name), **METHODS[name])


def tolerance(kind):
    half = kind in HALF
    return {"rtol": 2e-2 if half else 1e-4, "atol": 2e-3 if half else 1e-6}


@pytest.mark.parametrize("kind", MODELS)
def test_shape_dtype_and_that_something_is_found(name, method, kind):
    images = sample_images(3)
    maps = method(MODELS[kind](), images)
    shape = images.shape if name in WITH_CHANNELS else images.shape[:3]
    assert isinstance(maps, np.ndarray)
    assert maps.dtype == "float32"
    assert maps.shape == shape
    assert np.isfinite(maps).all()
    assert np.abs(maps).max() > 0


@pytest.mark.parametrize("kind", ["nested", "residual", "mixed_float16"])
def test_a_batch_is_a_loop_of_single_images(method, kind):
    model, images = MODELS[kind](), sample_images(3)
    singles = [method(model, image[None])[0] for image in images]
    np.testing.assert_allclose(method(model, images), singles, **tolerance(kind))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_batch_size_changes_nothing(method, model, images, batch_size):
    maps = method(model, images, [0, 1, 2, 3, 0], batch_size=batch_size)
    expected = method(model, images, [0, 1, 2, 3, 0])
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["sequential", "nested", "subclassed"])
def test_every_kind_of_model_is_explained_alike(method, model, images, kind):
    maps = method(MODELS[kind](), images, 2)
    np.testing.assert_allclose(maps, method(model, images, 2), rtol=1e-4, atol=1e-6)


def test_one_class_per_image_is_a_class_at_a_time(method, model, images):
    classes = [3, 0, 2, 2, 1]
    each = [
        method(model, images, class_index)[row]
        for row, class_index in enumerate(classes)
    ]
    maps = method(model, images, np.array(classes))
    np.testing.assert_allclose(maps, each, rtol=1e-4, atol=1e-6)


def test_no_class_is_the_predicted_one(method, model, images):
    predicted = np.argmax(model.predict(images, verbose=0), axis=-1)
    expected = method(model, images, predicted)
    np.testing.assert_allclose(method(model, images), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["nested", "subclassed", "residual"])
def test_a_saved_model_is_explained_as_the_fresh_one(method, images, kind, tmp_path):
    model = MODELS[kind]()
    path = os.fspath(tmp_path / "model.keras")
    model.save(path)
    maps = method(keras.models.load_model(path), images)
    np.testing.assert_allclose(maps, method(model, images), rtol=1e-5, atol=1e-7)


def test_the_same_seed_gives_the_same_map(method, model, images):
    keras.utils.set_random_seed(3)
    first = method(model, images)
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(method(model, images), first)


def test_the_random_state_of_the_caller_is_left_alone(method, model, images):
    method(model, images)
    _start_again()
    expected = np.random.random(), keras.random.uniform(())
    _start_again()
    method(model, images)
    assert (np.random.random(), keras.random.uniform(())) == expected


def _start_again():
    # Up to Keras 3.12 the seed alone leaves a generator that was used where it is.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(3)


def test_integer_images_are_taken_as_numbers(method, model):
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE), dtype="uint8")
    expected = method(model, images.astype("float32"), 1)
    np.testing.assert_array_equal(method(model, images, 1), expected)


def test_tensors_of_the_backend_are_taken(method, model, images):
    maps = method(model, keras.ops.convert_to_tensor(images), 1)
    np.testing.assert_array_equal(maps, method(model, images, 1))


def test_no_images_give_no_maps(name, method, model, images):
    maps = method(model, images[:0])
    shape = images.shape if name in WITH_CHANNELS else images.shape[:3]
    assert maps.shape == (0, *shape[1:])
    assert maps.dtype == "float32"


# Traces and batches of each watcher. An attribute that changes, also deep inside one,
# would make another model of it.
NOTES = weakref.WeakKeyDictionary()


@keras.saving.register_keras_serializable(package="tiny_models")
class Watcher(layers.Layer):
    """Notes when it is traced, and how many images come by when it is run."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        NOTES[self] = {"traces": 0, "batches": []}
        self.fails = False

    @property
    def traces(self):
        return NOTES[self]["traces"]

    @property
    def batches(self):
        return NOTES[self]["batches"]

    def call(self, inputs):
        NOTES[self]["traces"] += 1
        if self.fails:
            raise ArithmeticError("the model broke")
        backend = keras.backend.backend()
        if backend == "tensorflow":
            import tensorflow as tf

            note = tf.numpy_function(self.note, [tf.shape(inputs)[0]], [])
            with tf.control_dependencies([note] if note is not None else []):
                return tf.identity(inputs)
        if backend == "jax":
            import jax

            jax.debug.callback(lambda size: self.note(int(size)), inputs.shape[0])
            return inputs
        self.note(inputs.shape[0])
        return inputs

    def note(self, size):
        self.batches.append(int(size))


def watched():
    """A network and the layer in it that watches."""
    watcher = Watcher()
    model = keras.Sequential(
        [
            keras.Input(SIZE),
            layers.Conv2D(4, 3, activation="relu"),
            watcher,
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )
    return seeded(model), watcher


def test_the_batch_size_bounds_the_images_in_memory(method):
    model, watcher = watched()
    # Keras itself makes up batches while it builds a model on torch.
    watcher.batches.clear()
    method(model, sample_images(7), batch_size=3)
    assert watcher.batches
    assert max(watcher.batches) <= 3
    # Some methods look at an image several times.
    assert sum(watcher.batches) >= 7


def test_the_second_call_traces_nothing(name, method):
    if keras.backend.backend() == "torch":
        pytest.skip("torch traces nothing, ever")
    model, watcher = watched()
    method(model, sample_images(7), batch_size=3)
    traces = watcher.traces
    method(model, sample_images(7, seed=2), batch_size=3)
    assert watcher.traces == traces
    method(model, sample_images(7, seed=2), [0, 1, 2, 3, 0, 1, 2], batch_size=3)
    # Without the class to find, deconvnet has less to compute.
    assert (watcher.traces > traces) == (name == "deconvnet")
    traces = watcher.traces
    method(model, sample_images(5, seed=3), 1, batch_size=3)
    method(model, sample_images(7, seed=3), batch_size=3)
    assert watcher.traces == traces


def test_training_between_two_calls_takes_effect(method, model, images):
    before = method(model, images, 1)
    other = seeded(sequential(), seed=7)
    model.set_weights(other.get_weights())
    maps = method(model, images, 1)
    np.testing.assert_allclose(maps, method(other, images, 1), rtol=1e-4, atol=1e-6)
    assert np.abs(maps - before).max() > 0.01


def state(model):
    """All of a model and of the process that an explanation might change."""
    return {
        "weights": [np.array(weight) for weight in model.get_weights()],
        "trainable": [layer.trainable for layer in model._flatten_layers()],
        "requires_grad": [
            getattr(weight.value, "requires_grad", None) for weight in model.weights
        ],
        "gradients": [
            getattr(weight.value, "grad", None) is not None for weight in model.weights
        ],
        "losses": len(model.losses),
        "attributes": [sorted(vars(layer)) for layer in model._flatten_layers()],
        "calls": [keras.layers.Layer.__call__, keras.Operation.__call__],
        "functions": [
            _modules.nn.relu,
            _modules.nn.softmax,
            vars(keras.src.activations.activations.ReLU)["static_call"],
        ],
        "policy": keras.config.dtype_policy().name,
    }


def assert_same(before, after):
    assert before.keys() == after.keys()
    for what, values in before.items():
        if what == "weights":
            for one, other in zip(values, after[what], strict=True):
                np.testing.assert_array_equal(one, other)
        else:
            assert values == after[what], what


@pytest.mark.parametrize("kind", ["nested", "subclassed", "residual"])
def test_the_model_is_untouched(method, images, kind):
    model = MODELS[kind]()
    model.layers[0].trainable = False
    prediction = keras.ops.convert_to_numpy(model(images))
    before = state(model)
    method(model, images)
    assert_same(before, state(model))
    after = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_array_equal(after, prediction)


def test_the_model_is_untouched_after_a_failure(method, images):
    model, watcher = watched()
    before = state(model)
    watcher.fails = True
    with pytest.raises(ArithmeticError, match="the model broke"):
        method(model, images)
    watcher.fails = False
    assert_same(before, state(model))
    assert np.isfinite(method(model, images)).all()


def test_a_model_that_was_explained_can_be_freed(method, images):
    gc.collect()
    before = model_count()
    model = nested()
    method(model, images)
    reference = weakref.ref(model)
    del model
    keras.utils.clear_session(free_memory=False)
    gc.collect()
    assert reference() is None
    assert model_count() == before


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"class_index": CLASSES}, "from 0 to 3.*Received: .*4"),
        ({"class_index": -1}, "from 0 to 3.*Received: .*-1"),
        ({"class_index": [0, 1]}, "each of the 5 images"),
        ({"class_index": 1.5}, "Received: class_index=1.5"),
        ({"class_index": True}, "Received: class_index=True"),
        ({"layer_name": "secnod"}, "layer_name='secnod'.*second"),
        ({"output_index": 1}, "1 output.*Received: .*1"),
        ({"batch_size": 0}, "batch_size.*Received: .*0"),
        ({"images": np.zeros((2, 3, 4, 5, 3))}, r"of shape \(2, 3, 4, 5, 3\)"),
        ({"images": "nowhere.png"}, "'nowhere.png': there is no such file"),
        ({"images": None}, "images of type NoneType"),
        ({"images": np.zeros((2, 9, 9, 3), "float32")}, r"wants images.*\(2, 9, 9, 3"),
        ({"images": np.full((1, *SIZE), np.nan)}, "finite.*360 place"),
        ({"images": np.full((1, *SIZE), "a")}, "real numbers"),
        ({"images": [sample_images(), sample_images()]}, "Expected 1 input"),
        ({"model": 3}, "Keras model.*Received: model of type int"),
    ],
)
def test_bad_input_is_refused_before_anything_is_computed(name, method, bad, words):
    if "layer_name" in bad and not takes_layer(name):
        pytest.skip("has no such argument")
    model, watcher = watched()
    if "layer_name" in bad or "images" in bad:
        model = sequential()
    arguments = {"model": model, "images": sample_images(), **bad}
    watcher.batches.clear()
    with pytest.raises(ValueError, match=f"(?s){words}"):
        method(arguments.pop("model"), arguments.pop("images"), **arguments)
    # torch is traced by running it on one image.
    assert watcher.batches in ([], [1])


def model_count():
    return len(model_state._kept)


def takes_layer(name):
    return "layer_name" in getattr(attribution, name).__kwdefaults__

import warnings

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki

GradientRatio = ki.callbacks.GradientRatio
LABELS = np.array([0.0, 1.0, 1.0, 0.0])


@pytest.fixture
def images(rng):
    return rng.random((4, 6, 6, 2), dtype="float32")


def make_model(model_class=keras.Sequential, outputs=1, **keywords):
    model = model_class(
        [
            keras.Input((6, 6, 2)),
            ki.InterpretableConv(3, 3, name="parts", fraction=1.0, **keywords),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(outputs, name="dense"),
        ]
    )
    model.compile("sgd", "mse")
    return model


def measure(model, images, labels=LABELS):
    callback = GradientRatio(images, labels)
    callback.set_model(model)
    callback.on_train_begin()
    return callback.ratio(model.get_layer("parts").interpretable_mask)


def mutual_information(maps, temperature):
    """Eq. (1) of each filter in plain NumPy and double precision."""
    _, height, width, _ = maps.shape
    templates = ki.losses.part_templates(height, width)
    scores = temperature * np.einsum("thw,bhwf->btf", templates, maps)
    likelihood = np.exp(scores) / np.exp(scores).sum(axis=0)
    ratio = likelihood / likelihood.mean(axis=1, keepdims=True)
    return (likelihood * np.log(ratio)).sum(axis=(0, 1)) / len(templates)


def slope_by_differences(function, at, step=1e-5):
    """Central differences, one entry after the other."""
    slope = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        shift = np.zeros_like(at)
        shift[index] = step
        slope[index] = (function(at + shift) - function(at - shift)) / (2 * step)
    return slope


def test_ratio_of_a_linear_head_in_closed_form(images):
    """With the loss `mean (w . m x + b - y)**2` the task's gradient is known."""
    model = make_model(filter_loss="exact", filter_loss_weight=5.0)
    layer = model.get_layer("parts")
    for _ in range(200):  # until the running mean peak is that of the pictures
        layer(images, training=True)
    maps = ops.convert_to_numpy(layer.feature_maps(images)).astype("float64")
    mask = np.divide(
        ops.convert_to_numpy(layer(images)), maps, out=0 * maps, where=maps > 0
    )
    weights = ops.convert_to_numpy(model.get_layer("dense").kernel).reshape(4, 4, 3)
    error = model.predict(images, verbose=0)[:, 0] - LABELS
    task = error[:, None, None, None] / 2 * weights * mask

    mean_peak = ops.convert_to_numpy(layer.interpretable_mask._statistics.peak_mean)
    pull = slope_by_differences(
        lambda x: -5.0 * mutual_information(x / mean_peak, 0.3).mean(), maps
    )
    firing = maps > 0
    expected = np.linalg.norm(pull[firing]) / np.linalg.norm(task[firing])
    np.testing.assert_allclose(measure(model, images), expected, rtol=1e-3)


def test_ratio_is_proportional_to_the_weight(images):
    ratios = []
    for weight in (0.1, 0.4):
        keras.utils.set_random_seed(0)
        model = make_model(filter_loss_weight=weight)
        model(images)
        ratios.append(measure(model, images))
    np.testing.assert_allclose(ratios[1], 4 * ratios[0], rtol=1e-4)


def test_log_and_warning_above_two(images):
    model = make_model(filter_loss_weight=1e4)
    with pytest.warns(UserWarning, match="'parts': the filter loss pulls .* times"):
        history = model.fit(
            images, LABELS, verbose=0, callbacks=[GradientRatio(images, LABELS)]
        )
    assert history.history["parts_gradient_ratio"][0] > 2


def test_no_warning_below(images):
    model = make_model(filter_loss_weight=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model.fit(
            images,
            LABELS,
            epochs=2,
            verbose=0,
            callbacks=[GradientRatio(images, LABELS)],
        )
    assert 0 < history.history["parts_gradient_ratio"][1] < 0.1


def test_measuring_changes_nothing(images):
    def train(callbacks):
        keras.utils.set_random_seed(2)
        model = make_model(
            ki.models.InterpretableSequential, filter_loss_weight=0.3, mask=True
        )
        model.compile("sgd", "mse", metrics=["mae"])
        history = model.fit(
            images,
            LABELS,
            epochs=3,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
            validation_data=(images, LABELS),
        ).history
        return model, history

    plain, history = train([])
    watched, watched_history = train([GradientRatio(images, LABELS, warn_above=1e9)])
    assert set(watched_history) - set(history) == {"parts_gradient_ratio"}
    for name, values in history.items():
        np.testing.assert_allclose(watched_history[name], values, rtol=1e-6)
    for one, other in zip(plain.variables, watched.variables, strict=True):
        if "seed_generator" not in one.path:
            np.testing.assert_array_equal(one, other)
    before = [ops.convert_to_numpy(v) for v in watched.variables]
    metrics = [ops.convert_to_numpy(v) for v in watched.metrics_variables]
    measure(watched, images)
    for variable, old in zip(watched.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), old)
    for variable, old in zip(watched.metrics_variables, metrics, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), old)
    assert watched.get_layer("parts").interpretable_mask.map_probe is None


@pytest.mark.parametrize("mode", ["approx", "authors", "running"])
def test_modes_that_need_labels(images, mode):
    model = make_model(ki.models.InterpretableSequential, filter_loss=mode)
    history = model.fit(
        images,
        LABELS,
        verbose=0,
        callbacks=[GradientRatio(images, LABELS, warn_above=1e9)],
    )
    assert np.isfinite(history.history["parts_gradient_ratio"]).all()


def test_a_task_without_gradient(images):
    model = make_model()
    model(images)
    model.get_layer("dense").kernel.assign(np.zeros((48, 1)))
    assert measure(model, images) == float("inf")


def test_model_with_two_outputs(images):
    inputs = keras.Input((6, 6, 2))
    maps = ki.InterpretableConv(3, name="parts", filter_loss="authors")(inputs)
    pooled = keras.layers.GlobalMaxPooling2D()(maps)
    heads = [keras.layers.Dense(1, name=name)(pooled) for name in ("a", "b")]
    model = ki.models.InterpretableModel(inputs, heads)
    model.category_output = "b"
    model.compile("sgd", ["mse", "mse"])
    callback = GradientRatio(images, [LABELS, LABELS], warn_above=1e9)
    history = model.fit(images, [LABELS, LABELS], verbose=0, callbacks=[callback])
    assert history.history["parts_gradient_ratio"][0] > 0


def test_a_model_without_filter_loss_is_refused(images):
    model = make_model(filter_loss=None)
    with pytest.raises(ValueError, match="no layer with a filter loss"):
        model.fit(images, LABELS, verbose=0, callbacks=[GradientRatio(images, LABELS)])


@pytest.mark.parametrize("labels", [LABELS[:2], LABELS[:0]])
def test_as_many_labels_as_images(images, labels):
    with pytest.raises(ValueError, match="as many labels as images"):
        GradientRatio(images, labels)
    with pytest.raises(ValueError, match="at least one"):
        GradientRatio(images[:0], LABELS[:0])

"""How an InterpretableConv behaves in training, beside a Conv2D."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

import keras_interp as ki
from keras_interp._backend import gradient
from keras_interp.losses import FILTER_LOSSES

Conv = ki.layers.InterpretableConv
Mask = ki.layers.InterpretableMask
LABELS = np.arange(8) % 2


@pytest.fixture
def images(rng):
    return rng.normal(size=(8, 8, 8, 3)).astype("float32")


def network(kind=keras.Sequential, **keywords):
    model = kind(
        [
            keras.Input((8, 8, 3)),
            Conv(4, 3, name="parts", **keywords),
            keras.layers.Flatten(),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("sgd", "binary_crossentropy")
    return model


def epoch(model):
    return float(model.get_layer("parts").epoch.numpy())


# Epochs ---------------------------------------------------------------------------


class Evaluates(keras.callbacks.Callback):
    """Evaluates after every batch, the last one of an epoch too."""

    def __init__(self, images):
        super().__init__()
        self.images = images

    def on_train_batch_end(self, batch, logs=None):
        self.model.evaluate(self.images[:4], LABELS[:4], verbose=0)


@pytest.mark.parametrize("kind", [keras.Sequential, ki.models.InterpretableSequential])
def test_evaluations_and_batches_are_no_epochs(kind, images):
    model = network(kind)
    model.fit(
        images,
        LABELS,
        batch_size=4,
        epochs=3,
        verbose=0,
        validation_data=(images, LABELS),
        callbacks=[Evaluates(images)],
    )
    assert epoch(model) == 3
    for _ in range(5):
        model.train_on_batch(images, LABELS)
        model.test_on_batch(images, LABELS)
    model.reset_metrics()
    assert epoch(model) == 3
    model.fit(images, LABELS, verbose=0)
    assert epoch(model) == 4


def test_a_loop_of_ones_own_says_where_an_epoch_begins(images):
    model = network(weight_schedule="inverse_epoch")
    layer = model.get_layer("parts")
    for number in (1, 2, 3):
        layer.begin_epoch()
        for _ in range(4):
            model.train_on_batch(images, LABELS)
        assert epoch(model) == number


def test_begin_epoch_needs_a_layer_that_is_built():
    with pytest.raises(ValueError, match="to be built.*Call the model on a batch"):
        Conv(4, name="parts").begin_epoch()


class Killed(Exception):
    pass


class Kill(keras.callbacks.Callback):
    def __init__(self, number):
        super().__init__()
        self.number = number
        self.epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.number:
            raise Killed


@pytest.mark.parametrize(
    "save_freq", ["epoch", pytest.param(1, marks=pytest.mark.slow)]
)
def test_a_fit_that_was_killed_within_an_epoch_counts_that_epoch_once(
    save_freq, images, tmp_path
):
    def fit(model, *callbacks):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq)
        model.fit(
            images,
            LABELS,
            batch_size=2,
            epochs=4,
            shuffle=False,
            verbose=0,
            callbacks=[backup, *callbacks],
        )

    # In the first epoch, twice in the third one, and in the last one.
    for number in ((0, 1), (2, 1), (2, 2), (3, 1)):
        keras.utils.set_random_seed(0)
        killed = network(weight_schedule="inverse_epoch")
        with pytest.raises(Killed):
            fit(killed, Kill(number))
        assert epoch(killed) == number[0] + 1
    keras.utils.set_random_seed(0)
    resumed = network(weight_schedule="inverse_epoch")
    fit(resumed)
    assert epoch(resumed) == 4
    if save_freq == "epoch":
        keras.utils.set_random_seed(0)
        whole = network(weight_schedule="inverse_epoch")
        whole.fit(images, LABELS, batch_size=2, epochs=4, shuffle=False, verbose=0)
        for one, other in zip(resumed.weights, whole.weights, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6, err_msg=one.path)


# The log --------------------------------------------------------------------------


@pytest.mark.parametrize("monitor", [True, "full"])
def test_batches_of_a_plain_model_return_what_a_conv2d_does(images, monitor):
    model = network(monitor=monitor)
    assert np.ndim(model.train_on_batch(images, LABELS)) == 0
    assert np.ndim(model.test_on_batch(images, LABELS)) == 0
    assert np.ndim(model.evaluate(images, LABELS, verbose=0)) == 0
    names = set(model.fit(images, LABELS, verbose=0).history)
    assert len(names) == {True: 2, "full": 5}[monitor]
    assert {"loss", "parts_filter_loss"} <= names


def test_the_logged_filter_loss_is_the_mean_over_the_batches(images):
    model = network(filter_loss_weight=0.5)
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy")
    log = model.fit(
        images, LABELS, batch_size=4, shuffle=False, verbose=0, epochs=2
    ).history
    task = model.evaluate(images, LABELS, verbose=0)
    added = np.array(log["loss"]) - task
    np.testing.assert_allclose(
        added, 0.5 * np.array(log["parts_filter_loss"]), rtol=1e-4
    )


def test_a_metric_takes_the_labels_that_a_step_of_ones_own_gives_it(images):
    model = network()
    (metric,) = model.get_layer("parts").metrics
    metric.update_state(LABELS, np.zeros(8))
    assert metric.result() == {"parts_filter_loss": {}}


# Like a Conv2D --------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_a_frozen_layer_stands_still(images, method):
    model = network()
    model.fit(images, LABELS, verbose=0)
    layer = model.get_layer("parts")
    layer.trainable = False
    model.compile("sgd", "binary_crossentropy")
    before = [w.numpy() for w in layer.weights if "log" not in w.path]
    getattr(model, method)(images, LABELS)
    model(images, training=True)
    assert model.losses == []
    after = [w.numpy() for w in layer.weights if "log" not in w.path]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_arguments_of_conv2d_go_by_position():
    arguments = (6, (3, 5), (1, 2), "same", "channels_last", 1, 3, "relu", False)
    ours, theirs = Conv(*arguments), keras.layers.Conv2D(*arguments)
    theirs = theirs.get_config()
    given = {k: v for k, v in ours.get_config().items() if k in theirs}
    assert {**given, "name": None} == {**theirs, "name": None}


@pytest.mark.slow
def test_eight_bits_leave_the_layer_as_it_is(images):
    model = network()
    before = model.predict(images, verbose=0)
    model.quantize("int8")
    assert model.layers[-1].dtype_policy.name.startswith("int8")
    after = model.predict(images, verbose=0)
    np.testing.assert_allclose(after, before, atol=0.05)


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_double_precision(mode, images):
    def loss(precision):
        keras.config.set_floatx(precision)
        keras.config.set_dtype_policy(precision)
        keras.utils.set_random_seed(0)
        model = network(ki.models.InterpretableSequential, filter_loss=mode)
        random = np.random.default_rng(0)
        for weight in model.trainable_weights:
            weight.assign(random.normal(size=weight.shape) * 0.2)
        return float(model.train_on_batch(images.astype(precision), LABELS))

    try:
        losses = [loss(precision) for precision in ("float64", "float32")]
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(*losses, atol=1e-5)


# Numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", FILTER_LOSSES)
@pytest.mark.parametrize("scale", ["peak", "paper"])
def test_very_strong_maps(mode, scale, rng):
    maps = (1e20 * rng.random((6, 5, 5, 2))).astype("float32")
    labels = np.array([0, 1, 2, 0, 1, 1])
    layer = Mask(fraction=1.0, filter_loss=mode, scale=scale, num_categories=3)
    for _ in range(3):
        layer(maps, training=True, labels=labels)
        assert np.isfinite(float(layer.losses[0]))
    slope = gradient(lambda x: layer.weighted_filter_loss(x, labels), maps)
    assert np.isfinite(slope).all()
    for variable in layer.variables:
        assert np.isfinite(variable.numpy()).all(), variable.path


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_a_map_that_is_no_number_leaves_the_others_their_gradient(mode, rng):
    maps = rng.random((6, 5, 5, 2)).astype("float32")
    labels = np.array([0, 1, 2, 0, 1, 1])
    layer = Mask(fraction=1.0, filter_loss=mode, num_categories=3)
    layer(maps, training=True, labels=labels)
    broken = maps.copy()
    broken[2, 1, 1] = np.nan
    slope = gradient(lambda x: layer.weighted_filter_loss(x, labels), broken)
    others = np.delete(slope, 2, axis=0)
    assert np.isfinite(others).all()
    assert np.abs(others).max() > 0
    if mode == "exact":
        rest, left = np.delete(maps, 2, axis=0), np.delete(labels, 2)
        alone = gradient(lambda x: layer.weighted_filter_loss(x, left), rest)
        np.testing.assert_allclose(others, alone, rtol=1e-3, atol=1e-7)


@settings(max_examples=25)
@given(
    images=st.integers(0, 3),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    filters=st.integers(1, 3),
    mode=st.sampled_from([None, "posterior", "exact", "authors"]),
    scale=st.sampled_from(["peak", "paper"]),
    dtype=st.sampled_from(["float16", "float32"]),
    value=st.sampled_from([0.0, 1.0, 6e4, np.nan]),
)
def test_every_shape_has_a_defined_result(
    images, height, width, filters, mode, scale, dtype, value
):
    random = np.random.default_rng(0)
    maps = random.random((images, height, width, filters)).astype(dtype)
    maps[:1, :1, :1] = value
    layer = Mask(
        fraction=1.0, filter_loss=mode, scale=scale, num_categories=2, dtype=dtype
    )
    masked = layer(maps, training=True, labels=np.zeros(images))
    assert tuple(masked.shape) == maps.shape
    clean = ~np.isnan(maps).any(axis=(0, 1, 2))
    for loss in layer.losses:
        assert ops.convert_to_numpy(loss).shape == ()
        assert np.isnan(float(loss)) <= (not clean.all())
    assert np.isfinite(ops.convert_to_numpy(masked)[..., clean]).all()
    found = ki.losses.filter_mutual_information(maps) if images else np.zeros(1)
    assert not np.isnan(ops.convert_to_numpy(found)[clean[: len(found)]]).any()

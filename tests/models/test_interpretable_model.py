import math
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki

Model = ki.models.InterpretableModel
LAYERS = keras.layers
FINDINGS = (
    "filter_loss",
    "mutual_information",
    "inter_category_entropy",
    "spatial_entropy",
)


@pytest.fixture
def images(rng):
    return rng.random((12, 8, 8, 3), dtype="float32")


def parts_of(inputs, **keywords):
    maps = ki.InterpretableConv(4, 3, name="parts", **keywords)(inputs)
    return LAYERS.GlobalMaxPooling2D()(maps)


def make_model(width=3, activation="softmax", loss=None, metrics=None, **keywords):
    inputs = keras.Input((8, 8, 3))
    keywords.setdefault("filter_loss", "authors")
    outputs = LAYERS.Dense(width, activation=activation)(parts_of(inputs, **keywords))
    model = Model(inputs, outputs)
    model.compile("sgd", loss or "sparse_categorical_crossentropy", metrics=metrics)
    return model


INDICES = np.arange(12) % 3
SEVERAL_HOT = np.stack([INDICES == 0, INDICES > 0, INDICES == 2], axis=1)


@pytest.mark.parametrize(
    ("width", "activation", "loss", "labels"),
    [
        (1, "sigmoid", "binary_crossentropy", INDICES == 0),
        (1, "sigmoid", "binary_crossentropy", (INDICES == 0)[:, None].astype(int)),
        (1, None, "hinge", np.where(INDICES == 0, 1.0, -1.0)),
        (3, "softmax", "sparse_categorical_crossentropy", INDICES),
        (3, "softmax", "sparse_categorical_crossentropy", INDICES[:, None]),
        (3, "softmax", "categorical_crossentropy", np.eye(3)[INDICES]),
        (3, "sigmoid", "binary_crossentropy", SEVERAL_HOT.astype(int)),
        (3, None, "hinge", np.where(SEVERAL_HOT, 1, -1)),
    ],
)
def test_labels_of_every_kind_choose_the_targets(
    images, width, activation, loss, labels
):
    model = make_model(width, activation, loss)
    layer = model.get_layer("parts")
    maps = ops.convert_to_numpy(layer.feature_maps(images))[..., :2]
    model.fit(images, labels, verbose=0, batch_size=12, shuffle=False)
    assert layer.interpretable_mask.num_categories == width
    # The first batch alone: the category whose images activate a filter most.
    activations = maps.sum(axis=(1, 2))
    if width == 1:
        expected = [0, 0]
    else:
        shown = labels > 0 if labels.shape == (12, 3) else np.eye(3)[labels.ravel()] > 0
        expected = [
            np.argmax([column[shown[:, c]].mean() for c in range(3)])
            for column in activations.T
        ]
    np.testing.assert_array_equal(layer.filter_categories, expected)
    share = model.get_layer("parts").interpretable_mask._statistics
    positive = labels > 0 if width == 1 else shown
    np.testing.assert_allclose(
        ops.convert_to_numpy(share.category_share),
        np.reshape(positive, (12, width)).mean(axis=0),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    ("monitor", "findings"), [(False, ()), (True, FINDINGS[:1]), ("full", FINDINGS)]
)
def test_log_of_a_layer_and_its_validation_twins(images, monitor, findings):
    model = make_model(metrics=["accuracy"], monitor=monitor)
    history = model.fit(
        images, INDICES, epochs=2, verbose=0, validation_data=(images, INDICES)
    ).history
    names = {"loss", "accuracy", *(f"parts_{name}" for name in findings)}
    assert set(history) == names | {f"val_{name}" for name in names}
    evaluated = model.evaluate(images, INDICES, verbose=0, return_dict=True)
    assert set(evaluated) == names
    on_batch = model.train_on_batch(images, INDICES, return_dict=True)
    assert set(on_batch) == names


def test_entropies_of_the_log_satisfy_equation_5(images):
    model = make_model(monitor="full")
    history = model.fit(images, INDICES, epochs=2, verbose=0).history
    information, inter_category, spatial = (
        np.array(history[f"parts_{name}"]) for name in FINDINGS[1:]
    )
    # Maps of 6x6 cells: 36 positive templates and the negative one.
    np.testing.assert_allclose(
        information, math.log(37) - inter_category - spatial, atol=1e-5
    )
    assert (inter_category >= 0).all()
    assert (inter_category <= math.log(2)).all()
    assert (spatial >= 0).all()
    assert (spatial <= math.log(36)).all()


@pytest.mark.parametrize("mode", ["posterior", "exact", "running", "approx", "authors"])
def test_filter_loss_of_the_log_is_what_is_added_to_the_task(images, mode):
    model = make_model(filter_loss=mode, filter_loss_weight=0.5)
    task = model.evaluate(images, INDICES, verbose=0, return_dict=True)["loss"]
    model.reset_metrics()
    log = model.train_on_batch(images, INDICES, return_dict=True)
    np.testing.assert_allclose(
        log["loss"], task + 0.5 * log["parts_filter_loss"], rtol=1e-5
    )
    assert log["parts_filter_loss"] != 0


def test_labels_make_a_difference(images):
    model = make_model(filter_loss="posterior", filter_loss_weight=10.0)
    start = model.get_weights()
    kernels = []
    for labels in (INDICES, (INDICES + 1) % 3):
        model.set_weights(start)
        model.train_on_batch(images, labels)
        kernels.append(ops.convert_to_numpy(model.get_layer("parts").kernel))
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-4


def test_several_layers_report_each(images):
    inputs = keras.Input((8, 8, 3))
    maps = ki.InterpretableConv(4, 3, name="low")(inputs)
    maps = ki.InterpretableConv(4, 3, name="high")(maps)
    outputs = LAYERS.Dense(3, activation="softmax")(LAYERS.GlobalMaxPooling2D()(maps))
    model = Model(inputs, outputs)
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(images, INDICES, verbose=0).history
    assert set(history) == {"loss", "low_filter_loss", "high_filter_loss"}


def make_two_outputs(**keywords):
    inputs = keras.Input((8, 8, 3))
    pooled = parts_of(inputs, **keywords)
    outputs = {
        "kind": LAYERS.Dense(3, activation="softmax", name="kind")(pooled),
        "size": LAYERS.Dense(1, name="size")(pooled),
    }
    return Model(inputs, outputs)


TWO_LOSSES = {"kind": "sparse_categorical_crossentropy", "size": "mse"}
TWO_LABELS = {"kind": INDICES, "size": np.linspace(0, 1, 12)}


@pytest.mark.parametrize("output", ["kind", 0])
def test_category_output_of_several(images, output, tmp_path):
    model = make_two_outputs(filter_loss="authors")
    model.category_output = output
    model.compile("sgd", TWO_LOSSES)
    model.fit(images, TWO_LABELS, verbose=0)
    layer = model.get_layer("parts")
    assert layer.interpretable_mask.num_categories == 3
    assert layer.filter_categories.min() >= 0
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.category_output == output
    loaded.fit(images, TWO_LABELS, verbose=0)


def test_several_outputs_and_no_word_which_holds_the_categories(images):
    model = make_two_outputs(filter_loss="authors")
    model.compile("sgd", TWO_LOSSES)
    with pytest.raises(ValueError, match=r"2 outputs.*kind.*size.*category_output"):
        model.fit(images, TWO_LABELS, verbose=0)
    # A mode that can do without labels does without.
    model = make_two_outputs(filter_loss="posterior")
    model.compile("sgd", TWO_LOSSES)
    model.fit(images, TWO_LABELS, verbose=0)
    assert model.get_layer("parts").filter_categories.tolist() == [-1, -1]


@pytest.mark.parametrize("output", ["shape", 2, -1])
def test_an_output_that_is_not_there(output):
    with pytest.raises(ValueError, match="Received: category_output="):
        make_two_outputs().category_output = output


@pytest.mark.parametrize("mode", ["posterior", "running", "authors"])
def test_resumed_training_is_as_if_it_had_not_been_interrupted(images, tmp_path, mode):
    def start():
        keras.utils.set_random_seed(5)
        return make_model(filter_loss=mode, weight_schedule="inverse_epoch")

    def fit(model, epochs):
        model.fit(
            images,
            INDICES,
            epochs=epochs,
            batch_size=4,
            shuffle=False,
            verbose=0,
            validation_data=(images, INDICES) if mode == "running" else None,
        )

    whole = start()
    fit(whole, 4)
    first = start()
    fit(first, 2)
    first.save(tmp_path / "half.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = keras.models.load_model(tmp_path / "half.keras")
    assert type(second).__name__ == "InterpretableModel"
    assert isinstance(second, Model)
    assert second.compiled
    fit(second, 2)
    epochs = [
        float(model.get_layer("parts").interpretable_mask.epoch)
        for model in (whole, second)
    ]
    assert epochs == [4, 4]
    for one, other in zip(whole.weights, second.weights, strict=True):
        # How many epochs there were before this `fit`.
        if one.name != "epochs_before":
            one, other = map(ops.convert_to_numpy, (one, other))
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_weights_go_from_a_plain_model_to_one_with_categories_and_back(
    images, tmp_path
):
    def plain():
        inputs = keras.Input((8, 8, 3))
        pooled = parts_of(inputs)
        return keras.Model(inputs, LAYERS.Dense(3, activation="softmax")(pooled))

    trained = make_model(filter_loss="posterior")
    trained.fit(images, INDICES, verbose=0)
    trained.save_weights(tmp_path / "with.weights.h5")
    model = plain()
    model.load_weights(tmp_path / "with.weights.h5")
    np.testing.assert_array_equal(
        model.get_layer("parts").filter_categories,
        trained.get_layer("parts").filter_categories,
    )
    plain().save_weights(tmp_path / "without.weights.h5")
    fresh = make_model(filter_loss="posterior")
    fresh.load_weights(tmp_path / "without.weights.h5")
    assert fresh.get_layer("parts").filter_categories.tolist() == [-1, -1]


def test_state_of_another_number_of_categories_is_refused(images, tmp_path):
    trained = make_model(filter_loss="posterior")
    trained.fit(images, INDICES, verbose=0)
    trained.save_weights(tmp_path / "three.weights.h5")
    with pytest.raises(ValueError):
        make_model(5, filter_loss="posterior").load_weights(
            tmp_path / "three.weights.h5"
        )


def test_tf_data_sample_weights_and_class_weights(images):
    tf = pytest.importorskip("tensorflow")
    weights = np.linspace(0.5, 1.5, 12)
    batches = tf.data.Dataset.from_tensor_slices((images, INDICES, weights)).batch(5)
    model = make_model()
    assert np.isfinite(model.fit(batches, epochs=2, verbose=0).history["loss"]).all()
    model.fit(images, INDICES, sample_weight=weights, verbose=0)
    model.fit(images, INDICES, class_weight={0: 1, 1: 2, 2: 0}, verbose=0)
    assert model.get_layer("parts").filter_categories.min() >= 0


def test_a_custom_training_loop_hands_labels_to_the_layer(images):
    inputs = keras.Input((8, 8, 3))
    layer = ki.InterpretableConv(4, 3, filter_loss="authors", num_categories=3)
    layer(inputs)
    layer(images, training=True, labels=INDICES)
    assert len(layer.losses) == 1
    assert layer.filter_categories.min() >= 0
    with ki.layers._labels.label_scope(INDICES):
        layer(images, training=True)
    assert len(layer.losses) == 1


class Subclassed(Model):
    """A model written as a class, which has to name its number of categories."""

    def __init__(self, filters=4, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv = ki.InterpretableConv(
            filters, 3, filter_loss="authors", num_categories=3, name="parts"
        )
        self.pool = LAYERS.GlobalMaxPooling2D()
        self.dense = LAYERS.Dense(3, activation="softmax")

    def call(self, inputs, training=None):
        return self.dense(self.pool(self.conv(inputs, training=training)))

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


def test_subclassed_model(images, tmp_path):
    # A functional model made before must not get into the way.
    make_model()
    model = Subclassed(filters=6)
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(images, INDICES, epochs=2, verbose=0).history
    assert set(history) == {"loss", "parts_filter_loss"}
    assert model.conv.filter_categories.min() >= 0
    assert float(model.conv.interpretable_mask.epoch) == 2
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(
        tmp_path / "model.keras", custom_objects={"Subclassed": Subclassed}
    )
    np.testing.assert_allclose(
        model.predict(images, verbose=0), loaded.predict(images, verbose=0), rtol=1e-6
    )


def test_a_subclass_used_as_a_functional_model(images):
    class WithOwnStep(Model):
        steps_seen = 0

        def train_step(self, *args):
            WithOwnStep.steps_seen += 1
            return super().train_step(*args)

    inputs = keras.Input((8, 8, 3))
    outputs = LAYERS.Dense(3)(parts_of(inputs, filter_loss="authors"))
    model = WithOwnStep(inputs=inputs, outputs=outputs)
    assert isinstance(model, WithOwnStep)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    model.fit(images, INDICES, verbose=0)
    assert WithOwnStep.steps_seen > 0
    assert model.get_layer("parts").filter_categories.min() >= 0
    Subclassed()


def test_clone(images):
    model = make_model()
    clone = keras.models.clone_model(model)
    assert isinstance(clone, Model)
    clone.compile("sgd", "sparse_categorical_crossentropy")
    clone.fit(images, INDICES, verbose=0)
    assert clone.get_layer("parts").filter_categories.min() >= 0
    assert model.get_layer("parts").filter_categories.tolist() == [-1, -1]


def test_layer_inside_nested_models(images):
    inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), ki.InterpretableConv(4, name="parts")]
    )
    pooled = LAYERS.GlobalMaxPooling2D()(inner(inputs))
    model = Model(inputs, LAYERS.Dense(3, activation="softmax")(pooled))
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(images, INDICES, epochs=2, verbose=0).history
    layer = inner.get_layer("parts")
    assert "parts_filter_loss" in history
    assert float(layer.interpretable_mask.epoch) == 2
    assert layer.filter_categories.min() >= 0


def test_a_model_without_interpretable_layers_is_an_ordinary_one(images):
    inputs = keras.Input((8, 8, 3))
    model = Model(inputs, LAYERS.Dense(3)(LAYERS.Flatten()(inputs)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True))
    assert set(model.fit(images, INDICES, verbose=0).history) == {"loss"}


def test_labels_of_the_wrong_width_are_refused(images):
    model = make_model(3, "sigmoid", "mse")
    with pytest.raises(ValueError, match="num_categories=3.*Received: shape="):
        model.train_on_batch(images, np.zeros((12, 2)))

import warnings

import keras
import numpy as np
import pytest

import keras_interp as ki

Sequential = ki.models.InterpretableSequential
LABELS = np.arange(12) % 3


@pytest.fixture
def images(rng):
    return rng.random((12, 8, 8, 3), dtype="float32")


def layers(**keywords):
    keywords.setdefault("filter_loss", "authors")
    return [
        ki.InterpretableConv(4, 3, name="parts", **keywords),
        keras.layers.GlobalMaxPooling2D(),
        keras.layers.Dense(3, activation="softmax"),
    ]


def compiled(model):
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def check_trained(model, images):
    history = model.fit(images, LABELS, epochs=2, verbose=0).history
    layer = model.get_layer("parts")
    assert layer.interpretable_mask.num_categories == 3
    assert layer.filter_categories.min() >= 0
    assert float(layer.interpretable_mask.epoch) == 2
    assert "parts_filter_loss" in history


def test_layers_in_a_list(images):
    check_trained(compiled(Sequential([keras.Input((8, 8, 3)), *layers()])), images)


def test_layers_one_by_one(images):
    model = Sequential()
    model.add(keras.Input((8, 8, 3)))
    for layer in layers():
        model.add(layer)
    check_trained(compiled(model), images)


def test_input_size_known_with_the_first_batch(images):
    check_trained(compiled(Sequential(layers())), images)


def test_layers_added_to_a_built_model(images):
    first, *rest = layers()
    model = Sequential([keras.Input((8, 8, 3)), first])
    for layer in rest:
        model.add(layer)
    check_trained(compiled(model), images)


def test_saved_compiled_and_loaded_without_a_warning(images, tmp_path):
    model = compiled(Sequential([keras.Input((8, 8, 3)), *layers()]))
    model.fit(images, LABELS, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, Sequential)
    assert loaded.compiled
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    loaded.fit(images, LABELS, verbose=0)
    assert float(loaded.get_layer("parts").interpretable_mask.epoch) == 3


def test_saved_before_it_is_compiled(images, tmp_path):
    model = Sequential([keras.Input((8, 8, 3)), *layers()])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    check_trained(compiled(loaded), images)


def test_weights_cross_the_border_of_compile(images, tmp_path):
    def fresh():
        return Sequential([keras.Input((8, 8, 3)), *layers()])

    fresh().save_weights(tmp_path / "fresh.weights.h5")
    model = compiled(fresh())
    model.load_weights(tmp_path / "fresh.weights.h5")
    model.fit(images, LABELS, verbose=0)
    categories = model.get_layer("parts").filter_categories
    model.save_weights(tmp_path / "trained.weights.h5")
    other = fresh()
    other.load_weights(tmp_path / "trained.weights.h5")
    np.testing.assert_array_equal(
        other.get_layer("parts").filter_categories, categories
    )
    compiled(other).fit(images, LABELS, verbose=0)


def test_one_category(images):
    model = Sequential(
        [
            keras.Input((8, 8, 3)),
            *layers(filter_loss="posterior")[:2],
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("sgd", "binary_crossentropy")
    model.fit(images, LABELS == 0, verbose=0, validation_split=0.25)
    assert model.get_layer("parts").filter_categories.tolist() == [0, 0]


def test_evaluate_before_any_training(images):
    model = compiled(Sequential([keras.Input((8, 8, 3)), *layers()]))
    result = model.evaluate(images, LABELS, verbose=0, return_dict=True)
    assert np.isfinite(list(result.values())).all()
    assert float(model.get_layer("parts").interpretable_mask.epoch) == 1
    assert model.get_layer("parts").filter_categories.tolist() == [-1, -1]


def test_evaluate_gives_the_list_of_a_plain_model(images):
    labels = (LABELS > 0).astype("float32")
    layers = [
        keras.Input(images.shape[1:]),
        ki.InterpretableConv(4, 3, name="part"),
        keras.layers.GlobalMaxPooling2D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
    plain = keras.Sequential(layers)
    model = ki.models.InterpretableSequential(layers)
    for each in (plain, model):
        each.compile("adam", "binary_crossentropy", metrics=["accuracy", "AUC"])
    expected = plain.evaluate(images, labels, verbose=0)
    np.testing.assert_allclose(model.evaluate(images, labels, verbose=0), expected)
    without_metrics = ki.models.InterpretableSequential(layers)
    without_metrics.compile("adam", "binary_crossentropy")
    assert isinstance(without_metrics.evaluate(images, labels, verbose=0), float)


@pytest.mark.parametrize(
    ("width", "loss", "labels", "message"),
    [
        (1, "mse", np.linspace(0, 1, 12), "labels from 0"),
        (1, "mse", np.linspace(-3, 3, 12), "labels from 0"),
        (
            3,
            "sparse_categorical_crossentropy",
            LABELS + 0.5,
            "whole numbers from 0 to 2",
        ),
        (3, "sparse_categorical_crossentropy", LABELS + 1, "whole numbers from 0 to 2"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "train_on_batch", "evaluate"])
def test_targets_of_a_regression_are_no_categories(
    images, width, loss, labels, message, method
):
    model = Sequential(
        [
            keras.Input((8, 8, 3)),
            *layers(filter_loss="posterior")[:2],
            keras.layers.Dense(width),
        ]
    )
    model.compile("sgd", loss)
    with pytest.raises(ValueError, match=f"{message}.*keras.Sequential"):
        getattr(model, method)(images, labels)


def test_smoothed_and_mixed_labels_are_categories(images):
    model = Sequential(
        [
            keras.Input((8, 8, 3)),
            *layers(filter_loss="posterior")[:2],
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("sgd", "binary_crossentropy")
    assert np.isfinite(model.train_on_batch(images, np.linspace(0, 1, 12)))

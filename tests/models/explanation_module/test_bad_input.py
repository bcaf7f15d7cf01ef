"""What cannot be explained is refused in words, before anything is computed."""

import keras
import numpy as np
import pytest

import keras_interp as ki


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"class_index": 4}, "class_index from 0 to 3"),
        ({"class_index": -1}, "class_index from 0"),
        ({"class_index": [1, 1]}, "list of different ones"),
        ({"class_index": []}, "list of different ones"),
        ({"class_index": 1.5}, "an integer"),
        ({"class_index": None}, "an integer"),
        ({"layer_name": "fc7"}, "fc7"),
        ({"layer_name": 6}, "name of a layer"),
        ({"reconstruction": "l1"}, "reconstruction"),
        ({"reconstruction_weight": -1.0}, "reconstruction_weight"),
        ({"sparsity": 0.0}, "sparsity"),
        ({"pull_away": float("nan")}, "pull_away"),
        ({"pull_away_over": "x"}, "pull_away_over"),
        ({"pretraining": "greedy"}, "pretraining"),
        ({"pretraining_epochs": -1}, "pretraining_epochs"),
        ({"rounds": 0}, "rounds"),
        ({"num_features": 0}, "num_features"),
        ({"standardize": 1}, "standardize"),
        ({"negative_activations": None}, "negative_activations"),
    ],
)
def test_arguments(make, arguments, words):
    with pytest.raises(ValueError, match=words):
        make(**arguments)


def test_a_network_that_is_none():
    with pytest.raises(ValueError, match="Keras model"):
        ki.models.ExplanationModule("network", "fc6")


def test_a_module_that_was_not_compiled(network, images):
    module = ki.models.ExplanationModule(network, "fc6", 1, hidden_units=(4,))
    with pytest.raises(ValueError, match="compile"):
        module.fit(images)
    with pytest.raises(ValueError, match="no loss"):
        module.compile(loss="mse")


def test_a_layer_with_negative_numbers(make, images):
    module = make(layer_name="linear")
    with pytest.raises(ValueError, match="'linear', with values down to -"):
        module.fit(images, epochs=1, verbose=0)
    module = make(layer_name="linear", negative_activations="shift")
    module.fit(images, epochs=1, verbose=0)
    features, _ = module.features(images)
    scaled = keras.ops.convert_to_numpy(module.scaled(features))
    lowest = features.min(axis=0)
    assert (lowest < 0).any()
    # Nothing is cut off, and the least of what was negative is 0.
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, rtol=1e-3)
    np.testing.assert_allclose(scaled.min(axis=0)[lowest < 0], 0.0, atol=1e-6)


def test_too_few_images(make, images):
    module = make()
    with pytest.raises(ValueError, match="at least two images"):
        module.fit(images[:1], epochs=1, verbose=0)
    with pytest.raises(ValueError, match="the same in all 3 images"):
        module.fit(np.repeat(images[:1], 3, axis=0), epochs=1, verbose=0)


@pytest.mark.parametrize("batch_size", [1, 100])
def test_batches_of_one_and_fewer_images_than_a_batch(make, images, batch_size):
    module = make(pull_away=5.0, pull_away_over="images")
    history = module.fit(images[:5], epochs=1, batch_size=batch_size, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_one_positive_image_alone(make, images):
    module = make()
    features, logits = module.features(images)
    logits = np.where(np.arange(len(logits)) == 3, 10.0, 0.0)
    module.fit_features(features, logits, epochs=1, verbose=0)
    assert np.isfinite(module.predict(images)).all()


def test_numbers_that_do_not_go_together(make, images):
    module = make(class_index=[0, 1])
    features, logits = module.features(images)
    for wrong in (
        (features, logits[:, 0]),
        (features[:, 1:], logits),
        (features[1:], logits),
        (features * np.nan, logits),
        (features, logits * np.inf),
        (-features, logits),
    ):
        with pytest.raises(ValueError, match="Expected .*Received"):
            module.fit_features(*wrong, epochs=1, verbose=0)
    with pytest.raises(ValueError, match="logits beside features"):
        module.faithfulness(features)
    with pytest.raises(ValueError, match="one of the module's classes"):
        module.explain(images[:1])
    with pytest.raises(ValueError, match="Expected at least one image"):
        module.features(iter([]))


def test_a_set_that_never_ends(make, images):
    tf = pytest.importorskip("tensorflow")
    batches = tf.data.Dataset.from_tensor_slices(images).batch(8)
    module = make()
    with pytest.raises(ValueError, match="leave out its repeat"):
        module.features(batches.repeat())
    np.testing.assert_allclose(
        module.features(batches)[0], module.features(images)[0], atol=1e-6
    )

"""Maps of x-features and of single units, by excitation backpropagation."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_interp as ki
from keras_interp.attribution.excitation._x_features import _significant


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(5)
    relu = {"activation": "relu"}
    inputs = keras.Input((10, 10, 2))
    maps = keras.layers.Conv2D(6, 3, name="conv1", **relu)(inputs)
    maps = keras.layers.MaxPooling2D(name="pool1")(maps)
    branch = keras.layers.Conv2D(6, 1, name="branch", **relu)(maps)
    maps = keras.layers.Add(name="sum")([maps, branch])
    units = keras.layers.Flatten()(maps)
    units = keras.layers.Dense(14, name="fc6", **relu)(units)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(units))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(6).random((5, 10, 10, 2)).astype("float32")


@pytest.fixture(scope="module")
def module(network):
    """Not trained, on features as they are."""
    keras.utils.set_random_seed(7)
    return ki.models.ExplanationModule(
        network, "fc6", [2, 0], num_features=4, hidden_units=(8, 6), standardize=False
    )


@pytest.fixture(scope="module")
def chain(network, module):
    """Network and encoder of the second module as one model of plain layers."""
    values = network.get_layer("fc6").output
    block = module.srae
    for kernel, bias in zip(block.encoder_kernels, block.encoder_biases, strict=True):
        kernel, bias = (keras.ops.convert_to_numpy(w)[1] for w in (kernel, bias))
        layer = keras.layers.Dense(kernel.shape[1], activation="relu")
        values = layer(values)
        layer.set_weights([kernel, bias[0]])
    return keras.Model(network.inputs, values)


@pytest.mark.parametrize("layer_name", ["pool1", "branch", "conv1"])
@pytest.mark.parametrize("contrastive", [True, False])
def test_they_are_those_of_the_whole_chain(
    module, chain, images, layer_name, contrastive
):
    found = module.explain(
        images, layer_name, class_index=0, contrastive=contrastive, batch_size=8
    )
    method = ki.attribution.excitation_backprop
    if contrastive:
        method = ki.attribution.contrastive_excitation_backprop
    assert (found.x_features > 0).any()
    for feature in range(4):
        expected = method(chain, images, feature, layer_name=layer_name, resize=False)
        fires = found.x_features[:, feature] > 0
        np.testing.assert_allclose(
            found.maps[fires, feature], expected[fires], atol=1e-5
        )
        assert (found.maps[~fires, feature] == 0).all()


def test_literal_values():
    """x = (1, 2, 3) through two dense layers; the numbers are worked out by hand."""
    inputs = keras.Input((1, 3, 1))
    held = keras.layers.ReLU(name="held")(inputs)
    units = keras.layers.Flatten(name="units")(held)
    network = keras.Model(inputs, keras.layers.Dense(1)(units))
    module = ki.models.ExplanationModule(
        network, "units", 0, num_features=2, hidden_units=(2,), initialization="paper"
    )
    first, second = module.srae.encoder_kernels
    first.assign(np.array([[[1.0, -1.0], [2.0, 1.0], [-1.0, 3.0]]]))
    second.assign(np.array([[[1.0, -2.0], [2.0, 1.0]]]))
    image = np.array([1.0, 2.0, 3.0], "float32").reshape(1, 1, 3, 1)
    plain = module.explain(image, "held", contrastive=False)
    np.testing.assert_allclose(plain.x_features, [[22.0, 6.0]], rtol=1e-6)
    expected = [0.0181818182, 0.2380165289, 0.7438016529]
    np.testing.assert_allclose(plain.maps[0, 0, 0], expected, rtol=1e-5)
    contrast = module.explain(image, "held")
    np.testing.assert_allclose(
        contrast.maps[0, 1, 0], [0.0, 0.0, 0.8181818182], atol=1e-6
    )


def test_the_rest_of_the_result(module, images):
    found = module.explain(images, class_index=0)
    features, logits = module.features(images)
    np.testing.assert_allclose(found.logits, logits[:, 1], atol=1e-6)
    np.testing.assert_allclose(found.weights, module.contributions(images)[:, 1])
    np.testing.assert_allclose(found.approximated, module.predict(images)[:, 1])
    assert (found.class_index, found.maps.shape[:2]) == (0, (5, 4))
    large = module.explain(images, class_index=0, resize=True)
    assert large.maps.shape == (5, 4, 10, 10)
    assert all(f.name in found.__dict__ for f in dataclasses.fields(found))


def test_units_are_those_of_a_model_that_ends_in_them(network, images):
    cut = keras.Model(network.inputs, network.get_layer("fc6").output)
    values = cut.predict(images, verbose=0)
    units = [13, 0, 4]
    found = ki.attribution.unit_maps(network, images, "fc6", units, layer_name="pool1")
    for place, unit in enumerate(units):
        expected = ki.attribution.excitation_backprop(
            cut, images, unit, layer_name="pool1", resize=False
        )
        fires = values[:, unit] > 0
        np.testing.assert_allclose(found[fires, place], expected[fires], atol=1e-5)
        assert (found[~fires, place] == 0).all()
    every = ki.attribution.unit_maps(network, images, "fc6", layer_name="pool1")
    assert every.shape == (5, 14, 4, 4)
    np.testing.assert_allclose(every[:, units], found, atol=1e-6)


def test_significant_x_features_make_nine_tenths():
    weights = np.array(
        [
            [5.0, 4.0, 0.5, -9.0],  # 9 of 9.5 are enough
            [1.0, 1.0, 1.0, 1.0],  # three are not
            [-1.0, 0.0, -2.0, 0.0],  # none speaks for it
            [0.0, 9.0, 1.0, 0.0],  # just nine tenths
        ]
    )
    expected = [
        [True, True, False, False],
        [True, True, True, True],
        [False, False, False, False],
        [False, True, False, False],
    ]
    np.testing.assert_array_equal(_significant(weights), expected)


def test_a_layer_that_hands_on_the_image_has_no_negative_numbers(images):
    inputs = keras.Input((10, 10, 2))
    same = keras.layers.Identity(name="same")(inputs)
    units = keras.layers.Conv2D(3, 10, activation="relu")(same)
    units = keras.layers.Flatten(name="units")(units)
    network = keras.Model(inputs, keras.layers.Dense(2)(units))
    module = ki.models.ExplanationModule(network, "units", 1, hidden_units=(4,))
    assert module.explain(images, "same").maps.shape == (5, 5, 10, 10)
    with pytest.raises(ValueError, match="negative numbers"):
        module.explain(images - 0.5, "same")


def test_what_cannot_be_drawn_is_refused(module, network, images):
    with pytest.raises(ValueError, match="below layer 'fc6'"):
        module.explain(images, "fc6", class_index=0)
    with pytest.raises(ValueError, match="one of the module's classes"):
        module.explain(images, class_index=1)
    for units in ([14], [-1], [], [0.5]):
        with pytest.raises(ValueError, match="Expected units from 0 to 13"):
            ki.attribution.unit_maps(network, images, "fc6", units)

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki
from keras_interp._backend import gradient
from keras_interp.layers.track_mixture import BalancedMask
from keras_interp.losses import FILTER_LOSSES

LABELS = np.array([0, 1, 2, 0, 1, 1])


def values_of(layer):
    return [ops.convert_to_numpy(variable) for variable in layer.variables]


def test_no_filter_loss_until_a_weight_is_set(maps, loss_of):
    layer = BalancedMask(filter_loss_weight=5.0)
    assert loss_of(layer, maps) == 0.0
    assert float(layer.balance) == 0.0
    layer.balance.assign(0.25)
    assert loss_of(layer, maps) > 0.0


@pytest.mark.parametrize("mode", FILTER_LOSSES)
@pytest.mark.parametrize("scale", ["peak", "paper"])
def test_the_weight_is_the_only_one(mode, scale, maps, loss_of):
    """Not the mode's, not the schedule's, not the activation's."""
    keywords = {"filter_loss": mode, "scale": scale, "num_categories": 3}
    layer = BalancedMask(filter_loss_weight=5.0, **keywords)
    layer.build(maps.shape)
    layer.epoch.assign(7.0)
    layer.balance.assign(0.25)
    plain = ki.layers.InterpretableMask(filter_loss_weight=1.0, **keywords)
    expected = loss_of(plain, maps, LABELS)
    if plain.scale == "paper" and plain._loss_of_maps.follows_activation:
        expected /= ops.convert_to_numpy(plain._statistics.peak_mean).mean()
    np.testing.assert_allclose(loss_of(layer, maps, LABELS), 0.25 * expected, rtol=1e-5)


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_plain_filter_loss(mode, maps):
    layer = BalancedMask(fraction=0.5, filter_loss=mode, num_categories=3)
    layer(maps, training=True, labels=LABELS)
    layer.balance.assign(0.25)
    before = values_of(layer)
    maps = maps[..., :2]
    plain = float(layer.plain_filter_loss(maps, LABELS))
    weighted = float(layer.weighted_filter_loss(maps, LABELS))
    assert plain != 0.0
    np.testing.assert_allclose(weighted, 0.25 * plain, rtol=1e-6)
    slopes = [
        gradient(lambda x, loss=loss: loss(x, LABELS), maps)
        for loss in (layer.plain_filter_loss, layer.weighted_filter_loss)
    ]
    assert np.abs(slopes[0]).max() > 0
    np.testing.assert_allclose(slopes[1], 0.25 * slopes[0], rtol=1e-5, atol=1e-9)
    # No weight, none of its changes: a measurement leaves everything as it was.
    for value, old in zip(values_of(layer), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_maps_are_masked_like_those_of_an_interpretable_mask(maps):
    np.testing.assert_array_equal(
        BalancedMask(beta=2.0)(maps), ki.layers.InterpretableMask(beta=2.0)(maps)
    )


@pytest.mark.parametrize(
    ("arguments", "states"),
    [({}, 11), ({"filter_loss": "exact", "mask": False, "num_categories": 3}, 14)],
)
def test_keras_layer_checks(arguments, states):
    TestCase().run_layer_test(
        BalancedMask,
        init_kwargs=arguments,
        input_shape=(2, 5, 6, 4),
        expected_output_shape=(2, 5, 6, 4),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=states,
        expected_num_losses=0,
    )


def test_saved_and_reloaded(maps, reloaded):
    inputs = keras.Input(maps.shape[1:])
    model = keras.Model(inputs, BalancedMask(beta=2.0, name="parts")(inputs))
    model.get_layer("parts").balance.assign(0.25)
    model(maps, training=True)
    again = reloaded(model)
    layer = again.get_layer("parts")
    assert type(layer) is BalancedMask
    assert (layer.beta, float(layer.balance)) == (2.0, 0.25)
    np.testing.assert_array_equal(again(maps), model(maps))


def test_the_weight_is_single_precision(maps):
    layer = BalancedMask(dtype="mixed_bfloat16")
    layer(maps, training=True)
    assert keras.backend.standardize_dtype(layer.balance.dtype) == "float32"
    assert keras.backend.standardize_dtype(layer.losses[0].dtype) == "float32"


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="`filter_loss` to be one of.*'best'"):
        BalancedMask(filter_loss="best")

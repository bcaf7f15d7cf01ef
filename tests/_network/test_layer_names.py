"""Names of layers in nested models."""

from __future__ import annotations

import keras
import pytest

from keras_interp._network.layer_names import find_layer, layer_places, match_path


def nested():
    inner = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, name="conv")], name="inner"
    )
    layers = [keras.Input((4, 4, 1)), inner, keras.layers.Flatten(name="flat")]
    return keras.Sequential(layers, name="outer")


def test_paths_enter_nested_models():
    model = nested()
    assert [p.path for p in layer_places(model)] == ["inner", "inner/conv", "flat"]


@pytest.mark.parametrize("name", ["conv", "inner/conv"])
def test_short_name_and_path_mean_the_same_layer(name):
    model = nested()
    place = find_layer(model, name)
    assert place.layer is model.layers[0].layers[0]
    assert place.path == "inner/conv"
    assert place.models == (model, model.layers[0])


def test_exact_path_goes_before_a_longer_one():
    paths = [("conv",), ("inner", "conv")]
    assert match_path("conv", paths, "m") == ("conv",)
    assert match_path("inner/conv", paths, "m") == ("inner", "conv")


def test_unique_end_is_enough():
    paths = [("a",), ("a", "b", "conv")]
    assert match_path("conv", paths, "m") == ("a", "b", "conv")
    assert match_path("b/conv", paths, "m") == ("a", "b", "conv")


def test_a_name_may_hold_slashes():
    assert match_path("block/conv", [("in", "block/conv")], "m") == ("in", "block/conv")


def test_name_in_two_places_is_refused_with_both():
    with pytest.raises(ValueError, match=r"which 2 layers have.*'a/conv', 'b/conv'"):
        match_path("conv", [("a", "conv"), ("b", "conv")], "m")


@pytest.mark.parametrize("wrong", ["conv_5", "backbon/conv5", "Conv5", 5, ""])
def test_unknown_name_is_refused_with_the_nearest(wrong):
    paths = [("backbone",), ("backbone", "conv5"), ("pool",)]
    with pytest.raises(ValueError, match=r"Expected layer_name.*'backbone/conv5'"):
        match_path(wrong, paths, "m")


def test_of_many_names_the_nearest_are_listed():
    paths = [(f"layer_{i}",) for i in range(50)] + [("conv5",)]
    with pytest.raises(ValueError, match="'conv5'.* and 43 others"):
        match_path("conv55", paths, "m")

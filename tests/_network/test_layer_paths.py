"""Names of layers in nested models."""

from __future__ import annotations

import keras
import pytest

from keras_interp._network.layer_paths import layer_paths, match_path


def test_paths_enter_nested_models():
    inner = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, name="conv")], name="inner"
    )
    model = keras.Sequential([keras.Input((4, 4, 1)), inner, keras.layers.Flatten()])
    paths = layer_paths(model)
    assert ("inner",) in paths
    assert paths[("inner", "conv")] is inner.get_layer("conv")


def test_exact_path_goes_before_a_longer_one():
    paths = [("conv",), ("inner", "conv")]
    assert match_path("conv", paths) == ("conv",)
    assert match_path("inner/conv", paths) == ("inner", "conv")


def test_unique_end_is_enough():
    assert match_path("conv", [("a",), ("a", "b", "conv")]) == ("a", "b", "conv")


def test_name_in_two_places_is_refused_with_both():
    with pytest.raises(ValueError, match=r"not unique.*'a/conv', 'b/conv'"):
        match_path("conv", [("a", "conv"), ("b", "conv")])


def test_unknown_name_is_refused_with_near_ones():
    with pytest.raises(ValueError, match="no layer 'conv55'; it has conv5"):
        match_path("conv55", [("conv5",), ("pool",)])

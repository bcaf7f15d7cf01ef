"""Whatever the public functions are given: a result, or a sentence."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import keras_interp as ki

L = keras.layers
ODD = st.one_of(
    st.integers(-2, 3),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.lists(st.integers(-1, 2), max_size=2),
)


@pytest.fixture(scope="module")
def classifier():
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            L.Conv2D(4, 3, activation="relu", name="conv5_1"),
            L.GlobalAveragePooling2D(name="pool"),
            L.Dense(4, activation="relu", name="fc6"),
            L.Dense(2, name="fc8"),
        ]
    )


@settings(max_examples=25, deadline=None)
@given(st.one_of(ODD, st.lists(ODD, min_size=3, max_size=3), st.tuples(ODD, ODD, ODD)))
def test_input_shapes(shape):
    for build in (ki.models.VGG_S, ki.models.SqueezeNet):
        with pytest.raises(ValueError, match=r"`input_shape`.*Received: input_shape="):
            build(input_shape=shape)


@settings(max_examples=20, deadline=None)
@given(ODD.filter(lambda n: isinstance(n, bool) or not isinstance(n, int) or n < 2))
def test_numbers_of_classes(classes):
    with pytest.raises(ValueError, match="Received: classes="):
        ki.models.AlexNet((67, 67, 3), classes=classes)


@settings(max_examples=25, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from(["uint8", "float32", "float64", "bool"]),
        arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3),
    ),
    st.sampled_from(["squeezenet", "vgg_m", "resnet"]),
)
def test_images_to_prepare(images, backbone):
    try:
        prepared = ki.models.preprocess_input(images, backbone)
    except ValueError as error:
        assert "Expected" in str(error) and "Received" in str(error)
    else:
        assert prepared.shape == images.shape
        assert prepared.dtype == "float32"


@settings(max_examples=25, deadline=None)
@given(ODD)
def test_names_of_layers(classifier, name):
    for function in (ki.models.to_interpretable, ki.models.Explainer):
        with pytest.raises(ValueError, match="conv5_1"):
            function(classifier, name)


@settings(max_examples=20, deadline=None)
@given(ODD)
def test_what_is_no_model(given):
    with pytest.raises(ValueError, match="Expected.*Received"):
        ki.models.to_interpretable(given, "conv5_1")
    with pytest.raises(ValueError, match="Expected.*Received"):
        ki.models.Explainer(given, "conv5_1")
    with pytest.raises(ValueError, match="Expected.*Received"):
        ki.receptive_field(given, "conv5_1")


@settings(max_examples=20, deadline=None)
@given(ODD)
def test_names_of_weights(classifier, name):
    with pytest.raises(ValueError, match="Expected"):
        ki.models.find_weights(name)
    with pytest.raises(ValueError, match="Expected"):
        ki.models.load_weights(classifier, name)


@settings(max_examples=25, deadline=None)
@given(ODD, ODD, ODD, ODD)
def test_numbers_of_a_normalisation(depth, offset, alpha, beta):
    try:
        layer = ki.models.LocalResponseNormalization(depth, offset, alpha, beta)
    except ValueError as error:
        assert "Expected" in str(error) and "Received" in str(error)
    else:
        assert layer(np.ones((1, 2, 2, 3), "float32")).shape == (1, 2, 2, 3)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(
        "filters fraction beta norm peak filter_loss filter_loss_weight scale "
        "weight_schedule targets filter_loss_balance ratio_reward initialization "
        "reconstruction_weight reconstruction_power norm_momentum norm_floor restore "
        "objective rebuilt_layers".split()
    ),
    ODD,
)
def test_settings_of_an_explainer(classifier, setting, value):
    try:
        explainer = ki.models.Explainer(classifier, "conv5_1", **{setting: value})
    except ValueError as error:
        assert setting in str(error)
    else:
        assert explainer.settings.get(setting) == value or value == []

"""The last feature maps that an output depends on, in models with several."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.output_dependence import last_maps_behind
from keras_interp.attribution import excitation_backprop, grad_cam

from ..attribution.tiny_models import (
    SIZE,
    residual,
    seeded,
    subclassed_heads,
    two_heads,
    two_outputs,
)


def last_of(model, images, output_index=None):
    call = last_maps_behind(ExplainedModel(model, images, output_index=output_index))
    return call.name, call.index


@pytest.mark.parametrize("build", [two_heads, subclassed_heads])
@pytest.mark.parametrize(
    ("output", "layer"), [("species", "species_maps"), ("parts", "part_maps")]
)
def test_each_head_has_its_own_maps(images, build, output, layer):
    model = build()
    assert last_of(model, images, output) == (layer, 0)
    classes = [0, 1, 2, 0, 1]
    maps = grad_cam(model, images, classes, output_index=output)
    assert maps.max() > 0
    named = grad_cam(model, images, classes, layer_name=layer, output_index=output)
    np.testing.assert_array_equal(maps, named)


def test_maps_of_the_other_head_are_named_at_ones_own_risk(images):
    maps = grad_cam(
        two_heads(), images, 1, layer_name="part_maps", output_index="species"
    )
    np.testing.assert_array_equal(maps, np.zeros(images.shape[:3]))


def test_heads_above_the_same_maps(images):
    for output in ("species", "flies"):
        assert last_of(two_outputs(), images, output)[0].startswith("re_lu")


def test_one_output_has_the_last_maps_of_all(images):
    assert last_of(residual(), images) == ("second", 0)


def test_a_layer_that_both_heads_call(images):
    inputs = keras.Input(SIZE)
    first = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    shared = layers.Conv2D(4, 3, activation="relu", name="shared")
    pool, dense = layers.GlobalAveragePooling2D(), layers.Dense(3)
    heads = [dense(pool(shared(maps))) for maps in (first, inputs[..., :1] + first)]
    model = seeded(keras.Model(inputs, heads))
    calls = [last_of(model, images, output) for output in (0, 1)]
    assert sorted(calls) == [("shared", 0), ("shared", 1)]
    for output, (name, index) in enumerate(calls):
        maps = [
            grad_cam(
                model,
                images,
                [0, 1, 2, 0, 1],
                layer_name=name,
                call_index=call_index,
                output_index=output,
            )
            for call_index in (index, 1 - index)
        ]
        assert maps[0].max() > 0
        assert maps[1].max() == 0


def test_a_head_that_is_a_model(images):
    inputs = keras.Input(SIZE)
    heads = []
    for name in ("left", "right"):
        head = keras.Sequential(
            [
                layers.Conv2D(3, 3, activation="relu", name=f"{name}_maps"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(2),
            ],
            name=name,
        )
        heads.append(head(inputs))
    model = seeded(keras.Model(inputs, heads))
    assert last_of(model, images, 0) == ("left/left_maps", 0)
    assert last_of(model, images, 1) == ("right/right_maps", 0)
    # Nothing but the head has maps that the output depends on.
    maps = excitation_backprop(model, images, 1, output_index=0, resize=False)
    assert maps.shape == (5, 10, 8)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1, rtol=1e-4)


def test_an_output_without_maps_is_refused(images):
    inputs = keras.Input(SIZE)
    maps = layers.Conv2D(3, 3)(inputs)
    heads = [
        layers.Dense(2)(layers.Flatten()(maps)),
        layers.Dense(2)(layers.Flatten()(inputs)),
    ]
    model = seeded(keras.Model(inputs, heads))
    with pytest.raises(ValueError, match="output '1', which depends on none"):
        grad_cam(model, images, output_index=1)
    assert grad_cam(model, images, output_index=0).max() > 0


def test_the_output_is_traced_for_it_once(images):
    model = two_heads()
    first = grad_cam(model, images, 1, output_index="species")
    record = ExplainedModel(model, images, output_index="species").record
    # Outputs of a dict are in the order of its names.
    assert [*record.maps_behind] == [1]
    kept = record.maps_behind[1]
    again = grad_cam(model, images, 1, output_index="species")
    np.testing.assert_array_equal(again, first)
    assert record.maps_behind[1] is kept

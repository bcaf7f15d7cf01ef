"""Accuracy without some filters."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

import keras_interp as ki
from keras_interp.metrics import ablation

# The networks here guess, and are told so.
pytestmark = pytest.mark.filterwarnings("ignore:The accuracy:UserWarning")


@pytest.fixture
def sorter(rng):
    """Tells by the brighter of two channels; channel 2 of the convolution is idle."""
    inputs = keras.Input((4, 4, 2))
    maps = layers.Conv2D(3, 1, name="conv")(inputs)
    maps = layers.BatchNormalization(name="norm")(maps)
    outputs = layers.Softmax()(
        layers.Dense(2, use_bias=False, name="dense")(
            layers.GlobalAveragePooling2D()(maps)
        )
    )
    model = keras.Model(inputs, outputs)
    kernel = np.zeros((1, 1, 2, 3))
    kernel[0, 0, 0, 0] = kernel[0, 0, 1, 1] = 1.0
    model.get_layer("conv").set_weights([kernel, np.zeros(3)])
    model.get_layer("dense").set_weights([np.array([[1, 0], [0, 1], [0, 0]])])
    labels = np.repeat([0, 1], 25)
    images = np.zeros((50, 4, 4, 2), dtype="float32")
    images[np.arange(50), ..., labels] = rng.uniform(1, 2, (50, 1, 1))
    return model, images, labels


def test_idle_filter_costs_nothing(sorter):
    model, images, labels = sorter
    found = ablation(model, "conv", images, labels, [2])
    assert (found.value, found.accuracy, found.accuracy_ablated) == (0.0, 1.0, 1.0)


def test_needed_filters_cost_their_share(sorter):
    model, images, labels = sorter
    # Without both the outputs are equal and class 0 is taken.
    found = ablation(model, "conv", images, labels, np.array([True, True, False]))
    assert found.accuracy_ablated == 0.5
    assert found.value == 0.5
    # One channel is enough: the other class is told by its absence, class 0 by a tie.
    assert ablation(model, "conv", images, labels, [0]).accuracy_ablated == 1.0


def test_layer_without_weights_and_behind_batch_norm(sorter):
    model, images, labels = sorter
    model.get_layer("norm").set_weights(
        [np.ones(3), np.array([0.0, 5.0, 0.0]), np.zeros(3), np.ones(3)]
    )
    # The offset of channel 1 wins for every image until that channel is gone.
    before = ablation(model, "norm", images, labels, [1])
    assert (before.accuracy, before.accuracy_ablated) == (0.5, 0.5)
    pooled = ablation(model, "global_average_pooling2d", images, labels, [1])
    assert pooled.accuracy_ablated == 0.5
    conv = ablation(model, "conv", images, labels, [1])
    assert conv.accuracy_ablated == 0.5


def test_model_is_left_as_it_was(sorter):
    model, images, labels = sorter
    weights = [np.array(w) for w in model.get_weights()]
    layer = model.get_layer("conv")
    call = layer.call
    before = model.predict(images, verbose=0)
    ablation(model, "conv", images, labels, [0, 1])
    with pytest.raises(ValueError, match="filters as indices"):
        ablation(model, "conv", images, labels, [3])
    assert layer.call == call
    assert "call" not in layer.__dict__
    assert np.array_equal(model.predict(images, verbose=0), before)
    for old, new in zip(weights, model.get_weights(), strict=True):
        assert np.array_equal(old, new)
    # Cloning works, so nothing was left behind in the layer.
    assert keras.models.clone_model(model).count_params() == model.count_params()


def test_one_output_per_image(rng):
    model = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            layers.Conv2D(2, 1, name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, "sigmoid", name="dense"),
        ]
    )
    model.get_layer("conv").set_weights([np.ones((1, 1, 1, 2)), np.zeros(2)])
    model.get_layer("dense").set_weights([np.ones((2, 1)), np.zeros(1)])
    labels = np.array([1, -1, 1, -1])
    images = np.where(labels[:, None, None, None] > 0, 3.0, -3.0) * np.ones(
        (4, 2, 2, 1)
    )
    found = ablation(model, "conv", images, labels, [0, 1], batch_size=3)
    assert found.accuracy == 1.0
    assert found.accuracy_ablated == 0.5
    zero_one = ablation(model, "conv", images, (labels > 0).astype(int), [0])
    assert zero_one.accuracy_ablated == 1.0


def test_one_hot_labels_and_own_judgement(sorter):
    model, images, labels = sorter
    one_hot = np.eye(2)[labels]
    assert ablation(model, "conv", images, one_hot, [0, 1]).value == 0.5
    sure = ablation(
        model,
        "conv",
        images,
        labels,
        [0, 1],
        correct=lambda outputs, labels: outputs.max(axis=1) > 0.6,
    )
    assert (sure.accuracy, sure.accuracy_ablated) == (1.0, 0.0)


def test_layer_inside_a_nested_model(sorter):
    inner, images, labels = sorter
    inputs = keras.Input((4, 4, 2))
    model = keras.Model(inputs, inner(inputs))
    assert ablation(model, "conv", images, labels, [0, 1]).value == 0.5
    assert ablation(model, f"{inner.name}/conv", images, labels, [2]).value == 0.0


@pytest.mark.parametrize("name", ["conv", "mask"])
def test_interpretable_filters(name, rng):
    inputs = keras.Input((8, 8, 3))
    maps = ki.layers.InterpretableConv(6, 3, filter_loss=None, name="conv")(inputs)
    maps = ki.layers.InterpretableMask(filter_loss=None, name="mask")(maps)
    outputs = layers.Dense(2)(layers.GlobalMaxPooling2D()(maps))
    model = keras.Model(inputs, outputs)
    images = rng.random((20, 8, 8, 3)).astype("float32")
    # Any activity speaks for class 0; without it the bias speaks for class 1.
    dense = model.layers[-1]
    dense.set_weights([np.array([[1000.0, 0.0]] * 6), np.array([-1e-3, 0.0])])
    labels = np.zeros(20, dtype=int)
    found = ablation(model, name, images, labels, np.ones(6, dtype=bool))
    assert (found.accuracy, found.accuracy_ablated) == (1.0, 0.0)


def test_no_filters_change_nothing(sorter):
    model, images, labels = sorter
    assert ablation(model, "conv", images, labels, []).value == 0.0
    assert ablation(model, "conv", images, labels, range(0)).value == 0.0


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([-1], "indices from 0 to 2"),
        ([3], "indices from 0 to 2"),
        ([0.5], "indices from 0 to 2"),
        ([[0]], "indices from 0 to 2"),
        ([True, False], "booleans of shape \\(3,\\)"),
    ],
)
def test_bad_filters_are_refused(sorter, filters, message):
    model, images, labels = sorter
    with pytest.raises(ValueError, match=message):
        ablation(model, "conv", images, labels, filters)


def test_bad_input_is_refused(sorter):
    model, images, labels = sorter
    with pytest.raises(ValueError, match="layer_name='convolution'"):
        ablation(model, "convolution", images, labels, [0])
    with pytest.raises(ValueError, match="Received: 50 images and 49 labels"):
        ablation(model, "conv", images, labels[:-1], [0])
    with pytest.raises(ValueError, match="at least one"):
        ablation(model, "conv", images[:0], labels[:0], [0])


def test_maps_with_their_channels_first(sorter):
    model, images, labels = sorter
    maps = layers.Permute((3, 1, 2), name="first")(model.get_layer("conv").output)
    pooled = layers.GlobalAveragePooling2D(data_format="channels_first")(maps)
    turned = keras.Model(model.inputs, model.get_layer("dense")(pooled))
    assert ablation(turned, "first", images, labels, [0, 1]).accuracy_ablated == 0.5
    assert ablation(turned, "first", images, labels, [2]).value == 0.0
    with pytest.raises(ValueError, match="indices from 0 to 2"):
        ablation(turned, "first", images, labels, [3])


def test_a_layer_that_is_called_twice_is_silent_in_both_calls(rng):
    conv = layers.Conv2D(2, 1, use_bias=False, name="conv")
    inputs = keras.Input((4, 4, 2))
    pooled = [layers.GlobalAveragePooling2D()(conv(x)) for x in (inputs, 2 * inputs)]
    model = keras.Model(inputs, layers.Add()(pooled))
    conv.set_weights([np.eye(2)[None, None]])
    images = rng.uniform(1, 2, (10, 4, 4, 2)).astype("float32")
    images[..., 1] += 2
    found = ablation(model, "conv", images, np.ones(10, int), [1])
    assert (found.accuracy, found.accuracy_ablated) == (1.0, 0.0)


def test_several_outputs_are_refused(sorter):
    model, images, labels = sorter
    two = keras.Model(model.inputs, [model.output, model.get_layer("conv").output])
    with pytest.raises(ValueError, match="one output.*Received: 2 outputs"):
        ablation(two, "conv", images, labels, [0])


def test_a_wrong_name_is_answered_with_the_nearest_right_ones(sorter):
    model, images, labels = sorter
    with pytest.raises(ValueError, match="layer_name='con5'.*Choose from 'conv'"):
        ablation(model, "con5", images, labels, [0])


def test_an_accuracy_of_the_commonest_class_is_hinted_at(sorter):
    model, images, labels = sorter
    with pytest.warns(UserWarning, match="no better than naming the commonest class"):
        ablation(model, "conv", 0 * images, labels, [0])


def test_progress_is_shown_from_the_first_second(sorter, capsys):
    model, images, labels = sorter
    ablation(model, "conv", images, labels, [0], batch_size=20, verbose=1)
    printed = capsys.readouterr().out
    assert printed.startswith("Accuracy on 50 images, all filters\n")
    assert "Accuracy without 1 of 3 filters\n" in printed
    for words in ("0/50", "50/50"):
        assert words in printed
    ablation(model, "conv", images, labels, [0])
    assert capsys.readouterr().out == ""

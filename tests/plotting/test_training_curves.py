"""Which logged values are drawn, and in which panel."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_interp.plotting import training_curves

LOGS = {
    "loss": [2.0, 1.0],
    "val_loss": [2.5, 1.5],
    "accuracy": [0.5, 0.9],
    "val_accuracy": [0.4, 0.8],
    "conv_filter_loss": [0.3, 0.2],
    "conv_mutual_information": [0.1, 0.2],
    "conv_inter_category_entropy": [0.6, 0.5],
    "conv_spatial_entropy": [5.0, 4.0],
    "learning_rate": [1e-3, 1e-3],
}


def test_each_kind_of_value_has_its_panel():
    axes = training_curves(LOGS)
    assert [ax.get_title() for ax in axes] == [
        "Loss",
        "Accuracy",
        "Filter loss",
        "Mutual information",
        "Inter-category entropy",
        "Spatial entropy",
    ]
    assert [len(ax.lines) for ax in axes] == [2, 2, 1, 1, 1, 1]
    np.testing.assert_array_equal(axes[0].lines[0].get_ydata(), [2.0, 1.0])
    np.testing.assert_array_equal(axes[0].lines[0].get_xdata(), [1, 2])


def test_validation_is_dashed_in_the_colour_of_training():
    training, validation = training_curves(LOGS)[0].lines
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert training.get_color() == validation.get_color()
    assert validation.get_label() == "validation"


def test_two_layers_share_a_panel_in_two_colours():
    axes = training_curves(
        {"first_spatial_entropy": [1.0], "val_second_spatial_entropy": [2.0]}
    )
    assert len(axes) == 1
    first, second = axes[0].lines
    assert first.get_label() == "first, training"
    assert second.get_label() == "second, validation"
    assert first.get_color() != second.get_color()


def test_what_fit_returns_is_taken(rng):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(
        rng.normal(size=(4, 2)), rng.normal(size=4), epochs=3, verbose=0
    )
    (ax,) = training_curves(history)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), history.history["loss"])


def test_given_axes_are_drawn_on():
    from matplotlib.figure import Figure

    axes = Figure().subplots(1, 2)
    drawn = training_curves({"loss": [1.0], "acc": [0.5]}, axes)
    assert list(drawn) == list(axes)
    with pytest.raises(ValueError, match="ax to hold 1 rows and 1 columns"):
        training_curves({"loss": [1.0]}, axes)


def test_nothing_to_draw_is_refused():
    with pytest.raises(
        ValueError,
        match=r"Expected history with names that end.*Received: the names \['lr'\]",
    ):
        training_curves({"lr": [1.0]})
    with pytest.raises(
        ValueError, match=r"Expected history as model\.fit returns it,.*Received: list"
    ):
        training_curves([1.0, 2.0])

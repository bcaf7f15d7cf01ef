import dataclasses

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.attribution import XFeatureMaps

NAMES = ["head", "wing", "tail"]


@pytest.fixture
def found():
    maps = np.random.default_rng(0).random((2, 3, 4, 4))
    maps[0, 1] = 0.0
    return XFeatureMaps(
        maps=maps,
        weights=np.array([[1.0, 0.0, 4.0], [2.0, 3.0, -1.0]]),
        x_features=np.array([[1.0, 0.0, 2.0], [1.0, 1.0, 1.0]]),
        significant=np.array([[False, False, True], [True, True, False]]),
        logits=np.array([5.0, 4.0]),
        approximated=np.array([5.2, 4.1]),
        class_index=7,
        target_layer="conv5",
    )


@pytest.fixture
def image():
    return np.random.default_rng(1).integers(0, 255, (16, 16, 3), "uint8")


def test_the_x_feature_that_adds_most_comes_first(image, found):
    shares = np.array([[0.5, 0.3, 0.05], [0.0, 0.0, 0.0], [0.2, 0.05, 0.7]])
    error = ki.metrics.faithfulness([1.0, 2.0], [1.5, 2.5])
    axes = ki.plotting.class_card(
        image,
        found,
        0,
        class_name="Auklet",
        part_shares=shares,
        part_names=NAMES,
        faithfulness=error,
        others={"ExcitationBP": np.ones((4, 4))},
    )
    titles = [ax.get_title() for ax in axes]
    expected = ["Auklet", "ExcitationBP", "x3:  +4.00", "x1:  +1.00", "x2:  +0.00"]
    assert titles == expected
    assert axes[2].get_xlabel() == "tail 70 %\nhead 20 %"
    assert axes[3].get_xlabel() == "head 50 %\nwing 30 %"
    assert [ax.title.get_color() for ax in axes[2:]] == ["black", "0.55", "0.55"]
    assert "logit 5.00" in axes[0].get_xlabel()
    assert "5.20" in axes[0].get_xlabel()
    words = axes[0].figure.get_suptitle()
    assert words == "mean error 0.50 over 2 images, 50.0 % of the logit's range"
    # What is 0 has no map, only a word.
    assert [text.get_text() for text in axes[4].texts] == ["0 here"]
    assert len(axes[2].images) == 2


def test_it_draws_on_given_axes(image, found):
    from matplotlib.figure import Figure

    given = Figure().subplots(1, 4)
    error = ki.metrics.faithfulness([1.0, 2.0], [1.5, 2.5])
    axes = ki.plotting.class_card(image, found, 1, given, faithfulness=error)
    assert list(axes) == list(given)
    assert axes[0].get_title() == "class 7"
    assert "mean error 0.50" in axes[0].get_xlabel()
    assert given[0].figure.get_suptitle() == ""


def test_a_grid_has_an_x_feature_in_each_column(image, found):
    axes = ki.plotting.x_feature_grid([image, image], found)
    # Mean contributions 1.5, 1.5 and 1.5: the order of their numbers.
    titles = [[ax.get_title() for ax in row[1:]] for row in axes]
    assert titles[0] == ["x1:  +1.00", "x2:  +0.00", "x3:  +4.00"]
    assert titles[1] == ["x1:  +2.00", "x2:  +3.00", "x3:  -1.00"]
    assert axes[0, 0].get_title() == "logit 5.00\nfrom x-features 5.20"


def test_what_does_not_fit_is_refused(image, found):
    card = ki.plotting.class_card
    with pytest.raises(ValueError, match="index from 0 to 1"):
        card(image, found, 2)
    with pytest.raises(ValueError, match="part_shares"):
        card(image, found, 0, part_shares=np.zeros((3, 2)), part_names=NAMES)
    with pytest.raises(ValueError, match="part_shares"):
        card(image, found, 0, part_shares=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="as many images"):
        ki.plotting.x_feature_grid([image], found)
    none = dataclasses.replace(found, weights=np.zeros((2, 3)))
    assert len(card(image, none, 0)) == 4

"""Why this prediction: one call, and what it leaves out."""

from __future__ import annotations

import re

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import keras_interp as ki

from .page import Page

IMAGE = np.random.default_rng(0).uniform(0, 255, (16, 16, 3)).astype("float32")


def network(outputs: int, interpretable: bool = True) -> keras.Model:
    keras.utils.set_random_seed(0)
    conv = ki.InterpretableConv if interpretable else keras.layers.Conv2D
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255),
            conv(6, 3, padding="same", activation="relu", name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(
                outputs, activation="sigmoid" if outputs == 1 else "softmax"
            ),
        ]
    )


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return network(3)


@pytest.fixture(scope="module")
def why(model) -> ki.reporting.Explanation:
    return ki.explain(model, IMAGE, ["bird", "cat", "dog"], methods=["saliency"])


def test_the_classes_are_those_that_the_model_gives(model, why):
    scores = keras.ops.convert_to_numpy(model(IMAGE[None]))[0]
    np.testing.assert_allclose(why.scores, scores, rtol=1e-5)
    assert list(why.top) == list(np.argsort(-scores))
    assert why.class_name == ("bird", "cat", "dog")[scores.argmax()]
    assert why.left_out == ()


def test_maps_are_those_of_the_methods(model, why):
    wanted = ki.attribution.saliency(model, IMAGE, why.class_index)[0]
    np.testing.assert_allclose(why.maps["saliency"], wanted, rtol=1e-5)


def test_contributions_of_filters_are_gradient_times_activation(model, why):
    # With a dense layer on the maps the logits' difference is linear in them: the
    # contributions add up to it, without the bias, which begins at 0.
    logits = np.log(why.scores)
    others = np.delete(logits, why.class_index)
    wanted = logits[why.class_index] - others.max()
    assert why.filters.values.sum() == pytest.approx(wanted, abs=1e-4)
    assert list(why.filters.is_interpretable) == [True] * 3 + [False] * 3


def test_contributions_of_a_name_are_summed(model):
    names = ["head", "tail", "head"]
    why = ki.explain(model, IMAGE, names=names, methods=[])
    sums = why.filters.by_part()
    values = why.filters.values
    assert sums["head"] == pytest.approx(values[0] + values[2])
    assert sums["no part"] == pytest.approx(values[3:].sum())
    assert "head" in str(why)


def test_one_output_has_two_classes():
    why = ki.explain(network(1), IMAGE, ["bird"], methods=["saliency"])
    assert set(why.class_names) == {"bird", "not bird"}
    assert why.score(0) + why.score(1) == pytest.approx(1.0)
    assert why.score(why.class_index) >= 0.5


def test_a_method_that_does_not_suit_the_model_says_why():
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    why = ki.explain(model, IMAGE / 255, methods=["grad_cam", "gradient"])
    assert list(why.maps) == ["gradient"]
    assert why.filters is None
    assert [reason.split(":")[0] for reason in why.left_out] == ["grad_cam", "filters"]


def test_a_decision_tree_adds_its_way(model):
    images = np.random.default_rng(1).uniform(0, 255, (24, 16, 16, 3)).astype("float32")
    chosen = int(model.predict(images, verbose=0).argmax(axis=1)[0])
    tree = ki.graphs.DecisionTree(class_index=chosen).fit(model, images)
    why = ki.explain(
        model, images[0], class_index=chosen, using=[tree], methods=["gradient"]
    )
    assert why.path.score == pytest.approx(tree.parse(images[0]).score)


def test_it_draws_itself_and_writes_a_page(why, tmp_path):
    before = plt.get_fignums()
    figure = why.plot()
    assert plt.get_fignums() == before  # nothing stays in memory
    titles = [ax.get_title() for ax in figure.axes]
    assert "saliency" in titles
    assert "filters for it (green) and against" in titles
    assert why._repr_html_().startswith('<img alt="')
    text = why.to_html(tmp_path / "why.html").read_text(encoding="utf-8")
    assert "Filters that matter" in text
    # Pictures lie in the page itself, and nothing is fetched from elsewhere.
    assert 'src="data:image/png;base64,' in text
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text) == []


def test_names_are_escaped(model, tmp_path):
    names = ["<script>alert(1)</script>"] * 3
    why = ki.explain(model, IMAGE, names, methods=[])
    assert "<script>alert" not in why._repr_html_()
    text = why.to_html(tmp_path / "why.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text


def test_preprocessing_is_for_the_model_alone(model):
    plain = ki.explain(model, IMAGE, methods=[])
    scaled = ki.explain(model, IMAGE / 2, methods=[], preprocess=lambda x: x * 2)
    np.testing.assert_allclose(plain.scores, scaled.scores, rtol=1e-5)
    np.testing.assert_allclose(scaled.image, IMAGE / 2)


def test_a_file_is_prepared_as_the_model_tells(model, tmp_path):
    pixels = IMAGE.round().astype("uint8")
    Image.fromarray(pixels).resize((32, 32), 0).save(tmp_path / "large.png")
    told = ki.explain(model, tmp_path / "large.png", methods=[])
    assert "the model itself brings images of 0 to 255" in told.preparation
    assert told.preparation in Page(told.to_html(tmp_path / "why.html")).text
    # Without its Rescaling the model says nothing, and is given another picture.
    silent = keras.Sequential([keras.Input((16, 16, 3)), *model.layers[1:]])
    with pytest.warns(UserWarning, match="It cannot be known in which numbers"):
        unknown = ki.explain(silent, tmp_path / "large.png", methods=[])
    assert unknown.preparation.startswith("It cannot be known")
    named = ki.explain(silent, tmp_path / "large.png", methods=[], preprocess="unit")
    np.testing.assert_allclose(named.scores, told.scores, rtol=1e-4)
    # Numbers that are not known to be pixels are nobody's but the caller's.
    mine = ki.explain(silent, IMAGE / 255, methods=[])
    assert mine.preparation == "The model is given the numbers as they came."


def test_pixels_become_the_numbers_of_a_model_of_0_to_1(model):
    scaled = keras.layers.Rescaling(2.0, -1.0)
    doubled = keras.Sequential([keras.Input((16, 16, 3)), scaled, *model.layers[1:]])
    pixels = IMAGE.round().astype("uint8")
    found = ki.explain(doubled, pixels, methods=[])
    wanted = ki.explain(doubled, pixels / np.float32(255), methods=[])
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-4)
    assert "The model is given 0 to 1." in found.preparation


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"class_names": ["bird"]}, "3 names"),
        ({"class_index": 3}, "class_index from 0 to 2"),
        ({"methods": ["tea_leaves"]}, "tea_leaves"),
        ({"preprocess": "tea_leaves"}, "Expected preprocess as a name"),
        ({"using": [keras.layers.Dense(1)]}, "Dense"),
    ],
)
def test_what_does_not_fit_is_refused(model, options, words):
    with pytest.raises(ValueError, match=words):
        ki.explain(model, IMAGE, **options)


def test_names_of_another_number_are_left_out_with_a_reason(model):
    why = ki.explain(model, IMAGE, names=["head"], methods=[])
    assert why.filters is None
    assert "one for each of the 6 filters" in why.left_out[0]


def test_several_images_are_refused(model):
    with pytest.raises(ValueError, match="Received: 2"):
        ki.explain(model, np.stack([IMAGE, IMAGE]))

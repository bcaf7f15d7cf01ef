"""The input-shift check: which methods a constant that no network sees changes."""

import keras
import numpy as np
import pytest

from keras_interp import attribution
from keras_interp.attribution import input_shift_report, saliency

from .tiny_models import MODELS, sample_images, two_inputs, two_outputs

INVARIANT = ("gradient", "saliency", "guided_backprop", "deconvnet", "grad_cam")


@pytest.fixture
def report(model, images):
    return input_shift_report(model, images)


def test_which_methods_are_invariant(report):
    expected = {
        **dict.fromkeys(INVARIANT, True),
        "gradient_times_input": False,
        "integrated_gradients, baseline 0": False,
        "integrated_gradients, baseline moved": True,
        "occlusion, fill 0": False,
        "occlusion, fill moved": True,
    }
    assert dict(zip(report.methods, report.invariant, strict=True)) == expected
    assert report.score_difference < 1e-5


@pytest.mark.parametrize("kind", MODELS)
def test_the_first_four_agree_to_five_digits_and_the_fifth_does_not(kind):
    names = [*INVARIANT[:4], "gradient_times_input"]
    report = input_shift_report(MODELS[kind](), sample_images(2), names)
    assert report.differences[:4].max() < 1e-5
    assert report.differences[4].min() > 0.1


@pytest.mark.parametrize("shift", [0.3, [1.0, -2.0, 0.5], "image"])
def test_gradient_times_input_changes_by_gradient_times_shift(model, images, shift):
    if isinstance(shift, str):
        shift = images[0]
    report = input_shift_report(model, images, ["gradient_times_input"], 1, shift=shift)
    slopes = attribution.gradient(model, images, 1)
    one, other = slopes * images, slopes * (images + shift)
    scale = np.maximum(*(np.abs(x).max(axis=(1, 2, 3)) for x in (one, other)))
    expected = np.abs(one - other).max(axis=(1, 2, 3)) / scale
    np.testing.assert_allclose(report.differences[0], expected, rtol=1e-3)


def test_padding_is_shifted_too(images):
    """With a bias `b - W m` and a padding of zeros, the maps would differ."""
    inputs = keras.Input(images.shape[1:])
    maps = keras.layers.Conv2D(4, 5, padding="same", activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(maps))
    report = input_shift_report(model, images, ["saliency"], shift=3.0)
    assert report.differences.max() < 1e-5


def test_functions_of_the_caller(model, images):
    methods = {
        "mine": lambda model, images, classes: saliency(model, images, classes),
        "image": lambda model, images, classes: images,
    }
    report = input_shift_report(model, images, methods)
    assert report.methods == ("mine", "image")
    assert list(report.invariant) == [True, False]


def test_several_inputs_and_outputs(images):
    inputs = {"image": images, "vector": np.ones((5, 2), "float32")}
    model = two_inputs()
    report = input_shift_report(model, list(inputs.values()), ["saliency"], 1)
    assert report.differences.max() < 1e-5
    report = input_shift_report(
        two_outputs(), images, ["saliency"], output_index="species"
    )
    assert report.differences.max() < 1e-5


def test_a_model_without_relu_or_maps_has_fewer_rows(images):
    model = keras.Sequential(
        [keras.Input(images.shape[1:]), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    names = input_shift_report(model, images).methods
    assert names[:3] == ("gradient", "saliency", "gradient_times_input")


def test_table_and_rows(report):
    rows = {row["method"]: row for row in report.rows()}
    assert rows["saliency"]["invariant"] is True
    assert rows["gradient_times_input"]["difference"] > 0.1
    assert rows["saliency"]["rank_correlation"] == pytest.approx(1)
    lines = report.markdown().splitlines()
    assert lines[0].split(" | ")[0].strip("| ") == "method"
    assert len(lines) == len(report.methods) + 2
    assert len({len(line) for line in lines}) == 1


def test_the_model_is_untouched(model, images):
    weights = [np.array(weight) for weight in model.get_weights()]
    paths = [variable.path for variable in model.variables]
    input_shift_report(model, images)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert [variable.path for variable in model.variables] == paths


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"methods": ["lime"]}, r"methods among.*Received: .*\['lime'\]"),
        ({"methods": []}, "methods as names.*Received: .*none"),
        ({"methods": {"mine": 3}}, "Received: .*mine"),
        (
            {"methods": {"scalar": lambda *_: np.zeros(5)}},
            r"give maps of shape.*\(5,\)",
        ),
        ({"shift": np.zeros(4)}, r"shift.*Received: .*shape \(4,\)"),
        ({"images": sample_images(0)}, "at least one image"),
        ({"class_index": 9}, "from 0 to 3"),
    ],
)
def test_bad_input_is_refused(model, images, bad, words):
    with pytest.raises(ValueError, match=f"(?s){words}"):
        input_shift_report(**{"model": model, "images": images, **bad})

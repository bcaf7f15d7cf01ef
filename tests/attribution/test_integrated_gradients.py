"""Integrated gradients: exact where the integral is known, complete elsewhere."""

import numpy as np
import pytest

from keras_interp.attribution import (
    completeness_error,
    gradient_times_input,
    integrated_gradients,
)

from .hand_made import linear, power_sum


@pytest.mark.parametrize("rule", ["gauss_legendre", "trapezoid"])
def test_of_a_linear_network_it_is_weight_times_difference(rng, rule):
    weights = rng.normal(size=(4, 3, 2, 5)).astype("float32")
    images, baseline = rng.normal(size=(2, 3, 4, 3, 2)).astype("float32")
    parts = integrated_gradients(
        linear(weights, bias=3.0), images, 2, baseline=baseline, steps=3, rule=rule
    )
    expected = weights[..., 2] * (images - baseline)
    np.testing.assert_allclose(parts, expected, rtol=1e-5, atol=1e-6)


def test_two_points_of_gauss_integrate_a_square_exactly():
    # The gradient of x**3 is 3 x**2; its integral is x**3 - b**3.
    image = np.array([[[[2.0], [-1.0]]]])
    parts = integrated_gradients(power_sum(3), image, baseline=1.0, steps=2)
    np.testing.assert_allclose(parts.ravel(), [8 - 1, -1 - 1], rtol=1e-5)


def test_two_points_of_the_trapezoid_are_the_ends():
    # x * (0 + 3 x**2) / 2
    image = np.array([[[[2.0], [-1.0]]]])
    parts = integrated_gradients(power_sum(3), image, steps=2, rule="trapezoid")
    np.testing.assert_allclose(parts.ravel(), [12.0, -1.5], rtol=1e-5)


@pytest.mark.parametrize(
    "baseline", [0.0, 0.5, np.array([0.1, 0.2, 0.3]), "images", "image"]
)
def test_the_parts_sum_to_the_difference_of_the_scores(model, images, baseline):
    if isinstance(baseline, str):
        baseline = 0.3 * images[::-1] if baseline == "images" else images[0] / 2
    keywords = {"class_index": 1, "baseline": baseline}
    errors = [
        np.abs(
            completeness_error(
                model,
                images,
                integrated_gradients(model, images, steps=steps, **keywords),
                **keywords,
            )
        ).max()
        for steps in (4, 400)
    ]
    assert errors[1] < 0.01
    assert errors[1] < errors[0] / 5


def test_the_error_is_in_units_of_the_score():
    # Gradient x input of x**2 is 2 x**2, once too much; the bias adds nothing.
    image = np.array([[[[2.0], [-1.0]]]])
    parts = gradient_times_input(power_sum(2), image)
    error = completeness_error(power_sum(2), image, parts)
    np.testing.assert_allclose(error, [5.0], rtol=1e-5)
    assert completeness_error(power_sum(2), image, parts[..., 0]) == error


def test_the_error_of_no_image_is_no_number(model, images):
    assert completeness_error(model, images[:0], images[:0]).shape == (0,)


def test_an_image_that_equals_the_baseline_gets_nothing(model, images):
    parts = integrated_gradients(model, images, 1, baseline=images)
    np.testing.assert_array_equal(parts, 0)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"steps": 0}, "steps.*at least 1.*Received: .*0"),
        ({"steps": 1, "rule": "trapezoid"}, "steps.*at least 2.*Received: .*1"),
        ({"steps": 3.0}, "steps.*Received: .*3.0"),
        ({"rule": "simpson"}, "rule.*Received: .*'simpson'"),
        ({"baseline": np.zeros((5, 5, 3))}, r"baseline.*Received: .*shape \(5, 5, 3\)"),
        ({"baseline": np.nan}, "baseline of finite numbers"),
        ({"baseline": "black"}, "baseline as a number.*Received: .*'black'"),
    ],
)
def test_bad_settings_are_refused(model, images, bad, words):
    with pytest.raises(ValueError, match=words):
        integrated_gradients(model, images, **bad)


def test_attributions_of_other_images_are_refused(model, images):
    with pytest.raises(
        ValueError, match=r"attributions of shape.*Received: .*\(4, 12, 10, 3\)"
    ):
        completeness_error(model, images, images[:4])

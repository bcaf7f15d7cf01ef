"""Sensitivity to noise of functions whose change is known."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 1, (6, 12, 12, 3))


def test_the_identity_changes_by_the_noise_itself(images):
    found = ki.metrics.noise_sensitivity(lambda x: x, images, noise=0.1, samples=8)
    # The mean of |N(0, 0.1)| is 0.0798; that of the values is 0.5, their range 1.
    assert found.value == pytest.approx(0.0798 / 0.5, rel=0.03)
    assert found.per_image.shape == (6,)


def test_noise_is_a_share_of_the_range_of_each_image(images):
    one = ki.metrics.noise_sensitivity(lambda x: x, images)
    other = ki.metrics.noise_sensitivity(lambda x: x, 255 * images)
    assert other.per_image == pytest.approx(one.per_image, rel=1e-4)
    again = ki.metrics.noise_sensitivity(lambda x: x, images)
    assert again.value == one.value


def test_what_stays_has_no_change_and_what_is_zero_none_to_tell(images):
    assert ki.metrics.noise_sensitivity(lambda x: x, images, noise=0.0).value == 0.0
    dark = ki.metrics.noise_sensitivity(lambda x: np.zeros((len(x), 2)), images)
    assert np.isnan(dark.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": -0.1}, "Received: noise=-0.1"),
        ({"samples": 0}, "samples=0"),
        ({"function": lambda x: x[:1]}, "one result for each of 6 images"),
        ({"function": lambda x: x.mean()}, "one result for each of 6 images"),
    ],
)
def test_bad_input_is_refused(images, change, message):
    arguments = {"function": lambda x: x, "images": images, **change}
    with pytest.raises(ValueError, match=message):
        ki.metrics.noise_sensitivity(**arguments)

"""Strips of filters, groups that share a place, and what a model says."""

from __future__ import annotations

import io

import keras
import numpy as np
from PIL import Image

import keras_interp as ki
from keras_interp.reporting._filter_pictures import filter_pictures
from keras_interp.reporting._page import ReportContent, write_report
from keras_interp.reporting._predictions import Predictions
from keras_interp.reporting._shared_places import shared_places


def test_filters_that_are_close_in_most_images_form_a_group():
    # Filters 0, 1 and 3 are close in 2 of 3 images, filter 2 is by itself, filter 4
    # fires beside 0 in one image of two, which is not more than the half.
    x = np.array(
        [
            [10, 12, 80, 11, 10],
            [50, 51, 10, 50, np.nan],
            [90, 20, 50, 91, 55],
        ],
        "float64",
    )
    positions = np.stack([x, x], axis=-1)
    found = shared_places(positions, (100, 100), np.ones(5, bool))
    assert found.group.tolist() == [0, 0, -1, 0, -1]
    assert found.sizes.tolist() == [3]
    # The pairs (0, 1), (0, 3) and (1, 3) are close in 2, 3 and 2 of 3 images.
    np.testing.assert_allclose(found.share, [7 / 9], rtol=1e-6)
    silent = shared_places(positions, (100, 100), np.arange(5) > 3)
    assert silent.group.tolist() == [-1] * 5 and not len(silent.sizes)


def test_a_strip_is_bright_where_its_filter_responds():
    images = np.full((3, 64, 64, 3), 200, np.uint8)
    maps = np.zeros((3, 8, 8, 2), "float32")
    maps[1, 6, 2, 0], maps[0, 1, 5, 0] = 2.0, 1.0
    field = ki.ReceptiveField(size=8, stride=8, start=3.5)
    strips = filter_pictures(
        images, maps, field, ["filter 0", "filter 1"], ["a", "", "c"], count=2
    )
    assert strips[0].words == (
        "Peaks of filter 0 in its strongest images: image 1, 31 % across and 81 % "
        "down; a, 69 % across and 19 % down."
    )
    assert strips[1].words == "filter 1 fires in no image."
    pixels = np.asarray(Image.open(io.BytesIO(strips[0].png))).astype(int)
    assert pixels.shape == (72, 144, 3)
    first = pixels[:, :70, 0]
    assert first[4, 35] < 90  # far from the peak a third of the light is left
    rows, columns = np.nonzero(first > 150)
    assert abs(rows.mean() - 0.81 * 72) < 2 and abs(columns.mean() - 0.31 * 72) < 2


def test_confident_mistakes_come_first():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    logits = np.log(
        [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]]
    )
    right = np.array([1, 1, 2, 2])
    found = Predictions.of(model, logits, ["a", "b", "c"], right)
    np.testing.assert_allclose(found.sureness, [0.6, 0.8, 0.5, 0.7])
    assert found.order().tolist() == [0, 2, 3, 1]
    assert found.examples().tolist() == [0, 2]
    unknown = Predictions.of(model, logits, None, None)
    assert unknown.order().tolist() == [2, 0, 3, 1]
    assert unknown.examples().tolist() == [0, 1, 3]  # one of each class
    assert list(unknown.names) == ["class 0", "class 1", "class 2"]


def test_one_output_says_no_or_yes():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    found = Predictions.of(model, np.array([[-2.0], [0.5]]), ["cat"], np.array([-1, 1]))
    assert found.said.tolist() == [0, 1] and not found.wrong.any()
    assert list(found.names) == ["not cat", "cat"]
    np.testing.assert_allclose(found.sureness, [1 / (1 + np.exp(-x)) for x in (2, 0.5)])


def test_a_notebook_gets_the_page_in_a_frame(tmp_path):
    page = write_report(ReportContent('"Birds"', "", []), tmp_path / "report.html")
    shown = page._repr_html_()
    assert shown.startswith("<iframe") and 'sandbox="allow-scripts"' in shown
    assert "&lt;!DOCTYPE html&gt;" in shown and "&amp;#34;Birds" in shown
    page.unlink()
    assert page._repr_html_().startswith("<a href=")

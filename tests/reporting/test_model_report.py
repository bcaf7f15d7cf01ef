"""`ki.report` from a model to the page, and what it refuses to guess."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.reporting._results import accuracy_rows

from .conftest import dots, network
from .page import Page

HISTORY = {"loss": [1.0, 0.5], "parts_spatial_entropy": [3.0, 2.0]}


def test_the_whole_report(interpretable, ordinary, dataset, tmp_path):
    path = ki.report(
        interpretable,
        dataset,
        tmp_path / "report.html",
        compare_with=ordinary,
        history=HISTORY,
        title="Dots",
        settings={"epochs": 2},
        extra_rows=[{"row": "ordinary", "metric": "masked_share", "value": 0.25}],
        notes=["Dots are no animals."],
    )
    page = Page(path)
    assert page.headings == [
        "What was trained",
        "What came out",
        "What instability is worth",
        "Which part each filter follows",
        "What single filters see",
        "What the mask does",
        "Where the layer looks",
        "How training went",
        "What this does not show",
        "Glossary",
    ]
    assert "2 of the 3 filters measured follow one part" in page.text
    assert "Dots are no animals." in page.text
    assert "Only 9 images were scored." not in page.text
    assert "Only 6 images were scored." in page.text
    assert "Masked share" in page.text
    assert len(page.all("img", "src")) == 5
    # The red dot decides: both networks name every test image correctly.
    assert page.text.count("100.0 %") == 3  # two in the table, one at the top


def test_an_ordinary_model_alone(ordinary, dataset, tmp_path):
    page = Page(ki.report(ordinary, dataset, tmp_path / "report.html"))
    assert "What the mask does" not in page.headings
    assert "How training went" not in page.headings
    assert "conv, 3 filters" in page.text


def test_no_detector_is_said_plainly(ordinary, dataset, tmp_path):
    ordinary.get_layer("conv").set_weights([np.ones((1, 1, 3, 3)), np.zeros(3)])
    blank = dataclasses.replace(dataset, images=np.full_like(dataset.images, 9))
    page = Page(ki.report(ordinary, blank, tmp_path / "report.html"))
    assert "None of the 3 filters measured is a detector" in page.text
    assert "No filter passed the bar" in page.text


def accuracy(model, dataset, labels=None):
    rows = accuracy_rows("m", model, dataset, labels, batch_size=5, preprocess=None)
    return [(row["value"], row["n"]) for row in rows]


def test_accuracy_is_that_of_the_test_images(ordinary, dataset):
    assert accuracy(ordinary, dataset) == [(1.0, 12)]
    wrong = dataset.labels.copy()
    wrong[:6] = 1 - wrong[:6]  # three of them are test images
    assert accuracy(ordinary, dataset, wrong) == [(0.75, 12)]


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_accuracy_of_one_output_needs_labels(dataset, activation):
    import keras

    conv = keras.layers.Conv2D(3, 1, activation="relu")
    model = network(conv, outputs=1, activation=activation)
    assert accuracy(model, dataset) == []
    animal = (dataset.labels == 0).astype(int)
    assert accuracy(model, dataset, animal) == [(1.0, 12)]
    assert accuracy(model, dataset, 2 * animal - 1) == [(1.0, 12)]


def test_no_accuracy_on_images_that_may_have_been_trained_on(ordinary):
    train = dataclasses.replace(dots(), split=None)
    assert accuracy(ordinary, train) == []


def test_labels_of_another_length_are_refused(ordinary, dataset, tmp_path):
    with pytest.raises(ValueError, match="each of the 24 images; got 3"):
        ki.report(ordinary, dataset, tmp_path / "report.html", labels=[0, 1, 0])
    assert not list(tmp_path.iterdir())

"""`ki.report` from a model to the page, and what it refuses to guess."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

import keras_interp as ki
from keras_interp.reporting._results import accuracy_rows

from .conftest import dots, network
from .page import Page

# The networks here guess, and are told so.
pytestmark = pytest.mark.filterwarnings("ignore:The accuracy:UserWarning")

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
    assert "The filters find 2 different parts: head and tail." in page.text
    assert "2 of the 3 filters follow the part that they hit" in page.text
    assert "The filters of the ordinary network find 2 parts (head, tail)." in page.text
    assert "Dots are no animals." in page.text
    assert "Only 9 images were scored." not in page.text
    assert "Only 6 images were scored." in page.text
    assert "Masked share" in page.text
    assert len(page.all("img", "src")) == 5 + 3  # a strip for each filter
    # The page opens with the image, before the figures and the contents.
    kinds = [name for name, _ in page.tags]
    assert kinds.index("img") < kinds.index("dl") < kinds.index("nav")
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
    assert "No part is found: none of the 3 filters measured" in page.text
    assert "No filter passed the bar" in page.text


def test_collapse_is_said_in_the_headline(interpretable, dataset, tmp_path):
    # All three filters look for red, the colour of the head.
    layer = interpretable.get_layer("parts")
    kernel, *others = layer.get_weights()
    layer.set_weights([np.repeat(kernel[..., :1], 3, axis=-1), *others])
    page = Page(ki.report(interpretable, dataset, tmp_path / "report.html"))
    assert (
        "All 3 part detectors among the 3 filters follow one and the same part, head"
        in page.text
    )
    assert "say the same thing many times" in page.text


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
    with pytest.raises(ValueError, match="each of the 24 images. Received: 3"):
        ki.report(ordinary, dataset, tmp_path / "report.html", labels=[0, 1, 0])
    assert not list(tmp_path.iterdir())


HEADINGS_WITHOUT_LANDMARKS = [
    "What was trained",
    "What came out",
    "What single filters see",
    "What the mask does",
    "What the model says",
    "Why single predictions",
    "What this does not show",
    "Glossary",
]


def test_a_report_without_landmarks(interpretable, dataset, tmp_path):
    page = Page(ki.report(interpretable, dataset.images, tmp_path / "report.html"))
    assert page.headings == HEADINGS_WITHOUT_LANDMARKS
    assert "2 of the 3 filters measured fire" in page.text
    assert "24 of 24×24, without landmarks" in page.text
    assert "says which part of an object a filter follows" in page.text
    # One of 576 cells is active where an object is: 0.0017, shown with two digits.
    for metric in ("Density", "Overlap", "Position spread", "Dead filters"):
        assert metric in page.text
    assert "Accuracy" not in page.text and "Tracking" not in page.text
    assert "nan" not in page.text.lower().split()


def test_labels_bring_the_accuracy_without_landmarks(ordinary, dataset, tmp_path):
    path = tmp_path / "report.html"
    wrong = dataset.labels.copy()
    wrong[:3] = 1 - wrong[:3]
    page = Page(ki.report(ordinary, dataset.images, path, labels=wrong))
    assert "87.5 %" in page.text  # 21 of 24
    assert "accuracy is that on the images given here" in page.text
    one_hot = Page(ki.report(ordinary, dataset.images, path, labels=np.eye(2)[wrong]))
    assert "87.5 %" in one_hot.text


def test_a_dataset_whose_landmarks_are_all_absent(ordinary, dataset, tmp_path):
    empty = dataclasses.replace(dataset, landmarks=dataset.landmarks * np.nan)
    page = Page(ki.report(ordinary, empty, tmp_path / "report.html"))
    assert "Which part each filter follows" not in page.headings
    assert "100.0 %" in page.text  # the accuracy on the test images


class Batches(keras.utils.PyDataset):
    """Twelve images at a time, with labels."""

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset

    def __len__(self):
        return 2

    def __getitem__(self, place):
        rows = slice(12 * place, 12 * place + 12)
        return self.dataset.images[rows], self.dataset.labels[rows]


@pytest.mark.parametrize("form", ["tf.data", "PyDataset", "generator"])
def test_batches_with_labels(form, ordinary, dataset, tmp_path):
    batches = {
        "tf.data": lambda: dataset.to_tf_data(batch_size=5),
        "PyDataset": lambda: Batches(dataset),
        "generator": lambda: (Batches(dataset)[place] for place in range(2)),
    }[form]()
    page = Page(ki.report(ordinary, batches, tmp_path / "report.html"))
    assert "24 of 24×24, without landmarks" in page.text
    assert "100.0 %" in page.text


def test_a_folder_of_images(ordinary, dataset, tmp_path):
    for place in range(5):
        Image.fromarray(dataset.images[place]).save(tmp_path / f"{place}.png")
    page = Page(ki.report(ordinary, tmp_path, tmp_path / "report.html"))
    assert "5 of 24×24, without landmarks" in page.text


def test_a_folder_of_class_folders(ordinary, dataset, tmp_path):
    # As image_dataset_from_directory reads it, with what lies deeper, in any order.
    photographs = tmp_path / "photographs"
    for name, label in (("b_ground", 1), ("animal", 0)):
        deep = photographs / name / "deep"
        deep.mkdir(parents=True)
        for number, place in enumerate(np.flatnonzero(dataset.labels == label)[:3]):
            folder = deep if number else deep.parent
            Image.fromarray(dataset.images[place]).save(folder / f"{number}.png")
    (photographs / ".cache").mkdir()
    page = Page(ki.report(ordinary, photographs, tmp_path / "report.html"))
    assert "6 of 24×24, without landmarks" in page.text
    assert "100.0 %" in page.text
    assert "The model is given 0 to 255" in page.text  # it rescales them itself
    Image.fromarray(dataset.images[0]).save(photographs / "one.png")
    with pytest.warns(UserWarning, match="animal, b_ground and so on, are left out"):
        page = Page(ki.report(ordinary, photographs, tmp_path / "report.html"))
    assert "1 of 24×24, without landmarks" in page.text


def test_folders_that_are_not_the_classes_of_the_model(ordinary, dataset, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        Image.fromarray(dataset.images[0]).save(tmp_path / name / "one.png")
    page = Page(ki.report(ordinary, tmp_path, tmp_path / "report.html"))
    assert "Accuracy" not in page.text


def test_files_are_prepared_as_the_model_tells(ordinary, dataset, tmp_path):
    Image.fromarray(dataset.images[0]).save(tmp_path / "one.png")
    silent = keras.Sequential([keras.Input((24, 24, 3)), *ordinary.layers[1:]])
    with pytest.warns(UserWarning, match="It cannot be known"):
        page = Page(ki.report(silent, tmp_path, tmp_path / "report.html"))
    assert "It cannot be known" in page.text
    path = tmp_path / "report.html"
    page = Page(ki.report(silent, tmp_path, path, preprocess="unit"))
    assert "The model is given 0 to 1. It was given." in page.text
    with pytest.raises(ValueError, match="Expected preprocess as a name"):
        ki.report(silent, tmp_path, path, preprocess="zebra")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (7, "Received: int"),
        ("missing", "no folder with image files"),
        (np.zeros((0, 24, 24, 3)), "at least one image"),
        (np.zeros((24, 24)), "Received: images of shape"),
        ([], "Received: no image"),
        ([np.zeros(3)], "begin with an array of shape"),
    ],
)
def test_other_data_are_refused(ordinary, data, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        ki.report(ordinary, data, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_a_dataset_without_end_is_refused(ordinary, dataset, tmp_path):
    endless = dataset.to_tf_data(batch_size=5).repeat()
    with pytest.raises(ValueError, match=r"Pass dataset\.take\(n\)"):
        ki.report(ordinary, endless, tmp_path / "report.html")


def test_forgotten_preparation_is_hinted_at(ordinary, dataset, tmp_path):
    # Images of 0 to 1 are black to a network that divides by 255 itself.
    dark = dataset.images / np.float32(255)
    labels = dataset.labels
    with pytest.warns(UserWarning, match=r"no better than naming the commonest class"):
        path = ki.report(ordinary, dark, tmp_path / "report.html", labels=labels)
    page = Page(path)
    assert "Were the images prepared as in training" in page.text
    assert "preprocess=" in page.text
    path = ki.report(
        ordinary, dark, path, labels=labels, preprocess=lambda images: images * 255
    )
    assert "Were the images prepared" not in Page(path).text


def test_the_layers_inside_a_nested_model_are_listed(ordinary, dataset, tmp_path):
    trunk = keras.Sequential(ordinary.layers[:2], name="trunk")
    inputs = keras.Input((24, 24, 3))
    pooled = keras.layers.GlobalMaxPooling2D(name="pool")(trunk(inputs))
    nested = keras.Model(inputs, keras.layers.Dense(2, name="classes")(pooled))
    page = Page(ki.report(nested, dataset, tmp_path / "report.html"))
    assert "All 6 layers of the model" in page.text
    for line in ("trunk", "trunk/conv", "pool", "classes"):
        assert f"\n{line}\n" in page.text.replace(" ", "")


def test_landmarks_that_never_occur_are_set_apart(interpretable, dataset, tmp_path):
    absent = np.full((24, 1, 2), np.nan, "float32")
    more = dataclasses.replace(
        dataset,
        landmarks=np.concatenate([absent, dataset.landmarks], axis=1),
        landmark_names=["horn", "head", "tail"],
    )
    page = Page(ki.report(interpretable, more, tmp_path / "report.html"))
    assert "head, tail (in no image: horn)" in page.text
    assert "nan" not in page.text.lower().split()


def test_progress_is_shown_from_the_first_second(
    interpretable, dataset, tmp_path, capsys
):
    path = tmp_path / "report.html"
    ki.report(interpretable, dataset, path, batch_size=6)
    printed = capsys.readouterr().out
    assert printed.startswith("Feature maps of layer 'parts' for 18 images\n")
    for words in ("0/3", "3/3", "Measuring 3 filters", "Accuracy of", "Drawing the"):
        assert words in printed
    assert printed.rstrip().endswith(f"Writing {path}")
    ki.report(interpretable, dataset, path, verbose=0)
    assert capsys.readouterr().out == ""

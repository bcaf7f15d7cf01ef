"""Receptive fields, attribution and reports work on an explainer as on any model."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_interp as ki
from keras_interp.reporting._results import accuracy_rows

# The networks here guess, and are told so.
pytestmark = pytest.mark.filterwarnings("ignore:The accuracy:UserWarning")

LAYERS = keras.layers
Explainer = ki.models.Explainer


def scaled(images):
    return images.astype("float32") / 255


@pytest.fixture(scope="module")
def dataset():
    return ki.datasets.load("synthetic_parts", image_size=32, num_images=60)


@pytest.fixture(scope="module")
def explainer(performer, scenes):
    # Made before the seed of the first test is set, and after any test of another file.
    keras.utils.set_random_seed(0)
    made = Explainer(performer(), "relu2")
    made.compile(run_eagerly=True)
    made.fit(scenes, batch_size=8, verbose=0)
    return made


@pytest.fixture(scope="module")
def as_performer(performer):
    """An explainer that is the performer: p = 0 and a copied ordinary track."""
    made = Explainer(performer(), "relu2")
    made.get_layer("tracks").ratio_logit.assign(-10.0)
    return made


def test_receptive_fields(explainer):
    field = ki.receptive_field(explainer.performer, "relu2")
    for name, convolutions in (
        ("conv_interp_1", 1),
        ("mask_interp_1", 1),
        ("conv_interp_2", 2),
        ("mask_interp_2", 2),
        ("conv_ordinary", 1),
    ):
        found = ki.receptive_field(explainer, name)
        assert found.size == field.size + convolutions * 2 * field.stride
        assert (found.stride, found.start) == (field.stride, field.start)


def test_receptive_field_in_a_nested_backbone():
    inputs = keras.Input((64, 64, 3))
    backbone = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            LAYERS.Conv2D(4, 3, strides=2, padding="same", name="low"),
            LAYERS.MaxPooling2D(name="pool"),
            LAYERS.Conv2D(4, 3, padding="same", activation="relu", name="target"),
            LAYERS.Conv2D(4, 3, padding="same", activation="relu", name="high"),
        ],
        name="backbone",
    )
    x = LAYERS.GlobalAveragePooling2D()(backbone(inputs))
    model = keras.Model(inputs, LAYERS.Dense(2, activation="softmax")(x))
    found = ki.receptive_field(Explainer(model, "backbone/target"), "conv_interp_2")
    field = ki.receptive_field(model, "backbone/target")
    assert (
        (found.stride, found.start) == (field.stride, field.start) == (4, field.start)
    )
    assert found.size == field.size + 16


def test_gradients_are_those_of_the_network_that_it_is(as_performer, scenes):
    expected = ki.attribution.saliency(
        as_performer.performer, scenes[:3], class_index=1
    )
    assert np.abs(expected).max() > 0
    found = ki.attribution.saliency(as_performer, scenes[:3], class_index=1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_grad_cam(as_performer, explainer, scenes):
    maps = ki.attribution.grad_cam(as_performer, scenes[:4], layer_name="conv_ordinary")
    expected = ki.attribution.grad_cam(
        as_performer.performer, scenes[:4], layer_name="relu3"
    )
    np.testing.assert_allclose(maps, expected, rtol=1e-3, atol=1e-5)
    maps = ki.attribution.grad_cam(explainer, scenes[:4], layer_name="conv_interp_2")
    assert maps.shape == (4, 32, 32)
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() > 0


def test_class_scores_are_explained_before_the_softmax(as_performer, scenes):
    slopes = ki.attribution.gradient(as_performer, scenes[:2], class_index=2)
    model = as_performer.performer
    scores = keras.Model(model.inputs, model.get_layer("fc8").output)
    expected = ki.attribution.gradient(scores, scenes[:2], class_index=2)
    np.testing.assert_allclose(slopes, expected, rtol=1e-3, atol=1e-5)


def test_measured_filters(explainer, dataset):
    found = ki.reporting.measure_filters(
        explainer, dataset, preprocess=scaled, batch_size=16
    )
    named = ki.reporting.measure_filters(
        explainer, dataset, layer_name="conv_interp_2", preprocess=scaled
    )
    layer = ki.reporting.read_feature_maps(explainer, dataset.images, preprocess=scaled)
    assert layer.layer_name == "mask_interp_2"
    assert layer.interpretable == explainer.interpretable_filters
    encoding = explainer.encode(scaled(dataset.images))
    np.testing.assert_allclose(layer.maps, encoding.part_maps, rtol=1e-5, atol=1e-6)
    # All eight filters of the convolution, the first four of the mask.
    rows = {row["metric"]: row["value"] for row in found.rows("explainer")}
    assert set(rows) == {row["metric"] for row in named.rows("explainer")}
    assert 0 < rows["location_instability"] < 1


def test_a_report(explainer, dataset, tmp_path):
    path = ki.report(
        explainer,
        dataset,
        tmp_path / "report.html",
        compare_with=explainer.performer,
        preprocess=scaled,
        labels=dataset.labels,
    )
    text = path.read_text(encoding="utf-8")
    assert "mask_interp_2" in text
    assert "What the mask does" in text


@pytest.mark.parametrize("end", ["sigmoid", "linear"])
def test_accuracy_of_an_explainer_with_one_output(performer, scenes, dataset, end):
    """The threshold is that of the performer, which lies in a model inside."""
    explainer = Explainer(performer(1, end), "relu2")
    explainer.get_layer("tracks").ratio_logit.assign(-10.0)
    decided = explainer.performer_features(scenes)["category"]
    assert 0 < decided.mean() < 1
    shown = dataset.subset(np.arange(16))
    shown = dataclasses.replace(shown, split=np.array(["test"] * 16))
    (row,) = accuracy_rows(
        "explainer",
        explainer,
        shown,
        decided,
        batch_size=16,
        preprocess=lambda images: scenes,
    )
    assert row["value"] == 1.0


def test_a_summary_counts_what_is_learnt(explainer):
    lines = []
    explainer.summary(print_fn=lambda line, **_: lines.append(line))
    text = "\n".join(lines)
    learnt = sum(int(np.prod(v.shape)) for v in explainer.trainable_variables)
    assert f"Trainable params: {learnt:,}" in text


# Images in every form ------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(scenes):
    """Whole numbers, as files hold them."""
    return np.rint(scenes[:2] * 255).astype("uint8")


def test_one_image_in_every_form(explainer, drawn, tmp_path):
    from PIL import Image

    Image.fromarray(drawn[0]).save(tmp_path / "image.png")
    path = tmp_path / "image.png"
    wanted = explainer.reconstruct(drawn[:1])["fc7"]
    for given in (drawn[0], [drawn[0]], Image.open(path), path, str(path), [path]):
        assert np.array_equal(explainer.reconstruct(given)["fc7"], wanted)
        assert explainer.encode(given).part_maps.shape == (1, 8, 8, 8)
        assert explainer.performer_features(given)["category"].shape == (1,)
    both = explainer.reconstruct([drawn[0], Image.fromarray(drawn[1])])["fc7"]
    assert np.array_equal(both, explainer.reconstruct(drawn)["fc7"])


def test_one_grey_image(explainer, drawn):
    grey = drawn[0, ..., 0]
    colours = np.repeat(grey[None, ..., None], 3, axis=-1)
    wanted = explainer.reconstruct(colours)["fc7"]
    assert np.array_equal(explainer.reconstruct(grey)["fc7"], wanted)


@pytest.mark.parametrize(
    "given",
    [
        np.zeros((1, 31, 32, 3)),
        np.zeros((2, 32, 32, 4)),
        np.full((1, 32, 32, 3), np.nan),
        np.array(["bird"]),
        "no_such_file.png",
        None,
        7,
        {"images": np.zeros((1, 32, 32))},
    ],
    ids=["size", "channels", "nan", "text", "file", "none", "number", "dict"],
)
def test_what_is_no_image(explainer, given):
    for ask in (explainer.reconstruct, explainer.encode, explainer.performer_features):
        with pytest.raises(ValueError, match="Expected.*Received"):
            ask(given)

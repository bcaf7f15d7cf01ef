"""A class score split into what each object part adds."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki
from keras_interp.attribution import PartContributions, part_contributions

NAMES = ["head", "tail", "wing"]


@pytest.fixture
def dataset(rng):
    """Dark images with a red head, a green tail and a blue wing of one pixel."""
    images = np.zeros((8, 16, 16, 3), "uint8")
    landmarks = np.full((8, 3, 2), np.nan)
    for image in range(6):  # the last two show nothing
        cells = rng.choice(12 * 12, 3, replace=False)
        for part, cell in enumerate(cells):
            row, column = 2 + cell // 12, 2 + cell % 12
            images[image, row, column, part] = rng.integers(100, 256)
            landmarks[image, part] = column + 0.5, row + 0.5
    labels = [0] * 6 + [1] * 2
    return ki.datasets.PartsDataset(
        images, labels, ["bird", "background"], landmarks, NAMES
    )


def scaled(images):
    return images.astype("float32") / 255


def performer(classes=3, hidden="linear", pooled=False):
    layers = keras.layers
    relu = {"padding": "same", "activation": "relu"}
    top = [layers.MaxPooling2D(2), layers.Flatten()]
    top += [layers.Dense(5, hidden, bias_initializer="normal", name="fc6")]
    if pooled:
        top = [layers.GlobalAveragePooling2D()]
    final = {1: "sigmoid"}.get(classes, "softmax")
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(3, 1, name="conv1", **relu),
            layers.Conv2D(4, 3, name="conv2", **relu),
            *top,
            layers.Dense(classes, final, bias_initializer="normal", name="classes"),
        ],
        name="performer",
    )


def kernel_of(sources, size, inputs):
    """Weights of a convolution whose filter k hands on channel `sources[k]`."""
    kernel = np.zeros((size, size, inputs, len(sources)), "float32")
    bias = np.zeros(len(sources), "float32")
    for number, source in enumerate(sources):
        if source is None:  # never fires
            bias[number] = -1.0
        else:
            kernel[size // 2, size // 2, source, number] = 1.0
    return [kernel, bias]


@pytest.fixture
def explainer_of(dataset):
    """An explainer whose filters see the tail, the head, the head and nothing."""

    def make(fraction=1.0, **keywords):
        explainer = ki.models.Explainer(
            performer(**keywords), "conv1", fraction=fraction
        )
        explainer.performer.get_layer("conv1").set_weights(kernel_of([0, 1, 2], 1, 3))
        parts = kernel_of([1, 0, 0, None], 3, 3)
        explainer.get_layer("conv_interp_1").set_weights(parts)
        explainer.get_layer("conv_interp_2").set_weights(kernel_of([0, 1, 2, 3], 3, 4))
        textures = kernel_of([2, 2, 1, 0], 3, 3)
        explainer.get_layer("conv_ordinary").set_weights(textures)
        explainer(scaled(dataset.images), training=True)
        explainer.get_layer("tracks").ratio_logit.assign(0.03)
        return explainer

    return make


def found_by(explainer, dataset, *arguments, images=slice(0, 4), **keywords):
    return part_contributions(
        explainer,
        scaled(dataset.images[images]),
        dataset,
        *arguments,
        **{"preprocess": scaled, **keywords},
    )


def test_filters_are_named_by_the_landmark_that_they_follow(explainer_of, dataset):
    found = found_by(explainer_of(), dataset)
    assert found.parts == (
        "head",
        "tail",
        "no part",
        "unmasked filters",
        "ordinary track",
        "bias and remainder",
    )
    np.testing.assert_array_equal(found.filters, [2, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(found.filter_parts, [1, 0, 0, 2])
    assert (found.distances[:3] < 0.05).all()
    assert np.isnan(found.distances[3])
    for number, landmark in enumerate([1, 0, 0]):
        expected = dataset.landmarks[:4, landmark]
        np.testing.assert_allclose(found.positions[:, number], expected, atol=0.51)
    assert np.isnan(found.positions[:, 3]).all()
    assert found.values[:, 2].tolist() == [0.0] * 4
    assert "softmax is looked through" in found.explained


def test_landmarks_of_one_group_are_one_part(explainer_of, dataset):
    groups = {"ends": ["head", "tail"], "wing": ["wing"]}
    found = found_by(explainer_of(), dataset, landmark_groups=groups)
    assert found.parts[:2] == ("ends", "no part")
    np.testing.assert_array_equal(found.filters[:2], [3, 1])
    assert (found.distances[:3] < 0.05).all()
    assert (found.confidence[:3] > 0.5).all()
    assert found.confidence[3] == 0


def test_filters_beyond_the_fraction_have_no_part(explainer_of, dataset):
    found = found_by(explainer_of(fraction=0.5), dataset)
    assert found.parts[:3] == ("head", "tail", "unmasked filters")
    np.testing.assert_array_equal(found.filters, [1, 1, 0, 0, 0])
    assert found.per_filter.shape == (4, 2)
    assert found.positions.shape == (4, 2, 2)
    assert np.abs(found.values[:, 2]).max() > 0


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"hidden": "relu", "fraction": 0.5},
        {"classes": 1},
        {"pooled": True},
    ],
)
def test_a_row_adds_up_to_the_score(keywords, explainer_of, dataset):
    explainer = explainer_of(**keywords)
    images = scaled(dataset.images)
    classes = range(explainer.output.shape[-1])
    found = [found_by(explainer, dataset, c, images=slice(None)) for c in classes]
    for index, one in enumerate(found):
        np.testing.assert_allclose(one.values.sum(axis=1), one.scores, atol=1e-5)
        np.testing.assert_array_equal(one.class_index, [index] * 8)
        for part in set(one.filter_parts):
            members = one.per_filter[:, one.filter_parts == part]
            values = one.values[:, part]
            np.testing.assert_allclose(values, members.sum(axis=1), atol=1e-6)
    # The scores are the logits behind the explainer's own output.
    logits = np.stack([one.scores for one in found], axis=1)
    odds = np.exp(logits)
    shares = odds / (1 + odds if len(classes) == 1 else odds.sum(1, keepdims=True))
    np.testing.assert_allclose(explainer.predict(images, verbose=0), shares, rtol=1e-4)


def test_remainder_of_a_linear_decoder_is_its_bias(explainer_of, dataset):
    explainer = explainer_of()
    first, first_bias = explainer.get_layer("fc_dec_1").get_weights()
    last, last_bias = explainer.performer.get_layer("classes").get_weights()
    encoding = explainer.encode(scaled(dataset.images[:4]))
    for index in range(3):
        found = found_by(explainer, dataset, index)
        slope = (first @ last[:, index]).reshape(8, 8, 4)
        np.testing.assert_allclose(
            found.values[:, -1],
            np.full(4, first_bias @ last[:, index] + last_bias[index]),
            atol=1e-5,
        )
        np.testing.assert_allclose(
            found.per_filter,
            (slope * encoding.interpretable).sum(axis=(1, 2)),
            atol=1e-5,
        )
        np.testing.assert_allclose(
            found.values[:, -2],
            (slope * encoding.ordinary).sum(axis=(1, 2, 3)),
            atol=1e-5,
        )
        assert np.abs(found.values[:, -1]).max() > 1e-3


@pytest.mark.parametrize("pooled", [False, True])
def test_a_filter_adds_what_the_score_loses_without_it(pooled, explainer_of, dataset):
    explainer = explainer_of(pooled=pooled)
    found = found_by(explainer, dataset, 1)
    layer = explainer.get_layer("conv_interp_2")
    kernel, bias = layer.get_weights()
    for number in range(4):
        without = kernel.copy()
        without[..., number] = 0.0
        layer.set_weights([without, bias])
        change = found.scores - found_by(explainer, dataset, 1).scores
        np.testing.assert_allclose(found.per_filter[:, number], change, atol=1e-5)
    assert np.abs(found.per_filter[:, :3]).min() > 0


def test_the_class_that_the_explainer_predicts(explainer_of, dataset):
    explainer = explainer_of()
    found = found_by(explainer, dataset)
    output = explainer.predict(scaled(dataset.images[:4]), verbose=0)
    np.testing.assert_array_equal(found.class_index, output.argmax(axis=1))
    # One class for all, or one for each image.
    both = found_by(explainer, dataset, [2, 0, 2, 0])
    for index in (0, 2):
        chosen = both.class_index == index
        same = found_by(explainer, dataset, index)
        np.testing.assert_allclose(both.values[chosen], same.values[chosen], atol=1e-6)


def test_batches_and_the_explainers_own_method(explainer_of, dataset):
    explainer = explainer_of()
    one = found_by(explainer, dataset)
    other = explainer.part_contributions(
        scaled(dataset.images[:4]), dataset, preprocess=scaled, batch_size=3
    )
    assert one.parts == other.parts
    np.testing.assert_allclose(other.values, one.values, atol=1e-6)
    np.testing.assert_allclose(other.distances, one.distances, atol=1e-9)
    np.testing.assert_array_equal(other.filter_parts, one.filter_parts)


def test_inputs_that_stand_for_the_images_of_the_dataset(explainer_of, dataset):
    explainer = explainer_of()
    expected = found_by(explainer, dataset)
    found = found_by(explainer, dataset, preprocess=None, inputs=scaled(dataset.images))
    np.testing.assert_array_equal(found.filter_parts, expected.filter_parts)
    np.testing.assert_allclose(found.distances, expected.distances)
    with pytest.raises(ValueError, match="as many `inputs`.*2 inputs and 8 images"):
        found_by(explainer, dataset, inputs=scaled(dataset.images[:2]))


def test_a_receptive_field_of_ones_own(explainer_of, dataset):
    explainer = explainer_of()
    # Three pixels to the lower right of where the filters look.
    field = ki.ReceptiveField(size=5, stride=1, start=3.5)
    found = found_by(explainer, dataset, field=field)
    np.testing.assert_allclose(
        found.positions[:, 1] - dataset.landmarks[:4, 0], 3.0, atol=1e-6
    )
    own = ki.receptive_field(explainer, "conv_interp_2", (16, 16))
    np.testing.assert_array_equal(
        found_by(explainer, dataset, field=own).positions,
        found_by(explainer, dataset).positions,
    )


def test_nothing_of_the_explainer_changes(explainer_of, dataset):
    explainer = explainer_of()
    before = [np.array(v) for v in explainer.get_weights()]
    found_by(explainer, dataset)
    for value, old in zip(explainer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_half_precision(dataset):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        explainer = ki.models.Explainer(performer(), "conv1")
    finally:
        keras.config.set_dtype_policy(policy)
    found = found_by(explainer, dataset)
    assert found.values.dtype == found.scores.dtype == np.float32
    np.testing.assert_allclose(found.values.sum(axis=1), found.scores, atol=1e-5)


def test_table():
    found = PartContributions(
        parts=("head", "tail", "unmasked filters", "ordinary track", "rest"),
        filters=np.array([12, 1, 0, 0, 0]),
        values=np.array([[1, 0.5, 0, -0.25, 3], [2, 0.7, 0, -0.25, 3]], "float32"),
        per_filter=np.zeros((2, 13), "float32"),
        filter_parts=np.zeros(13, int),
        confidence=np.ones(13),
        distances=np.zeros(13),
        positions=np.zeros((2, 13, 2)),
        scores=np.array([4.25, 5.45], "float32"),
        class_index=np.array([0, 0]),
        explained="logits",
    )
    assert found.table() == (
        "| part | filters | mean contribution |\n"
        "|---|---|---|\n"
        "| head | 12 | +1.50 |\n"
        "| tail | 1 | +0.60 |\n"
        "| unmasked filters |  | +0.00 |\n"
        "| ordinary track |  | -0.25 |\n"
        "| rest |  | +3.00 |\n"
        "| score | | +4.85 |\n"
    )


def test_no_interpretable_filter_is_refused(explainer_of, dataset):
    with pytest.raises(ValueError, match="fraction=0: none of its filters"):
        found_by(explainer_of(fraction=0.0), dataset)


def test_a_dataset_without_landmarks_is_refused(explainer_of, dataset):
    with pytest.raises(ValueError, match="landmarks.*2 images without any"):
        found_by(explainer_of(), dataset.subset([6, 7]))


@pytest.mark.parametrize("class_index", [3, [0, 1], "bird"])
def test_an_unknown_class_is_refused(class_index, explainer_of, dataset):
    with pytest.raises(ValueError, match="class"):
        found_by(explainer_of(), dataset, class_index)

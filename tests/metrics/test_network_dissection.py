"""Network dissection of maps small enough to do by hand, at once and streaming."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_interp as ki
from keras_interp.datasets import ConceptMasks
from keras_interp.metrics import (
    ActivationThreshold,
    NetworkDissection,
    _dissection_counts,
    activation_thresholds,
    network_dissection,
)


def flags(*rows):
    """Bool masks from strings such as "##..", one string a row."""
    return np.array([[letter == "#" for letter in row] for row in rows])


@pytest.fixture
def two_images():
    """Maps of 2x4 cells and masks of 2x4 pixels: nothing has to be interpolated."""
    maps = np.zeros((2, 2, 4, 2))
    maps[0, :, :, 0] = [[5, 5, 0, 0], [0, 0, 0, 0]]
    maps[1, :, :, 0] = [[5, 0, 0, 0], [0, 0, 0, 5]]
    maps[0, :, :, 1] = [[0, 0, 0, 0], [0, 0, 7, 7]]
    masks = np.zeros((2, 3, 2, 4), bool)
    masks[0, 0] = flags("##..", "##..")
    masks[1, 0] = flags("#...", "....")
    masks[0, 1] = flags("....", "..##")
    masks[1, 1] = flags("....", "...#")
    return maps, masks


def test_sums_over_the_whole_set_by_hand(two_images):
    maps, masks = two_images
    scores = network_dissection(maps, masks, thresholds=[1.0, 1.0])
    # Filter 0 covers 4 pixels: 3 of the 5 of concept 0, 1 of the 3 of concept 1.
    # Filter 1 covers 2 pixels: both of concept 1.
    expected = [[3 / 6, 1 / 6, np.nan], [0, 2 / 3, np.nan]]
    np.testing.assert_allclose(scores.per_concept, expected)
    np.testing.assert_allclose(scores.per_filter, [3 / 6, 2 / 3])
    np.testing.assert_allclose(
        scores.ceiling, [[4 / 5, 3 / 4, np.nan], [2 / 5, 2 / 3, np.nan]]
    )
    assert scores.concept.tolist() == [0, 1]
    assert scores.is_detector.tolist() == [True, True]
    assert (scores.value, scores.unique_detectors, scores.detectors) == (2.0, 2, 2)
    assert scores.thresholds.tolist() == [1.0, 1.0]


def test_only_annotated_images_count(two_images):
    maps, masks = two_images
    annotated = np.array([[True, True, False], [True, False, False]])
    scores = network_dissection(maps, masks, thresholds=[1, 1], annotated=annotated)
    # Without image 1, filter 0 has 2 pixels beside concept 1's 2, none in common.
    expected = [[3 / 6, 0, np.nan], [0, 1, np.nan]]
    np.testing.assert_allclose(scores.per_concept, expected)


def test_detectors_are_counted_by_concept_and_category(two_images):
    maps, masks = two_images
    maps = np.concatenate([maps, maps[..., 1:], np.zeros((2, 2, 4, 1))], axis=-1)
    scores = network_dissection(
        maps,
        masks,
        iou=0.5,
        thresholds=np.ones(4),
        concept_names=["head", "red", "green"],
        concept_categories=["part", "color", "color"],
    )
    # An IoU of exactly 0.5 is not above it; filters 1 and 2 share a concept.
    assert scores.is_detector.tolist() == [False, True, True, False]
    assert scores.concept.tolist() == [0, 1, 1, -1]
    assert scores.detected.tolist() == [1]
    assert (scores.unique_detectors, scores.detectors) == (1, 2)
    assert scores.detectors_by_category == {"part": 0, "color": 2}
    assert scores.unique_detectors_by_category == {"part": 0, "color": 1}
    assert scores.concept_names == ["head", "red", "green"]


def covered(cells, threshold, pixels=4, **options):
    """Which pixels a row of cells covers, found by one concept for each pixel."""
    maps = np.array(cells, float).reshape(1, 1, -1, 1)
    masks = np.eye(pixels, dtype=bool).reshape(1, pixels, 1, pixels)
    scores = network_dissection(maps, masks, thresholds=[threshold], **options)
    return (scores.per_concept[0] > 0).tolist()


def test_maps_are_interpolated_between_cells():
    # Two cells on four pixels lie at 0.5 and 2.5: the values are 0, 1, 3 and 4.
    assert covered([0, 4], 0.9) == [False, True, True, True]
    assert covered([0, 4], 2.9) == [False, False, True, True]
    assert covered([0, 4], 4) == [False] * 4


def test_cells_lie_at_the_centres_of_their_receptive_fields():
    # Cells at pixels 0 and 2: the values are 0, 2, 4 and 4.
    field = ki.ReceptiveField(size=3, stride=2, start=0)
    options = {"receptive_field": field, "image_size": (1, 4)}
    assert covered([0, 4], 1.9, **options) == [False, True, True, True]
    assert covered([0, 4], 3.9, **options) == [False, False, True, True]


def test_masks_may_be_smaller_than_the_network_s_input():
    # Cells at 1.5 and 5.5 of eight pixels lie at 0.5 and 2.5 of four.
    field = ki.ReceptiveField(size=3, stride=4, start=1.5)
    options = {"receptive_field": field, "image_size": (2, 8)}
    assert covered([0, 4], 0.9, **options) == covered([0, 4], 0.9)
    assert covered([0, 4], 3.1, **options) == covered([0, 4], 3.1)


def test_the_default_thresholds_leave_a_share_above():
    maps = np.arange(200.0).reshape(2, 10, 10, 1)
    masks = np.zeros((2, 1, 10, 10), bool)
    masks[1, 0, 9, 9] = True
    scores = network_dissection(maps, masks)
    assert scores.thresholds.tolist() == [198.0]
    assert scores.per_filter.tolist() == [1.0]
    wider = network_dissection(maps, masks, quantile=0.02)
    assert wider.per_filter.tolist() == [0.25]


def test_maps_that_equal_their_threshold_have_no_region():
    """Interpolation must not lift a plateau above its own level by rounding."""
    maps = np.full((1, 13, 13, 40), np.linspace(0.1, 7.3, 40))
    masks = np.ones((1, 1, 100, 100), bool)
    assert not network_dissection(maps, masks).per_filter.any()
    field = ki.ReceptiveField(size=9, stride=7.7, start=3.3)
    regions = ki.metrics.filter_regions(
        maps, maps[0, 0, 0], field, 100, region="bilinear"
    )
    assert not regions.any()


def test_silent_filters_and_absent_concepts():
    maps, masks = np.zeros((3, 4, 4, 2)), np.zeros((3, 2, 8, 8), bool)
    nothing = network_dissection(maps, masks)
    assert np.isnan(nothing.value) and np.isnan(nothing.per_filter).all()
    assert nothing.concept.tolist() == [-1, -1]
    masks[:, 0] = True
    silent = network_dissection(maps, masks)
    assert silent.value == 0.0
    assert silent.per_filter.tolist() == [0.0, 0.0]
    assert silent.concept.tolist() == [-1, -1]
    empty = network_dissection(maps[:0], masks[:0])
    assert np.isnan(empty.value) and np.isnan(empty.thresholds).all()


def by_loops(maps, masks, annotated, thresholds):
    """IoU of every filter and concept; masks have the size of the maps."""
    filters, concepts = maps.shape[-1], masks.shape[1]
    found = np.full((filters, concepts), np.nan)
    for index, concept in np.ndindex(filters, concepts):
        both = either = shown = 0
        for image in np.flatnonzero(annotated[:, concept]):
            region = maps[image, :, :, index] > thresholds[index]
            both += (region & masks[image, concept]).sum()
            either += (region | masks[image, concept]).sum()
            shown += masks[image, concept].sum()
        if shown:
            found[index, concept] = both / either
    return found


def drawn(seed, images=9):
    rng = np.random.default_rng(seed)
    maps = np.maximum(rng.normal(size=(images, 5, 4, 3)), 0).astype("float32")
    masks = rng.random((images, 2, 5, 4)) < 0.3
    annotated = rng.random((images, 2)) < 0.7
    return maps, masks, annotated


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), quantile=st.floats(0.01, 0.6))
def test_agrees_with_loops(seed, quantile):
    maps, masks, annotated = drawn(seed)
    scores = network_dissection(maps, masks, quantile, annotated=annotated)
    expected = by_loops(maps, masks, annotated, scores.thresholds)
    np.testing.assert_allclose(scores.per_concept, expected)


def test_large_sets_are_cut_into_chunks(monkeypatch):
    maps, masks, annotated = drawn(3, 20)
    masks = masks.repeat(3, axis=2).repeat(3, axis=3)
    expected = network_dissection(maps, masks, 0.1, annotated=annotated)
    monkeypatch.setattr(_dissection_counts, "PIXELS_AT_ONCE", 400)
    found = network_dissection(maps, masks, 0.1, annotated=annotated)
    assert found.per_concept.tolist() == expected.per_concept.tolist()


def same(found, expected):
    np.testing.assert_array_equal(found.per_concept, expected.per_concept)
    np.testing.assert_array_equal(found.ceiling, expected.ceiling)
    np.testing.assert_array_equal(found.concept, expected.concept)
    np.testing.assert_array_equal(found.is_detector, expected.is_detector)
    np.testing.assert_equal(found.value, expected.value)


@settings(max_examples=15)
@given(seed=st.integers(0, 100), cuts=st.lists(st.integers(0, 9), max_size=4))
def test_streaming_and_merging_equal_the_function(seed, cuts):
    maps, masks, annotated = drawn(seed)
    masks = masks.repeat(4, axis=2).repeat(4, axis=3)
    whole = network_dissection(maps, masks, 0.1, annotated=annotated)
    pieces = (np.split(array, sorted(cuts)) for array in (maps, masks, annotated))
    metrics = [NetworkDissection(whole.thresholds, 2) for _ in range(len(cuts) + 1)]
    for metric, piece in zip(metrics, zip(*pieces, strict=True), strict=True):
        metric.update_state(*piece)
    metrics[0].merge_state(metrics[1:])
    same(metrics[0].details(), whole)
    assert float(metrics[0].result()) == pytest.approx(whole.value, nan_ok=True)


def test_two_passes_with_streamed_thresholds():
    maps, masks, _ = drawn(5, 60)
    threshold = ActivationThreshold(3, quantile=0.1, accuracy=0.001)
    for piece in np.split(maps, 4):
        threshold.update_state(piece)
    metric = NetworkDissection(threshold.result(), 2)
    for piece in zip(np.split(maps, 5), np.split(masks, 5), strict=True):
        metric.update_state(*piece)
    exact = activation_thresholds(maps, 0.1)
    np.testing.assert_allclose(metric.thresholds, exact, rtol=1.1e-3)
    whole = network_dissection(maps, masks, 0.1)
    # A threshold that is off by a thousandth moves the odd pixel.
    np.testing.assert_allclose(
        metric.details().per_concept, whole.per_concept, atol=0.01
    )


def test_counts_beyond_two_to_the_31st_are_exact():
    metrics = [NetworkDissection([0.5], 1) for _ in range(2)]
    huge = np.array([[3 * 2**31 + 5], [2**33], [2**33]])
    for metric in metrics:
        metric._add(huge)
    metrics[0].merge_state(metrics[1:])
    assert metrics[0]._read().tolist() == (2 * huge).tolist()
    either = 2 * 2**33 - (3 * 2**31 + 5)
    assert metrics[0].details().per_filter[0] == (3 * 2**31 + 5) / either


def test_reset_and_config():
    maps, masks, _ = drawn(4)
    metric = NetworkDissection(
        [0.5, 0.5, np.nan],
        ["head", "red"],
        iou=0.1,
        concept_categories=["part", "color"],
        receptive_field=ki.ReceptiveField(size=(3, 5), stride=1, start=0),
        image_size=(5, 4),
    )
    metric.update_state(maps, masks)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(metric)
    )
    again.update_state(maps, masks)
    same(again.details(), metric.details())
    np.testing.assert_equal(again.get_config(), metric.get_config())
    assert metric.details().concept_categories == ["part", "color"]
    metric.merge_state([again])
    same(metric.details(), again.details())
    metric.reset_state()
    assert np.isnan(float(metric.result()))


def test_concepts_of_a_dataset_bring_their_names(rng):
    concepts = ConceptMasks(
        masks=rng.random((4, 2, 6, 6)) < 0.3,
        names=["head", "red"],
        categories=["part", "color"],
        annotated=np.array([[True, True]] * 3 + [[False, True]]),
    )
    maps = rng.random((4, 3, 3, 5))
    scores = network_dissection(maps, concepts, 0.2)
    plain = network_dissection(maps, concepts.masks, 0.2, annotated=concepts.annotated)
    same(scores, plain)
    assert scores.concept_names == ["head", "red"]
    assert plain.concept_names == ["concept 0", "concept 1"]
    metric = NetworkDissection(scores.thresholds, concepts.names)
    for rows in ([0, 1], [2, 3]):
        metric.update_state(maps[rows], concepts.subset(rows))
    same(metric.details(), scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantile": 0}, "Expected quantile as a share of.*Received: quantile=0"),
        ({"iou": 1.0}, r"Expected iou of at least 0"),
        (
            {"feature_maps": np.zeros((9, 5, 4))},
            r"Expected feature_maps of shape \(images, height,",
        ),
        ({"feature_maps": np.full((9, 5, 4, 3), np.nan)}, "NaN"),
        ({"feature_maps": np.full((9, 5, 4, 3), -np.inf)}, "540 infinite values"),
        (
            {"concept_masks": np.zeros((9, 2, 5, 4))},
            "Expected concept_masks as booleans of shape",
        ),
        (
            {"concept_masks": np.zeros((9, 5, 4), bool)},
            "Expected concept_masks as booleans of shape",
        ),
        (
            {"concept_masks": np.zeros((9, 0, 5, 4), bool)},
            "Expected concept_masks as booleans of shape",
        ),
        (
            {"concept_masks": np.zeros((8, 2, 5, 4), bool)},
            "Expected feature_maps and concept_masks of the",
        ),
        ({"thresholds": [1.0, 2.0]}, r"of shape \(3,\)"),
        (
            {"annotated": np.ones((9, 3), bool)},
            r"Expected annotated as booleans of shape",
        ),
        ({"annotated": np.ones((9, 2))}, "Expected annotated as booleans of shape"),
        (
            {"concept_names": ["head"]},
            r"Expected concept_names as a list of.*Received: concept_names=\['head'\]",
        ),
        ({"concept_categories": "part"}, "Expected concept_categories as a list of"),
        (
            {"image_size": -3},
            "Expected image_size as a positive number.*Received: image_size=-3",
        ),
    ],
)
def test_bad_input_is_refused(change, message):
    maps, masks, _ = drawn(0)
    with pytest.raises(ValueError, match=message):
        network_dissection(**{"feature_maps": maps, "concept_masks": masks, **change})


def test_bad_streams_are_refused():
    maps, masks, _ = drawn(0)
    with pytest.raises(
        ValueError,
        match="Expected 4 filters and 2 concepts,.*Received: 3 filters and 2 concepts",
    ):
        NetworkDissection(np.ones(4), 2).update_state(maps, masks)
    with pytest.raises(ValueError, match=r"Expected thresholds of shape \(1,\), one"):
        NetworkDissection([[1.0]], 2)
    with pytest.raises(ValueError, match="at least one"):
        NetworkDissection([1.0], [])
    with pytest.raises(ValueError, match=r"Expected iou of at least 0"):
        NetworkDissection([1.0], 2, iou=-1)
    with pytest.raises(ValueError, match="Expected concept_categories as a list of"):
        NetworkDissection([1.0], 2, concept_categories=["part"])
    with pytest.raises(ValueError, match="same settings"):
        NetworkDissection([1.0], 2).merge_state([NetworkDissection([2.0], 2)])


@pytest.mark.slow
def test_filters_of_a_trained_network_follow_the_colours_of_real_birds(
    real_data, monkeypatch, rng
):
    """Their maps fit their own images far better than other images."""
    monkeypatch.setenv("KERAS_INTERP_DATA", str(real_data))
    birds = ki.datasets.load("cub", split="test", max_images_per_category=1)
    birds = birds.subset(slice(0, 60))
    model = ki.models.SqueezeNet(weights="imagenet")
    extract = keras.Model(model.inputs, model.get_layer("fire9").output)
    inputs = ki.models.preprocess_input(birds.images)
    maps = extract.predict(inputs, batch_size=20, verbose=0)
    concepts = ki.datasets.concept_masks(birds, "color")
    options = {"receptive_field": ki.receptive_field(model, "fire9")}
    own = network_dissection(maps, concepts, **options)
    others = network_dissection(maps[rng.permutation(60)], concepts, **options)
    assert own.per_filter.max() > 2 * others.per_filter.max()
    assert own.unique_detectors > others.unique_detectors

"""Part interpretability of constructed regions, at once and streaming."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp.metrics import PartInterpretability, part_interpretability


def rectangle(rows, columns, side=20):
    mask = np.zeros((side, side), dtype=bool)
    mask[rows[0] : rows[1], columns[0] : columns[1]] = True
    return mask


def test_threshold_must_be_exceeded():
    part = rectangle((0, 10), (0, 10))[None, None]
    # 20 of 100 pixels inside, none outside: exactly 0.2, which is not enough.
    at = rectangle((0, 2), (0, 10))[None, None]
    above = rectangle((0, 3), (0, 7))[None, None]
    assert part_interpretability(at, part).value == 0.0
    assert part_interpretability(above, part).value == 1.0
    assert part_interpretability(above, part, iou=0.21).value == 0.0


def test_constructed_filters(rng):
    parts = np.zeros((8, 3, 20, 20), dtype=bool)
    parts[:, 0] = rectangle((0, 10), (0, 10))
    parts[:, 1] = rectangle((10, 20), (10, 20))
    parts[4:, 1] = False  # seen in four images; part 2 in none
    masks = np.zeros((8, 4, 20, 20), dtype=bool)
    masks[:, 0] = parts[:, 0]  # always on part 0
    masks[:, 1] = rectangle((10, 20), (10, 20))  # on part 1 wherever it is seen
    masks[::2, 2] = parts[::2, 0]  # on part 0 every second time
    found = part_interpretability(masks, parts)
    assert found.per_filter.tolist() == [1.0, 1.0, 0.5, 0.0]
    assert found.part.tolist()[:3] == [0, 1, 0]
    assert found.value == 0.625
    assert np.isnan(found.per_part[:, 2]).all()
    assert found.count.tolist() == [8, 4, 8, 8]


def by_loops(masks, parts, iou):
    associated = np.zeros((masks.shape[1], parts.shape[1]))
    shown = np.zeros(parts.shape[1])
    for image, part in np.ndindex(parts.shape[:2]):
        if not parts[image, part].any():
            continue
        shown[part] += 1
        for index in range(masks.shape[1]):
            both = (masks[image, index] & parts[image, part]).sum()
            either = (masks[image, index] | parts[image, part]).sum()
            associated[index, part] += both / either > iou
    return associated / np.where(shown > 0, shown, np.nan)


def drawn(seed, images=7):
    rng = np.random.default_rng(seed)
    masks = rng.random((images, 3, 6, 5)) < 0.4
    parts = rng.random((images, 2, 6, 5)) < 0.4
    parts[rng.random((images, 2)) < 0.3] = False
    return masks, parts


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), iou=st.floats(0, 0.9))
def test_agrees_with_loops(seed, iou):
    masks, parts = drawn(seed)
    found = part_interpretability(masks, parts, iou)
    assert found.per_part == pytest.approx(by_loops(masks, parts, iou), nan_ok=True)


def test_channels_last_masks_are_recognised():
    masks, parts = drawn(1)
    expected = part_interpretability(masks, parts)
    found = part_interpretability(masks.transpose(0, 2, 3, 1), parts)
    assert found.per_part == pytest.approx(expected.per_part, nan_ok=True)


def test_only_the_filter_s_category_counts():
    masks, parts = drawn(2, 20)
    labels = np.arange(20) % 2
    found = part_interpretability(
        masks, parts, labels=labels, categories=np.array([0, 1, 5])
    )
    even = part_interpretability(masks[::2], parts[::2])
    odd = part_interpretability(masks[1::2], parts[1::2])
    assert found.per_part[0] == pytest.approx(even.per_part[0])
    assert found.per_part[1] == pytest.approx(odd.per_part[1])
    assert np.isnan(found.per_filter[2])
    assert found.part[2] == -1


def test_large_sets_are_cut_into_chunks():
    masks, parts = drawn(3, 30)
    big_masks = masks.repeat(60, axis=2).repeat(60, axis=3)
    big_parts = parts.repeat(60, axis=2).repeat(60, axis=3)
    expected = part_interpretability(masks, parts)
    found = part_interpretability(big_masks, big_parts)
    assert found.per_part.tolist() == expected.per_part.tolist()


def test_nothing_to_see_gives_nan():
    masks, parts = drawn(0)
    assert np.isnan(part_interpretability(masks, np.zeros_like(parts)).value)
    assert np.isnan(part_interpretability(masks[:0], parts[:0]).value)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 100), cuts=st.lists(st.integers(0, 9), max_size=4))
def test_streaming_and_merging_equal_the_function(seed, cuts):
    masks, parts = drawn(seed, 9)
    cuts = sorted(cuts)
    metrics = [PartInterpretability(3, 2) for _ in range(len(cuts) + 1)]
    batches = zip(np.split(masks, cuts), np.split(parts, cuts), strict=True)
    for metric, batch in zip(metrics, batches, strict=True):
        metric.update_state(*batch)
    metrics[0].merge_state(metrics[1:])
    whole = part_interpretability(masks, parts)
    details = metrics[0].details()
    assert np.array_equal(details.per_part, whole.per_part, equal_nan=True)
    assert details.part.tolist() == whole.part.tolist()
    assert float(metrics[0].result()) == pytest.approx(
        whole.value, rel=1e-6, nan_ok=True
    )


def test_streaming_with_categories_reset_and_config():
    masks, parts = drawn(4, 12)
    labels, categories = np.arange(12) % 2, np.array([0, 1, 1])
    metric = PartInterpretability(3, 2, iou=0.1, categories=categories)
    metric.update_state(masks[:5], parts[:5], labels[:5])
    metric.update_state(masks[5:], parts[5:], labels[5:])
    whole = part_interpretability(
        masks, parts, 0.1, labels=labels, categories=categories
    )
    assert metric.details().per_filter.tolist() == whole.per_filter.tolist()
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(metric)
    )
    assert again.get_config() == metric.get_config()
    metric.reset_state()
    assert np.isnan(float(metric.result()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iou": 1.0}, r"Expected iou of at least 0.*Received: iou=1\.0"),
        ({"masks": np.zeros((7, 3, 6, 5))}, "Expected masks as booleans of shape"),
        (
            {"part_masks": np.zeros((7, 2, 6, 5))},
            "Expected part_masks as booleans of shape",
        ),
        (
            {"masks": np.zeros((6, 3, 6, 5), dtype=bool)},
            "Expected masks and part_masks of the",
        ),
        (
            {"masks": np.zeros((7, 3, 6, 6), dtype=bool)},
            "Expected masks and part_masks of the",
        ),
        (
            {"labels": np.zeros(7, dtype=int)},
            "Expected labels and categories together",
        ),
    ],
)
def test_bad_input_is_refused(change, message):
    masks, parts = drawn(0)
    with pytest.raises(ValueError, match=message):
        part_interpretability(**{"masks": masks, "part_masks": parts, **change})


def test_bad_streams_are_refused():
    masks, parts = drawn(0)
    with pytest.raises(ValueError, match="Expected 4 filters and 2 parts,"):
        PartInterpretability(4, 2).update_state(masks, parts)
    with pytest.raises(
        ValueError,
        match="Expected labels and categories together",
    ):
        PartInterpretability(3, 2, categories=[0, 0, 0]).update_state(masks, parts)
    with pytest.raises(ValueError, match="same settings"):
        PartInterpretability(3, 2).merge_state([PartInterpretability(3, 2, iou=0.3)])

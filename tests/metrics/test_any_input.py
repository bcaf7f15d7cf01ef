"""Whatever arrays come, a measure gives a defined result or says why it cannot."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import keras_interp as ki

SIZE = 32
DTYPES = st.sampled_from(["float16", "float32", "float64", "int8", "uint8", "int64"])
counts = st.integers(0, 4)


def arrays(shape, dtype=DTYPES, wild=True):
    """Arrays of a shape, of any kind of number; floats may be NaN or infinite."""

    def of(kind):
        if np.dtype(kind).kind != "f":
            return hnp.arrays(kind, shape, elements=st.integers(0, 40))
        finite = st.floats(-40, 40, width=8 * np.dtype(kind).itemsize)
        odd = st.sampled_from([np.nan, np.inf, -np.inf]) if wild else st.nothing()
        return hnp.arrays(kind, shape, elements=finite | odd)

    return dtype.flatmap(of)


@st.composite
def peaks(draw):
    """Positions, scores and landmarks of the same images, of any kind of number."""
    images, filters, landmarks = draw(counts), draw(counts), draw(counts)
    return (
        draw(arrays((images, filters, 2))),
        draw(arrays((images, filters))),
        draw(arrays((images, landmarks, 2))),
    )


def defined(call):
    """The result of a call, or `None` after a `ValueError` with a sentence."""
    with warnings.catch_warnings():
        # A warning of NumPy would mean a division by zero or an overflow unseen.
        warnings.simplefilter("error")
        try:
            return call()
        except ValueError as error:
            text = str(error)
            assert text.startswith("Expected ") and ". Received: " in text, text
            assert text.endswith("."), text
            return None


def known(values):
    """Numbers that are not NaN."""
    values = np.asarray(values, "float64")
    return values[~np.isnan(values)]


@settings(max_examples=60, deadline=None)
@given(peaks(), st.sampled_from([1, 2, 100, None]), st.sampled_from([0, 1]))
def test_location_instability(given_peaks, top, ddof):
    positions, scores, landmarks = given_peaks
    found = defined(
        lambda: ki.metrics.location_instability(
            positions, scores, landmarks, SIZE, top=top, ddof=ddof
        )
    )
    if found is not None:
        assert found.per_filter.shape == (positions.shape[1],)
        assert found.per_landmark.shape == (positions.shape[1], landmarks.shape[1])
        assert (known(found.per_landmark) >= 0).all()
        for baseline in (found.baseline_constant, found.baseline_random):
            assert np.isnan(baseline) or baseline >= 0


@settings(max_examples=60, deadline=None)
@given(peaks(), st.integers(0, 5))
def test_tracking_and_hit_gain(given_peaks, seed):
    positions, scores, landmarks = given_peaks
    choose_on = np.random.default_rng(seed).random(len(positions)) < 0.5
    for measure in (ki.metrics.tracking, ki.metrics.hit_gain):
        found = defined(
            lambda measure=measure: measure(
                positions, scores, landmarks, SIZE, choose_on=choose_on
            )
        )
        if found is not None:
            assert (known(found.per_filter) <= 1 + 1e-6).all()
            assert ((found.part >= -1) & (found.part < landmarks.shape[1])).all()
            assert (found.count >= 0).all()


@settings(max_examples=60, deadline=None)
@given(peaks())
def test_nearest_landmarks(given_peaks):
    positions, scores, landmarks = given_peaks
    found = defined(
        lambda: ki.metrics.nearest_landmarks(positions, scores, landmarks, SIZE)
    )
    if found is not None:
        assert (np.isnan(found.distance) == (found.landmark == -1)).all()
        assert (known(found.distance) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(peaks())
def test_name_filters(given_peaks):
    positions, scores, landmarks = given_peaks
    names = [f"part {place}" for place in range(np.shape(landmarks)[1])]
    found = defined(
        lambda: ki.metrics.name_filters(
            positions, scores, landmarks, landmark_names=names, image_size=SIZE
        )
    )
    if found is not None:
        assert ((found.part == -1) == (found.confidence == 0)).all()
        assert ((found.confidence >= 0) & (found.confidence <= 1)).all()


@settings(max_examples=40, deadline=None)
@given(peaks())
def test_tracking_summary_and_landmark_regression(given_peaks):
    positions, scores, landmarks = given_peaks
    found = defined(
        lambda: ki.metrics.tracking_summary(
            positions, scores, landmarks, SIZE, resamples=5
        )
    )
    if found is not None:
        assert np.isnan(found.median) == (found.filters == 0)
        assert not found.median > 1
    first = np.arange(len(positions)) % 2 == 0
    found = defined(
        lambda: ki.metrics.landmark_regression(
            positions, scores, landmarks, SIZE, first
        )
    )
    if found is not None:
        assert np.isnan(found.error) == (found.count.sum() == 0)
        assert not found.error < 0


@settings(max_examples=40, deadline=None)
@given(peaks())
def test_overlap_and_spread(given_peaks):
    positions = given_peaks[0]
    found = defined(lambda: ki.metrics.overlap(positions, SIZE))
    if found is not None:
        assert ((known(found.per_filter) >= 0) & (known(found.per_filter) <= 1)).all()
    found = defined(lambda: ki.metrics.position_spread(positions, SIZE))
    if found is not None:
        assert (known(found.per_filter) >= 0).all()


@st.composite
def feature_maps(draw):
    sides = st.integers(0, 4)
    shape = draw(counts), draw(sides), draw(sides), draw(counts)
    return draw(arrays(shape))


FIELD = ki.ReceptiveField(size=12, stride=8, start=3.5)


@settings(max_examples=80, deadline=None)
@given(feature_maps())
def test_measures_of_maps(maps):
    images, filters = maps.shape[0], maps.shape[-1]
    found = defined(lambda: ki.metrics.density(maps))
    if found is not None:
        assert ((known(found.per_filter) >= 0) & (known(found.per_filter) <= 1)).all()
    levels = defined(lambda: ki.metrics.activation_thresholds(maps, 0.2))
    if levels is not None:
        assert levels.shape == (filters,)
        assert np.isnan(levels).all() if images == 0 else not np.isnan(levels).any()
    both = defined(lambda: ki.metrics.positions_and_scores(maps, FIELD))
    if both is not None:
        positions, scores = both
        assert positions.shape == (images, filters, 2)
        assert (np.isnan(positions).any(axis=-1) == (scores == 0)).all()
    heat = defined(lambda: ki.metrics.part_density(maps, FIELD, (SIZE, SIZE)))
    if heat is not None:
        assert heat.shape == (images, SIZE, SIZE)
        assert ((heat >= 0) & (heat <= 1)).all()
    if levels is not None:
        for region in ("disc", "bilinear"):
            regions = defined(
                lambda region=region: ki.metrics.filter_regions(
                    maps, levels, FIELD, SIZE, region
                )
            )
            if regions is not None:
                assert regions.shape == (images, filters, SIZE, SIZE)


@settings(max_examples=40, deadline=None)
@given(feature_maps(), st.integers(0, 3), st.booleans())
def test_network_dissection(maps, concepts, same_images):
    images = len(maps) if same_images else len(maps) + 1
    masks = np.random.default_rng(0).random((images, concepts, 6, 6)) < 0.5
    found = defined(lambda: ki.metrics.network_dissection(maps, masks, quantile=0.2))
    if found is not None:
        assert found.per_concept.shape == (maps.shape[-1], concepts)
        values = known(found.per_concept)
        assert ((values >= 0) & (values <= 1)).all()


@settings(max_examples=40, deadline=None)
@given(counts, counts, counts, st.booleans())
def test_part_interpretability(images, filters, parts, same_size):
    rng = np.random.default_rng(images)
    masks = rng.random((images, filters, 6, 6)) < 0.5
    part_masks = rng.random((images, parts, 6, 6 if same_size else 7)) < 0.5
    found = defined(lambda: ki.metrics.part_interpretability(masks, part_masks))
    assert (found is None) != same_size
    if found is not None:
        assert found.per_part.shape == (filters, parts)
        assert ((known(found.per_part) >= 0) & (known(found.per_part) <= 1)).all()


@settings(max_examples=60, deadline=None)
@given(arrays((5,)), st.none() | arrays((5,)))
def test_part_coverage(parts, weights):
    found = defined(lambda: ki.metrics.part_coverage(parts, weights))
    if found is not None:
        following = {int(part) for part in parts if part >= 0}
        assert found <= len(following) + 1e-9
        assert found == 0 or found >= 1 - 1e-9


@settings(max_examples=40, deadline=None)
@given(arrays((3, 2)) | arrays((0, 2)) | arrays((3,)))
def test_dead_filters(scores):
    found = defined(lambda: ki.metrics.dead_filters(scores))
    if found is not None:
        assert set(known(found.per_filter)) <= {0.0, 1.0}


@settings(max_examples=30, deadline=None)
@given(arrays((2, 5, 5)))
def test_sizes_of_empirical_fields(shapes):
    sizes = defined(lambda: ki.metrics.empirical_size(shapes))
    if sizes is not None:
        assert ((known(sizes) >= 1) & (known(sizes) <= 5)).all()
    average = defined(lambda: ki.metrics.average_receptive_field(shapes))
    if average is not None:
        assert average.max() <= 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: ki.metrics.tracking("a", "b", "c", 8),
        lambda: ki.metrics.density(None),
        lambda: ki.metrics.density([[["a"]]]),
        lambda: ki.metrics.activation_thresholds([[1, 2], [3]]),
        lambda: ki.metrics.part_coverage(["head"]),
        lambda: ki.metrics.dead_filters(None),
        lambda: ki.metrics.overlap(np.zeros((1, 1, 2)), "large"),
        lambda: ki.metrics.density(np.zeros((1, 2, 2, 1), complex)),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(call):
    with pytest.raises(ValueError, match="Expected .*Received: "):
        call()

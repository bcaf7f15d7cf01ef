"""Which constructed filters count as part detectors."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.metrics import hit_gain, is_part_detector, part_coverage, tracking


def test_only_filters_that_follow_a_part_count(constructed):
    held_out = np.arange(1000) % 2 == 0
    tracked = tracking(*constructed.arguments, held_out)
    hits = hit_gain(*constructed.arguments, choose_on=held_out)
    detectors = is_part_detector(tracked, hits)
    assert [
        name
        for name, is_one in zip(constructed.names, detectors, strict=True)
        if is_one
    ] == ["perfect", "offset"]
    assert part_coverage(tracked.part, weights=detectors) == pytest.approx(1.0)


def test_thresholds_must_be_exceeded(constructed):
    tracked, hits = tracking(*constructed.arguments), hit_gain(*constructed.arguments)
    assert (
        is_part_detector(tracked, hits, least_tracking=-9, least_hit_gain=-9).sum() == 5
    )
    assert not is_part_detector(tracked, hits, least_tracking=1.5).any()


def test_different_layers_are_refused(constructed):
    tracked = tracking(*constructed.arguments)
    hits = hit_gain(
        constructed.positions[:, :2],
        constructed.scores[:, :2],
        constructed.landmarks,
        224,
    )
    with pytest.raises(ValueError, match="Expected tracking and hit_gain of the"):
        is_part_detector(tracked, hits)

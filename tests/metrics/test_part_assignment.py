"""NMI and ARI of the filters that are strongest at landmarks."""

from __future__ import annotations

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.metrics import part_assignment

FIELD = ki.ReceptiveField(size=8, stride=8, start=3.5)


def planted(follows: list[int], images: int = 200, parts: int = 4, seed: int = 0):
    """Maps whose filters are 1 at the cell of the part that each follows."""
    rng = np.random.default_rng(seed)
    cells = np.stack(
        np.divmod(
            rng.permuted(np.tile(np.arange(64), (images, 1)), axis=1)[:, :parts], 8
        ),
        axis=-1,
    )
    maps = np.zeros((images, 8, 8, len(follows)))
    for place, part in enumerate(follows):
        maps[np.arange(images), cells[:, part, 0], cells[:, part, 1], place] = 1.0
    return maps, FIELD.pixels(cells)


def test_literal_values():
    # Two images, two landmarks each; filter 0 holds three of the four, filter 1 one.
    maps = np.zeros((2, 8, 8, 2))
    maps[0, 0, 0, 0] = maps[0, 0, 1, 0] = maps[1, 0, 0, 0] = 1.0
    maps[1, 0, 1, 1] = 1.0
    landmarks = np.tile(FIELD.pixels([[0, 0], [0, 1]]), (2, 1, 1))
    found = part_assignment(maps, FIELD, landmarks, 64)
    assert found.assignment.tolist() == [[0, 0], [0, 1]]

    # Truth (0, 1, 0, 1), found (0, 0, 0, 1). Mutual information log 2 - 3/4 h(1/3),
    # entropies log 2 and h(1/4); NMI divides by their mean.
    def entropy(p):
        return -p * np.log(p) - (1 - p) * np.log(1 - p)

    information = np.log(2) - 0.75 * entropy(1 / 3)
    nmi = information / ((np.log(2) + entropy(1 / 4)) / 2)
    assert found.nmi == pytest.approx(100 * nmi)
    # One pair of six together in both, 2 in the truth, 3 in the assignment: expected
    # 2 * 3 / 6 = 1, so 1 - 1 = 0.
    assert found.ari == pytest.approx(0.0)
    assert (found.count, found.filters) == (4, 2)


def test_a_filter_for_each_landmark_is_perfect_and_collapse_is_not():
    maps, landmarks = planted([2, 0, 3, 1])
    perfect = part_assignment(maps, FIELD, landmarks, 64)
    assert (perfect.nmi, perfect.ari) == (pytest.approx(100), pytest.approx(100))
    assert set(map(tuple, perfect.assignment.tolist())) == {(1, 3, 0, 2)}
    assert perfect.baseline_random_nmi < 2
    assert abs(perfect.baseline_random_ari) < 2
    # Here landmarks lie anywhere: a fixed grid tells nothing.
    assert perfect.baseline_constant_nmi < 4
    maps, landmarks = planted([0, 0, 0, 0])
    collapsed = part_assignment(maps, FIELD, landmarks, 64)
    # The one part has a filter, the other three are "no filter fires".
    assert set(map(tuple, collapsed.assignment.tolist())) == {(0, 4, 4, 4)}
    assert collapsed.nmi < 60
    assert collapsed.ari < 34


def test_a_grid_does_well_where_landmarks_stay_in_place(rng):
    landmarks = np.array([[16, 16], [48, 16], [16, 48], [48, 48]])
    landmarks = landmarks + rng.normal(0, 2, (50, 4, 2))
    found = part_assignment(np.zeros((50, 8, 8, 4)), FIELD, landmarks, 64)
    assert found.baseline_constant_nmi == pytest.approx(100)
    assert (found.nmi, found.ari) == (0.0, 0.0)


def test_maps_are_read_between_cells_and_by_the_field():
    maps = np.zeros((1, 4, 4, 2))
    maps[0, 1, 2, 0], maps[0, 1, 3, 1] = 1.0, 1.0
    field = ki.ReceptiveField(size=20, stride=10, start=(5, 12))
    # Between (x 32) cell 2 and (x 42) cell 3 of row 1 (y 15).
    for x, strongest in ((36.0, 0), (38.0, 1), (99.0, 1)):
        found = part_assignment(maps, field, [[[x, 15.0], [0, 0]]], 60)
        assert found.assignment.tolist() == [[strongest, 2]]
    # A row below there is nothing.
    found = part_assignment(maps, field, [[[32.0, 26.0], [0, 0]]], 60)
    assert found.assignment.tolist() == [[2, 2]]


def test_filters_compete_on_one_scale():
    maps, landmarks = planted([0, 1, 2, 3])
    maps[..., 0] *= 1000
    maps[..., 0] += 0.5  # a weak response everywhere, half a promille of its peak
    found = part_assignment(maps, FIELD, landmarks, 64)
    assert found.nmi == pytest.approx(100)
    raw = maps.copy()
    raw[..., 0] += 2
    assert part_assignment(raw, FIELD, landmarks, 64, relative=False).nmi == 0.0


def test_absent_landmarks_do_not_count(rng):
    maps, landmarks = planted([0, 1, 2, 3])
    hidden = rng.random((200, 4)) < 0.4
    landmarks[hidden] = np.nan
    found = part_assignment(maps, FIELD, landmarks, 64)
    assert (found.assignment == -1).tolist() == hidden.tolist()
    assert found.count == 800 - hidden.sum()
    assert found.nmi == pytest.approx(100)
    nothing = part_assignment(maps, FIELD, landmarks * np.nan, 64)
    assert np.isnan([nothing.nmi, nothing.ari, nothing.baseline_random_ari]).all()
    # With one landmark there is nothing to tell apart.
    one = part_assignment(maps, FIELD, landmarks[:, :1], 64)
    assert np.isnan([one.nmi, one.ari]).all()


@pytest.mark.parametrize(
    ("maps", "landmarks", "message"),
    [
        (np.zeros((2, 8, 8)), np.zeros((2, 1, 2)), "Expected feature_maps of shape"),
        (np.zeros((2, 8, 8, 1)), np.zeros((3, 1, 2)), "of the same images"),
        (np.full((2, 8, 8, 1), np.nan), np.zeros((2, 1, 2)), "without NaN"),
    ],
)
def test_bad_input_is_refused(maps, landmarks, message):
    with pytest.raises(ValueError, match=message):
        part_assignment(maps, FIELD, landmarks, 64)

"""The table of pairs against Delta log E written out, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_interp.graphs._merging_table import MergingTable


def arrays(positives: int, others: int, filters: int, seed: int):
    random = np.random.default_rng(seed)
    gradients = random.normal(size=(positives + others, filters)) + 1.0
    gradients /= np.linalg.norm(gradients, axis=1, keepdims=True)
    vectors = random.uniform(size=gradients.shape)
    targets = (gradients * vectors).sum(axis=1) + random.normal(
        scale=0.3, size=len(gradients)
    )
    # The unit of the likelihood is the mean score of the positive images.
    targets[:positives] += 1.0 - targets[:positives].mean()
    return vectors, gradients, targets


def mode(nodes, gradients, vectors, targets):
    """w and b of a set of positive images, straight from the equations."""
    w = gradients[nodes].sum(axis=0)
    w = w / np.linalg.norm(w)
    return w, np.mean(targets[nodes] - vectors[nodes] @ w)


def log_evidence(cover, assigned, known, positives, beta):
    """log E of a second layer, all images at the nodes that they are assigned to."""
    vectors, gradients, targets = known
    gamma = 1.0 / targets[:positives].mean()
    h = np.empty(len(targets))
    for name, members in cover.items():
        w, b = mode(members, gradients, vectors, targets)
        mine = assigned == name
        h[mine] = vectors[mine] @ w + b
    theta = np.exp(gamma * h).sum()
    return gamma * h[:positives].sum() - positives * np.log(theta) - beta * len(cover)


def choices(cover, known, positives):
    """Nodes by the greatest cosine, of the images that are not positive."""
    vectors, gradients, targets = known
    names = sorted(cover)
    w = np.stack([mode(cover[n], gradients, vectors, targets)[0] for n in names])
    return np.array(names)[(gradients[positives:] @ w.T).argmax(axis=1)]


def check_table(positives, others, filters, seed, beta=1.0, mergers=None):
    known = arrays(positives, others, filters, seed)
    table = MergingTable(*known, positives, beta=beta)
    cover = {leaf: [leaf] for leaf in range(positives)}
    for _ in range(positives - 1 if mergers is None else mergers):
        assigned = np.empty(len(known[2]), dtype=int)
        for name, members in cover.items():
            assigned[members] = name
        assigned[positives:] = choices(cover, known, positives)
        np.testing.assert_array_equal(table.node, assigned)
        before = log_evidence(cover, assigned, known, positives, beta)
        best = -np.inf
        for a in cover:
            for b in cover:
                if a >= b:
                    continue
                merged = {k: v for k, v in cover.items() if k not in (a, b)}
                merged[a] = cover[a] + cover[b]
                after = log_evidence(
                    merged, np.where(assigned == b, a, assigned), known, positives, beta
                )
                assert table.gains()[a, b] == pytest.approx(after - before, abs=1e-8)
                assert table.gains()[b, a] == pytest.approx(after - before, abs=1e-8)
                best = max(best, after - before)
        first, second, gain = table.best_pair()
        assert gain == pytest.approx(best, abs=1e-8)
        table.merge(first, second)
        cover[first] = cover[first] + cover.pop(second)
    assert table.active.sum() == len(cover)


def test_every_pair_at_every_step_is_as_written_out():
    check_table(positives=9, others=7, filters=4, seed=0)


def test_without_other_images():
    check_table(positives=6, others=0, filters=3, seed=1)


@settings(max_examples=15, deadline=None)
@given(
    positives=st.integers(2, 6),
    others=st.integers(0, 6),
    filters=st.integers(2, 4),
    seed=st.integers(0, 1000),
    beta=st.floats(0.0, 3.0),
)
def test_any_table_is_as_written_out(positives, others, filters, seed, beta):
    check_table(positives, others, filters, seed, beta)


def test_of_three_images_the_gain_is_reckoned_by_hand():
    """x = 1 for all, g = 1: every h is y, and a merged pair has the mean of its two."""
    vectors = gradients = np.ones((3, 1))
    targets = np.array([1.0, 2.0, 3.0])
    table = MergingTable(vectors, gradients, targets, 3, beta=0.5)
    # gamma = 1 / 2; Theta = e^.5 + e^1 + e^1.5, of which two become e^.75 each.
    theta = np.exp([0.5, 1.0, 1.5]).sum()
    merged = 2 * np.exp(0.75) + np.exp(1.5)
    assert table.gains()[0, 1] == pytest.approx(0.5 + 3 * np.log(theta / merged))
    # The two outer ones flatten the most.
    assert table.best_pair()[:2] == (0, 2)


def test_the_gain_for_each_image_can_choose_another_pair():
    known = arrays(12, 6, 3, seed=4)
    plain, by_size = (MergingTable(*known, 12, by_size=flag) for flag in (False, True))
    different = False
    for _ in range(9):
        sizes = by_size.counts[:, None] + by_size.counts
        best = np.nanmax(by_size.gains() / sizes)
        first, second, gain = by_size.best_pair()
        assert gain / sizes[first, second] == pytest.approx(best)
        by_size.merge(first, second)
        pair = plain.best_pair()[:2]
        plain.merge(*pair)
        different |= pair != (first, second)
    assert different


def test_scores_of_very_different_size_stay_finite():
    vectors, gradients, targets = arrays(6, 4, 3, seed=5)
    targets[0] += 500.0
    targets[:6] /= targets[:6].mean() * 1000.0
    table = MergingTable(vectors, gradients, targets, 6)
    while table.active.sum() > 1:
        first, second, gain = table.best_pair()
        assert np.isfinite(gain)
        table.merge(first, second)

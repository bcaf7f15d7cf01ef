"""Drawn one by one or all at once, pictures are the same."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from keras_interp import datasets


@pytest.fixture(scope="module")
def pictures() -> datasets.DrawnPictures:
    return datasets.open_synthetic_parts(60, 24, texture_masks=True)


@pytest.fixture(scope="module")
def drawn() -> datasets.PartsDataset:
    return datasets.synthetic_parts(60, 24, texture_masks=True)


@pytest.mark.parametrize("length", [1, 7, 256])
def test_chunks_are_what_is_drawn_at_once(pictures, drawn, length):
    rows = np.random.default_rng(0).permutation(60)[:20]
    chunks = list(pickle.loads(pickle.dumps(pictures)).take(rows).chunks(length=length))
    assert len(chunks) == -(-20 // length)
    want = drawn.subset(rows)
    names = ("images", "labels", "landmarks", "boxes", "ids", "split", "part_masks")
    for name in (*names, "texture_masks"):
        got = np.concatenate([chunk[name] for chunk in chunks])
        np.testing.assert_array_equal(got, getattr(want, name), err_msg=name)


def test_masks_are_there_if_asked_for():
    pictures = datasets.open_synthetic_parts(3, 16, part_masks=False)
    assert pictures.part_names is None
    assert not {"part_masks", "texture_masks"} & pictures.fields([0]).keys()


def test_another_size_draws_the_same_scene(pictures):
    (fields,) = pictures.take([5]).chunks(size=48)
    assert fields["images"].shape == (1, 48, 48, 3)
    small = pictures.fields([5])
    np.testing.assert_allclose(fields["boxes"], small["boxes"] * 2, atol=1e-3)


def test_it_says_what_it_is(pictures):
    assert len(pictures) == 60
    assert repr(pictures) == (
        "DrawnPictures(60 pictures of 24x24, 7 classes, 10 landmarks)"
    )


def test_a_chunk_needs_a_length(pictures):
    with pytest.raises(ValueError, match="length must be >= 1, got 0"):
        next(pictures.chunks(length=0))

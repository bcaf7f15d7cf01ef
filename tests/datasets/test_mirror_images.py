"""Mirror images: what was left is right, and everything is where it was seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_interp.datasets import PartsDataset, add_mirror_images, synthetic_parts
from keras_interp.datasets.mirror_images import mirror_fields, mirror_order

NAN = np.nan


@pytest.fixture
def dataset(rng) -> PartsDataset:
    masks = np.zeros((3, 3, 4, 10), bool)
    masks[0, 0, 1, 2] = masks[1, 2, 3, 9] = True
    return PartsDataset(
        images=rng.integers(0, 256, (3, 4, 10, 3), dtype=np.uint8),
        labels=[0, 0, 1],
        class_names=["bird", "background"],
        landmarks=[
            [[2.5, 1.5], [NAN, NAN], [9.0, 4.0]],
            [[NAN, NAN], [0.0, 0.0], [10.0, 3.0]],
            [[NAN, NAN]] * 3,
        ],
        landmark_names=["left eye", "right eye", "tail"],
        part_masks=masks,
        boxes=[[1, 0, 4, 3], [0, 1, 10, 4], [NAN] * 4],
        captions=[["a left wing"], ["b", "c"], []],
        ids=["x/1", "x/2", "neg/1"],
        groups=[7, 7, 9],
        split=["train", "test", "train"],
    )


def test_objects_are_appended_and_nothing_else_changes(dataset):
    mirrored = add_mirror_images(dataset)
    assert len(mirrored) == 5  # the background is not mirrored
    assert mirrored.ids.tolist()[3:] == ["x/1_mirrored", "x/2_mirrored"]
    assert mirrored.groups.tolist() == [7, 7, 9, 7, 7]
    assert mirrored.split.tolist()[3:] == ["train", "test"]
    assert mirrored.labels.tolist() == [0, 0, 1, 0, 0]
    assert mirrored.captions == [*dataset.captions, ["a left wing"], ["b", "c"]]
    first = mirrored.subset(slice(0, 3))
    for field in ("images", "landmarks", "part_masks", "boxes", "ids"):
        np.testing.assert_array_equal(getattr(first, field), getattr(dataset, field))


def test_everything_is_mirrored_and_sides_change(dataset):
    mirrored = add_mirror_images(dataset).subset([3, 4])
    np.testing.assert_array_equal(mirrored.images, dataset.images[:2, :, ::-1])
    # x becomes 10 - x, and the left eye has become the right one.
    np.testing.assert_array_equal(
        mirrored.landmarks,
        [[[NAN, NAN], [7.5, 1.5], [1.0, 4.0]], [[10.0, 0.0], [NAN, NAN], [0.0, 3.0]]],
    )
    np.testing.assert_array_equal(mirrored.boxes, [[6, 0, 9, 3], [0, 1, 10, 4]])
    assert np.argwhere(mirrored.part_masks).tolist() == [[0, 1, 1, 7], [1, 2, 3, 0]]


def test_fields_that_are_absent_stay_absent(dataset):
    bare = dataclasses.replace(
        dataset,
        **dict.fromkeys(("part_masks", "part_names", "boxes", "captions", "ids")),
        groups=None,
    )
    mirrored = add_mirror_images(bare)
    assert len(mirrored) == 5
    assert mirrored.part_masks is mirrored.boxes is mirrored.ids is None


def test_numbers_as_ids_become_names():
    dataset = add_mirror_images(synthetic_parts(4, 16, negatives=0))
    assert dataset.ids.tolist()[:5] == ["0", "1", "2", "3", "0_mirrored"]


def test_the_mirror_image_of_a_mirror_image_is_the_image(dataset):
    fields = {
        name: getattr(dataset, name)
        for name in ("images", "landmarks", "boxes", "part_masks")
    }
    names = dataset.landmark_names
    twice = mirror_fields(mirror_fields(fields, names, names), names, names)
    for name, values in fields.items():
        np.testing.assert_array_equal(twice[name], values)


def test_texture_masks_are_mirrored():
    dataset = synthetic_parts(3, 16, negatives=0, texture_masks=True)
    mirrored = add_mirror_images(dataset)
    np.testing.assert_array_equal(
        mirrored.texture_masks[3:], dataset.texture_masks[..., ::-1]
    )


def test_one_example_without_the_axis_of_images(dataset):
    fields = {name: getattr(dataset, name)[0] for name in ("images", "landmarks")}
    mirrored = mirror_fields(fields, dataset.landmark_names)
    np.testing.assert_array_equal(mirrored["landmarks"][1], [7.5, 1.5])
    np.testing.assert_array_equal(mirrored["images"][:, 0], dataset.images[0, :, 9])


def test_what_has_no_counterpart_keeps_its_place():
    names = ["left_ear", "head", "right_front_paw", "left_front_paw", "right_horn"]
    assert mirror_order(names).tolist() == [0, 1, 3, 2, 4]


@given(st.lists(st.sampled_from(["a", "left b", "right b", "c left", "c right"])))
def test_the_order_undoes_itself(names):
    names = list(dict.fromkeys(names))
    order = mirror_order(names)
    assert order[order].tolist() == list(range(len(names)))

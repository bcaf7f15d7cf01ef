"""The schema: what it accepts, what it refuses, and how images are taken from it."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_interp.datasets import PartsDataset

NAN = float("nan")


def example(**changes) -> PartsDataset:
    """Four images of 8x12 with two landmarks."""
    fields = {
        "images": np.arange(4 * 8 * 12 * 3, dtype=np.uint32)
        .astype(np.uint8)
        .reshape(4, 8, 12, 3),
        "labels": [0, 1, 2, 1],
        "class_names": ["bird", "Löwe", "background"],
        "landmarks": [
            [[1, 2], [3, 4]],
            [[5, 6], [NAN, NAN]],
            [[NAN, NAN], [NAN, NAN]],
            [[0, 0], [12, 8]],
        ],
        "landmark_names": ["head", "tail"],
        "part_masks": np.zeros((4, 2, 8, 12), bool),
        "boxes": [[0, 0, 6, 4], [1, 1, 2, 2], [NAN] * 4, [0, 0, 12, 8]],
        "captions": [["a bird", "ein Vogel"], [], [], ["鳥"]],
        "ids": ["a", "b", "c", "d"],
        "groups": [0, 0, 1, 2],
        "split": ["train", "train", "test", "test"],
    }
    fields.update(changes)
    return PartsDataset(**fields)


def test_fields_are_stored_in_their_types():
    dataset = example()
    assert len(dataset) == 4
    assert dataset.image_size == (8, 12)
    assert dataset.labels.dtype == np.int64
    assert dataset.landmarks.dtype == np.float32
    assert dataset.landmarks.shape == (4, 2, 2)
    assert dataset.boxes.dtype == np.float32
    assert dataset.part_names == ["head", "tail"]
    assert dataset.split.tolist() == ["train", "train", "test", "test"]
    assert dataset.is_background.tolist() == [False, False, True, False]
    assert repr(dataset) == (
        "PartsDataset(4 images of 8x12, 3 classes, 2 landmarks, split: test 2, train 2)"
    )


def test_only_the_first_five_fields_are_needed():
    dataset = example(
        part_masks=None, boxes=None, captions=None, ids=None, groups=None, split=None
    )
    assert dataset.part_masks is None and dataset.part_names is None
    assert dataset.split.tolist() == ["train"] * 4


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        example().labels = np.zeros(4)


def test_no_background_class_means_no_background():
    dataset = example(class_names=["bird", "cat", "dog"])
    assert not dataset.is_background.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((4, 8, 12, 3))}, "uint8 NumPy array"),
        ({"images": np.zeros((4, 8, 12), np.uint8)}, r"\(N, height, width, 3\)"),
        ({"images": np.zeros((4, 8, 12, 1), np.uint8)}, "Repeat a grey-scale"),
        ({"images": [[1]]}, "uint8 NumPy array"),
        ({"labels": [0, 1, 2]}, r"labels as integers of shape \(4,\)"),
        ({"labels": [0.0, 1.0, 2.0, 1.0]}, "labels as integers"),
        ({"labels": [0, 1, 2, 3]}, r"0\.\.2.*\"background\""),
        ({"labels": [0, 1, 2, -1]}, 'class named "background"'),
        ({"class_names": ["a", "a", "b"]}, "different names as class_names"),
        ({"class_names": "abc"}, "class_names as a list of strings"),
        ({"landmark_names": ["head", 2]}, "landmark_names as a list of strings"),
        ({"landmarks": np.zeros((4, 3, 2))}, r"landmarks of the shape \(4, 2,"),
        ({"landmarks": np.full((4, 2, 2), np.inf)}, "finite"),
        (
            {"landmarks": np.array([[[1, NAN], [1, 1]]] * 4)},
            "NaN in both where absent",
        ),
        ({"part_masks": np.zeros((4, 2, 8, 12))}, "bool array of shape"),
        ({"part_masks": np.zeros((4, 2, 8, 8), bool)}, "bool array of shape"),
        ({"part_masks": np.zeros((4, 3, 8, 12), bool)}, "part_names where part_masks"),
        (
            {"part_masks": None, "part_names": ["x"]},
            "part_names together with",
        ),
        ({"boxes": np.zeros((4, 2))}, r"boxes of the shape \(4, 4\)"),
        ({"boxes": [[0, 0, 1, 1]] * 3 + [[3, 0, 1, 1]]}, "box 3 is"),
        ({"captions": [["a"]]}, "one list of sentences for each of the 4"),
        ({"captions": [["a"], ["b"], "c", ["d"]]}, r"captions\[2\]"),
        ({"ids": ["a", "b", "c", "c"]}, "ids that are all different"),
        ({"ids": [0.5, 1.5, 2.5, 3.5]}, "strings or integers"),
        ({"groups": [1, 2]}, r"groups as strings or integers of shape \(4,\)"),
        ({"split": [0, 1, 0, 1]}, "split as strings"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        example(**changes)


@pytest.mark.parametrize(
    "rows", [[3, 1], np.array([3, -3]), np.array([False, True, False, True]), [1, 3]]
)
def test_subset_takes_everything_along(rows):
    dataset = example()
    taken = dataset.subset(rows)
    expected = np.arange(4)[np.asarray(rows)].tolist()
    assert [dataset.ids.tolist().index(i) for i in taken.ids] == expected
    np.testing.assert_array_equal(taken.images, dataset.images[expected])
    np.testing.assert_array_equal(taken.landmarks, dataset.landmarks[expected])
    np.testing.assert_array_equal(taken.boxes, dataset.boxes[expected])
    assert taken.part_masks.shape == (2, 2, 8, 12)
    assert taken.captions == [dataset.captions[i] for i in expected]
    assert taken.class_names == dataset.class_names


def test_subset_by_slice_and_of_nothing():
    dataset = example()
    assert dataset.subset(slice(1, None, 2)).ids.tolist() == ["b", "d"]
    empty = dataset.subset([])
    assert len(empty) == 0
    assert empty.images.shape == (0, 8, 12, 3)
    assert "empty" in repr(empty)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([4], r"positions in -4\.\.3"),
        ([True, False], r"mask of the shape \(4,\)"),
        ([0.5], "list of integers, a slice or a bool mask"),
        (2, "list of integers, a slice or a bool mask"),
    ],
)
def test_subset_refuses_positions_outside(rows, message):
    with pytest.raises(ValueError, match=message):
        example().subset(rows)


def test_take_split():
    dataset = example()
    assert dataset.take_split("test").ids.tolist() == ["c", "d"]
    with pytest.raises(ValueError, match=r"'train'\]. Received: name='validation'"):
        dataset.take_split("validation")


def test_resize_scales_positions_with_the_image():
    masks = np.zeros((4, 2, 8, 12), bool)
    masks[0, 0, 2:6, 4:8] = True
    resized = example(part_masks=masks).resize((16, 6))
    assert resized.images.shape == (4, 16, 6, 3)
    np.testing.assert_allclose(resized.landmarks[0], [[0.5, 4], [1.5, 8]])
    np.testing.assert_allclose(resized.landmarks[3, 1], [6, 16])
    np.testing.assert_allclose(resized.boxes[0], [0, 0, 3, 8])
    assert np.isnan(resized.landmarks[2]).all() and np.isnan(resized.boxes[2]).all()
    expected = np.zeros((16, 6), bool)
    expected[4:12, 2:4] = True
    np.testing.assert_array_equal(resized.part_masks[0, 0], expected)
    assert not resized.part_masks[1:].any()


def test_resize_to_the_same_size_changes_nothing():
    dataset = example()
    assert dataset.resize((8, 12)) is dataset


@pytest.mark.parametrize("size", [(0, 4), (4,), (4.0, 4.0), "ab", (1, 2, 3)])
def test_resize_refuses_other_sizes(size):
    with pytest.raises(ValueError, match="size as a .height, width. pair"):
        example().resize(size)


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    x=st.floats(0, 12, width=32),
    y=st.floats(0, 8, width=32),
)
def test_landmarks_stay_at_their_place_in_the_image(height, width, x, y):
    dataset = example(landmarks=np.full((4, 2, 2), [x, y]))
    resized = dataset.resize((height, width))
    shares = resized.landmarks[0, 0] / [width, height]
    np.testing.assert_allclose(shares, [x / 12, y / 8], atol=1e-6)


def test_to_tf_data_gives_batches_for_fit():
    dataset = example()
    batches = list(dataset.to_tf_data(batch_size=3))
    assert [len(labels) for _, labels in batches] == [3, 1]
    images = np.concatenate([keras.ops.convert_to_numpy(i) for i, _ in batches])
    labels = np.concatenate([keras.ops.convert_to_numpy(k) for _, k in batches])
    assert images.dtype == np.float32 and labels.dtype == np.int32
    np.testing.assert_array_equal(images, dataset.images)
    np.testing.assert_array_equal(labels, dataset.labels)


def test_to_tf_data_shuffles_repeatably_and_anew_in_each_epoch():
    count = 40
    images = np.arange(count, dtype=np.uint8)[:, None, None, None]
    dataset = PartsDataset(
        images=np.tile(images, (1, 2, 2, 3)),
        labels=np.zeros(count, int),
        class_names=["a"],
        landmarks=np.zeros((count, 0, 2)),
        landmark_names=[],
    )

    def order(data):
        return [int(v) for batch, _ in data for v in np.asarray(batch)[:, 0, 0, 0]]

    data = dataset.to_tf_data(shuffle=True, seed=3)
    first, second = order(data), order(data)
    assert sorted(first) == list(range(count)) and first != sorted(first)
    assert second != first
    assert order(dataset.to_tf_data(shuffle=True, seed=3)) == first


def test_to_tf_data_refuses_an_empty_batch():
    with pytest.raises(ValueError, match="batch_size as an integer >= 1"):
        example().to_tf_data(batch_size=0)


def test_a_keras_model_fits_on_it():
    dataset = example()
    model = keras.Sequential(
        [
            keras.Input((8, 12, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    history = model.fit(dataset.to_tf_data(2), shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_texture_masks_go_along_with_their_images():
    masks = np.zeros((4, 1, 8, 12), bool)
    masks[2, 0, :4] = True
    dataset = example(texture_masks=masks, texture_names=["striped"])
    taken = dataset.subset([2, 0])
    np.testing.assert_array_equal(taken.texture_masks, masks[[2, 0]])
    small = dataset.resize((4, 6)).texture_masks
    assert small.shape == (4, 1, 4, 6)
    assert small[2, 0].tolist() == [[True] * 6] * 2 + [[False] * 6] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texture_names": ["striped"]}, "texture_names together with texture_masks"),
        (
            {"texture_masks": np.zeros((4, 1, 8, 12), bool)},
            "Expected texture_names where there are texture_masks",
        ),
        (
            {"texture_masks": np.zeros((4, 1, 8, 12)), "texture_names": ["striped"]},
            r"texture_masks as a bool array of shape \(4, 1, 8, 12\)",
        ),
    ],
)
def test_texture_masks_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        example(**change)

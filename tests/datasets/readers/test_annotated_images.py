"""Images on disk, read one at a time, some at a time and all at once."""

from __future__ import annotations

import dataclasses
import pickle
import tracemalloc

import numpy as np
import pytest

from keras_interp.datasets import load_cub, open_animal_part, open_cub, open_pascal_part

FIELDS = ("images", "labels", "landmarks", "boxes", "ids", "groups", "split")


@pytest.mark.parametrize("crop", ["box", None])
def test_one_at_a_time_in_chunks_and_all_at_once_are_the_same(cub_root, crop):
    images = open_cub(cub_root, crop=crop)
    whole = images.load((16, 24))
    chunks = list(images.chunks((16, 24), length=2))
    assert [len(chunk["images"]) for chunk in chunks] == [2, 1]
    for field in FIELDS:
        values = getattr(whole, field)
        joined = np.concatenate([chunk[field] for chunk in chunks])
        np.testing.assert_array_equal(joined, values)
        for row in (2, 0, 1):
            example = images.example(row, (16, 24))
            np.testing.assert_array_equal(example[field], values[row])


def test_examples_have_the_size_of_the_stored_pixels(cub_root):
    assert open_cub(cub_root).example(0)["images"].shape == (20, 40, 3)
    assert open_cub(cub_root, crop=None).example(0)["images"].shape == (80, 100, 3)


def test_images_of_different_sizes_need_a_size(cub_root):
    path = cub_root / "bounding_boxes.txt"
    path.write_text(path.read_text().replace("12 10.0 20.0 40", "12 10.0 20.0 30"))
    images = open_cub(cub_root)
    assert images.common_size() == (224, 224)
    assert images.example(2)["images"].shape == (20, 30, 3)
    with pytest.raises(ValueError, match="different sizes: give size="):
        images.fields(slice(None))
    with pytest.raises(ValueError, match="length as an integer >= 1"):
        next(images.chunks(length=0))


def test_one_class_at_a_time(cub_root):
    """What a loop over categories needs: one in memory, labelled from 0 on."""
    birds = open_cub(cub_root)
    wrens = birds.take_classes(["003.Wren"])
    assert wrens.class_names == ["003.Wren"] and wrens.labels.tolist() == [0]
    assert wrens.load(8).ids.tolist() == ["003.Wren/c"]
    both = birds.take_classes(["003.Wren", "001.Gull"])
    assert both.labels.tolist() == [1, 1, 0]


def test_types_are_those_of_a_parts_dataset(cub_root):
    fields = open_cub(cub_root).fields([0, 2])
    assert fields["images"].dtype == np.uint8
    assert fields["landmarks"].dtype == fields["boxes"].dtype == np.float32
    assert fields["labels"].dtype == fields["groups"].dtype == np.int64
    assert fields["ids"].tolist() == ["001.Gull/a", "003.Wren/c"]


def test_taking_rows(cub_root):
    images = open_cub(cub_root)
    assert images.take([2, 0]).ids.tolist() == ["003.Wren/c", "001.Gull/a"]
    assert images.take(images.split == "test").ids.tolist() == ["001.Gull/b"]
    assert len(images.take([])) == 0
    with pytest.raises(ValueError, match="positions in"):
        images.take([3])


def test_no_image_at_all_is_an_empty_dataset(cub_root):
    empty = open_cub(cub_root).take([]).load()
    assert empty.images.shape == (0, 224, 224, 3)


def test_another_process_can_read_them(animal_like, pascal_root):
    for images in (animal_like, open_pascal_part(pascal_root, smallest_box=1)):
        copy = pickle.loads(pickle.dumps(images))
        first, second = images.example(0, (8, 8)), copy.example(0, (8, 8))
        for name, values in first.items():
            np.testing.assert_array_equal(second[name], values)


@pytest.fixture
def animal_like(tmp_path, write_image, write_truth_7_3, write_object_boxes):
    """One dog with a head."""
    folder = tmp_path / "n02084071_obj" / "img"
    write_image(folder / "img" / "00001.jpg", 120, 100)
    box = (11, 21, 90, 80)
    write_object_boxes(folder / "data.mat", [box])
    part = ([[112.5, 56.5]], [[112, 56]], box)
    truth = tmp_path / "annotations" / "n02084071"
    write_truth_7_3(truth / "truth_part01.mat", [part])
    write_truth_7_3(truth / "truth_part02.mat", [None])
    return open_animal_part(tmp_path, negatives=False, part_masks=True)


def test_masks_are_drawn_where_there_are_any(animal_like):
    example = animal_like.example(0, (30, 40))
    assert example["part_masks"].shape == (2, 30, 40)
    # The head is centred at a quarter of the width, half of the height.
    assert np.argwhere(example["part_masks"][0]).mean(axis=0).tolist() == [14.5, 9.5]
    without = dataclasses.replace(animal_like, masks=np.array([None]))
    assert not without.example(0, (30, 40))["part_masks"].any()


def test_memory_holds_only_the_chunk(cub_root):
    """Reading in chunks does not keep what was read."""
    images = open_cub(cub_root).take([0, 1, 2] * 40)

    def peak(rows: int) -> int:
        tracemalloc.start()
        for fields in images.take(range(rows)).chunks((64, 64), length=6):
            assert fields["images"].shape == (6, 64, 64, 3)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(12)  # imports
    # The least of three: threads of a busy machine hold more at once.
    assert min(peak(120) for _ in range(3)) < 1.5 * peak(12)


def test_what_it_says_of_itself(cub_root):
    assert "3 images, 2 classes, 2 landmarks" in repr(open_cub(cub_root))


def test_loading_is_opening_and_reading(cub_root):
    options = {"categories": ["Gull"], "split_by": "authors"}
    loaded = load_cub(cub_root, "train", size=16, mirror=True, **options)
    opened = open_cub(cub_root, "train", **options).load(16, mirror=True)
    assert loaded.ids.tolist() == ["001.Gull/a", "001.Gull/a_mirrored"]
    np.testing.assert_array_equal(loaded.images, opened.images)

import dataclasses

import numpy as np
import pytest

from keras_interp.datasets import load
from keras_interp.reproduce.icnn_task import IcnnTask, cub_tasks, development_split


@pytest.fixture
def pictures():
    return load("synthetic_parts", num_images=60, image_size=32, negatives=0.2, seed=1)


def task_of(pictures, categories):
    targets = (~pictures.is_background).astype(int)
    features = np.zeros((len(pictures), 2, 2, 1))
    learnt = (np.asarray(pictures.split) != "test") & ~pictures.is_background
    mirrored = features[learnt]
    return IcnnTask(
        "animal", pictures, features, mirrored, targets, categories, "3", None
    )


def test_background_is_repeated_up_to_the_number_of_objects(pictures):
    task = task_of(pictures, 1)
    rows = task.training_rows()
    shown = task.targets[rows]
    train = task.targets[task.is_train]
    assert shown.sum() == train.sum()
    repeats = (shown == 0).sum() / (train == 0).sum()
    assert repeats == min(4, 2 * train.sum() // (train == 0).sum()) > 1
    assert task.is_train[rows].all()


def test_mirrored_features_belong_to_the_training_objects(pictures):
    task = task_of(pictures, 6)
    rows = task.training_objects()
    assert len(task.mirrored) == len(rows)
    assert task.is_train[rows].all() and not pictures.is_background[rows].any()


def test_objects_show_a_landmark_and_no_background(pictures):
    rows = task_of(pictures, 1).objects()
    assert len(rows) and not pictures.is_background[rows].any()
    assert np.isfinite(pictures.landmarks[rows]).all(axis=-1).any(axis=-1).all()


def test_development_never_sees_a_test_picture(pictures):
    pictures = dataclasses.replace(pictures, groups=np.arange(60) // 2)
    development = development_split(pictures)
    test_ids = set(pictures.ids[np.asarray(pictures.split) == "test"])
    assert not test_ids & set(development.ids)
    assert set(development.split) == {"train", "test"}
    for group in np.unique(development.groups):
        assert len(set(development.split[development.groups == group])) == 1


def test_species_are_labelled_as_the_network_learns_them(real_data):
    trunk = SmallTrunk()
    bird, species = cub_tasks(trunk, None, quick=True, development=True)
    np.testing.assert_array_equal(species.pictures.labels, species.targets)
    assert set(species.targets) == set(range(40)) == set(range(species.categories))
    assert len(species.pictures.class_names) == 40
    assert set(bird.targets) == {0, 1} and bird.pictures.is_background.any()
    assert len(bird.mirrored) == len(bird.training_objects())


class SmallTrunk:
    """As much of a `FrozenTrunk` as reading the pictures needs."""

    image_size = 32

    def features(self, images):
        return images[:, ::8, ::8].astype("float16")

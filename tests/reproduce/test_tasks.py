import dataclasses

import numpy as np
import pytest

from keras_interp import datasets
from keras_interp.datasets import load
from keras_interp.reproduce import _tasks
from keras_interp.reproduce._tasks import Task, development_split, plan_tasks


@pytest.fixture
def dataset():
    return load("synthetic_parts", num_images=60, image_size=32, negatives=0.2, seed=1)


def task_of(dataset, categories):
    targets = (~dataset.is_background).astype(int)
    features = np.zeros((len(dataset), 2, 2, 1))
    learnt = (np.asarray(dataset.split) != "test") & ~dataset.is_background
    mirrored = features[learnt]
    return Task("animal", dataset, features, mirrored, targets, categories, "3", None)


def test_species_that_are_none_of_the_largest(cub_of_three, monkeypatch):
    asked = {"categories": ["2 categories"], "other_species": True}
    with pytest.raises(ValueError, match="more than 40 species.*3 species"):
        plan_tasks("cub", cub_of_three, **asked)
    monkeypatch.setattr(_tasks, "MOST_SPECIES", 1)
    plan = plan_tasks("cub", cub_of_three, **asked)
    assert plan.names == ["2 categories"]
    usual = _tasks._species(datasets.open_cub(cub_of_three), 60, False)
    others = _tasks._species(datasets.open_cub(cub_of_three), 3, True)
    assert len(usual.class_names) == 1 and len(others.class_names) == 2
    assert not set(usual.class_names) & set(others.class_names)
    assert np.bincount(others.labels).tolist() == [3, 3]


def test_background_is_repeated_up_to_the_number_of_objects(dataset):
    task = task_of(dataset, 1)
    rows = task.training_rows()
    shown = task.targets[rows]
    train = task.targets[task.is_train]
    assert shown.sum() == train.sum()
    repeats = (shown == 0).sum() / (train == 0).sum()
    assert repeats == min(4, 2 * train.sum() // (train == 0).sum()) > 1
    assert task.is_train[rows].all()


def test_mirrored_features_belong_to_the_training_objects(dataset):
    task = task_of(dataset, 6)
    rows = task.training_objects()
    assert len(task.mirrored) == len(rows)
    assert task.is_train[rows].all() and not dataset.is_background[rows].any()


def test_objects_show_a_landmark_and_no_background(dataset):
    rows = task_of(dataset, 1).objects()
    assert len(rows) and not dataset.is_background[rows].any()
    assert np.isfinite(dataset.landmarks[rows]).all(axis=-1).any(axis=-1).all()


def test_development_never_sees_a_test_image(dataset):
    dataset = dataclasses.replace(dataset, groups=np.arange(60) // 2)
    development = development_split(dataset)
    test_ids = set(dataset.ids[np.asarray(dataset.split) == "test"])
    assert not test_ids & set(development.ids)
    assert set(development.split) == {"train", "test"}
    for group in np.unique(development.groups):
        assert len(set(development.split[development.groups == group])) == 1


def test_species_are_labelled_as_the_network_learns_them(real_data, small_trunk):
    plan = plan_tasks("cub", None, quick=True, development=True)
    assert plan.names == ["bird", "40 categories"]
    bird, species = plan.tasks(small_trunk)
    np.testing.assert_array_equal(species.dataset.labels, species.targets)
    assert set(species.targets) == set(range(40)) == set(range(species.categories))
    assert len(species.dataset.class_names) == 40
    assert set(bird.targets) == {0, 1} and bird.dataset.is_background.any()
    assert len(bird.mirrored) == len(bird.training_objects())
    assert plan.other_images is None or len(plan.other_images(small_trunk, 3)) == 3


def test_tasks_are_named_by_the_species_at_hand(cub_of_three, small_trunk):
    plan = plan_tasks("cub", cub_of_three, categories=["3 categories"])
    assert plan.names == ["3 categories"]
    (species,) = plan.tasks(small_trunk)
    assert species.categories == 3 and set(species.targets) == {0, 1, 2}
    assert species.dataset.class_names == ["001.Gull", "002.Owl", "003.Wren"]
    # Twelve birds, and the mirror images of the six to learn from.
    assert small_trunk.seen == [12, 6]
    with pytest.raises(ValueError, match=r"'3 categories'.*Received: .*'40 categ"):
        plan_tasks("cub", cub_of_three, categories=["40 categories"])


def test_species_need_no_negatives_and_birds_say_that_they_do(cub_of_three, negatives):
    for wanted in (None, ["bird"]):
        with pytest.raises(FileNotFoundError, match="--negatives"):
            plan_tasks("cub", cub_of_three, categories=wanted)
    plan = plan_tasks("cub", cub_of_three, negatives=negatives)
    assert plan.names == ["bird", "3 categories"]
    with pytest.raises(ValueError, match="no negatives with data='animal_part'"):
        plan_tasks("animal_part", cub_of_three, negatives=negatives)


def test_negatives_are_half_for_learning(cub_of_three, negatives, small_trunk):
    plan = plan_tasks("cub", cub_of_three, categories=["bird"], negatives=negatives)
    (bird,) = plan.tasks(small_trunk)
    assert bird.targets.tolist() == [1] * 12 + [0] * 4
    assert np.asarray(bird.dataset.split)[12:].tolist() == ["train", "test"] * 2
    assert bird.features.shape == (16, 4, 4, 3) and len(bird.mirrored) == 6


@pytest.mark.slow
def test_one_animal_is_in_memory_at_a_time(real_data, small_trunk):
    plan = plan_tasks("animal_part", None, categories=["dog", "cat"], quick=True)
    assert plan.names == ["cat", "dog"] or plan.names == ["dog", "cat"]
    for task, name in zip(plan.tasks(small_trunk), plan.names, strict=True):
        assert task.name == name
        assert task.dataset.class_names == [name, "background"]
        assert (task.targets == 1).sum() <= 120
    with pytest.raises(ValueError, match=r"Received: categories=\['fox'\]"):
        plan_tasks("animal_part", None, categories=["dog", "fox"])


@pytest.mark.slow
def test_all_animals_together_are_no_more_than_six_would_be(
    real_data, small_trunk, monkeypatch
):
    from keras_interp.reproduce import _tasks

    monkeypatch.setattr(_tasks, "JOINT_IMAGES", 60)
    plan = plan_tasks("animal_part", None, categories=["6 categories"])
    (task,) = plan.tasks(small_trunk)
    assert np.bincount(task.targets).tolist() == [10] * 6
    assert {"train", "test"} == set(np.asarray(task.dataset.split))

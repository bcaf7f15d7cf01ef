"""The classification tasks of the interpretable CNN paper, with features computed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from keras_interp import datasets
from keras_interp.datasets import PartsDataset
from keras_interp.reproduce.frozen_trunk import FrozenTrunk

# Landmarks of the paper's location instability on CUB: head, back and tail. The head
# is the forehead in the authors' code.
CUB_LANDMARKS = ("forehead", "back", "tail")
# Negatives of the authors' CUB task are used four times over.
NEGATIVE_REPEATS = 4


@dataclasses.dataclass(frozen=True)
class IcnnTask:
    """One classification task.

    Attributes:
        name: Such as `"bird"` or `"40 categories"`.
        pictures: All pictures of the task; the split says which are for testing.
        features: Maps of the frozen trunk, in the order of the pictures.
        mirrored: Maps of the mirror images of the training objects, in their order:
            the authors train on each object and its mirror image.
        targets: int labels that the network learns: 0/1 for one category.
        categories: Number of categories, 1 for object against background.
        paper_table: Table of location instability in the paper.
        instability_landmarks: Places of the landmarks that instability is a mean of.
        usual_epochs: Passes over the training pictures where none are asked for.
    """

    name: str
    pictures: PartsDataset
    features: np.ndarray
    mirrored: np.ndarray
    targets: np.ndarray
    categories: int
    paper_table: str
    instability_landmarks: tuple[int, ...] | None
    usual_epochs: int = 12

    @property
    def is_train(self) -> np.ndarray:
        """Bool, the pictures that are learnt from."""
        return np.asarray(self.pictures.split) != "test"

    def training_rows(self) -> np.ndarray:
        """Rows of training pictures, the rarer background repeated."""
        rows = np.flatnonzero(self.is_train)
        background = rows[self.pictures.is_background[rows]]
        objects = 2 * (len(rows) - len(background))
        # Never more background than objects and their mirror images.
        most = max(1, objects // max(1, len(background)))
        repeats = min(NEGATIVE_REPEATS, most)
        return np.concatenate([rows, np.repeat(background, repeats - 1)])

    def training_objects(self) -> np.ndarray:
        """Rows of training pictures that show an object."""
        return np.flatnonzero(self.is_train & ~self.pictures.is_background)

    def objects(self) -> np.ndarray:
        """Rows of pictures that show an object and have a landmark."""
        seen = np.isfinite(self.pictures.landmarks).all(axis=-1).any(axis=-1)
        return np.flatnonzero(seen & ~self.pictures.is_background)


def development_split(pictures: PartsDataset, seed: int = 5) -> PartsDataset:
    """Leave the test pictures out and hold back part of the others in their place.

    Groups stay on one side. For trying settings without a look at the test pictures.
    """
    rest = pictures.subset(np.asarray(pictures.split) != "test")
    groups = np.arange(len(rest)) if rest.groups is None else rest.groups
    _, group = np.unique(groups, return_inverse=True)
    held_back = np.random.default_rng(seed).random(group.max() + 1) < 0.35
    split = np.where(held_back[group], "test", "train")
    return dataclasses.replace(rest, split=split)


def cub_tasks(
    trunk: FrozenTrunk, root: Path | None, quick: bool, development: bool
) -> list[IcnnTask]:
    """Birds against background, and the 40 species with most pictures."""
    most = 24 if quick else 60
    birds = datasets.load("cub", root, size=trunk.image_size)
    birds = birds.subset(_largest_classes(birds.labels, 40, most))
    # Labels from 0 to 39: what the network learns and what its filters are assigned.
    kept, species = np.unique(birds.labels, return_inverse=True)
    names = [birds.class_names[label] for label in kept]
    birds = dataclasses.replace(birds, labels=species, class_names=names)
    background = datasets.load(
        "animal_part", categories=["bird"], size=trunk.image_size
    )
    background = background.subset(background.is_background)
    split = np.where(np.arange(len(background)) % 2 == 0, "train", "test")
    background = dataclasses.replace(background, split=split)
    if development:
        birds, background = development_split(birds), development_split(background)
    features = trunk.features(birds.images)
    learnt = np.asarray(birds.split) != "test"
    mirrored = trunk.features(birds.images[learnt][:, :, ::-1])
    landmarks = tuple(birds.landmark_names.index(name) for name in CUB_LANDMARKS)
    both = _with_background(birds, background)
    return [
        IcnnTask(
            "bird",
            both,
            np.concatenate([features, trunk.features(background.images)]),
            mirrored,
            (~both.is_background).astype(int),
            1,
            "5",
            landmarks,
            usual_epochs=8,
        ),
        IcnnTask(
            "40 categories",
            birds,
            features,
            mirrored,
            birds.labels,
            40,
            "6",
            landmarks,
            usual_epochs=20,
        ),
    ]


def animal_tasks(
    trunk: FrozenTrunk,
    root: Path | None,
    categories: list[str] | None,
    quick: bool,
    development: bool,
) -> list[IcnnTask]:
    """Each animal against background, and all of them against each other."""
    pictures = datasets.load(
        "animal_part",
        root,
        categories=categories,
        size=trunk.image_size,
        part_masks=True,
        max_images_per_category=120 if quick else None,
    )
    if development:
        pictures = development_split(pictures)
    features = trunk.features(pictures.images)
    learnt = (np.asarray(pictures.split) != "test") & ~pictures.is_background
    mirrored = trunk.features(pictures.images[learnt][:, :, ::-1])
    animals = [name for name in pictures.class_names if name != "background"]
    tasks = []
    for index, name in enumerate(animals):
        shown = (pictures.labels == index) | pictures.is_background
        chosen = pictures.subset(shown)
        targets = (~chosen.is_background).astype(int)
        tasks.append(
            IcnnTask(
                name, chosen, features[shown], mirrored[shown[learnt]], targets, 1, "3",
                None,
            )
        )  # fmt: skip
    if len(animals) > 1:
        shown = ~pictures.is_background
        chosen, count = pictures.subset(shown), len(animals)
        tasks.append(
            IcnnTask(
                f"{count} categories", chosen, features[shown], mirrored, chosen.labels,
                count, "6", None,
            )
        )  # fmt: skip
    return tasks


def _largest_classes(labels: np.ndarray, count: int, most: int) -> np.ndarray:
    """Rows of the classes with most pictures, at most so many of each."""
    classes, sizes = np.unique(labels, return_counts=True)
    largest = classes[np.argsort(-sizes, kind="stable")[:count]]
    rows = [np.flatnonzero(labels == one) for one in largest]
    # Evenly spaced, so that both sides of the official split are there.
    rows = [r[np.linspace(0, len(r) - 1, min(most, len(r))).astype(int)] for r in rows]
    return np.sort(np.concatenate(rows))


def _with_background(birds: PartsDataset, background: PartsDataset) -> PartsDataset:
    """Pictures of birds, all of one class, and of background."""
    count = len(background)
    absent = np.full((count, *birds.landmarks.shape[1:]), np.nan, "float32")
    return PartsDataset(
        images=np.concatenate([birds.images, background.images]),
        labels=np.repeat([0, 1], [len(birds), count]),
        class_names=["bird", "background"],
        landmarks=np.concatenate([birds.landmarks, absent]),
        landmark_names=birds.landmark_names,
        split=np.concatenate([birds.split, background.split]),
    )

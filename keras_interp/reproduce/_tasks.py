"""The classification tasks of the papers: named and checked first, read one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_interp import datasets
from keras_interp.datasets import AnnotatedImages, PartsDataset
from keras_interp.datasets._registry import find_root
from keras_interp.reproduce._trunk import FrozenTrunk

PHOTOGRAPHS = ("cub", "animal_part")
# Landmarks of the paper's location instability on CUB: head, back and tail. The head
# is the forehead in the authors' code.
CUB_LANDMARKS = ("forehead", "back", "tail")
# The authors choose the species of CUB with most images.
MOST_SPECIES = 40
# Negatives of the authors' CUB task are used four times over.
NEGATIVE_REPEATS = 4
# Of all animals together at most, so that thirty of them need no more memory than six.
JOINT_IMAGES = 2400


@dataclasses.dataclass(frozen=True)
class Task:
    """One classification task.

    Attributes:
        name: Such as `"bird"` or `"40 categories"`.
        dataset: All images of the task; the split says which are for testing.
        features: Maps of the frozen trunk, in the order of the images.
        mirrored: Maps of the mirror images of the training objects, in their order:
            the authors train on each object and its mirror image.
        targets: int labels that the network learns: 0/1 for one category.
        categories: Number of categories, 1 for object against background.
        paper_table: Table of location instability in the paper.
        instability_landmarks: Places of the landmarks that instability is a mean of.
        usual_epochs: Passes over the training images where none are asked for.
    """

    name: str
    dataset: PartsDataset
    features: np.ndarray
    mirrored: np.ndarray
    targets: np.ndarray
    categories: int
    paper_table: str
    instability_landmarks: tuple[int, ...] | None = None
    usual_epochs: int = 12

    @property
    def is_train(self) -> np.ndarray:
        """Bool, the images that are learnt from."""
        return np.asarray(self.dataset.split) != "test"

    def training_rows(self) -> np.ndarray:
        """Rows of training images, the rarer background repeated."""
        rows = np.flatnonzero(self.is_train)
        background = rows[self.dataset.is_background[rows]]
        objects = 2 * (len(rows) - len(background))
        # Never more background than objects and their mirror images.
        most = max(1, objects // max(1, len(background)))
        repeats = min(NEGATIVE_REPEATS, most)
        return np.concatenate([rows, np.repeat(background, repeats - 1)])

    def training_objects(self) -> np.ndarray:
        """Rows of training images that show an object."""
        return np.flatnonzero(self.is_train & ~self.dataset.is_background)

    def objects(self) -> np.ndarray:
        """Rows of images that show an object and have a landmark."""
        seen = np.isfinite(self.dataset.landmarks).all(axis=-1).any(axis=-1)
        return np.flatnonzero(seen & ~self.dataset.is_background)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The tasks of a run, of which names and files were checked.

    Attributes:
        names: Of the tasks, in their order.
        tasks: Gives them one after another, with the features of a trunk, so that one
            is in memory at a time.
        other_images: Gives training images, for a trunk, that no task classifies; at
            most so many where a number is given. None where there are none.
    """

    names: list[str]
    tasks: Callable[[FrozenTrunk], Iterator[Task]]
    other_images: Callable[[FrozenTrunk, int | None], np.ndarray] | None = None


def plan_tasks(
    data: str,
    root: Path | None,
    *,
    categories: Sequence[str] | None = None,
    negatives: Path | None = None,
    quick: bool = False,
    development: bool = False,
    other_species: bool = False,
) -> Plan:
    """Find the tasks of a dataset without reading an image.

    Args:
        data: `"cub"` or `"animal_part"`.
        root: The dataset's folder; None looks in `$KERAS_INTERP_DATA`.
        categories: Names of the tasks; None takes all.
        negatives: Folder of photographs without birds, for the task `"bird"` of
            `"cub"`. None takes `neg` of Animal-Part, where that is at hand.
        quick: Fewer images.
        development: Hold back part of the training images, and score on them.
        other_species: Take the species of CUB that are none of the largest, on which
            nothing was chosen.

    Raises:
        ValueError: For an unknown task, or negatives where none are wanted.
        FileNotFoundError: Where files are missing.
    """
    folder = find_root(data, root)
    if data == "cub":
        every = datasets.open_cub(folder)
        kept = _species(every, 24 if quick else 60, other_species)
        return _cub_plan(folder, every, kept, categories, negatives, development)
    if negatives is not None:
        raise ValueError(
            "Expected no negatives with data='animal_part', which has its own in the "
            f"folder `neg`. Received: negatives={str(negatives)!r}. Leave it out."
        )
    return _animal_plan(folder, categories, quick, development)


def chosen_names(known: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """The names that are wanted, all of them if none are; an unknown one is refused."""
    unknown = [name for name in wanted or () if name not in known]
    if unknown:
        raise ValueError(
            f"Expected categories out of {list(known)}. Received: "
            f"categories={unknown}. Choose from these, or leave it out to run all."
        )
    return [name for name in known if not wanted or name in wanted]


def development_split(dataset: PartsDataset, seed: int = 5) -> PartsDataset:
    """Leave the test images out and hold back part of the others in their place.

    Groups stay on one side. For trying settings without a look at the test images.
    """
    rest = dataset.subset(np.asarray(dataset.split) != "test")
    groups = np.arange(len(rest)) if rest.groups is None else rest.groups
    _, group = np.unique(groups, return_inverse=True)
    held_back = np.random.default_rng(seed).random(group.max() + 1) < 0.35
    split = np.where(held_back[group], "test", "train")
    return dataclasses.replace(rest, split=split)


def _species(every: AnnotatedImages, most: int, others: bool) -> AnnotatedImages:
    """The species with most images, or all others; at most so many images of each."""
    labels = every.labels
    rows = _largest_classes(labels, MOST_SPECIES, most)
    if others:
        left = np.setdiff1d(labels, labels[rows])
        if not len(left):
            raise ValueError(
                f"Expected more than {MOST_SPECIES} species for those that are none of "
                f"the largest. Received: {len(np.unique(labels))} species with "
                "other_species=True. Leave it out."
            )
        each = [_spread(np.flatnonzero(labels == one), most) for one in left]
        rows = np.sort(np.concatenate(each))
    kept = [every.class_names[label] for label in np.unique(labels[rows])]
    return every.take(rows).take_classes(kept)


def _cub_plan(
    root: Path,
    every: AnnotatedImages,
    birds: AnnotatedImages,
    categories: Sequence[str] | None,
    negatives: Path | None,
    development: bool,
) -> Plan:
    """Birds against background, and their species against each other."""
    kept = birds.class_names
    known = ["bird"] + ([f"{len(kept)} categories"] if len(kept) > 1 else [])
    names = chosen_names(known, categories)
    background = _background(root, negatives) if "bird" in names else None
    others = every.take(
        (np.asarray(every.split) == "train")
        & ~np.isin(every.labels, [every.class_names.index(name) for name in kept])
    )

    def tasks(trunk: FrozenTrunk) -> Iterator[Task]:
        return _cub_tasks(names, birds, background, trunk, development)

    def other_images(trunk: FrozenTrunk, most: int | None) -> np.ndarray:
        chosen = _spread(np.arange(len(others)), most)
        return others.take(chosen).load(trunk.image_size).images

    return Plan(names, tasks, other_images if len(others) else None)


def _background(root: Path, negatives: Path | None) -> AnnotatedImages:
    """The photographs without birds, not read yet."""
    if negatives is None:
        try:
            negatives = find_root("animal_part") / "neg"
        except FileNotFoundError:
            negatives = Path("neg")
        if not negatives.is_dir():
            raise FileNotFoundError(
                "The task 'bird' needs photographs without birds: name their folder "
                "with --negatives (negatives=), such as `neg` of Animal-Part. Other "
                "tasks of 'cub' need none: name one with --categories (categories=)."
            )
    both = datasets.open_cub(root, negatives=negatives, max_images_per_category=1)
    return both.take(both.labels == both.class_names.index("background"))


def _cub_tasks(
    names: list[str],
    birds: AnnotatedImages,
    background: AnnotatedImages | None,
    trunk: FrozenTrunk,
    development: bool,
) -> Iterator[Task]:
    dataset = _read(birds, trunk, development)
    features, mirrored = _features(trunk, dataset)
    landmarks = tuple(dataset.landmark_names.index(name) for name in CUB_LANDMARKS)
    if background is not None:
        split = np.where(np.arange(len(background)) % 2 == 0, "train", "test")
        rest = _read(dataclasses.replace(background, split=split), trunk, development)
        both = _with_background(dataset, rest)
        yield Task(
            "bird",
            both,
            np.concatenate([features, trunk.features(rest.images)]),
            mirrored,
            (~both.is_background).astype(int),
            1,
            "5",
            landmarks,
            usual_epochs=8,
        )
    count = len(dataset.class_names)
    if f"{count} categories" in names:
        yield Task(
            f"{count} categories",
            dataset,
            features,
            mirrored,
            dataset.labels,
            count,
            "6",
            landmarks,
            usual_epochs=20,
        )


def _animal_plan(
    root: Path, categories: Sequence[str] | None, quick: bool, development: bool
) -> Plan:
    """Each animal against background, and all of them against each other."""
    images = datasets.open_animal_part(
        root, part_masks=True, max_images_per_category=120 if quick else None
    )
    animals = [name for name in images.class_names if name != "background"]
    joint = f"{len(animals)} categories"
    known = animals + ([joint] if len(animals) > 1 else [])
    names = chosen_names(known, categories)

    def tasks(trunk: FrozenTrunk) -> Iterator[Task]:
        for name in names:
            # The features of one task go before those of the next come.
            shown = animals if name == joint else [name, "background"]
            yield _animal_task(name, images.take_classes(shown), trunk, development)

    return Plan(names, tasks)


def _animal_task(
    name: str, images: AnnotatedImages, trunk: FrozenTrunk, development: bool
) -> Task:
    alone = "background" in images.class_names
    if not alone:
        count = len(images.class_names)
        rows = _largest_classes(images.labels, count, JOINT_IMAGES // count)
        images = images.take(rows)
    dataset = _read(images, trunk, development)
    features, mirrored = _features(trunk, dataset)
    if alone:
        targets = (~dataset.is_background).astype(int)
        return Task(name, dataset, features, mirrored, targets, 1, "3")
    return Task(
        name,
        dataset,
        features,
        mirrored,
        dataset.labels,
        len(dataset.class_names),
        "6",
    )


def _read(
    images: AnnotatedImages, trunk: FrozenTrunk, development: bool
) -> PartsDataset:
    dataset = images.load(trunk.image_size)
    return development_split(dataset) if development else dataset


def _features(
    trunk: FrozenTrunk, dataset: PartsDataset
) -> tuple[np.ndarray, np.ndarray]:
    """Of all images, and of the mirror images of the training objects."""
    learnt = (np.asarray(dataset.split) != "test") & ~dataset.is_background
    mirrored = dataset.images[learnt][:, :, ::-1]
    return trunk.features(dataset.images), trunk.features(mirrored)


def _largest_classes(labels: np.ndarray, count: int, most: int) -> np.ndarray:
    """Rows of the classes with most images, at most so many of each."""
    classes, sizes = np.unique(labels, return_counts=True)
    largest = classes[np.argsort(-sizes, kind="stable")[:count]]
    rows = [_spread(np.flatnonzero(labels == one), most) for one in largest]
    return np.sort(np.concatenate(rows))


def _spread(rows: np.ndarray, most: int | None) -> np.ndarray:
    """At most so many, evenly spaced: both sides of a split are among them."""
    if most is None or len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def _with_background(birds: PartsDataset, background: PartsDataset) -> PartsDataset:
    """Images of birds, all of one class, and of background."""
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

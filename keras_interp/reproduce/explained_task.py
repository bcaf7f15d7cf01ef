"""What the explainer's reproduction explains: tasks with the performer's inputs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from keras_interp import datasets
from keras_interp.receptive_fields import ReceptiveField
from keras_interp.reproduce.explainer_course import COURSES
from keras_interp.reproduce.frozen_trunk import FrozenTrunk, Projection
from keras_interp.reproduce.icnn_task import (
    IcnnTask,
    animal_tasks,
    cub_tasks,
    development_split,
)

COMPONENTS = 96
SYNTHETIC_SIZE = 64
# Drawn pictures cost nothing: as many as two cores can learn from in time.
SYNTHETIC_PICTURES = 2400


@dataclasses.dataclass(frozen=True)
class ExplainedTask:
    """A classification task, and what goes into its performer.

    Attributes:
        task: Pictures, labels and landmarks.
        values: float32 inputs of the performer, in the order of the pictures.
        mirrored: Inputs of the mirror images of the training objects.
        unlabelled: More inputs for distillation, which needs no labels; may be empty.
        field: Receptive field of one cell of the inputs in pixels of the pictures; None
            where the inputs are the pictures.
        target_maps: Maps of the explained layer where the performer starts there, on
            the pictures of `task.objects()`; None where the performer has them.
        epochs: Passes of the performer and of the explainer over their pictures.
        learning_rate: Of the explainer.
        filter_loss_weight: Of the explainer.
    """

    task: IcnnTask
    values: np.ndarray
    mirrored: np.ndarray
    unlabelled: np.ndarray
    field: ReceptiveField | None
    target_maps: np.ndarray | None
    epochs: tuple[int, int]
    learning_rate: float = 3e-4
    filter_loss_weight: float = 0.1

    @property
    def name(self) -> str:
        """Such as `"bird"` or `"40 categories"`."""
        return self.task.name

    def training_inputs(self) -> np.ndarray:
        """Inputs that have labels: training pictures and mirror images."""
        return np.concatenate([self.values[self.task.training_rows()], self.mirrored])

    def training_targets(self) -> np.ndarray:
        """Their labels."""
        rows = [self.task.training_rows(), self.task.training_objects()]
        return self.task.targets[np.concatenate(rows)]

    def distillation_inputs(self) -> np.ndarray:
        """What the explainer learns from."""
        return np.concatenate([self.training_inputs(), self.unlabelled])


def explained_tasks(
    data: str,
    root: Path | None,
    trunk: FrozenTrunk | None,
    *,
    categories: tuple[str, ...] | None,
    quick: bool,
    development: bool,
    seed: int,
) -> list[ExplainedTask]:
    """The tasks of a dataset.

    Args:
        data: `"cub"`, `"animal_part"` or `"synthetic_parts"`.
        root: The dataset's folder.
        trunk: Frozen network below the performers; None for synthetic pictures.
        categories: Names of the tasks; None takes all.
        quick: Fewer pictures and passes.
        development: Hold back part of the training pictures, and score on them.
        seed: Of synthetic pictures.
    """
    if trunk is None:
        task = _synthetic_task(quick, development, seed)
        return [task] if task.name in (categories or (task.name,)) else []
    if data == "cub":
        found = cub_tasks(trunk, root, quick, development)
        extra = _other_species(trunk, root, found[-1], 400 if quick else None)
    else:
        animals = [name for name in categories or () if not name.endswith("categories")]
        joint = len(animals) < len(categories or ())
        wanted = None if joint or not animals else animals
        found = animal_tasks(trunk, root, wanted, quick, development)
        extra = None
    if categories:
        found = [task for task in found if task.name in categories]
    return [_projected(data, task, trunk, extra, quick) for task in found]


def _projected(
    data: str,
    task: IcnnTask,
    trunk: FrozenTrunk,
    extra: np.ndarray | None,
    quick: bool,
) -> ExplainedTask:
    projection = Projection.fit(task.features[task.is_train], COMPONENTS)
    values = projection(task.features)
    several = task.categories > 1
    course = COURSES[data, several]
    unlabelled = np.empty((0, *values.shape[1:]), "float32")
    explained = ExplainedTask(
        task,
        values,
        projection(task.mirrored),
        unlabelled if extra is None else projection(extra),
        trunk.receptive_field(),
        task.features[task.objects()],
        epochs=(course.performer_epochs // (2 if quick and several else 1), 1),
        learning_rate=course.learning_rate,
        filter_loss_weight=course.filter_loss_weight,
    )
    pictures = len(explained.distillation_inputs())
    epochs = explained.epochs[0], course.explainer_epochs(pictures, quick)
    return dataclasses.replace(explained, epochs=epochs)


def _other_species(
    trunk: FrozenTrunk, root: Path | None, task: IcnnTask, most: int | None
) -> np.ndarray:
    """Maps of training birds of other species than those of the task."""
    birds = datasets.load("cub", root, size=trunk.image_size, split="train")
    used = np.isin(
        [birds.class_names[label] for label in birds.labels], task.pictures.class_names
    )
    rows = np.flatnonzero(~used)
    if most is not None:
        rows = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
    return trunk.features(birds.images[rows])


def _synthetic_task(quick: bool, development: bool, seed: int) -> ExplainedTask:
    count = SYNTHETIC_PICTURES // (2 if quick else 1)
    pictures = datasets.load(
        "synthetic_parts",
        num_images=count,
        categories=["bird"],
        negatives=0.5,
        difficulty=0.1,
        image_size=SYNTHETIC_SIZE,
        seed=seed,
    )
    if development:
        pictures = development_split(pictures)
    values = pictures.images.astype("float32") / 127.5 - 1.0
    task = IcnnTask(
        "bird",
        pictures,
        values,
        values[:0],
        (~pictures.is_background).astype(int),
        1,
        "1",
        None,
    )
    mirrored = values[task.training_objects()][:, :, ::-1]
    epochs = (10, 7) if quick else (20, 14)
    return ExplainedTask(task, values, mirrored, values[:0], None, None, epochs, 1e-3)

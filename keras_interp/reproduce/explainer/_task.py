"""What the explainer's reproduction explains, and how long it is trained on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from keras_interp import datasets
from keras_interp.receptive_fields import ReceptiveField
from keras_interp.reproduce._tasks import Plan, Task, development_split
from keras_interp.reproduce._trunk import FrozenTrunk, Projection

COMPONENTS = 96
SYNTHETIC_TASK = "bird"
SYNTHETIC_SIZE = 64
# Drawn images cost nothing: as many as two cores can learn from in time.
SYNTHETIC_IMAGES = 2400
BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Course:
    """How long and how hard the networks of a task on photographs are trained.

    Chosen on held-back training images, see `docs/findings/explainer.md`.

    Attributes:
        performer_epochs: Passes of the performer.
        filter_loss_weight: Of the explainer. The few images of an animal need a
            stronger pull than the birds.
        learning_rate: Of the explainer.
        steps: Of the explainer, whatever the number of images: with fewer the
            interpretable filters of a small dataset are not there yet.
        epochs: Passes of the explainer where `steps` is None.
        quick_steps: In place of `steps` when quick.
    """

    performer_epochs: int
    filter_loss_weight: float
    learning_rate: float
    steps: int | None = None
    epochs: int = 1
    quick_steps: int = 250

    def explainer_epochs(self, images: int, quick: bool) -> int:
        """Passes of the explainer over so many images."""
        if self.steps is None:
            return max(1, self.epochs // 2) if quick else self.epochs
        steps = min(self.steps, self.quick_steps) if quick else self.steps
        return max(1, round(steps * BATCH_SIZE / images))


# By the dataset, and whether several categories are told apart.
COURSES = {
    ("cub", False): Course(8, 0.1, 3e-4, steps=900),
    ("cub", True): Course(30, 0.1, 1e-3, epochs=14),
    ("animal_part", False): Course(8, 0.5, 6e-4, steps=330, quick_steps=100),
    ("animal_part", True): Course(30, 0.3, 1e-3, epochs=20),
}


@dataclasses.dataclass(frozen=True)
class ExplainedTask:
    """A classification task, and what goes into its performer.

    Attributes:
        task: Images, labels and landmarks.
        values: float32 inputs of the performer, in the order of the images.
        mirrored: Inputs of the mirror images of the training objects.
        unlabelled: More inputs for distillation, which needs no labels; may be empty.
        field: Receptive field of one cell of the inputs in pixels of the images; None
            where the inputs are the images.
        target_maps: Maps of the explained layer where the performer starts there, on
            the images of `task.objects()`; None where the performer has them.
        epochs: Passes of the performer and of the explainer over their images.
        learning_rate: Of the explainer.
        filter_loss_weight: Of the explainer.
    """

    task: Task
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
        """Inputs that have labels: training images and mirror images."""
        return np.concatenate([self.values[self.task.training_rows()], self.mirrored])

    def training_targets(self) -> np.ndarray:
        """Their labels."""
        rows = [self.task.training_rows(), self.task.training_objects()]
        return self.task.targets[np.concatenate(rows)]

    def distillation_inputs(self) -> np.ndarray:
        """What the explainer learns from."""
        return np.concatenate([self.training_inputs(), self.unlabelled])


def explained_tasks(
    data: str, plan: Plan, trunk: FrozenTrunk, *, quick: bool
) -> Iterator[ExplainedTask]:
    """The tasks on photographs, one in memory at a time.

    Args:
        data: `"cub"` or `"animal_part"`.
        plan: Names and images of the tasks.
        trunk: Frozen network below the performers.
        quick: Fewer images and passes.
    """
    extra = None
    if plan.other_images is not None:
        extra = trunk.features(plan.other_images(trunk, 400 if quick else None))
    for task in plan.tasks(trunk):
        yield _projected(data, task, trunk, extra, quick)


def _projected(
    data: str,
    task: Task,
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
    count = len(explained.distillation_inputs())
    epochs = explained.epochs[0], course.explainer_epochs(count, quick)
    return dataclasses.replace(explained, epochs=epochs)


def synthetic_task(*, quick: bool, development: bool, seed: int) -> ExplainedTask:
    """Drawn birds against background, whose performer starts at the images."""
    count = SYNTHETIC_IMAGES // (2 if quick else 1)
    dataset = datasets.load(
        "synthetic_parts",
        num_images=count,
        categories=["bird"],
        negatives=0.5,
        difficulty=0.1,
        image_size=SYNTHETIC_SIZE,
        seed=seed,
    )
    if development:
        dataset = development_split(dataset)
    values = dataset.images.astype("float32") / 127.5 - 1.0
    task = Task(
        SYNTHETIC_TASK,
        dataset,
        values,
        values[:0],
        (~dataset.is_background).astype(int),
        1,
        "1",
    )
    mirrored = values[task.training_objects()][:, :, ::-1]
    epochs = (10, 7) if quick else (20, 14)
    return ExplainedTask(task, values, mirrored, values[:0], None, None, epochs, 1e-3)

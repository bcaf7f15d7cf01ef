"""How long the explainer's networks are trained, and with which filter loss."""

import pytest

from keras_interp.reproduce import ExplainerSettings, explained_task
from keras_interp.reproduce.explainer_course import BATCH_SIZE, COURSES, Course


@pytest.mark.parametrize(
    ("pictures", "quick", "epochs"),
    [
        (BATCH_SIZE, False, 600),
        (BATCH_SIZE, True, 250),
        (10 * BATCH_SIZE, False, 60),
        # Always one pass, however many pictures there are.
        (10_000 * BATCH_SIZE, True, 1),
    ],
)
def test_a_number_of_steps(pictures, quick, epochs):
    course = Course(8, 0.1, 3e-4, steps=600)
    assert course.explainer_epochs(pictures, quick) == epochs


def test_a_number_of_epochs():
    course = Course(8, 0.1, 3e-4, epochs=9)
    assert course.explainer_epochs(5, quick=False) == 9
    assert course.explainer_epochs(5, quick=True) == 4


def test_fewer_steps_than_a_quick_run_stay():
    assert Course(8, 0.1, 3e-4, steps=50).explainer_epochs(BATCH_SIZE, True) == 50


def test_the_task_gives_the_weight_unless_it_is_asked_for(drawn_task):
    course = COURSES["animal_part", False]
    task = explained_task.dataclasses.replace(
        drawn_task, filter_loss_weight=course.filter_loss_weight
    )
    for settings, weight, targets in (
        (ExplainerSettings(), 0.5, None),
        (ExplainerSettings(filter_loss_weight=0.0, targets="labels"), 0.0, "labels"),
    ):
        for recipe in settings.recipes(task).values():
            assert recipe.filter_loss_weight == weight
            assert recipe.targets == targets

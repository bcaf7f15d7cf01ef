"""How the networks of the explainer's reproduction are trained on photographs."""

from __future__ import annotations

import dataclasses

BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Course:
    """How long and how hard the networks of a task on photographs are trained.

    Chosen on held-back training pictures, see `docs/findings/explainer.md`.

    Attributes:
        performer_epochs: Passes of the performer.
        filter_loss_weight: Of the explainer. The few pictures of an animal need a
            stronger pull than the birds.
        learning_rate: Of the explainer.
        steps: Of the explainer, whatever the number of pictures: with fewer the
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

    def explainer_epochs(self, pictures: int, quick: bool) -> int:
        """Passes of the explainer over so many pictures."""
        if self.steps is None:
            return max(1, self.epochs // 2) if quick else self.epochs
        steps = min(self.steps, self.quick_steps) if quick else self.steps
        return max(1, round(steps * BATCH_SIZE / pictures))


# By the dataset, and whether several categories are told apart.
COURSES = {
    ("cub", False): Course(8, 0.1, 3e-4, steps=900),
    ("cub", True): Course(30, 0.1, 1e-3, epochs=14),
    ("animal_part", False): Course(8, 0.5, 6e-4, steps=330, quick_steps=100),
    ("animal_part", True): Course(30, 0.3, 1e-3, epochs=20),
}

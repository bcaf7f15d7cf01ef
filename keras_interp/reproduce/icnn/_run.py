"""`keras-interp reproduce icnn`: tables 1 and 3 to 7 of the interpretable CNN paper."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from keras_interp.receptive_fields import ReceptiveField
from keras_interp.reproduce._results import Results, check_folder, check_number
from keras_interp.reproduce._tasks import PHOTOGRAPHS, Plan, Task, plan_tasks
from keras_interp.reproduce._trunk import FrozenTrunk, Projection, check_backbone
from keras_interp.reproduce.icnn._rows import add_rows, draw_task
from keras_interp.reproduce.icnn._training import (
    WITHOUT_LABELS,
    IcnnRecipe,
    TrainedNetwork,
    build_network,
    train,
)

COMPONENTS = 96


@dataclasses.dataclass(frozen=True)
class IcnnSettings:
    """What `reproduce_icnn` is asked for; None takes what suits the task.

    Attributes:
        data: `"cub"` or `"animal_part"`.
        root: The dataset's folder; None looks in `$KERAS_INTERP_DATA`.
        backbone: Frozen trunk, `"squeezenet"` or `"mobilenet"`.
        weights: Path of the trunk's weights; None looks in `$KERAS_INTERP_DATA`.
        categories: Names of tasks: `"bird"` or `"40 categories"` of CUB, an animal or
            `"6 categories"` of Animal-Part, the number being that of the species or
            animals at hand; None takes all.
        negatives: Folder of photographs without birds, for the task `"bird"` of CUB;
            None takes `neg` of Animal-Part, where that is at hand.
        epochs: Passes over the training images.
        seed: First of the seeds.
        seeds: How many seeds; None takes three, or one when quick.
        quick: Fewer images and one seed.
        development: Leave the test images alone and score on held-back training
            images, for trying settings.
        filter_loss: Mode of the filter loss; None leaves the mask alone.
        filter_loss_weight: Its weight.
        weight_schedule: Its schedule.
        fraction: Share of interpretable filters.
        targets: `"labels"` or `"response"`: what says which images a filter stands
            for.
        without_labels: Also train a network whose filter loss sees no labels; None does
            so for `"cub"`, where the time allows it.
    """

    data: str = "cub"
    root: Path | None = None
    backbone: str = "squeezenet"
    weights: str | None = None
    categories: tuple[str, ...] | None = None
    negatives: Path | None = None
    epochs: int | None = None
    seed: int = 0
    seeds: int | None = None
    quick: bool = False
    development: bool = False
    filter_loss: str | None = "posterior"
    filter_loss_weight: float | None = None
    weight_schedule: str | None = None
    fraction: float = 0.5
    targets: str = "labels"
    without_labels: bool | None = None

    def recipe(self, usual_epochs: int) -> IcnnRecipe:
        """What networks of a task are trained with."""
        epochs = self.epochs or usual_epochs
        if self.quick and self.epochs is None:
            epochs = max(4, epochs // 2)
        return IcnnRecipe(
            epochs=epochs,
            filter_loss=self.filter_loss,
            filter_loss_weight=self.filter_loss_weight,
            weight_schedule=self.weight_schedule,
            fraction=self.fraction,
            targets=self.targets,
        )

    def check(self) -> Plan:
        """Refuse what could not be computed, and say what will be.

        Raises:
            ValueError: For an argument that does not fit.
            FileNotFoundError: Where files are missing.
        """
        if self.data not in PHOTOGRAPHS:
            raise ValueError(
                f"Expected data out of {PHOTOGRAPHS}. Received: data={self.data!r}. "
                "Choose one of these."
            )
        check_backbone(self.backbone)
        check_number("epochs", self.epochs)
        check_number("seeds", self.seeds)
        # The layers check their own arguments, of the filter loss and others.
        build_network((8, 8, 2), 1, self.recipe(1), interpretable=True)
        return plan_tasks(
            self.data,
            self.root,
            categories=self.categories,
            negatives=self.negatives,
            quick=self.quick,
            development=self.development,
        )

    def trains_without_labels(self) -> bool:
        """Whether a third network is trained."""
        if self.without_labels is None:
            return self.data == "cub"
        return self.without_labels

    def all_seeds(self) -> range:
        """The seeds of the run."""
        count = self.seeds or (1 if self.quick else 3)
        return range(self.seed, self.seed + count)


def reproduce_icnn(
    settings: IcnnSettings, out: Path, say: Callable[[str], None] = print
) -> Results:
    """Train ordinary and interpretable networks and measure their filters.

    Example:

    ```python
    reproduce_icnn(IcnnSettings(data="cub", quick=True), Path("out"))
    ```

    The trunk is frozen: two cores do not allow to fine-tune it, as the paper does.

    Args:
        settings: What is asked for.
        out: Folder for `results.json`, `table.md` and figures.
        say: Takes a line of progress.

    Returns:
        `Results`, also written to `out`.

    Raises:
        ValueError: For an argument that does not fit, before anything is computed.
        FileNotFoundError: Where files are missing.
    """
    plan = settings.check()
    check_folder(out)
    trunk = FrozenTrunk.load(settings.backbone, settings.weights)
    paths = ("root", "negatives")
    shown = {k: v for k, v in dataclasses.asdict(settings).items() if k not in paths}
    results = Results("icnn", settings.data, shown | {"trunk": "frozen"})
    field = trunk.receptive_field()
    say(f"Tasks: {', '.join(plan.names)}")
    for task in plan.tasks(trunk):
        _run_task(task, settings, field, results, out, say)
        # What is finished stays, whatever happens to the rest.
        results.write(out)
        # It goes before the next one is read.
        del task
    return results


def _run_task(
    task: Task,
    settings: IcnnSettings,
    field: ReceptiveField,
    results: Results,
    out: Path,
    say: Callable[[str], None],
) -> None:
    projection = Projection.fit(task.features[task.is_train], COMPONENTS)
    values, mirrored = projection(task.features), projection(task.mirrored)
    count = len(task.training_rows()) + len(mirrored)
    say(f"{task.name}: training networks on {count:,} images")
    recipe = settings.recipe(task.usual_epochs)
    kinds = ["ordinary", "interpretable"]
    if settings.trains_without_labels():
        kinds.append(WITHOUT_LABELS)
    trained: dict[str, list[TrainedNetwork]] = {kind: [] for kind in kinds}
    for seed in settings.all_seeds():
        for kind in kinds:
            network = train(task, values, mirrored, recipe, field, kind, seed)
            trained[kind].append(network)
            found = network.measured
            say(
                f"{task.name}, seed {seed}, {kind}: accuracy {network.accuracy:.3f}, "
                f"tracking {found.tracking.value:.2f}, "
                f"hit gain {found.hit_gain.value:+.2f}, "
                f"instability {found.instability.value:.3f}"
            )
    for kind in kinds:
        row = f"{kind}/{settings.backbone}/{task.name}"
        add_rows(results, task, row, trained[kind])
    draw_task(task, {k: v[0] for k, v in trained.items()}, out / "figures")

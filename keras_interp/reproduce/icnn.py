"""`keras-interp reproduce icnn`: tables 1 and 3 to 7 of the interpretable CNN paper."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from keras_interp.receptive_fields import ReceptiveField
from keras_interp.reproduce.frozen_trunk import FrozenTrunk, Projection
from keras_interp.reproduce.icnn_figures import draw_task
from keras_interp.reproduce.icnn_network import IcnnRecipe
from keras_interp.reproduce.icnn_rows import add_rows
from keras_interp.reproduce.icnn_task import IcnnTask, animal_tasks, cub_tasks
from keras_interp.reproduce.icnn_training import WITHOUT_LABELS, TrainedNetwork, train
from keras_interp.reproduce.results import Results

COMPONENTS = 96
DATASETS = ("cub", "animal_part")


@dataclasses.dataclass(frozen=True)
class IcnnSettings:
    """What `reproduce_icnn` is asked for; None takes what suits the task.

    Attributes:
        data: `"cub"` or `"animal_part"`.
        root: The dataset's folder; None looks in `$KERAS_INTERP_DATA`.
        backbone: Frozen trunk, `"squeezenet"` or `"mobilenet"`.
        weights: Path of the trunk's weights; None looks in `$KERAS_INTERP_DATA`.
        categories: Animals, or names of tasks such as `"bird"`, `"40 categories"` or
            `"6 categories"`; None takes all.
        epochs: Passes over the training pictures.
        seed: First of the seeds.
        seeds: How many seeds; None takes three, or one when quick.
        quick: Fewer pictures and one seed.
        development: Leave the test pictures alone and score on held-back training
            pictures, for trying settings.
        filter_loss: Mode of the filter loss; None leaves the mask alone.
        filter_loss_weight: Its weight.
        weight_schedule: Its schedule.
        fraction: Share of interpretable filters.
        targets: `"labels"` or `"response"`: what says which pictures a filter stands
            for.
        without_labels: Also train a network whose filter loss sees no labels; None does
            so for `"cub"`, where the time allows it.
    """

    data: str = "cub"
    root: Path | None = None
    backbone: str = "squeezenet"
    weights: str | None = None
    categories: tuple[str, ...] | None = None
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

    def recipe(self, task: IcnnTask) -> IcnnRecipe:
        """What networks of a task are trained with."""
        epochs = self.epochs or task.usual_epochs
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
        ValueError: For unknown data or backbone, or where files are missing.
    """
    if settings.data not in DATASETS:
        raise ValueError(
            f"`data` must be one of {DATASETS}. Received: data={settings.data!r}"
        )
    trunk = FrozenTrunk.load(settings.backbone, settings.weights)
    shown = {k: v for k, v in dataclasses.asdict(settings).items() if k != "root"}
    shown["trunk"] = "frozen"
    results = Results("icnn", settings.data, shown)
    field = trunk.receptive_field()
    for task in _tasks(settings, trunk):
        _run_task(task, settings, field, results, out, say)
        # What is finished stays, whatever happens to the rest.
        results.write(out)
    return results


def _tasks(settings: IcnnSettings, trunk: FrozenTrunk) -> list[IcnnTask]:
    if settings.data == "cub":
        tasks = cub_tasks(trunk, settings.root, settings.quick, settings.development)
        wanted = settings.categories or [task.name for task in tasks]
        return [task for task in tasks if task.name in wanted]
    wanted = list(settings.categories or ())
    # "6 categories" by name needs all the animals, and no network for each of them.
    joint = any(name.endswith(" categories") for name in wanted)
    animals = None if joint or not wanted else wanted
    tasks = animal_tasks(
        trunk, settings.root, animals, settings.quick, settings.development
    )
    return [task for task in tasks if task.name in wanted] if joint else tasks


def _run_task(
    task: IcnnTask,
    settings: IcnnSettings,
    field: ReceptiveField,
    results: Results,
    out: Path,
    say: Callable[[str], None],
) -> None:
    projection = Projection.fit(task.features[task.is_train], COMPONENTS)
    values, mirrored = projection(task.features), projection(task.mirrored)
    recipe = settings.recipe(task)
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

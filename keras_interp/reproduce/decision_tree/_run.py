"""`keras-interp reproduce decision-tree`: the figures of chapter 4.2 of the survey."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

from keras_interp.reproduce._results import Results, check_folder, check_number
from keras_interp.reproduce._tasks import (
    PHOTOGRAPHS,
    Plan,
    Task,
    chosen_names,
    plan_tasks,
)
from keras_interp.reproduce._trunk import FrozenTrunk, check_backbone
from keras_interp.reproduce.decision_tree._networks import TreeTask, train_and_read
from keras_interp.reproduce.decision_tree._rows import (
    MeasuredTree,
    add_rows,
    draw_tree,
    measure_tree,
)
from keras_interp.reproduce.icnn._training import IcnnRecipe, build_network

SYNTHETIC = "synthetic_parts"
DATASETS = (*PHOTOGRAPHS, SYNTHETIC)
SYNTHETIC_TASK = "bird"
INTERPRETABLE, ORDINARY = "interpretable", "ordinary"


@dataclasses.dataclass(frozen=True)
class DecisionTreeSettings:
    """What `reproduce_decision_tree` is asked for; None takes what suits the task.

    Attributes:
        data: `"cub"`, `"animal_part"` or `"synthetic_parts"`.
        root: The dataset's folder; None looks in `$KERAS_INTERP_DATA`.
        backbone: Frozen trunk of photographs, `"squeezenet"` or `"mobilenet"`.
        weights: Path of the trunk's weights; None looks in `$KERAS_INTERP_DATA`.
        categories: Names of tasks of one category: `"bird"` of CUB, animals of
            Animal-Part; None takes all.
        negatives: Folder of photographs without birds, for CUB; None takes `neg` of
            Animal-Part, where that is at hand.
        epochs: Passes of the network over the training images.
        seed: First of the seeds.
        seeds: How many seeds; None takes three, or one when quick.
        quick: Fewer images and passes, and one seed.
        development: Leave the test images alone and score on held-back training
            images, for trying settings.
        filter_loss: Mode of the filter loss; None leaves the mask alone. It decides
            how many parts the filters follow, and so what a tree can say.
        ordinary: Also train an ordinary network of the same layers, without mask and
            filter loss, and grow a tree on it.
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
    ordinary: bool = True

    def check(self) -> Plan | None:
        """Refuse what could not be computed, and say what will be.

        Raises:
            ValueError: For an argument that does not fit.
            FileNotFoundError: Where files are missing.
        """
        if self.data not in DATASETS:
            raise ValueError(
                f"Expected data out of {DATASETS}. Received: data={self.data!r}. "
                "Choose one of these."
            )
        check_backbone(self.backbone)
        check_number("epochs", self.epochs)
        check_number("seeds", self.seeds)
        # The layers check their own arguments, of the filter loss and others.
        build_network((8, 8, 2), 1, self.recipe(1), interpretable=True)
        if self.data == SYNTHETIC:
            if self.root is not None or self.negatives is not None:
                raise ValueError(
                    "Expected no folders with drawn data. Received: "
                    f"root={self.root!r}, negatives={self.negatives!r}. Leave them out."
                )
            chosen_names([SYNTHETIC_TASK], self.categories)
            return None
        plan = self._plan(None)
        # A tree is about one class: tasks of several are those of other papers.
        alone = [name for name in plan.names if not name.endswith(" categories")]
        return self._plan(chosen_names(alone, self.categories))

    def _plan(self, categories: list[str] | None) -> Plan:
        return plan_tasks(
            self.data,
            self.root,
            categories=categories,
            negatives=self.negatives,
            quick=self.quick,
            development=self.development,
        )

    def all_seeds(self) -> range:
        """The seeds of the run."""
        count = self.seeds or (1 if self.quick else 3)
        return range(self.seed, self.seed + count)

    def recipe(self, usual_epochs: int) -> IcnnRecipe:
        """What networks of a task are trained with."""
        epochs = self.epochs or usual_epochs
        if self.quick and self.epochs is None:
            epochs = max(4, epochs // 2)
        return IcnnRecipe(epochs=epochs, filter_loss=self.filter_loss)


def reproduce_decision_tree(
    settings: DecisionTreeSettings, out: Path, say: Callable[[str], None] = print
) -> Results:
    """Train networks, grow trees on them and measure the trees.

    Example:

    ```python
    reproduce_decision_tree(DecisionTreeSettings(data="cub", quick=True), Path("out"))
    ```

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
    paths = ("root", "negatives")
    shown = {k: v for k, v in dataclasses.asdict(settings).items() if k not in paths}
    results = Results("decision-tree", settings.data, shown | {"trunk": "frozen"})
    for known in _tasks(settings, plan, say):
        _run_task(known, settings, results, out, say)
        # What is finished stays, whatever happens to the rest.
        results.write(out)
        del known
    return results


def _tasks(
    settings: DecisionTreeSettings, plan: Plan | None, say: Callable[[str], None]
) -> Iterator[TreeTask]:
    if plan is None:
        say(f"Tasks: {SYNTHETIC_TASK}")
        yield TreeTask.drawn(
            quick=settings.quick,
            development=settings.development,
            seed=settings.seed,
        )
        return
    trunk = FrozenTrunk.load(settings.backbone, settings.weights)
    field = trunk.receptive_field()
    say(f"Tasks: {', '.join(plan.names)}")
    for task in plan.tasks(trunk):
        yield TreeTask.of_photographs(task, field)


def _run_task(
    known: TreeTask,
    settings: DecisionTreeSettings,
    results: Results,
    out: Path,
    say: Callable[[str], None],
) -> None:
    task = known.task
    recipe = settings.recipe(task.usual_epochs)
    backbone = settings.backbone if known.field is not None else "drawn"
    count = len(task.training_rows()) + len(known.mirrored)
    say(f"{task.name}: training networks on {count:,} images")
    kinds = [INTERPRETABLE, ORDINARY] if settings.ordinary else [INTERPRETABLE]
    measured: dict[str, list[MeasuredTree]] = {kind: [] for kind in kinds}
    for seed in settings.all_seeds():
        for kind in kinds:
            network = train_and_read(
                known, recipe, seed, interpretable=kind == INTERPRETABLE
            )
            found = measure_tree(known, network, seed)
            if not measured[kind]:
                draw_tree(
                    known, network, found, out / "figures", _figure_name(task, kind)
                )
            measured[kind].append(found)
            say(f"{task.name}, seed {seed}, {kind}: {_line(found)}")
            del network
    place = f"{backbone}/{task.name}"
    add_rows(results, place, measured[INTERPRETABLE])
    if settings.ordinary:
        add_rows(results, f"{place}/{ORDINARY}", measured[ORDINARY])


def _figure_name(task: Task, kind: str) -> str:
    name = task.name.replace(" ", "_")
    return name if kind == INTERPRETABLE else f"{name}_{kind}"


def _line(found: MeasuredTree) -> str:
    """What a seed gave, for the reader of a run."""
    scores = found.scores
    return (
        f"accuracy of the network {scores.network_accuracy:.3f}, of the tree "
        f"{scores.accuracy[-1]:.3f}, prediction error {scores.prediction_error[1]:.3f} "
        f"to {scores.prediction_error[-1]:.3f}, fitness {scores.fitness[1]:.2f} to "
        f"{scores.fitness[-1]:.2f}, {found.part_coverage:.1f} parts"
    )

"""`keras-interp reproduce explainer`: tables 1 to 3 of the explainer paper."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import keras

from keras_interp.metrics import FilterMeasurement
from keras_interp.reproduce._results import (
    NEGATIVE_SHARE,
    Results,
    check_folder,
    check_number,
)
from keras_interp.reproduce._tasks import PHOTOGRAPHS, Plan, chosen_names, plan_tasks
from keras_interp.reproduce._trunk import FrozenTrunk, check_backbone
from keras_interp.reproduce.explainer._figures import draw_explained
from keras_interp.reproduce.explainer._measurement import (
    ExplainerFigures,
    error,
    measure_explainer,
    measure_performer,
)
from keras_interp.reproduce.explainer._rows import (
    add_error,
    add_explainer_rows,
    add_layer_rows,
)
from keras_interp.reproduce.explainer._task import (
    SYNTHETIC_TASK,
    ExplainedTask,
    explained_tasks,
    synthetic_task,
)
from keras_interp.reproduce.explainer._training import (
    TARGET_LAYER,
    ExplainerRecipe,
    PerformerRecipe,
    build_performer,
    train_explainer,
    train_performer,
)

SYNTHETIC = "synthetic_parts"
EXPLAINER_DATASETS = (*PHOTOGRAPHS, SYNTHETIC)
WITHOUT_LOSS = "explainer_without_filter_loss"
WITH_CLASSES = "explainer+cls"


@dataclasses.dataclass(frozen=True)
class ExplainerSettings:
    """What `reproduce_explainer` is asked for; None takes what suits the task.

    Attributes:
        data: `"cub"`, `"animal_part"` or `"synthetic_parts"`.
        root: The dataset's folder; None looks in `$KERAS_INTERP_DATA`.
        backbone: Frozen trunk below the performers, `"squeezenet"` or `"mobilenet"`.
        weights: Path of the trunk's weights; None looks in `$KERAS_INTERP_DATA`.
        categories: Names of tasks, such as `"bird"`, `"40 categories"`, `"dog"`, the
            number being that of the species or animals at hand; None takes all.
        negatives: Folder of photographs without birds, for the task `"bird"` of CUB;
            None takes `neg` of Animal-Part, where that is at hand.
        epochs: Passes of the explainer over its images.
        seed: First of the seeds.
        seeds: How many seeds; None takes three, or one when quick.
        quick: Fewer images and passes, and one seed.
        development: Leave the test images alone and score on held-back training
            images, for trying settings.
        filter_loss: Mode of the filter loss; None leaves the mask alone.
        filter_loss_weight: Its weight; None takes what suits the task.
        fraction: Share of interpretable filters.
        ratio_reward: Weight of the reward for a large ratio.
        targets: Which images a filter's part is looked for in, as for
            `keras_interp.models.Explainer`; None takes what suits the filter loss.
        unlabelled: Whether the explainer may also learn from images of other species,
            without their labels.
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
    fraction: float = 0.5
    ratio_reward: float = 0.1
    targets: str | None = None
    unlabelled: bool = True

    def recipes(self, weight: float, *, several: bool) -> dict[str, ExplainerRecipe]:
        """The explainers that are trained, by the name of their row.

        Args:
            weight: Of the filter loss, where none was asked for.
            several: Whether the task has several categories.
        """
        asked = self.filter_loss_weight
        usual = ExplainerRecipe(
            filter_loss=self.filter_loss,
            filter_loss_weight=weight if asked is None else asked,
            fraction=self.fraction,
            ratio_reward=self.ratio_reward,
            targets=self.targets,
        )
        found = {"explainer": usual}
        found[WITH_CLASSES] = dataclasses.replace(usual, objective="classification")
        if several and self.filter_loss is not None:
            # What distillation alone costs, without any wish for parts.
            found[WITHOUT_LOSS] = dataclasses.replace(usual, filter_loss=None)
        return found

    def check(self) -> Plan | None:
        """Refuse what could not be computed, and say what will be.

        Raises:
            ValueError: For an argument that does not fit.
            FileNotFoundError: Where files are missing.
        """
        if self.data not in EXPLAINER_DATASETS:
            raise ValueError(
                f"Expected data out of {EXPLAINER_DATASETS}. Received: "
                f"data={self.data!r}. Choose one of these."
            )
        check_number("epochs", self.epochs)
        check_number("seeds", self.seeds)
        # The explainer checks its own arguments.
        performer = build_performer((8, 8, 2), 1, PerformerRecipe(filters=16, units=2))
        for recipe in self.recipes(0.1, several=True).values():
            recipe.explainer(performer, TARGET_LAYER)
        if self.data == SYNTHETIC:
            chosen_names([SYNTHETIC_TASK], self.categories)
            return None
        check_backbone(self.backbone)
        return plan_tasks(
            self.data,
            self.root,
            categories=self.categories,
            negatives=self.negatives,
            quick=self.quick,
            development=self.development,
        )

    def all_seeds(self) -> range:
        """The seeds of the run."""
        count = self.seeds or (1 if self.quick else 3)
        return range(self.seed, self.seed + count)


@dataclasses.dataclass
class _Measured:
    """What was measured on one task, one entry a seed."""

    layers: dict[str, list[FilterMeasurement]]
    errors: list[float]
    explainers: dict[str, list[ExplainerFigures]]


def reproduce_explainer(
    settings: ExplainerSettings, out: Path, say: Callable[[str], None] = print
) -> Results:
    """Train performers, distil them into explainers, and measure both.

    Example:

    ```python
    reproduce_explainer(ExplainerSettings(data="cub", quick=True), Path("out"))
    ```

    Performers on real images stand on a frozen trunk: two cores do not allow to train
    a whole VGG-16 on birds, as the paper does. Drawn images have a performer of
    their own.

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
    shown["trunk"] = "none" if plan is None else "frozen"
    results = Results("explainer", settings.data, shown)
    say(f"Tasks: {', '.join([SYNTHETIC_TASK] if plan is None else plan.names)}")
    for explained in _tasks(settings, plan):
        _run_task(explained, settings, results, out, say)
        # What is finished stays, whatever happens to the rest.
        results.write(out)
        # It goes before the next one is read.
        del explained
    return results


def _tasks(settings: ExplainerSettings, plan: Plan | None) -> Iterator[ExplainedTask]:
    quick = settings.quick
    if plan is None:
        drawn = synthetic_task(
            quick=quick, development=settings.development, seed=settings.seed
        )
        yield _as_asked(drawn, settings)
        return
    if not settings.unlabelled:
        plan = dataclasses.replace(plan, other_images=None)
    trunk = FrozenTrunk.load(settings.backbone, settings.weights)
    for task in explained_tasks(settings.data, plan, trunk, quick=quick):
        yield _as_asked(task, settings)


def _as_asked(task: ExplainedTask, settings: ExplainerSettings) -> ExplainedTask:
    epochs = (task.epochs[0], settings.epochs or task.epochs[1])
    return dataclasses.replace(task, epochs=epochs)


def _run_task(
    explained: ExplainedTask,
    settings: ExplainerSettings,
    results: Results,
    out: Path,
    say: Callable[[str], None],
) -> None:
    recipes = settings.recipes(
        explained.filter_loss_weight, several=explained.task.categories > 1
    )
    found = _Measured({}, [], {kind: [] for kind in recipes})
    for seed in settings.all_seeds():
        performer = train_performer(explained, PerformerRecipe(), seed)
        _measure_performer(explained, performer, found, say, seed)
        for kind, recipe in recipes.items():
            explainer = train_explainer(explained, performer, recipe, seed)
            figures = measure_explainer(explained, performer, explainer)
            found.explainers[kind].append(figures)
            say(f"{explained.name}, seed {seed}, {kind}: {_line(figures)}")
            if figures.score_share < 0:
                say(f"  {NEGATIVE_SHARE}")
            if kind == "explainer" and seed == settings.seed:
                draw_explained(explained, performer, explainer, out / "figures")
            # A model and its features go before the next ones come: models are
            # rings of references, and wait for the collector.
            del explainer
            gc.collect()
    network = "small" if settings.data == SYNTHETIC else settings.backbone
    place = f"{network}/{explained.name}"
    for kind, measured in found.layers.items():
        add_layer_rows(results, explained, f"{kind}/{place}", measured)
    add_error(results, explained, f"performer/{place}", found.errors)
    for kind, all_figures in found.explainers.items():
        add_explainer_rows(results, explained, f"{kind}/{place}", all_figures)


def _measure_performer(
    explained: ExplainedTask,
    performer: keras.Model,
    found: _Measured,
    say: Callable[[str], None],
    seed: int,
) -> None:
    tested = ~explained.task.is_train
    scores = performer.predict(explained.values[tested], verbose=0)
    found.errors.append(error(scores, explained.task.targets[tested]))
    before = found.layers.get("target_layer", [None])[0]
    for kind, measured in measure_performer(explained, performer, before).items():
        found.layers.setdefault(kind, []).append(measured)
    top = found.layers["performer"][-1]
    say(
        f"{explained.name}, seed {seed}, performer: error {found.errors[-1]:.4f}, "
        f"tracking {top.tracking.value:.2f}, hit gain {top.hit_gain.value:+.2f}, "
        f"instability {top.instability.value:.3f}"
    )


def _line(figures: ExplainerFigures) -> str:
    found = figures.measured
    groups = found.groups.groups
    missing = ", ".join(f"{k} {v:.3f}" for k, v in figures.missing.items())
    return (
        f"p {figures.p:.2f} (masked share {figures.masked_share:.2f}, of the score "
        f"{figures.score_share:.2f}, dead filters {figures.dead_filters:.2f}), "
        f"error {figures.error:.4f}, missing {missing}, "
        f"tracking {found.tracking.value:.2f}, hit gain {found.hit_gain.value:+.2f}, "
        f"instability {found.instability.value:.3f}, part coverage "
        f"{found.coverage:.1f} of {groups} groups with a detector"
    )

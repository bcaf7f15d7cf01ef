"""`keras-interp reproduce explainer`: tables 1 to 3 of the explainer paper."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from pathlib import Path

import keras

from keras_interp.models import Explainer
from keras_interp.reporting import FilterMeasurement
from keras_interp.reproduce.explained_task import ExplainedTask, explained_tasks
from keras_interp.reproduce.explainer_figures import draw_explained
from keras_interp.reproduce.explainer_performer import PerformerRecipe, train_performer
from keras_interp.reproduce.explainer_rows import (
    add_error,
    add_explainer_rows,
    add_layer_rows,
)
from keras_interp.reproduce.explainer_training import (
    ExplainerFigures,
    ExplainerRecipe,
    error,
    measure_explainer,
    measure_performer,
    train_explainer,
)
from keras_interp.reproduce.frozen_trunk import FrozenTrunk
from keras_interp.reproduce.results import Results

EXPLAINER_DATASETS = ("cub", "animal_part", "synthetic_parts")
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
        categories: Names of tasks, such as `"bird"`, `"40 categories"`, `"dog"`; None
            takes all.
        epochs: Passes of the explainer over its pictures.
        seed: First of the seeds.
        seeds: How many seeds; None takes three, or one when quick.
        quick: Fewer pictures and passes, and one seed.
        development: Leave the test pictures alone and score on held-back training
            pictures, for trying settings.
        filter_loss: Mode of the filter loss; None leaves the mask alone.
        filter_loss_weight: Its weight; None takes what suits the task.
        fraction: Share of interpretable filters.
        ratio_reward: Weight of the reward for a large ratio.
        targets: Which pictures a filter's part is looked for in, as for
            `keras_interp.models.Explainer`; None takes what suits the filter loss.
        unlabelled: Whether the explainer may also learn from pictures of other species,
            without their labels.
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
    fraction: float = 0.5
    ratio_reward: float = 0.1
    targets: str | None = None
    unlabelled: bool = True

    def recipes(self, explained: ExplainedTask) -> dict[str, ExplainerRecipe]:
        """The explainers that are trained, by the name of their row."""
        weight = self.filter_loss_weight
        usual = ExplainerRecipe(
            filter_loss=self.filter_loss,
            filter_loss_weight=(
                explained.filter_loss_weight if weight is None else weight
            ),
            fraction=self.fraction,
            ratio_reward=self.ratio_reward,
            targets=self.targets,
        )
        found = {"explainer": usual}
        found[WITH_CLASSES] = dataclasses.replace(usual, objective="classification")
        if explained.task.categories > 1 and self.filter_loss is not None:
            # What distillation alone costs, without any wish for parts.
            found[WITHOUT_LOSS] = dataclasses.replace(usual, filter_loss=None)
        return found

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

    Performers on real pictures stand on a frozen trunk: two cores do not allow to train
    a whole VGG-16 on birds, as the paper does. Drawn pictures have a performer of
    their own.

    Args:
        settings: What is asked for.
        out: Folder for `results.json`, `table.md` and figures.
        say: Takes a line of progress.

    Returns:
        `Results`, also written to `out`.

    Raises:
        ValueError: For unknown data or backbone, or where files are missing.
    """
    if settings.data not in EXPLAINER_DATASETS:
        raise ValueError(
            f"`data` must be one of {EXPLAINER_DATASETS}. Received: "
            f"data={settings.data!r}"
        )
    synthetic = settings.data == "synthetic_parts"
    trunk = None
    if not synthetic:
        trunk = FrozenTrunk.load(settings.backbone, settings.weights)
    shown = {k: v for k, v in dataclasses.asdict(settings).items() if k != "root"}
    shown["trunk"] = "none" if synthetic else "frozen"
    results = Results("explainer", settings.data, shown)
    for explained in _tasks(settings, trunk):
        _run_task(explained, settings, results, out, say)
        # What is finished stays, whatever happens to the rest.
        results.write(out)
    return results


def _tasks(
    settings: ExplainerSettings, trunk: FrozenTrunk | None
) -> list[ExplainedTask]:
    tasks = explained_tasks(
        settings.data,
        settings.root,
        trunk,
        categories=settings.categories,
        quick=settings.quick,
        development=settings.development,
        seed=settings.seed,
    )
    if not tasks:
        raise ValueError(
            f"No task of {settings.data!r} is called as `categories` says. Received: "
            f"categories={settings.categories}. Leave it out to run all."
        )
    changed = []
    for task in tasks:
        epochs = (task.epochs[0], settings.epochs or task.epochs[1])
        unlabelled = task.unlabelled if settings.unlabelled else task.unlabelled[:0]
        changed.append(dataclasses.replace(task, epochs=epochs, unlabelled=unlabelled))
    return changed


def _run_task(
    explained: ExplainedTask,
    settings: ExplainerSettings,
    results: Results,
    out: Path,
    say: Callable[[str], None],
) -> None:
    recipes = settings.recipes(explained)
    found = _Measured({}, [], {kind: [] for kind in recipes})
    for seed in settings.all_seeds():
        performer = train_performer(explained, PerformerRecipe(), seed)
        _measure_performer(explained, performer, found, say, seed)
        for kind, recipe in recipes.items():
            explainer = train_explainer(explained, performer, recipe, seed)
            figures = measure_explainer(explained, performer, explainer)
            found.explainers[kind].append(figures)
            say(f"{explained.name}, seed {seed}, {kind}: {_line(figures)}")
            if kind == "explainer" and seed == settings.seed:
                _draw(explained, performer, explainer, out)
            # A model and its features go before the next ones come: models are
            # rings of references, and wait for the collector.
            del explainer
            gc.collect()
    network = "small" if settings.data == "synthetic_parts" else settings.backbone
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
    missing = ", ".join(f"{k} {v:.3f}" for k, v in figures.missing.items())
    return (
        f"p {figures.p:.2f} (masked share {figures.masked_share:.2f}, of the score "
        f"{figures.score_share:.2f}, dead filters {figures.dead_filters:.2f}), "
        f"error {figures.error:.4f}, missing {missing}, "
        f"tracking {found.tracking.value:.2f}, hit gain {found.hit_gain.value:+.2f}, "
        f"instability {found.instability.value:.3f}, part coverage "
        f"{found.coverage:.1f}"
    )


def _draw(
    explained: ExplainedTask, performer: keras.Model, explainer: Explainer, out: Path
) -> None:
    draw_explained(explained, performer, explainer, out / "figures")

"""`keras-interp reproduce explanatory-graph`: nodes beside filters, parts by nodes."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_interp.graphs import ExplanatoryGraph, PartLocator
from keras_interp.reproduce._results import (
    Results,
    check_folder,
    check_number,
    mean_of,
)
from keras_interp.reproduce._tasks import PHOTOGRAPHS
from keras_interp.reproduce.explanatory_graph._figures import draw_graph
from keras_interp.reproduce.explanatory_graph._measurement import (
    SHOTS,
    LocalizationFigures,
    UnitFigures,
    learn,
    measure_layers,
    measure_localization,
    random_places,
)
from keras_interp.reproduce.explanatory_graph._task import (
    SYNTHETIC,
    GraphPlan,
    GraphTask,
    plan_graphs,
)

GRAPH_DATASETS = (*PHOTOGRAPHS, SYNTHETIC)


@dataclasses.dataclass(frozen=True)
class ExplanatoryGraphSettings:
    """What `reproduce_explanatory_graph` is asked for; None takes what suits the data.

    Attributes:
        data: `"cub"`, `"animal_part"` or `"synthetic_parts"`.
        root: The dataset's folder; None looks in `$KERAS_INTERP_DATA`.
        backbone: Network whose layers the graph is of, `"squeezenet"`.
        weights: Path of its weights; None looks in `$KERAS_INTERP_DATA`.
        categories: Names of tasks, `"bird"` or animals; None takes all.
        epochs: Passes of the small network over drawn images.
        seed: First of the seeds.
        seeds: How many seeds; None takes three, or one when quick.
        quick: Fewer images, filters and iterations, and one seed.
        development: Leave the test images alone and score on held-back training
            images, for trying settings.
        filters: Most filters of a layer that get nodes; None takes 128, or 32 when
            quick.
        iterations: Of expectation and maximisation; None takes 20, or 5 when quick.
        top_search: How far nodes of the top layer look, as a share of the map's side.
        focus: Power of the votes for a part of which its place is the mean; None takes
            the place of most votes.
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
    filters: int | None = None
    iterations: int | None = None
    top_search: float = 0.15
    focus: float | None = None

    def check(self) -> GraphPlan:
        """Refuse what could not be computed, and say what will be.

        Raises:
            ValueError: For an argument that does not fit.
            FileNotFoundError: Where files are missing.
        """
        if self.data not in GRAPH_DATASETS:
            raise ValueError(
                f"Expected data out of {GRAPH_DATASETS}. Received: "
                f"data={self.data!r}. Choose one of these."
            )
        if self.backbone != "squeezenet":
            raise ValueError(
                "Expected backbone='squeezenet', whose layers the graph is of. "
                f"Received: backbone={self.backbone!r}. For another network call "
                "ki.graphs.ExplanatoryGraph yourself."
            )
        for name in ("epochs", "seeds", "filters", "iterations"):
            check_number(name, getattr(self, name))
        # Both check their own arguments.
        self.graph(self.seed)
        PartLocator(focus=self.focus)
        return plan_graphs(
            self.data,
            self.root,
            self.weights,
            self.categories,
            epochs=self.epochs,
            quick=self.quick,
            development=self.development,
            seed=self.seed,
        )

    def graph(self, seed: int) -> ExplanatoryGraph:
        """A graph that has not learnt yet."""
        return ExplanatoryGraph(
            filters=self.filters or (32 if self.quick else 128),
            iterations=self.iterations or (5 if self.quick else 20),
            seed=seed,
            top_search=self.top_search,
        )

    def all_seeds(self) -> range:
        """The seeds of the run."""
        count = self.seeds or (1 if self.quick else 3)
        return range(self.seed, self.seed + count)


def reproduce_explanatory_graph(
    settings: ExplanatoryGraphSettings, out: Path, say: Callable[[str], None] = print
) -> Results:
    """Learn graphs, and measure their nodes beside the filters they come from.

    A run that was stopped goes on from the files `*.checkpoint.npz` under `out`.

    Example:

    ```python
    settings = ExplanatoryGraphSettings(data="cub", quick=True)
    reproduce_explanatory_graph(settings, Path("out"))
    ```

    Args:
        settings: What is asked for.
        out: Folder for `results.json`, `table.md`, the graphs and figures.
        say: Takes a line of progress.

    Returns:
        `Results`, also written to `out`.

    Raises:
        ValueError: For an argument that does not fit, before anything is computed.
        FileNotFoundError: Where files are missing.
    """
    plan = settings.check()
    check_folder(out)
    shown = {k: v for k, v in dataclasses.asdict(settings).items() if k != "root"}
    results = Results("explanatory_graph", settings.data, shown)
    say(f"Tasks: {', '.join(plan.names)}")
    for task in plan.tasks():
        _run_task(task, settings, results, out, say)
        # What is finished stays, whatever happens to the rest.
        results.write(out)
        del task
        gc.collect()
    return results


def _run_task(
    task: GraphTask,
    settings: ExplanatoryGraphSettings,
    results: Results,
    out: Path,
    say: Callable[[str], None],
) -> None:
    learnt = int(task.learns.sum())
    tested = len(task.learns) - learnt
    say(f"{task.name}: {learnt} pictures to learn from, {tested} to test")
    units: list[dict[str, dict[str, UnitFigures]]] = []
    parts: list[list[LocalizationFigures]] = []
    for seed in settings.all_seeds():
        graph = settings.graph(seed)
        path = out / f"{task.name}_seed_{seed}.checkpoint.npz"
        nodes = learn(task, graph, path)
        units.append(measure_layers(task, nodes))
        parts.append(measure_localization(task, nodes, seed, settings.focus))
        for kind, layers in units[-1].items():
            say(f"{task.name}, seed {seed}, {kind}: {_line(layers)}")
        for one in parts[-1]:
            say(f"{task.name}, seed {seed}, {one.part}: {_errors(one)}")
        if seed == settings.seed:
            graph.save(out / f"{task.name}.npz")
            draw_graph(task, graph, nodes, out / "figures")
    place = f"{task.network}/{task.name}"
    chance = random_places(task, settings.seed)
    _add_units(results, place, units, chance)
    _add_parts(results, place, parts)
    for seed in settings.all_seeds():
        (out / f"{task.name}_seed_{seed}.checkpoint.npz").unlink(missing_ok=True)


def _add_units(
    results: Results,
    place: str,
    units: list[dict[str, dict[str, UnitFigures]]],
    chance: UnitFigures,
) -> None:
    """Rows of filters and nodes: the mean over the layers, and each layer."""
    for kind in units[0]:
        layers = list(units[0][kind])
        for layer in [None, *layers]:
            shown = layers if layer is None else [layer]
            first = [units[0][kind][one] for one in shown]
            row = f"{kind}/{place}" + ("" if layer is None else f"/{layer}")
            for metric in first[0].values:
                # Nothing in the filters is random: one figure, whatever the seeds.
                seeds = units[:1] if kind == "filters" else units
                results.add(
                    "nodes",
                    row,
                    metric,
                    [
                        float(np.nanmean([one[kind][s].values[metric] for s in shown]))
                        for one in seeds
                    ],
                    n=first[0].n,
                    baseline_constant=mean_of(
                        [{"v": one.constant.get(metric)} for one in first], "v"
                    ),
                    baseline_random=mean_of(
                        [
                            {"v": one.random.get(metric, chance.values[metric])}
                            for one in first
                        ],
                        "v",
                    ),
                )


def _add_parts(
    results: Results, place: str, parts: list[list[LocalizationFigures]]
) -> None:
    """Errors of each part: a row of nodes, and one of the mean place."""
    for index, first in enumerate(parts[0]):
        seeds = [one[index] for one in parts]
        for shots in SHOTS:
            mean = float(np.mean([np.mean(one.mean_errors[shots]) for one in seeds]))
            results.add(
                "localization",
                f"nodes/{place}/{first.part}",
                f"localization_error@{shots}",
                [float(np.mean(one.errors[shots])) for one in seeds],
                n=first.n,
                baseline_constant=mean,
                baseline_random=first.random,
            )
        results.add(
            "localization",
            f"mean_of_all/{place}/{first.part}",
            "localization_error",
            [first.best_mean],
            n=first.n,
        )


def _line(layers: dict[str, UnitFigures]) -> str:
    return "; ".join(
        f"{layer} instability {one.values['location_instability']:.3f} (top 20 "
        f"{one.values['location_instability_top20']:.3f}), tracking "
        f"{one.values['tracking']:.2f}, hit gain {one.values['hit_gain']:+.2f}"
        for layer, one in layers.items()
    )


def _errors(one: LocalizationFigures) -> str:
    shown = ", ".join(
        f"{np.mean(one.errors[shots]):.3f} from {shots} (mean place "
        f"{np.mean(one.mean_errors[shots]):.3f})"
        for shots in SHOTS
    )
    return f"error {shown}"

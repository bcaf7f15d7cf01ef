"""`keras-interp reproduce srae`: table 1 of the paper on explanation modules."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from keras_interp import datasets
from keras_interp.datasets._registry import find_root
from keras_interp.models import ExplanationModule
from keras_interp.reproduce._results import (
    KeptMeasurements,
    Results,
    check_folder,
    check_number,
)
from keras_interp.reproduce._tasks import MOST_SPECIES, Plan, chosen_names, plan_tasks
from keras_interp.reproduce._trunk import FrozenTrunk, check_backbone
from keras_interp.reproduce.srae._figures import draw_class_card, draw_localities
from keras_interp.reproduce.srae._measurement import (
    MEASURED,
    Measured,
    NetworkMeasure,
    Rows,
    line,
)
from keras_interp.reproduce.srae._networks import (
    FC6,
    PART_FILTERS,
    PEAKS,
    ExplainedNetwork,
    PerformerRecipe,
    networks_on_drawings,
    networks_on_photographs,
    planted_network,
)
from keras_interp.reproduce.srae._rows import add_rows, difference

CUB, DRAWN, PLANTED_DATA = "cub", "synthetic_birds", "planted_parts"
SRAE_DATASETS = (CUB, DRAWN, PLANTED_DATA)
KINDS = (FC6, PART_FILTERS, PEAKS)


@dataclasses.dataclass(frozen=True)
class SraeSettings:
    """What `reproduce_srae` is asked for; None takes what suits the data.

    Attributes:
        data: `"cub"`, `"synthetic_birds"` or `"planted_parts"`.
        root: The dataset's folder; None looks in `$KERAS_INTERP_DATA`.
        backbone: Frozen trunk below the performers on photographs, `"squeezenet"` or
            `"mobilenet"`.
        weights: Path of the trunk's weights; None looks in `$KERAS_INTERP_DATA`.
        categories: The performers: `"fc6"`, whose Z is a dense layer as in the paper;
            `"part_filters"`, whose Z are the peaks of interpretable filters; `"peaks"`,
            the same of ordinary filters. None takes the first two, the first alone
            when quick. Planted data have one network, `"planted"`.
        epochs: Passes of the modules over the images after the pre-training.
        seed: First of the seeds.
        seeds: How many seeds; None takes three of planted data, else one.
        quick: Fewer images and passes.
        development: Leave the test images alone and score on held-back training
            images, for trying settings.
        performer_epochs: Passes of the performers.
        pull_away: Weight of SRAE's pull-away term, which keeps the x-features apart;
            the paper's code has 5, and then 15 for the reconstruction. 0 is equation
            (1) without it.
    """

    data: str = CUB
    root: Path | None = None
    backbone: str = "squeezenet"
    weights: str | None = None
    categories: tuple[str, ...] | None = None
    epochs: int | None = None
    seed: int = 0
    seeds: int | None = None
    quick: bool = False
    development: bool = False
    performer_epochs: int | None = None
    pull_away: float = 0.0

    def check(self) -> Plan | None:
        """Refuse what could not be computed.

        Raises:
            ValueError: For an argument that does not fit.
            FileNotFoundError: Where files are missing.
        """
        if self.data not in SRAE_DATASETS:
            raise ValueError(
                f"Expected data out of {SRAE_DATASETS}. Received: data={self.data!r}. "
                "Choose one of these."
            )
        check_number("epochs", self.epochs)
        check_number("performer_epochs", self.performer_epochs)
        check_number("seeds", self.seeds)
        if not 0.0 <= self.pull_away < float("inf"):
            raise ValueError(
                "Expected pull_away of 0 or more. Received: "
                f"pull_away={self.pull_away}. Leave it out for equation (1)."
            )
        self.kinds()
        if self.data != CUB:
            return None
        check_backbone(self.backbone)
        return plan_tasks(
            CUB,
            self.root,
            categories=self._species(),
            quick=self.quick,
            development=self.development,
        )

    def kinds(self) -> tuple[str, ...]:
        """The performers that are explained."""
        if self.data == PLANTED_DATA:
            return tuple(chosen_names(["planted"], self.categories))
        if self.categories is None:
            return KINDS[:1] if self.quick else KINDS[:2]
        return tuple(chosen_names(KINDS, self.categories))

    def _species(self) -> list[str]:
        """Name of the task of telling species apart, whatever their number."""
        folder = find_root(CUB, self.root)
        count = len(np.unique(datasets.open_cub(folder).labels))
        if count < 2:
            raise ValueError(
                "Expected photographs of two species or more. Received: one species in "
                f"{str(folder)!r}. Prepare the whole set."
            )
        return [f"{min(MOST_SPECIES, count)} categories"]

    def all_seeds(self) -> range:
        """The seeds of the run."""
        usual = 3 if self.data == PLANTED_DATA and not self.quick else 1
        return range(self.seed, self.seed + (self.seeds or usual))

    def module_epochs(self) -> int:
        """Passes of the modules."""
        usual = {PLANTED_DATA: 50}.get(self.data, 30)
        return self.epochs or (usual // 2 if self.quick else usual)

    def recipe(self) -> PerformerRecipe:
        """Of the performers."""
        usual = PerformerRecipe()
        epochs = self.performer_epochs or usual.epochs // (2 if self.quick else 1)
        return dataclasses.replace(usual, epochs=epochs)


def reproduce_srae(
    settings: SraeSettings, out: Path, say: Callable[[str], None] = print
) -> Results:
    """Explain class scores by a few x-features, and measure table 1 with controls.

    Example:

    ```python
    reproduce_srae(SraeSettings(data="planted_parts"), Path("out"))
    ```

    On photographs a frozen pretrained trunk carries a convolution and a dense layer
    that stands for the fc6 of the paper's VGG-19, trained on the species at hand. A
    second performer has part filters, whose peaks are explained.

    Each performer and row is kept in `out/runs` once it is finished: a run that was
    interrupted, or that is asked for more performers or seeds, goes on from there.

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
    shown = {k: v for k, v in dataclasses.asdict(settings).items() if k != "root"}
    shown["trunk"] = "none" if plan is None else "frozen"
    shown["epochs"] = settings.module_epochs()
    results = Results("srae", settings.data, shown)
    say(f"Performers: {', '.join(settings.kinds())}")
    run = _Run(settings, plan, out, say, results)
    for seed in settings.all_seeds():
        run.all_networks(seed)
    return results


class _Run:
    """A run, and what it has measured so far."""

    def __init__(
        self,
        settings: SraeSettings,
        plan: Plan | None,
        out: Path,
        say: Callable[[str], None],
        results: Results,
    ):
        self.settings, self.plan, self.out, self.say = settings, plan, out, say
        self.results = results
        # What a figure depends on: not which performers and seeds are asked for.
        asked = ("categories", "seed", "seeds", "performer_epochs")
        key = {k: v for k, v in results.settings.items() if k not in asked}
        recipe = dataclasses.asdict(settings.recipe())
        key |= {"root": settings.root, "performer": recipe}
        self.runs = KeptMeasurements(out / "runs", key)
        self.found: dict[str, list[Measured]] = {kind: [] for kind in settings.kinds()}
        self.trunk: FrozenTrunk | None = None

    def all_networks(self, seed: int) -> None:
        """Measure what was not measured before, and write the table after each."""
        missing = []
        for kind in self.found:
            known = self.runs.get(_name(kind, seed))
            if known is None:
                missing.append(kind)
                continue
            self.say(f"{kind}, seed {seed}: from {self.runs.path(_name(kind, seed))}")
            self.finish(Measured.read(known), seed)
        for network in self.networks(tuple(missing), seed) if missing else ():
            self.finish(self.measured(network, seed), seed)
            # The maps of a network go before those of the next one come.
            del network
            gc.collect()

    def measured(self, network: ExplainedNetwork, seed: int) -> Measured:
        """All rows of a network, those that are not at hand measured now."""
        known = network.accuracy
        tested = "" if known is None else f", accuracy {known:.3f}"
        self.say(f"{network.place}, seed {seed}{tested}")
        found = Measured.of(network)

        def draw(kind: str, module: ExplanationModule) -> None:
            if kind == "SRAE" and seed == self.settings.seed:
                draw_class_card(network, module, self.out / "figures")

        settings = self.settings
        measure = NetworkMeasure(
            network, settings.module_epochs(), seed, draw, settings.pull_away
        )
        for name in MEASURED:
            file = f"{_name(network.kind, seed)}_{name}"
            content = self.runs.get(file)
            if content is None:
                content = dataclasses.asdict(measure.row(name))
                self.runs.put(file, content)
            else:
                self.say(f"  {name}: from {self.runs.path(file)}")
            rows = Rows.read(content)
            found.add(rows)
            for kind in rows.figures:
                self.say(f"  {kind}: {line(rows, kind)}")
        self.runs.put(_name(network.kind, seed), dataclasses.asdict(found))
        return found

    def finish(self, found: Measured, seed: int) -> None:
        """Add a network to the table: it stays, whatever happens to the rest."""
        _say_differences(found, self.say)
        if seed == self.settings.seed:
            draw_localities(found, self.out / "figures")
        self.found[found.kind].append(found)
        self.results.rows = []
        for measured in self.found.values():
            if measured:
                add_rows(self.results, measured)
        self.results.write(self.out)

    def networks(self, kinds: tuple[str, ...], seed: int) -> Iterator[ExplainedNetwork]:
        """Trained networks, one after another."""
        settings, recipe = self.settings, self.settings.recipe()

        def weights(kind: str) -> Path:
            return self.weights(kind, seed)

        if settings.data == PLANTED_DATA:
            yield planted_network(seed, quick=settings.quick)
        elif self.plan is None:
            yield from networks_on_drawings(
                kinds,
                recipe,
                seed,
                self.say,
                weights,
                quick=settings.quick,
                development=settings.development,
            )
        else:
            if self.trunk is None:
                self.trunk = FrozenTrunk.load(settings.backbone, settings.weights)
            yield from networks_on_photographs(
                self.plan, self.trunk, kinds, recipe, seed, self.say, weights
            )

    def weights(self, kind: str, seed: int) -> Path:
        """File for the weights of a performer; what other settings left goes."""
        name = f"{_name(kind, seed)}_performer"
        path = self.runs.folder / f"{name}.weights.h5"
        if self.runs.get(name) is None:
            path.unlink(missing_ok=True)
            self.runs.put(name, {})
        return path


def _name(kind: str, seed: int) -> str:
    return f"{kind}_seed_{seed}"


def _say_differences(found: Measured, say: Callable[[str], None]) -> None:
    srae = found.figures["SRAE"]
    for kind in ("SAE", "NN", "ExcitationBP", "Z"):
        one = difference(found.figures[kind], srae, "locality")
        say(
            f"  {kind} - SRAE: {one.mean:+.3f} nats, 95 % of {one.low:+.3f} to "
            f"{one.high:+.3f}, above 0 in {100 * one.positive:.0f} % of "
            f"{one.count} classes"
        )

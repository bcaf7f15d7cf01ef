"""`keras-interp reproduce interpnet`: table 1 of the paper on InterpNET."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp import metrics, models
from keras_interp.datasets._registry import find_root
from keras_interp.reproduce._results import (
    KeptMeasurements,
    Results,
    check_folder,
    check_number,
)
from keras_interp.reproduce._tasks import chosen_names
from keras_interp.reproduce.interpnet import _gve
from keras_interp.reproduce.interpnet._birds import (
    CUB,
    DRAWN,
    DescribedBirds,
    described_birds,
)
from keras_interp.reproduce.interpnet._figures import draw_scores, draw_ten_birds
from keras_interp.reproduce.interpnet._rows import LOOKUP, add_rows, paired_difference
from keras_interp.reproduce.interpnet._variants import (
    DECODINGS,
    VARIANTS,
    DecoderRecipe,
    class_lookup,
    measured_describers,
    measured_variant,
    trained_classifier,
)

INTERPNET_DATASETS = (CUB, DRAWN)
# Passes over the sentences, and of the training on CIDEr over the pictures: fewer over
# the many drawn ones.
EPOCHS, DRAWN_EPOCHS, QUICK_EPOCHS = 40, 14, 4
SELF_CRITICAL_EPOCHS, DRAWN_SELF_CRITICAL_EPOCHS = 20, 6
BATCH_SIZE, DRAWN_BATCH_SIZE = 32, 64
SAMPLES, QUICK_SAMPLES = 64, 16


@dataclasses.dataclass(frozen=True)
class InterpnetSettings:
    """What `reproduce_interpnet` is asked for.

    The decoder is smaller than the paper's, whose numbers are `units=512`,
    `embedding_dim=256`, `min_count=1`, `learning_rate=5e-4` and `epochs=100`.

    Attributes:
        data: `"cub"` or `"synthetic_birds"`.
        root: The dataset's folder; None looks in `$KERAS_INTERP_DATA`.
        backbone: Of the features of photographs; `"squeezenet"` alone.
        weights: Path of its weights; None looks in `$KERAS_INTERP_DATA`.
        categories: The rows that are trained, out of `"InterpNet_0"` to
            `"InterpNet_3"`, `"captioning"` and `"GVE"`. None takes all.
        epochs: Most passes of the decoders over the sentences; None takes 40, 14 over
            the many of drawn birds, or 4 when quick.
        seed: First of the seeds.
        seeds: How many seeds; None takes one.
        quick: Ten classes, or fewer drawn birds, and few passes.
        development: Leave the test images alone and score on held-back training
            images, for trying settings.
        units: Of each LSTM of the decoder.
        embedding_dim: Numbers that stand for a word.
        min_count: How often a word must come in the training sentences.
        learning_rate: Of the decoders at first; it is halved after each pass that
            lowers the validation loss no more.
        patience: Such passes in a row after which the training stops.
        normalize_blocks: Whether the activations of each layer get length 1.
        beam_width: Of the second decoding.
        samples: Sentences that are drawn for each image, of which the one that agrees
            most with the others is said. None takes 64, or 16 when quick.
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
    units: int = 128
    embedding_dim: int = 128
    min_count: int = 3
    learning_rate: float = 2e-3
    patience: int = 4
    normalize_blocks: bool = False
    beam_width: int = 3
    samples: int | None = None

    def check(self) -> None:
        """Refuse what could not be computed.

        Raises:
            ValueError: For an argument that does not fit.
            FileNotFoundError: Where files are missing.
        """
        for name, value, known in (
            ("data", self.data, INTERPNET_DATASETS),
            ("backbone", self.backbone, ("squeezenet",)),
        ):
            if value not in known:
                raise ValueError(
                    f"Expected {name} out of {known}. Received: {name}={value!r}. "
                    "Choose one of these."
                )
        for name in ("epochs", "seeds", "units", "embedding_dim", "min_count"):
            check_number(name, getattr(self, name))
        for name in ("patience", "beam_width", "samples"):
            check_number(name, getattr(self, name))
        if not 0.0 < self.learning_rate < float("inf"):
            raise ValueError(
                "Expected learning_rate above 0. Received: "
                f"learning_rate={self.learning_rate}. Leave it out to take 0.002."
            )
        self.variants()
        if self.data == CUB:
            find_root(CUB, self.root)
            if self.weights is None:
                models.find_weights("squeezenet")

    def variants(self) -> tuple[str, ...]:
        """The rows that are trained."""
        return tuple(chosen_names([*VARIANTS, _gve.NAME], self.categories))

    def all_seeds(self) -> range:
        """The seeds of the run."""
        return range(self.seed, self.seed + (self.seeds or 1))

    def recipe(self) -> DecoderRecipe:
        """Of the decoders."""
        drawn = self.data == DRAWN
        usual = DRAWN_EPOCHS if drawn else EPOCHS
        return DecoderRecipe(
            units=self.units,
            embedding_dim=self.embedding_dim,
            min_count=self.min_count,
            epochs=self.epochs or (QUICK_EPOCHS if self.quick else usual),
            patience=self.patience,
            batch_size=DRAWN_BATCH_SIZE if drawn else BATCH_SIZE,
            learning_rate=self.learning_rate,
            normalize_blocks=self.normalize_blocks,
            beam_width=self.beam_width,
            samples=self.samples or (QUICK_SAMPLES if self.quick else SAMPLES),
            self_critical_epochs=(
                DRAWN_SELF_CRITICAL_EPOCHS if drawn else SELF_CRITICAL_EPOCHS
            ),
        )


def reproduce_interpnet(
    settings: InterpnetSettings, out: Path, say: Callable[[str], None] = print
) -> Results:
    """Train a sentence for each variant's reasons, and measure table 1.

    What was measured of a variant and seed is kept in `out/runs`: a run that was
    interrupted, or that is asked for more rows or seeds, goes on from there.

    Example:

    ```python
    reproduce_interpnet(InterpnetSettings(data="synthetic_birds", quick=True), out)
    ```

    Args:
        settings: What is asked for.
        out: Folder for `results.json`, `table.md` and figures.
        say: Takes a line of progress.

    Returns:
        `Results`, also written to `out`.

    Raises:
        ValueError: For an argument that does not fit, before anything is computed.
        FileNotFoundError: Where files or Java are missing.
        ImportError: Without the packages of the extra `text`.
    """
    settings.check()
    check_folder(out)
    with metrics.MeteorScorer() as scorer:
        run = _Run(settings, out, say, scorer)
        return run.all_rows()


class _Run:
    def __init__(
        self,
        settings: InterpnetSettings,
        out: Path,
        say: Callable[[str], None],
        scorer: metrics.MeteorScorer,
    ):
        self.settings, self.out, self.say, self.scorer = settings, out, say, scorer
        shown = {k: v for k, v in dataclasses.asdict(settings).items() if k != "root"}
        shown |= dataclasses.asdict(settings.recipe())
        self.results = Results("interpnet", settings.data, shown)
        # What a figure depends on: not which of the rows and seeds are asked for.
        asked = ("categories", "seed", "seeds", "root", "weights")
        key = {k: v for k, v in shown.items() if k not in asked}
        self.runs = KeptMeasurements(out / "runs", key)
        self.birds: DescribedBirds | None = None

    def all_rows(self) -> Results:
        """Measure row after row, and write the table after each."""
        self.birds = described_birds(
            self.settings.data,
            self.settings.root,
            self.settings.weights,
            self.out / "features",
            self.say,
            quick=self.settings.quick,
            development=self.settings.development,
        )
        found: dict[str, list[dict[str, Any]]] = {}
        for seed in self.settings.all_seeds():
            classifiers: dict[tuple[int, ...], keras.Model] = {}
            described = functools.partial(self.describers, seed)
            found.setdefault("describers", []).append(
                self.kept("describers", seed, described)
            )
            for name in self.settings.variants():
                measure = functools.partial(self.variant, name, seed, classifiers)
                found.setdefault(name, []).append(self.kept(name, seed, measure))
                self.write(found)
        self.draw(found)
        return self.results

    def kept(
        self, name: str, seed: int, measure: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """What was measured before with the same settings, or is now."""
        file = f"{name}_seed_{seed}"
        known = self.runs.get(file)
        if known is not None:
            self.say(f"{name}, seed {seed}: from {self.runs.path(file)}")
            return known
        self.say(f"{name}, seed {seed}")
        started = time.perf_counter()
        content = measure()
        content["seconds"] = round(time.perf_counter() - started, 1)
        self.runs.put(file, content)
        for decoding in DECODINGS:
            if decoding in content:
                self.say(f"  {decoding}: {_line(content[decoding])}")
        return content

    def describers(self, seed: int) -> dict[str, Any]:
        assert self.birds is not None
        return measured_describers(self.birds, seed, self.scorer)

    def variant(
        self, name: str, seed: int, classifiers: dict[tuple[int, ...], keras.Model]
    ) -> dict[str, Any]:
        """Train and score; variants of as many hidden layers share a classifier."""
        assert self.birds is not None
        is_gve = name == _gve.NAME
        hidden = _gve.HIDDEN if is_gve else VARIANTS[name][0]
        if hidden not in classifiers:
            self.say(f"  classifier with hidden layers of {hidden}")
            classifiers[hidden] = trained_classifier(self.birds, hidden, seed)
        given = (classifiers[hidden], self.settings.recipe(), seed, self.scorer)
        if is_gve:
            return _gve.measured_gve(self.birds, *given)
        content = measured_variant(name, self.birds, *given)
        if name == LOOKUP:
            content |= class_lookup(self.birds, given[0], self.scorer)
        return content

    def write(self, found: dict[str, list[dict[str, Any]]]) -> None:
        """The table of what is finished, whatever happens to the rest."""
        assert self.birds is not None
        self.results.rows = []
        add_rows(self.results, found, len(self.birds.test))
        self.results.write(self.out)

    def draw(self, found: dict[str, list[dict[str, Any]]]) -> None:
        assert self.birds is not None
        for place in ("figures", "beam", "consensus", "self_critical"):
            for name in ("InterpNet_1", "InterpNet_2"):
                if name in found and "captioning" in found:
                    mean, spread, count = paired_difference(
                        found[name], found["captioning"], place, "cider"
                    )
                    self.say(
                        f"{name} - captioning, CIDEr, {place}: {mean:+.1f}, standard "
                        f"deviation {spread:.1f} over {count} seeds"
                    )
        folder = self.out / "figures"
        draw_scores(self.results, folder)
        draw_ten_birds(self.birds, {k: v[0] for k, v in found.items()}, folder)


def _line(figures: dict[str, float]) -> str:
    shown = ("bleu", "meteor", "cider", "cider_d", "distinct_sentences", "class_rank")
    text = ", ".join(f"{name} {figures[name]:.1f}" for name in shown)
    loss = figures["validation_loss"]
    swaps = f"{figures['cider_swap_class']:.1f} / {figures['cider_swap_any']:.1f}"
    return (
        f"{text}, swapped {swaps}, validation loss {loss:.3f} in epoch "
        f"{figures['best_epoch']:.0f} of {figures['epochs']:.0f}"
        if np.isfinite(loss)
        else text
    )

"""How many parts of an animal the filters of the interpretable CNN cover.

    KERAS_INTERP_DATA=data python benchmarks/part_coverage.py
    KERAS_INTERP_DATA=data python benchmarks/part_coverage.py --development --ablate
    KERAS_INTERP_DATA=data python benchmarks/part_coverage.py \
        --data animal_part --categories dog sheep --photographs

Trains the two-layer network of `keras-interp reproduce icnn` on the frozen maps of
SqueezeNet: an ordinary network, one with `filter_loss="posterior"` and one with
`filter_loss="parts"`, the same seeds for each. Prints the accuracy, the groups of
landmarks with a filter that tracks the landmark which it hits, and the effective number
of these groups. `--photographs` also shows the network the whole photographs, of whose
crops it knows the animals, and prints the share of peaks inside the animal's box beside
the share of cells there, which is chance. `--figure` draws twelve scored images at
random, with eight filters on each. `--development` leaves the test images alone
and scores on held-back training images, on which anything is to be chosen. `--ablate`
leaves out one component of the search for places at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import keras
import matplotlib.pyplot as plt
import numpy as np

from keras_interp import datasets, metrics, plotting
from keras_interp.datasets._registry import find_root
from keras_interp.layers import _part_places
from keras_interp.reporting._sections import representative_filters
from keras_interp.reproduce._tasks import Task, plan_tasks
from keras_interp.reproduce._trunk import FrozenTrunk, Projection
from keras_interp.reproduce.icnn._training import (
    TARGET_LAYER,
    TOP_LAYER,
    IcnnRecipe,
    TrainedNetwork,
    fitted,
    measured,
)

COMPONENTS = 96
# What is set to leave a component out.
ABLATIONS: dict[str, dict[str, float]] = {
    "competition": {"COMPETITION": 0.0},
    "appearance": {"APPEARANCE_FROM": np.inf},
    "pose": {"POSE_FROM": np.inf},
    "foreground": {"FOREGROUND_SLOPE": 0.0},
    "scale": {"SMALLEST": 1.0, "LARGEST": 1.0},
    "anchor's first batches": {
        "LAYOUT_FROM": 0.0,
        "PLACES_FROM": 2.0,
        "APPEARANCE_FROM": 4.0,
        "POSE_FROM": 6.0,
    },
}


@contextlib.contextmanager
def without(component: str | None) -> Iterator[None]:
    """Leave one component out of what is trained inside."""
    with contextlib.ExitStack() as stack:
        for name, value in ABLATIONS.get(component or "", {}).items():
            stack.enter_context(mock.patch.object(_part_places, name, value))
        yield


def described(name: str, network: TrainedNetwork, seconds: float) -> str:
    """A line of the table."""
    found = network.measured
    groups = found.groups
    assert groups is not None
    parts = []
    for place, group in enumerate(groups.group_names):
        if groups.count[place]:
            parts.append(f"{group} {groups.count[place]}")
    return (
        f"{name:34} accuracy {network.accuracy:.3f}  groups {groups.groups}  "
        f"coverage {groups.value:.2f} (strict {groups.strict:.2f})  "
        f"hit gain {found.hit_gain.value:+.2f}  "
        f"instability {found.instability.value:.3f}  "
        f"detectors {groups.detectors.sum()}/{len(groups.detectors)}: "
        f"{', '.join(parts)}  {seconds:.0f} s"
    )


@dataclasses.dataclass(frozen=True)
class Photographs:
    """Whole photographs of the animals that a task is scored on.

    Attributes:
        values: Inputs of the network `(photographs, height, width, components)`.
        on_animal: bool `(photographs, height, width)`, cells with a centre in the box.
    """

    values: np.ndarray
    on_animal: np.ndarray

    @classmethod
    def of(cls, task: Task, trunk: FrozenTrunk, projection: Projection) -> Photographs:
        every = datasets.open_animal_part(find_root("animal_part"), crop=None)
        assert task.dataset.ids is not None
        scored = task.dataset.ids[~task.is_train & ~task.dataset.is_background]
        shown = every.take(np.isin(every.ids, scored)).load(trunk.image_size)
        values = projection(trunk.features(shown.images))
        field = trunk.receptive_field()
        _, height, width, _ = values.shape
        start, stride = float(np.max(field.start)), float(np.max(field.stride))
        x = (start + stride * np.arange(width))[None, None, :]
        y = (start + stride * np.arange(height))[None, :, None]
        x0, y0, x1, y1 = shown.boxes.T[:, :, None, None]
        return cls(values, (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))

    def described(self, model: keras.Model) -> str:
        """Share of the peaks on the animal, beside that of the cells."""
        layer = metrics.read_feature_maps(model, self.values, TOP_LAYER)
        maps = layer.maps[..., : layer.interpretable or None]
        maps = maps.reshape(len(maps), -1, maps.shape[-1])
        inside = self.on_animal.reshape(len(maps), -1)
        hit = np.take_along_axis(inside, maps.argmax(axis=1), axis=1)
        share = hit[maps.max(axis=1) > 0].mean()
        return f"peaks on the animal {share:.2f}, by chance {inside.mean():.2f}"


def draw(path: Path, task: Task, network: TrainedNetwork, seed: int) -> None:
    """Twelve images that chose no part, with the surest filters, each part's first."""
    found = network.measured
    filters = representative_filters(found, 8)
    names = [found.names.names[one] or f"filter {one}" for one in filters]
    scored = np.flatnonzero(~found.chose)
    shown = np.random.default_rng(seed).choice(scored, 12, replace=False)
    figure, axes = plt.subplots(3, 4, figsize=(18, 10))
    # Labels stand on both sides of an image.
    figure.subplots_adjust(0.06, 0.01, 0.94, 0.99, wspace=0.7, hspace=0.03)
    for ax, row in zip(axes.flat, shown, strict=True):
        plotting.parts_on_image(
            task.dataset.subset(task.objects()).images[found.images[row]],
            found.layer.maps[row][..., filters],
            found.receptive_field,
            ax,
            names=names,
        )
    figure.savefig(path, dpi=80)
    plt.close(figure)


def the_tasks(arguments: argparse.Namespace, trunk: FrozenTrunk) -> Iterator[Task]:
    plan = plan_tasks(
        arguments.data,
        None,
        categories=arguments.categories,
        quick=arguments.quick,
        development=arguments.development,
        other_species=arguments.species == "other",
    )
    return plan.tasks(trunk)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="cub", choices=("cub", "animal_part"))
    parser.add_argument("--categories", nargs="+", default=["bird"])
    parser.add_argument(
        "--species",
        default="largest",
        choices=("largest", "other"),
        help="of CUB: the 40 with most images, or all that are none of these",
    )
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--fraction", type=float, default=0.5)
    parser.add_argument(
        "--modes", nargs="+", default=["ordinary", "posterior", "parts"]
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--photographs", action="store_true", help="of animal_part")
    parser.add_argument("--figure", type=Path, help="PNG, of the first seed of parts")
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--ablate", action="store_true")
    arguments = parser.parse_args()
    trunk = FrozenTrunk.load("squeezenet")
    for task in the_tasks(arguments, trunk):
        run(task, arguments, trunk)


def run(task: Task, arguments: argparse.Namespace, trunk: FrozenTrunk) -> None:
    """Train and print the networks of one task."""
    projection = Projection.fit(task.features[task.is_train], COMPONENTS)
    values, mirrored = projection(task.features), projection(task.mirrored)
    epochs = arguments.epochs or task.usual_epochs
    recipe = IcnnRecipe(epochs=epochs, fraction=arguments.fraction)
    scored = "held-back training" if arguments.development else "test"
    print(
        f"{task.name}: {len(task.training_rows()) + len(mirrored)} training images, "
        f"{int((~task.is_train).sum())} {scored} images, {epochs} epochs",
        flush=True,
    )
    runs: list[tuple[str, str | None]] = [(mode, None) for mode in arguments.modes]
    if arguments.ablate:
        runs += [("parts", component) for component in ABLATIONS]
    field = trunk.receptive_field()
    photographs = None
    if arguments.photographs:
        photographs = Photographs.of(task, trunk, projection)
    first = arguments.first_seed
    for mode, component in runs:
        for seed in range(first, first + arguments.seeds):
            start = time.perf_counter()
            kind = "ordinary" if mode == "ordinary" else "interpretable"
            settings = dataclasses.replace(
                recipe, filter_loss="posterior" if kind == "ordinary" else mode
            )
            with without(component):
                model, log = fitted(task, values, mirrored, settings, kind, seed)
                network = measured(model, log, task, values, field)
            name = f"{mode}{f' without {component}' if component else ''}, seed {seed}"
            print(described(name, network, time.perf_counter() - start), flush=True)
            if mode == "parts":
                print(f"  {model.get_layer(TARGET_LAYER).part_search}", flush=True)
                if arguments.figure and (seed, component) == (first, None):
                    draw(arguments.figure, task, network, seed)
            if photographs is not None:
                print(f"  {photographs.described(model)}", flush=True)


if __name__ == "__main__":
    main()

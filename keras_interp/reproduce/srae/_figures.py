"""Figures of table 1: where x-features look, and localities beside the controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keras_interp import attribution, plotting
from keras_interp.models import ExplanationModule
from keras_interp.reproduce.srae._measurement import CONTROLS, Measured
from keras_interp.reproduce.srae._networks import MAPS, ExplainedNetwork

IMAGES = 3


def draw_class_card(
    network: ExplainedNetwork, module: ExplanationModule, folder: Path
) -> None:
    """Write a figure of the x-features of one class beside excitation backprop.

    Args:
        network: What is explained.
        module: Its trained SRAE.
        folder: Where to; made where it is missing.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    number, rows = _shown(network)
    maps, index = network.maps[rows], network.classes[number]
    found = attribution.x_feature_maps(module, maps, MAPS, index)
    score = attribution.excitation_backprop(
        network.head, maps, index, layer_name=MAPS, resize=False
    )
    columns = found.maps.shape[1] + 2
    figure = Figure(figsize=(1.9 * columns, 2.1 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    images = network.dataset.images[rows]
    for place, image in enumerate(images):
        plotting.landmarks(
            image, network.dataset.landmarks[rows[place]], axes[place, 0]
        )
        told = (
            f"score {found.logits[place]:.1f}, from x {found.approximated[place]:.1f}"
        )
        axes[place, 0].set_title(told, fontsize="small")
        plotting.overlay(image, score[place], ax=axes[place, 1], title="excitation")
        order = np.argsort(-found.weights[place])
        for column, feature in enumerate(order, start=2):
            plotting.overlay(
                image,
                found.maps[place, feature],
                ax=axes[place, column],
                title=f"x{feature + 1}: {found.weights[place, feature]:+.2f}",
            )
    figure.suptitle(f"{_name(network, number)}: x-features with v E", fontsize="medium")
    figure.savefig(folder / f"{_file(network)}_class_card.png", dpi=90)


def draw_localities(found: Measured, folder: Path) -> None:
    """Write a chart of the locality of each row, a dot a class, with the controls.

    Args:
        found: Figures of one network.
        folder: Where to; made where it is missing.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    kinds = list(found.figures)
    figure = Figure(figsize=(8.0, 0.42 * len(kinds) + 1.3), layout="constrained")
    axes = figure.subplots()
    for place, kind in enumerate(kinds):
        color = "tab:gray" if kind in CONTROLS else "tab:blue"
        values = np.array([one.locality for one in found.figures[kind]])
        others = np.array([one.shuffled for one in found.figures[kind]])
        axes.plot(values, np.full(len(values), place), ".", color=color, alpha=0.4)
        axes.plot(np.nanmean(values), place, "|", color="black", markersize=16)
        if np.isfinite(others).any():
            axes.plot(np.nanmean(others), place, "x", color="tab:orange")
    axes.set_yticks(range(len(kinds)), [kind.replace("_", " ") for kind in kinds])
    axes.invert_yaxis()
    axes.set_xlabel(
        "locality in nats, lower is more local (dots: classes, line: mean, "
        "orange: shuffled)",
        fontsize="small",
    )
    axes.set_title(found.place.replace("/", ", "), fontsize="medium")
    figure.savefig(folder / f"{_file(found)}_locality.png", dpi=90)


def _shown(network: ExplainedNetwork) -> tuple[int, np.ndarray]:
    """The class with most positive test images, and some of these."""
    tested = network.positives & ~network.is_train[:, None]
    number = int(tested.sum(axis=0).argmax())
    return number, np.flatnonzero(tested[:, number])[:IMAGES]


def _name(network: ExplainedNetwork, number: int) -> str:
    return network.dataset.class_names[network.classes[number]]


def _file(shown: ExplainedNetwork | Measured) -> str:
    return f"{shown.place.split('/')[0]}_{shown.kind}".replace("none_", "")

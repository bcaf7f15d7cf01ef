"""Figures of an explainer: what parts a performer encodes, and which it used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp import attribution, plotting
from keras_interp.models import Explainer
from keras_interp.reproduce.explainer._measurement import PART_LAYER, part_field
from keras_interp.reproduce.explainer._task import ExplainedTask
from keras_interp.reproduce.explainer._training import TOP_LAYER

IMAGES = 3
_FILTERS = 6


def draw_explained(
    explained: ExplainedTask,
    performer: keras.Model,
    explainer: Explainer,
    folder: Path,
) -> None:
    """Write the figures of one task: filters, Grad-CAM and part contributions.

    Args:
        explained: The task.
        performer: The explained network.
        explainer: Its trained explainer.
        folder: Where to; made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = explained.name.replace(" ", "_")
    task = explained.task
    shown = np.intersect1d(task.objects(), np.flatnonzero(~task.is_train))
    chosen = shown[np.linspace(0, len(shown) - 1, IMAGES).astype(int)]
    _draw_filters(explained, explainer, shown).savefig(
        folder / f"{name}_explainer_filters.png", dpi=100
    )
    _draw_grad_cam(explained, performer, explainer, chosen).savefig(
        folder / f"{name}_explainer_grad_cam.png", dpi=100
    )
    _draw_contributions(explained, explainer, chosen).savefig(
        folder / f"{name}_explainer_parts.png", dpi=100
    )


def _draw_filters(
    explained: ExplainedTask, explainer: Explainer, rows: np.ndarray
) -> Any:
    """What is encoded: filters of conv-interp-2 on their strongest images."""
    encoding = explainer.encode(explained.values[rows])
    count = encoding.interpretable_filters
    field = part_field(explained, explainer)
    axes = plotting.filter_gallery(
        explained.task.dataset.images[rows],
        encoding.part_maps,
        field,
        filters=list(np.linspace(0, count - 1, min(_FILTERS, count)).astype(int)),
        top=6,
        # Where a filter's peak is, not all that its wide field could see.
        radius=1.5 * float(np.max(field.stride)),
    )
    figure = axes.flat[0].figure
    figure.suptitle(f"{explained.name}: filters of the explainer's conv-interp-2")
    return figure


def _draw_grad_cam(
    explained: ExplainedTask,
    performer: keras.Model,
    explainer: Explainer,
    rows: np.ndarray,
) -> Any:
    """Grad-CAM of the interpretable layer beside that of the performer's top layer."""
    inputs, images = explained.values[rows], explained.task.dataset.images[rows]
    maps = {
        "performer, top layer": attribution.grad_cam(
            performer, inputs, layer_name=TOP_LAYER
        ),
        "explainer, conv-interp-2": attribution.grad_cam(
            explainer, inputs, layer_name=PART_LAYER
        ),
    }
    size = images.shape[1:3]
    enlarged = {
        name: np.asarray(
            keras.ops.convert_to_numpy(
                keras.ops.image.resize(values[..., None], size, "bilinear")
            )
        )[..., 0]
        for name, values in maps.items()
    }
    axes = plotting.attribution_grid(images, enlarged)
    figure = axes.flat[0].figure
    figure.suptitle(f"{explained.name}: Grad-CAM")
    return figure


def _draw_contributions(
    explained: ExplainedTask, explainer: Explainer, rows: np.ndarray
) -> Any:
    """What was used: contributions of the parts to the class score of each image."""
    from matplotlib.figure import Figure

    task = explained.task
    learnt = np.intersect1d(task.objects(), np.flatnonzero(task.is_train))
    found = attribution.part_contributions(
        explainer,
        explained.values[rows],
        task.dataset.subset(learnt),
        inputs=explained.values[learnt],
        field=part_field(explained, explainer),
    )
    figure = Figure(figsize=(9.5, 3.4 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 2, width_ratios=(1, 1.3), squeeze=False)
    for place, row in enumerate(rows):
        plotting.part_positions(task.dataset.images[row], found, place, axes[place, 0])
        predicted = _class_name(explained, int(found.class_index[place]))
        title = f"{predicted}: score {found.scores[place]:.1f}"
        plotting.part_contributions(found, place, axes[place, 1], title=title)
    figure.suptitle(f"{explained.name}: what each part adds to the class score")
    return figure


def _class_name(explained: ExplainedTask, index: int) -> str:
    """Name of a class of the performer."""
    if explained.task.categories == 1:
        return f"{explained.name} against background"
    return str(explained.task.dataset.class_names[index])

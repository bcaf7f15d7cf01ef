"""Pictures of what the filters of each network see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_interp import plotting
from keras_interp.reproduce.icnn_task import IcnnTask
from keras_interp.reproduce.icnn_training import TrainedNetwork

_FILTERS = 4


def draw_task(
    task: IcnnTask, networks: Mapping[str, TrainedNetwork], folder: Path
) -> None:
    """Write a filter gallery of each network and a histogram of the parts.

    Args:
        task: The task.
        networks: One network of each kind.
        folder: Where to; made where it is missing.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    name = task.name.replace(" ", "_")
    for kind, network in networks.items():
        found = network.measured
        tested = np.flatnonzero(~found.chose)
        images = task.pictures.images[task.objects()[tested]]
        count = found.layer.maps.shape[-1]
        filters = np.linspace(0, count - 1, min(_FILTERS, count)).astype(int)
        axes = plotting.filter_gallery(
            images,
            found.layer.maps[tested],
            found.receptive_field,
            filters=list(filters),
            top=6,
            # Where a filter's peak is, not all that its wide field could see.
            radius=1.5 * float(np.max(found.receptive_field.stride)),
        )
        figure = axes.flat[0].figure
        figure.suptitle(f"{task.name}: {kind.replace('_', ' ')} network")
        figure.savefig(folder / f"{name}_{kind}_filters.png", dpi=100)
        figure = Figure(figsize=(6, 4), layout="constrained")
        plotting.part_histogram(
            found.tracking.part,
            task.pictures.landmark_names,
            figure.subplots(),
            detectors=found.detectors,
            title=f"{task.name}: {kind.replace('_', ' ')} network",
        )
        figure.savefig(folder / f"{name}_{kind}_parts.png", dpi=100)

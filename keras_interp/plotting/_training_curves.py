"""Loss, accuracy and the entropies of the filters over the epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy
from keras_interp.plotting._canvas import grid_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Panels by the end of the Keras log's keys that they show, the longest end first.
_PANELS = {
    "filter_loss": "Filter loss",
    "mutual_information": "Mutual information",
    "inter_category_entropy": "Inter-category entropy",
    "spatial_entropy": "Spatial entropy",
    "accuracy": "Accuracy",
    "acc": "Accuracy",
    "loss": "Loss",
}
_ORDER = (
    "Loss",
    "Accuracy",
    "Filter loss",
    "Mutual information",
    "Inter-category entropy",
    "Spatial entropy",
)


def training_curves(history: Any, ax: np.ndarray | None = None) -> np.ndarray:
    """Draws what `fit` logged: loss, accuracy and what the filters learnt.

    A falling inter-category entropy means that filters choose between their category
    and the rest; a falling spatial entropy, that they choose a place. The `exact` loss
    lowers both directly. With the default loss watch the filter loss instead: it
    sharpens each map on its own, and the entropies of a batch need not follow.

    Example:

    ```python
    history = model.fit(images, labels, epochs=10)
    axes = ki.plotting.training_curves(history)
    axes[0].figure.savefig("training.png")
    ```

    Args:
        history: what `fit` returned, or a dict from names to one value an epoch. Names
            that end in `loss`, `accuracy` (or `acc`), `filter_loss`,
            `mutual_information`, `inter_category_entropy` or `spatial_entropy` are
            drawn, with `val_` before them dashed; others are left out.
        ax: one for each panel. Default: those of a new figure.

    Returns:
        The axes `(panels,)`, only those for which there is something to draw.

    Raises:
        ValueError: if nothing can be drawn, or there is another number of axes.
    """
    logs = getattr(history, "history", history)
    if not isinstance(logs, Mapping):
        raise ValueError(
            "Expected history as model.fit returns it, or a dict from names to "
            f"values. Received: {type(history).__name__}. Pass the history itself."
        )
    panels: dict[str, dict[str, np.ndarray]] = {}
    for key, values in logs.items():
        end = next((end for end in _PANELS if key.endswith(end)), None)
        if end is not None and len(values):
            name = key.removesuffix(end).rstrip("_")
            curves = panels.setdefault(_PANELS[end], {})
            curves[name] = to_numpy(values).astype("float64")
    if not panels:
        raise ValueError(
            f"Expected history with names that end in one of {sorted(_PANELS)}. "
            f"Received: the names {sorted(map(str, logs))}. Pass the history of a fit "
            "of at least one epoch."
        )
    titles = [title for title in _ORDER if title in panels]
    drawn = _panel_axes(ax, len(titles))
    for panel, title in zip(drawn, titles, strict=True):
        _draw_panel(panel, title, panels[title])
    return drawn


def _panel_axes(axes: np.ndarray | None, count: int) -> np.ndarray:
    """The given axes, or those of a new figure with up to three panels in a row."""
    if axes is not None:
        return grid_or_new(axes, 1, count, 0, 0)[0]
    columns = min(count, 3)
    grid = grid_or_new(None, -(-count // columns), columns, 3.4, 2.7).ravel()
    for empty in grid[count:]:
        empty.remove()
    return grid[:count]


def _draw_panel(ax: Axes, title: str, curves: Mapping[str, np.ndarray]) -> None:
    """Curves by what comes before the panel's own word, such as `val_conv1`."""
    from matplotlib import colormaps
    from matplotlib.ticker import MaxNLocator

    sources = list(dict.fromkeys(_source(name) for name in curves))
    for name, values in curves.items():
        validation = name.split("_")[0] == "val"
        which = "validation" if validation else "training"
        source = _source(name)
        ax.plot(
            np.arange(1, len(values) + 1),
            values,
            color=colormaps["tab10"](sources.index(source) % 10),
            linestyle="--" if validation else "-",
            marker="o" if len(values) == 1 else None,
            label=f"{source.replace('_', ' ')}, {which}" if source else which,
        )
    ax.set_title(title, fontsize="medium")
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize="x-small", frameon=False)


def _source(name: str) -> str:
    """The layer or output that a curve belongs to, the same for its validation."""
    return name.removeprefix("val").lstrip("_")

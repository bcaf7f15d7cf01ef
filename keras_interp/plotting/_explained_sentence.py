"""A sentence in colours: which layer each word drew on, and how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.plotting._canvas import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_interp.models import ExplainedSentence

# Inches of the words in a figure of their own.
NEW_WIDTH = 6.7
# In points, as letters are measured.
FONT_SIZE = 13.0
LINE = 2.6 * FONT_SIZE
SPACE = 0.5 * FONT_SIZE
BAR = 0.28 * FONT_SIZE
# Darkness of the least likely word.
FAINTEST = 0.35


def explained_sentence(
    sentence: ExplainedSentence,
    ax: Axes | None = None,
    *,
    title: str | None = None,
) -> Axes:
    """Draws the words of a sentence in the colours of the layers that they drew on.

    A word has the colour of the layer with the largest share of its gradient, and is
    fainter where it is less likely. The bar below it shows the shares of all layers.

    Example:

    ```python
    shares = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    said = ki.models.ExplainedSentence(
        ("red", "bird", "."), np.array([0.9, 0.4, 1.0]), ("input", "hidden"), shares
    )
    ax = ki.plotting.explained_sentence(said)
    ```

    Args:
        sentence: what `InterpNet.explain_words` gave, one of them.
        ax: axes to draw on. Default: those of a new figure.
        title: text above the words. Default: none.

    Returns:
        The axes that were drawn on.

    Raises:
        ValueError: if the words, probabilities and shares are not of one number.
    """
    _check(sentence)
    colors = layer_colors(sentence.layers)
    if ax is None:
        width = NEW_WIDTH * 72.0
        lines = _places(sentence.words, width)[1]
        height = 0.5 + (lines * LINE + 2.0 * FONT_SIZE) / 72.0
        ax = axes_or_new(None, NEW_WIDTH * 1.05, height + (0.3 if title else 0.0))
    else:
        width = float(ax.bbox.width) * 72.0 / ax.figure.dpi
    places, lines = _places(sentence.words, width)
    for word, chance, shares, (x, y, wide) in zip(
        sentence.words, sentence.probabilities, sentence.shares, places, strict=True
    ):
        layer = sentence.layers[int(np.argmax(shares))] if shares.any() else None
        ax.text(
            x,
            y,
            word,
            color=colors.get(layer, "0.4"),
            alpha=FAINTEST + (1.0 - FAINTEST) * float(chance),
            fontsize=FONT_SIZE,
            family="monospace",
            va="baseline",
        )
        ends = x + wide * np.cumsum(shares)
        ax.barh(
            np.full(len(shares), y - 1.1 * BAR - 0.2 * FONT_SIZE),
            wide * shares,
            left=ends - wide * shares,
            height=BAR,
            color=[colors[name] for name in sentence.layers],
        )
    ax.set_xlim(0.0, width)
    ax.set_ylim(-(lines - 0.4) * LINE, FONT_SIZE * 1.3)
    ax.set_axis_off()
    _legend(ax, colors)
    if title is not None:
        ax.set_title(title, fontsize="medium", loc="left")
    return ax


def layer_colors(layers: tuple[str, ...]) -> dict[str | None, Any]:
    """A colour for each layer, the same in every sentence of a model."""
    from matplotlib import colormaps

    palette = colormaps["tab10"]
    return {name: palette(place % 10) for place, name in enumerate(layers)}


def _places(
    words: tuple[str, ...], width: float
) -> tuple[list[tuple[float, float, float]], int]:
    """Left end, base line and width of each word in points, and number of lines."""
    # Of letters of one width, as DejaVu Sans Mono has them.
    letter = 0.602 * FONT_SIZE
    places: list[tuple[float, float, float]] = []
    x = y = 0.0
    for word in words:
        wide = letter * len(word)
        if word in (",", ".") and places:
            x -= SPACE
        elif x + wide > width and x:
            x, y = 0.0, y - LINE
        places.append((x, y, wide))
        x += wide + SPACE
    return places, 1 + round(-y / LINE)


def _legend(ax: Axes, colors: dict[str | None, Any]) -> None:
    from matplotlib.patches import Patch

    ax.legend(
        handles=[Patch(color=color, label=name) for name, color in colors.items()],
        fontsize="x-small",
        loc="upper left",
        bbox_to_anchor=(0.0, -0.02),
        ncols=min(len(colors), 5),
        frameon=False,
        borderaxespad=0.0,
    )


def _check(sentence: ExplainedSentence) -> None:
    count = len(sentence.words)
    shapes = np.shape(sentence.probabilities), np.shape(sentence.shares)
    if not count or shapes != ((count,), (count, len(sentence.layers))):
        raise ValueError(
            "Expected a probability and a share of each layer for each word. Received: "
            f"{count} words, {len(sentence.layers)} layers, probabilities and shares "
            f"of shapes {shapes}. Give one of what model.explain_words(images) gives."
        )

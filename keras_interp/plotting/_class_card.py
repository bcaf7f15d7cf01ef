"""The x-features behind one class score: where each looks, and what it adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy
from keras_interp.plotting._canvas import grid_or_new, show_image
from keras_interp.plotting._overlay import overlay

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_interp.attribution import XFeatureMaps
    from keras_interp.metrics import Faithfulness

# Parts named below a map, and the least share of the map that names one.
MOST_PARTS = 3
LEAST_SHARE = 0.1
WIDTH, HEIGHT = 1.75, 2.9
SIGNIFICANT, OTHERS = "black", "0.55"


def class_card(
    image: Any,
    x_features: XFeatureMaps,
    index: int,
    ax: np.ndarray | None = None,
    *,
    class_name: str | None = None,
    part_shares: Any = None,
    part_names: Sequence[str] | None = None,
    faithfulness: Faithfulness | None = None,
    others: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """Draws one image's class score as a card: its x-features by what they add.

    From left to right: the image; maps to compare with, if there are any; a map of
    each x-feature, the one that adds most first. Above each map stands its
    contribution `v_n E_n`; those that make 90 % of what speaks for the class are in
    black, the others in grey. Below it stand the parts that it looks at. An x-feature
    that is 0 in the image has no map.

    Example:

    ```python
    found = module.explain(images[:4])
    looked_at = ki.metrics.part_locality(
        found.maps[:1], dataset.landmarks[:1], None, image_size=dataset.image_size
    )
    axes = ki.plotting.class_card(
        images[0], found, 0,
        class_name="bird",
        part_shares=looked_at.part_distribution,
        part_names=dataset.landmark_names,
        faithfulness=module.faithfulness(images),
    )
    axes[0].figure.savefig("card.png")
    ```

    Args:
        image: `(H, W)`, `(H, W, 1)` or `(H, W, 3)`, as it shall be seen.
        x_features: what `ExplanationModule.explain` gave.
        index: which of its images this is.
        ax: axes to draw on, as many as there are pictures. Default: those of a new
            figure.
        class_name: name of the class. Default: its number.
        part_shares: float `(x-features, parts)`, how much of each map lies on each
            part; `part_distribution` of `keras_interp.metrics.part_locality` of this
            image. Default: no part is named.
        part_names: names of the parts.
        faithfulness: of the module, as `ExplanationModule.faithfulness` gives it.
            Default: it is not told.
        others: name to map `(h, w)`, to compare with, such as
            `{"ExcitationBP": maps[0]}`. Default: none.

    Returns:
        Array of the axes that were drawn on.

    Raises:
        ValueError: if there is no such image, or parts and shares do not go together.

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017, figures 1(b)
        and 2.
    """
    _check_image(x_features, index)
    shares = _checked_shares(x_features, part_shares, part_names)
    others = dict(others or {})
    count = x_features.weights.shape[1]
    columns = 1 + len(others) + count
    axes = grid_or_new(ax, 1, columns, WIDTH, HEIGHT).ravel()
    show_image(axes[0], image)
    name = f"class {x_features.class_index}" if class_name is None else class_name
    axes[0].set_title(name, fontsize="small", fontweight="bold")
    axes[0].set_xlabel(_score(x_features, index), fontsize="x-small")
    for place, (words, heat) in enumerate(others.items(), 1):
        overlay(image, heat, axes[place], title=words)
    order = np.argsort(-x_features.weights[index], kind="stable")
    for place, feature in enumerate(order, 1 + len(others)):
        _draw_x_feature(axes[place], image, x_features, index, int(feature))
        if shares is not None and part_names is not None:
            words = _parts(shares[feature], part_names)
            axes[place].set_xlabel(words, fontsize="x-small")
    if faithfulness is not None and ax is None:
        axes[0].figure.suptitle(_error(faithfulness), fontsize="small", color="0.3")
    elif faithfulness is not None:
        below = f"{_score(x_features, index)}\n{_error(faithfulness)}"
        axes[0].set_xlabel(below, fontsize="x-small")
    return axes


def x_feature_grid(
    images: Any,
    x_features: XFeatureMaps,
    ax: np.ndarray | None = None,
    *,
    titles: Sequence[str] | None = None,
) -> np.ndarray:
    """Draws the same x-features in several images: a row an image, a column each.

    The columns are sorted by mean contribution, and the contribution `v_n E_n` stands
    above each map, in black where it is significant. What an x-feature means shows in
    its column: whether it looks at the same part in all images.

    Example:

    ```python
    found = module.explain(images[:4])
    axes = ki.plotting.x_feature_grid(images[:4], found)
    ```

    Args:
        images: `(N, H, W, 3)`, as they shall be seen, or a list of images.
        x_features: what `ExplanationModule.explain` gave for them.
        ax: array of axes `(N, 1 + x-features)`. Default: those of a new figure.
        titles: text above each image. Default: its logit and the approximated one.

    Returns:
        Array `(N, 1 + x-features)` of the axes that were drawn on.

    Raises:
        ValueError: if there are not as many images as maps.

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017, figure 2.
    """
    rows, columns = x_features.weights.shape
    if len(images) != rows:
        raise ValueError(
            f"Expected as many images as were explained, {rows}. Received: "
            f"{len(images)} images. Pass the same ones."
        )
    axes = grid_or_new(ax, rows, 1 + columns, WIDTH, 0.74 * HEIGHT)
    order = np.argsort(-x_features.weights.mean(axis=0), kind="stable")
    for row, image in enumerate(images):
        show_image(axes[row, 0], image)
        words = _score(x_features, row) if titles is None else titles[row]
        axes[row, 0].set_title(words, fontsize="x-small")
        for place, feature in enumerate(order, 1):
            _draw_x_feature(axes[row, place], image, x_features, row, int(feature))
    return axes


def _draw_x_feature(
    ax: Axes, image: Any, x_features: XFeatureMaps, index: int, feature: int
) -> None:
    heat = x_features.maps[index, feature]
    if heat.max() > 0:
        overlay(image, heat, ax)
    else:
        show_image(ax, np.zeros_like(to_numpy(image)) + 255)
        size = to_numpy(image).shape
        middle = size[1] / 2, size[0] / 2
        ax.text(*middle, "0 here", ha="center", va="center", color=OTHERS)
    kept = bool(x_features.significant[index, feature])
    words = f"x{feature + 1}:  {x_features.weights[index, feature]:+.2f}"
    color = SIGNIFICANT if kept else OTHERS
    ax.set_title(words, fontsize="small", color=color)


def _score(x_features: XFeatureMaps, index: int) -> str:
    logit, near = x_features.logits[index], x_features.approximated[index]
    return f"logit {logit:.2f}\nfrom x-features {near:.2f}"


def _error(faithfulness: Faithfulness) -> str:
    words = f"mean error {faithfulness.value:.2f} over {faithfulness.count} images"
    if np.isfinite(faithfulness.relative):
        words += f", {100 * faithfulness.relative:.1f} % of the logit's range"
    return words


def _parts(shares: np.ndarray, names: Sequence[str]) -> str:
    """The parts with the greatest shares, a line each."""
    if not np.isfinite(shares).all():
        return ""
    order = np.argsort(-shares, kind="stable")[:MOST_PARTS]
    kept = [k for k in order if shares[k] >= LEAST_SHARE]
    return "\n".join(f"{names[k]} {100 * shares[k]:.0f} %" for k in kept)


def _check_image(x_features: XFeatureMaps, index: int) -> None:
    count = len(x_features.weights)
    if not 0 <= index < count:
        raise ValueError(
            f"Expected index from 0 to {count - 1}, one of the images that were "
            f"explained. Received: index={index!r}. Pass its place among them."
        )


def _checked_shares(
    x_features: XFeatureMaps, shares: Any, names: Sequence[str] | None
) -> np.ndarray | None:
    if shares is None:
        return None
    shares = to_numpy(shares)
    wanted = (x_features.weights.shape[1], len(names or ()))
    if names is None or shares.shape != wanted:
        raise ValueError(
            "Expected part_shares of shape (x-features, parts) and as many part_names. "
            f"Received: part_shares of shape {shares.shape} and part_names={names!r}. "
            "Pass part_distribution of keras_interp.metrics.part_locality."
        )
    return shares

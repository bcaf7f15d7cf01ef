"""The images in which filters fire most, with what they see there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics import activation_thresholds, filter_regions
from keras_interp.metrics._peaks import check_feature_maps, to_numpy
from keras_interp.metrics._regions import RADIUS_SHARE, cell_distance, empirical_regions
from keras_interp.plotting._canvas import as_image, grid_or_new, show_image
from keras_interp.plotting._overlay import overlay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

    from keras_interp.receptive_fields import ReceptiveField


_SHOW = ("region", "feature_map", "masked_map")


def filter_gallery(
    images: Any,
    feature_maps: Any,
    receptive_field: ReceptiveField,
    filters: Sequence[int] | int = 0,
    ax: np.ndarray | None = None,
    *,
    top: int = 5,
    show: Sequence[str] | None = None,
    masked_maps: Any = None,
    shapes: Any = None,
    radius: float | None = None,
    quantile: float = 0.003,
    names: Sequence[str] | None = None,
    cmap: str | Colormap = "inferno",
) -> np.ndarray:
    """Shows each filter's strongest images: what it responds to, its map, its mask.

    Example:

    ```python
    layer = model.get_layer("interpretable_conv")
    field = ki.receptive_field(model, layer.name)
    axes = ki.plotting.filter_gallery(images, maps, field, filters=[0, 1, 2], top=6)
    axes[0, 0].figure.savefig("filters.png")
    ```

    Args:
        images: `(N, H, W)` or `(N, H, W, C)`, the images of the maps.
        feature_maps: `(N, h, w, F)`, channels last, after the ReLU and before the mask.
        receptive_field: of the layer that gave the maps.
        filters: a filter or several.
        ax: array of axes, one row for each filter and kind of image, `top` columns.
            Default: those of a new figure.
        top: how many images of each filter.
        show: which kinds of image, one row each: `"region"` (the image, dark where
            the filter does not look, with a cross at its peak), `"feature_map"`,
            `"masked_map"`. Default: all for which there are maps.
        masked_maps: `(N, h, w, F)`, the maps after the mask.
        shapes: `(len(filters), 2 H - 1, 2 W - 1)` from `empirical_receptive_field`.
            Default: discs.
        radius: of the discs in pixels. Default: 0.18 of the receptive field's size,
            but at least one and a half cells, so that the discs of small networks show.
        quantile: share of a filter's units in all these maps that count as active.
        names: what to write beside the first image of each filter. Default:
            `filter 7`.
        cmap: name of a matplotlib colour map, or the map itself, for the maps.

    Returns:
        The axes, an array `(rows, top)`; those of images in which the filter does not
        fire stay empty.

    Raises:
        ValueError: if a shape, a name or a number does not fit.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        Figure 5.
    """
    maps = check_feature_maps(feature_maps)
    images = to_numpy(images)
    chosen = np.atleast_1d(filters)
    masked = None if masked_maps is None else check_feature_maps(masked_maps)
    _check_arguments(images, maps, masked, chosen, top)
    rows = _rows_to_show(show, masked)
    names = [f"filter {index}" for index in chosen] if names is None else names
    grid = grid_or_new(ax, len(chosen) * len(rows), top, 1.6, 1.6)
    for panel in grid.flat:
        panel.set_axis_off()
    thresholds = activation_thresholds(maps[..., chosen], quantile)
    for place, index in enumerate(chosen):
        lines = grid[place * len(rows) : (place + 1) * len(rows)]
        scores = maps[..., index].max(axis=(1, 2))
        best = np.argsort(-scores, kind="stable")[:top]
        best = best[scores[best] > 0]
        if not len(best):
            lines[0, 0].set_title(f"{names[place]}: silent", fontsize=8)
            continue
        # The best images always show a unit, however rarely the filter fires.
        limits = np.minimum(thresholds[[place]], 0.99 * scores[best].min())
        active = maps[best][..., [index]], limits, receptive_field
        if shapes is None:
            size = as_image(images[0]).shape[:2]
            disc = disc_radius(receptive_field) if radius is None else radius
            regions = filter_regions(*active, size, radius=disc)[:, 0]
        else:
            shape = to_numpy(shapes)[[place]]
            regions = empirical_regions(*active, shape)[:, 0]
        for kind, line in zip(rows, lines, strict=True):
            source = masked if kind == "masked_map" and masked is not None else maps
            heats = source[best][..., index]
            for panel, image, heat, region in zip(
                line, images[best], heats, regions, strict=False
            ):
                if kind == "region":
                    _draw_region(panel, image, region, heat, receptive_field)
                else:
                    overlay(
                        image, heat, panel, receptive_field=receptive_field, cmap=cmap
                    )
                panel.set_axis_on()
            line[0].set_ylabel(_row_name(names[place], kind, len(rows)), fontsize=8)
    return grid


def disc_radius(receptive_field: ReceptiveField) -> float:
    """Radius in pixels of the disc that is drawn for one unit."""
    size = float(np.mean(receptive_field.size))
    return max(RADIUS_SHARE * size, 1.5 * cell_distance(receptive_field))


def _rows_to_show(show: Sequence[str] | None, masked: np.ndarray | None) -> list[str]:
    if show is None:
        return [kind for kind in _SHOW if kind != "masked_map" or masked is not None]
    wrong = [kind for kind in show if kind not in _SHOW]
    if wrong or not show:
        raise ValueError(
            f"Expected show as some of {_SHOW}. Received: show={tuple(show)}. Leave "
            "it out for all that can be shown."
        )
    if "masked_map" in show and masked is None:
        raise ValueError(
            'Expected masked_maps where show names "masked_map". Received: '
            "masked_maps=None. Pass the maps after the mask."
        )
    return list(show)


def _check_arguments(
    images: np.ndarray,
    maps: np.ndarray,
    masked: np.ndarray | None,
    filters: np.ndarray,
    top: int,
) -> None:
    if len(images) != len(maps):
        raise ValueError(
            "Expected images and feature_maps of the same images. Received: "
            f"{len(images)} images and maps of {len(maps)}. Pass the images that the "
            "maps were made from."
        )
    if masked is not None and masked.shape != maps.shape:
        raise ValueError(
            f"Expected masked_maps of the shape of feature_maps, {maps.shape}. "
            f"Received: masked_maps of shape {masked.shape}. Pass the same filters "
            "and images."
        )
    count = maps.shape[-1]
    if (
        filters.ndim != 1
        or filters.min(initial=0) < 0
        or filters.max(initial=0) >= count
    ):
        raise ValueError(
            f"Expected filters as numbers from 0 to {count - 1}. Received: "
            f"filters={filters.tolist()}. The maps have {count} filters."
        )
    if top < 1:
        raise ValueError(
            f"Expected top of at least 1 image. Received: top={top!r}. Pass 5, say."
        )


def _draw_region(
    ax: Axes,
    image: np.ndarray,
    region: np.ndarray,
    heat: np.ndarray,
    receptive_field: ReceptiveField,
) -> None:
    """The image, darkened where the filter does not look, and the map's peak."""
    show_image(ax, as_image(image) * np.where(region, 1.0, 0.4)[..., None])
    if region.any() and not region.all():
        ax.contour(region, levels=[0.5], colors="white", linewidths=1.0)
    centers = receptive_field.centers(*heat.shape).reshape(-1, 2)
    x, y = centers[heat.argmax()]
    ax.plot(x, y, "+", color="white", markersize=9, markeredgewidth=3)
    ax.plot(x, y, "+", color="black", markersize=8, markeredgewidth=1.2)


def _row_name(name: str, kind: str, rows: int) -> str:
    if rows == 1 or kind == "region":
        return name
    return kind.replace("_", " ")

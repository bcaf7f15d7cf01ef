"""How far a layer's search for parts has come, and what is said where it stops."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
from keras import ops

# Two peaks are at one place within so much of the map's longer side: 2 cells of 13.
ONE_PLACE = 2.0 / 13.0
LOGGER = logging.getLogger(__name__)


class PartSearch(NamedTuple):
    """How far the search of a layer with `filter_loss="parts"` has come.

    Attributes:
        batches: Batches with an object that were searched.
        agreement: Share of the pairs of the anchor's filters that have one place in
            common in an image of the object, 0 to 1, a running mean.
        anchor_found: Whether the anchor was found, and filters are pulled to places.
        complete: Whether all steps of the search have been taken.
    """

    batches: int
    agreement: float
    anchor_found: bool
    complete: bool


def agreement_of_filters(
    peak_cells: Any, alive: Any, is_object: Any, height: int, width: int
) -> Any:
    """Share of the pairs of filters whose peaks lie at one place of an object.

    Args:
        peak_cells: Tensor `(batch, filters)`, row-major cells.
        alive: Tensor `(batch, filters)`, 1 where a filter fires, else 0.
        is_object: Tensor `(batch,)`, 1 where the image shows the object, else 0.
        height: Rows of the maps.
        width: Columns of the maps.

    Returns:
        Scalar tensor; 1 for a single filter, 0 without an object.
    """
    filters = peak_cells.shape[1]
    if filters < 2:
        return 1.0
    cells = ops.stack([peak_cells // width, peak_cells % width], axis=-1)
    cells = ops.cast(cells, "float32")
    first, second = np.triu_indices(filters, 1)
    apart = ops.take(cells, first, axis=1) - ops.take(cells, second, axis=1)
    near = ops.max(ops.abs(apart), axis=-1) <= ONE_PLACE * max(height, width)
    both = ops.take(alive, first, axis=1) * ops.take(alive, second, axis=1)
    agree = ops.mean(ops.cast(near, "float32") * both, axis=1)
    objects = ops.maximum(ops.sum(is_object), 1.0)
    return ops.sum(agree * is_object) / objects


def say_no_anchor(layer_name: str, search: PartSearch, least: float) -> None:
    """Log that the filters which are to find a first part find none."""
    LOGGER.warning(
        "Layer '%s': filter_loss='parts' has found no part of the object that its "
        "other parts could be looked for around: after %d batches %.0f %% of the pairs "
        "of the filters that look for it agree on a place, where %.0f %% are needed. "
        "All filters have the loss of filter_loss='posterior' until it is found, and "
        "may follow one part. More images, more epochs or larger objects help.",
        *(layer_name, search.batches, 100 * search.agreement, 100 * least),
    )


def say_no_room(
    layer_name: str, least: tuple[int, int], found: tuple[Any, Any, Any]
) -> None:
    """Log that a layer has too few filters, or cells, for places.

    Args:
        layer_name: Of the layer.
        least: Filters and cells on a side that are needed.
        found: Filters, rows and columns.
    """
    LOGGER.warning(
        "Layer '%s': filter_loss='parts' needs %d interpretable filters and maps "
        "of a known size of at least %d cells on a side, and finds %d filters and "
        "maps of %s x %s. The layer goes by filter_loss='posterior': all its "
        "filters may follow one part.",
        *(layer_name, *least, *found),
    )


def say_no_background(layer_name: str, categories: int) -> None:
    """Log that filters of several categories are not pulled to places."""
    LOGGER.warning(
        "Layer '%s': filter_loss='parts' needs images of background, and finds %d "
        "categories. The layer goes by filter_loss='posterior': all filters of a "
        "category may follow one part.",
        layer_name,
        categories,
    )

"""Location instability as it is measured on the nodes of a graph."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from keras_interp.metrics import location_instability
from keras_interp.metrics._peaks import LocatedPeaks

TOP_NODES = 167
TOP_IMAGES = 20


@dataclasses.dataclass(frozen=True)
class NodeInstability:
    """Location instability of the strongest nodes, with what it must be read beside.

    Args:
        value: mean over landmarks and nodes, as a share of the diagonal.
        per_node: float `(nodes,)`, mean over landmarks; NaN for nodes that were not
            chosen or are known in fewer than 2 of their images.
        chosen: int, places of the nodes that were chosen, the strongest first.
        baseline_constant: the figure of the best constant place.
        baseline_random: the figure of random places.
    """

    value: float
    per_node: np.ndarray
    chosen: np.ndarray
    baseline_constant: float
    baseline_random: float


def strongest_nodes(
    strengths: Any, top_nodes: int = TOP_NODES, top_images: int = TOP_IMAGES
) -> np.ndarray:
    """Nodes with the highest mean of their best strengths.

    Args:
        strengths: float `(N, nodes)` of the nodes, or filters, of one layer.
        top_nodes: how many at most.
        top_images: images of each node that count.

    Returns:
        int array of places, the strongest first; those that never fire are left out.
    """
    known = np.nan_to_num(np.asarray(strengths, "float64"))
    best = -np.sort(-known, axis=0)[:top_images].mean(axis=0)
    order = np.argsort(-best, kind="stable")[:top_nodes]
    return order[best[order] > 0]


def node_instability(
    positions: Any,
    strengths: Any,
    landmarks: Any,
    image_size: int | tuple[int, int],
    *,
    top_nodes: int = TOP_NODES,
    top_images: int = TOP_IMAGES,
    ddof: int = 1,
) -> NodeInstability:
    """Measures location instability as the authors of the graph do, in one layer.

    The `top_nodes` nodes with the highest mean of their best strengths are chosen; of
    each the `top_images` best images are taken, and **then** those without the landmark
    are dropped. (`keras_interp.metrics.location_instability` takes the best images
    among those that show the landmark.) Filters are measured the same way: give their
    peaks in place of nodes.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> landmarks = np.random.default_rng(0).uniform(10, 50, (30, 1, 2))
    >>> strengths = np.ones((30, 1))
    >>> found = ki.graphs.node_instability(landmarks + 3, strengths, landmarks, 64)
    >>> round(found.value, 6)
    0.0

    Args:
        positions: float `(N, nodes, 2)` of one layer, (x, y) in pixels, NaN without
            evidence.
        strengths: float `(N, nodes)`, 0 or NaN without evidence.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels.
        top_nodes: how many nodes are chosen at most.
        top_images: how many images of each node are taken.
        ddof: 1 for the unbiased variance (the released code), 0 for the plain one.

    Returns:
        `NodeInstability`.

    Raises:
        ValueError: if a shape or number does not fit.

    Reference:
        Zhang, Cao, Shi, Wu and Zhu, Interpreting CNN Knowledge via an Explanatory
        Graph, AAAI 2018, and the authors' code `computeStability.m`.
    """
    for name, number in (("top_nodes", top_nodes), ("top_images", top_images)):
        if number < 1 + (name == "top_images"):
            raise ValueError(
                f"Expected {name} of at least {1 + (name == 'top_images')}. Received: "
                f"{name}={number!r}. Leave it out for the usual number."
            )
    peaks = LocatedPeaks.check(positions, strengths, landmarks, image_size)
    scores = np.where(peaks.firing, peaks.scores, 0.0)
    chosen = strongest_nodes(scores, top_nodes, top_images)
    best = np.argsort(-scores[:, chosen], axis=0, kind="stable")[:top_images]
    places = np.take_along_axis(peaks.positions[:, chosen], best[..., None], axis=0)
    fires = np.take_along_axis(peaks.firing[:, chosen], best, axis=0)
    apart = np.linalg.norm(places[:, :, None] - peaks.landmarks[best], axis=-1)
    apart[~fires] = np.nan
    known = np.isfinite(apart)
    count = known.sum(axis=0)
    mean = np.where(known, apart, 0).sum(axis=0) / np.maximum(count, 1)
    square = np.where(known, (apart - mean) ** 2, 0).sum(axis=0)
    deviation = np.sqrt(square / np.maximum(count - ddof, 1)) / peaks.diagonal
    deviation = np.where(count >= 2, deviation, np.nan)
    per_node = np.full(scores.shape[1], np.nan)
    judged = (count >= 2).any(axis=1)
    per_node[chosen[judged]] = np.nanmean(deviation[judged], axis=1)
    beside = location_instability(
        peaks.positions[:, chosen],
        scores[:, chosen],
        landmarks,
        image_size,
        top=top_images,
        ddof=ddof,
    )
    return NodeInstability(
        float(np.nanmean(per_node)) if judged.any() else float("nan"),
        per_node,
        chosen,
        beside.baseline_constant,
        beside.baseline_random,
    )

"""Which nodes of the layer above move together with a node."""

from __future__ import annotations

import numpy as np

# Shares that the released code leaves out: nodes that stay in their place, and nodes
# at the edge of the map.
RESTING_SHARE = 0.5
EDGE_SHARE = 0.1
_PAIRS_AT_ONCE = 4_000_000


def candidate_parents(
    positions: np.ndarray,
    strengths: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
    count: int,
) -> np.ndarray:
    """The nodes of a layer that may be parents: strong, moving, and off the edge.

    Args:
        positions: float `(N, nodes, 2)`, (x, y) in pixels.
        strengths: float `(N, nodes)`.
        limits: least and greatest (x, y) of the units of the layer.
        count: how many at most.

    Returns:
        int `(candidates,)`, the strongest first. Of the nodes that ever fire; those
        at rest or at the edge are taken only where there are no others.
    """
    total = strengths.sum(axis=0, dtype="float64")
    alive = total > 0
    variance = positions.var(axis=0, dtype="float64").sum(axis=-1)
    moving = variance >= np.quantile(variance[alive], RESTING_SHARE)
    margin = EDGE_SHARE * (limits[1] - limits[0])
    middle = positions.mean(axis=0, dtype="float64")
    inside = ((middle > limits[0] + margin) & (middle < limits[1] - margin)).all(-1)
    fit = alive & moving & inside
    if not fit.any():
        fit = alive
    order = np.argsort(np.where(fit, -total, np.inf), kind="stable")
    return order[: min(count, int(fit.sum()))]


def choose_parents(
    displacements: np.ndarray,
    scores: np.ndarray,
    above: np.ndarray,
    count: int,
) -> np.ndarray:
    """The candidates that move most alike, for each node.

    With `D` the squared distance between the displacements of node and candidate in a
    picture, and `mean(D)` over all candidates and pictures, a candidate's figure is
    the sum over pictures of `score exp(-D / (2 mean(D)))`.

    Args:
        displacements: float `(N, nodes, 2)`, of the nodes from their mean positions,
            in pixels.
        scores: float `(N, nodes)`, how surely a node was found in each picture.
        above: float `(N, candidates, 2)`, displacements of the candidates in pixels.
        count: parents of each node.

    Returns:
        int `(nodes, count)`, places among the candidates, the best first.
    """
    images, nodes = scores.shape
    candidates = above.shape[1]
    chosen = np.empty((nodes, count), "int64")
    at_once = max(1, _PAIRS_AT_ONCE // (images * candidates))
    up = np.ascontiguousarray(above.transpose(2, 1, 0), "float32")
    own = np.ascontiguousarray(displacements.transpose(2, 1, 0), "float32")
    weights = np.ascontiguousarray(scores.T, "float32")
    for start in range(0, nodes, at_once):
        part = slice(start, start + at_once)
        apart = own[0, part, None] - up[0]
        np.square(apart, out=apart)
        other = own[1, part, None] - up[1]
        np.square(other, out=other)
        apart += other
        mean = apart.mean(axis=(1, 2), dtype="float64")
        apart *= (-0.5 / np.maximum(mean, 1e-12))[:, None, None].astype("float32")
        np.exp(apart, out=apart)
        figure = (apart @ weights[part, :, None])[..., 0]
        best = np.argpartition(-figure, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(figure, best, axis=1), kind="stable")
        chosen[part] = np.take_along_axis(best, order, axis=1)
    return chosen

"""The one Gaussian that the parents of a node make together, in each picture."""

from __future__ import annotations

import dataclasses

import numpy as np

# How far a node looks, as a share of the map's side, in the released code.
SEARCH = 0.15


@dataclasses.dataclass(frozen=True)
class Expectation:
    """Where the nodes of a layer are expected in each picture.

    Args:
        shifts: float32 `(N, nodes, 2)`, how far the parents move a node from its mean
            position, (x, y) in pixels.
        sigmas: float32 `(nodes,)`, width of the Gaussian in pixels.
        log_scales: float32 `(N, nodes)`, logarithm of its integral: 0 where all
            parents agree on a place, the lower the more they differ.
        search: greatest half side of a node's window, as a share of the map's side.
    """

    shifts: np.ndarray
    sigmas: np.ndarray
    log_scales: np.ndarray
    search: float = SEARCH

    def part(self, nodes: slice) -> Expectation:
        """The same of some of the nodes."""
        return Expectation(
            self.shifts[:, nodes],
            self.sigmas[nodes],
            self.log_scales[:, nodes],
            self.search,
        )


def without_parents(
    images: int, nodes: int, sigma: float, search: float
) -> Expectation:
    """Nodes at their mean positions, with one sigma for all."""
    return Expectation(
        np.zeros((images, nodes, 2), "float32"),
        np.full(nodes, sigma, "float32"),
        np.zeros((images, nodes), "float32"),
        search,
    )


def expectation_of_parents(
    displacements: np.ndarray, sigmas: np.ndarray, parents: np.ndarray
) -> Expectation:
    """Multiplies the Gaussians of each node's parents, each to the power 1/M.

    With the weight `w = 1 / (M sigma'^2)` of a parent, `1/s^2 = sum w`, the shift
    `m = s^2 sum w d'`, and the integral of the product in the plane
    `s^2 prod sigma'^(-2/M) exp(-(sum w |d'|^2 - |m|^2 / s^2) / 2)`.

    Args:
        displacements: float `(N, parent nodes, 2)`, how far the nodes of the layer
            above lie from their mean positions in each picture, in pixels.
        sigmas: float `(parent nodes,)`, their widths in pixels.
        parents: int `(nodes, M)`, the parents of each node.

    Returns:
        `Expectation` of the nodes.

    Reference:
        Zhang, Cao, Shi, Wu and Zhu, Interpreting CNN Knowledge via an Explanatory
        Graph, AAAI 2018, the product over the related patterns of the upper layer.
    """
    from scipy.sparse import csr_matrix

    nodes, count = parents.shape
    images, above = displacements.shape[:2]
    weights = 1.0 / (count * sigmas.astype("float64") ** 2)
    places = np.arange(0, nodes * count + 1, count)
    table = csr_matrix(
        (weights[parents].ravel(), parents.ravel(), places), shape=(nodes, above)
    )
    squared_sigmas = 1.0 / np.asarray(table.sum(axis=1)).ravel()
    moved = displacements.astype("float64").transpose(1, 0, 2)
    shifts = (table @ moved.reshape(above, -1)).reshape(nodes, images, 2)
    shifts *= squared_sigmas[:, None, None]
    spread = table @ (moved**2).sum(axis=-1)
    spread -= (shifts**2).sum(axis=-1) / squared_sigmas[:, None]
    log_scales = (
        np.log(squared_sigmas)
        - 2 * np.log(sigmas.astype("float64"))[parents].mean(axis=1)
    )[:, None] - 0.5 * np.maximum(spread, 0.0)
    return Expectation(
        shifts.transpose(1, 0, 2).astype("float32"),
        np.sqrt(squared_sigmas).astype("float32"),
        log_scales.T.astype("float32"),
    )

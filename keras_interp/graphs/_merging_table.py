"""What every pair of nodes would gain by becoming one, kept up to date in place."""

from __future__ import annotations

import numpy as np

# Beyond it a pair loses so much that nothing chooses it.
_LARGEST_EXPONENT = 500.0
_CELLS_AT_ONCE = 4_000_000


class MergingTable:
    """The second layer of a growing tree, and Delta log E of all its pairs.

    A node's mode is h(x) = w.x + b with w the normalised sum of the unit gradients of
    its images and b their mean of y - w.x. Sums of a merged node are sums of those of
    its two children, so that no step looks at a filter again. With this b the mean of h
    over a node's images is that of y, before and after a merger: of

        beta + gamma sum_z [h_u(x_z) - h_old(x_z)] + |Omega+| log(Theta / Theta')

    the middle term is 0. The images that are not positive follow their nodes in the
    comparison of pairs; after each merger they choose anew, by the cosine.

    Example:

    ```python
    table = MergingTable(vectors, gradients, targets, positives=200)
    first, second, gain = table.best_pair()
    table.merge(first, second)
    ```

    Args:
        vectors: float64 `(N, F)`, x, the positive images first.
        gradients: float64 `(N, F)`, g, of length 1.
        targets: float64 `(N,)`, y.
        positives: how many of the images are positive, each a node at the start.
        beta: what a node less is worth.
        by_size: divide a pair's gain by its number of positive images.

    Reference:
        Zhang, Yang, Ma, Wu, "Interpreting CNNs via Decision Trees", 2018, section 3.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        gradients: np.ndarray,
        targets: np.ndarray,
        positives: int,
        *,
        beta: float = 1.0,
        by_size: bool = False,
    ):
        leaves = gradients[:positives]
        self.beta, self.by_size = beta, by_size
        self.positives = positives
        # gamma = 1 / E[y] over the positive images.
        self.gamma = 1.0 / float(np.mean(targets[:positives]))
        self.active = np.ones(positives, dtype=bool)
        self.counts = np.ones(positives)
        self._targets = targets[:positives].astype("float64")
        # Products of the nodes' sums of gradients with each other, with the nodes' sums
        # of x (of both nodes of a pair), with each image's x, and with each other
        # image's gradient. What is read for all nodes at once lies in rows.
        self._gram = leaves @ leaves.T
        cross = leaves @ vectors[:positives].T
        self._cross = cross + cross.T
        self._projections = vectors @ leaves.T
        self._cosines = leaves @ gradients[positives:].T
        lengths = np.sqrt(np.diag(self._gram))
        self.node = np.arange(len(targets))
        self._best = np.zeros(0)
        if len(targets) > positives:
            scaled = self._cosines / lengths[:, None]
            self.node[positives:] = scaled.argmax(axis=0)
            self._best = scaled.max(axis=0)
        self._shift = float(np.max(self.gamma * self._heights(self.node)))
        self._half = np.zeros((positives, positives))
        self._fill(np.arange(positives))
        self._masses = self._own_masses()
        self._change = np.full((positives, positives), np.inf)
        self._partner = np.zeros(positives, dtype=int)
        self._least = np.full(positives, np.inf)
        if positives > 1:
            self._refresh(np.arange(positives))

    @property
    def theta(self) -> float:
        """Sum of exp(gamma h - shift) over all images."""
        return float(self._masses[self.active].sum())

    def gains(self) -> np.ndarray:
        """Delta log E of all pairs, `(nodes, nodes)`; NaN where there is none."""
        return np.where(np.isfinite(self._change), self._gain(self._change), np.nan)

    def best_pair(self) -> tuple[int, int, float]:
        """The pair that gains most, the first of equal ones, and its Delta log E."""
        if self.by_size:
            nodes = np.flatnonzero(self.active)
            sizes = self.counts[nodes][:, None] + self.counts[nodes]
            gains = self._gain(self._change[np.ix_(nodes, nodes)]) / sizes
            row, column = np.unravel_index(gains.argmax(), gains.shape)
            first, second = int(nodes[row]), int(nodes[column])
        else:
            # The gain falls with the change of Theta: the least change is the best.
            first = int(self._least.argmin())
            second = int(self._partner[first])
        gain = float(self._gain(self._change[first, second]))
        return min(first, second), max(first, second), gain

    def merge(self, first: int, second: int) -> None:
        """Make one node of two, in the place of the first."""
        for products in (self._gram, self._cross):
            products[first] += products[second]
            products[:, first] += products[:, second]
        self._projections[:, first] += self._projections[:, second]
        self._cosines[first] += self._cosines[second]
        self._targets[first] += self._targets[second]
        self.counts[first] += self.counts[second]
        self.active[second] = False
        self.node[self.node == second] = first
        self._change[[first, second]] = np.inf
        self._change[:, [first, second]] = np.inf
        self._half[[second]] = self._half[:, [second]] = 0.0
        self._masses[second] = 0.0
        self._least[second] = np.inf
        left = self._choose_anew(first, second)
        self._fill_with(first)
        touched = np.unique(np.append(left, first))
        self._masses[touched] = self._own_masses(touched)
        self._refresh(touched, gone=second)

    def _gain(self, change: np.ndarray) -> np.ndarray:
        ratio = np.maximum(1.0 + change / self.theta, np.finfo(float).tiny)
        return self.beta - self.positives * np.log(ratio)

    def _choose_anew(self, first: int, second: int) -> np.ndarray:
        """Let images that are not positive choose; gives the nodes that they left."""
        others = self.node[self.positives :]
        if not len(others):
            return np.zeros(0, dtype=int)
        length = np.sqrt(self._gram[first, first])
        mine = self._cosines[first] / max(length, 1e-12)
        lost = others == first
        chosen = np.where(mine > self._best, first, others)
        best = np.maximum(mine, self._best)
        if lost.any():
            nodes = np.flatnonzero(self.active)
            lengths = np.sqrt(np.diag(self._gram)[nodes])
            scaled = self._cosines[np.ix_(nodes, lost)]
            scaled = scaled / np.maximum(lengths, 1e-12)[:, None]
            chosen[lost], best[lost] = nodes[scaled.argmax(axis=0)], scaled.max(axis=0)
        moved = np.flatnonzero(chosen != others)
        self._best = best
        if not len(moved):
            return np.zeros(0, dtype=int)
        left, entered = others[moved], chosen[moved]
        images = moved + self.positives
        self.node[images] = entered
        # The merged node's own row is made afresh afterwards.
        for nodes, sign in ((left, -1.0), (entered, 1.0)):
            known = nodes != first
            values = self._pair_values(images[known], nodes[known])
            np.add.at(self._half, nodes[known], sign * values)
        changed = np.unique(np.concatenate([left, entered]))
        self._half[changed] = np.maximum(self._half[changed], 0.0)
        return changed

    def _fill(self, nodes: np.ndarray) -> None:
        """Sum over a node's images of exp(gamma h - shift), in each pair with it."""
        order = np.argsort(self.node, kind="stable")
        order = order[np.isin(self.node[order], nodes)]
        step = max(1, _CELLS_AT_ONCE // self.positives)
        for start in range(0, len(order), step):
            images = order[start : start + step]
            values = self._pair_values(images, self.node[images])
            starts = np.flatnonzero(np.diff(self.node[images], prepend=-1))
            self._half[self.node[images][starts]] += np.add.reduceat(values, starts)

    def _fill_with(self, merged: int) -> None:
        """The row of a new node, and its column in the rows of all others."""
        self._half[merged] = 0.0
        self._fill(np.array([merged]))
        norm, bias = (pair[0, self.node] for pair in self._pairs(np.array([merged])))
        images = np.arange(len(self.node))
        own = self._projections[images, self.node]
        heights = (own + self._projections[:, merged]) / norm + bias
        values = self._exponentials(heights)
        sums = np.bincount(self.node, values, minlength=self.positives)
        others = self.active.copy()
        others[merged] = False
        self._half[others, merged] = sums[others]

    def _pair_values(self, images: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """exp(gamma h - shift) of images in their node's pair with each node."""
        norm, bias = self._pairs(nodes)
        heights = self._projections[images]
        heights += self._projections[images, nodes][:, None]
        heights /= norm
        heights += bias
        return self._exponentials(heights) * self.active

    def _pairs(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Length of the sum of gradients, and b, of some nodes' pairs with each."""
        own_gram, own_cross = np.diag(self._gram), np.diag(self._cross)
        norm = 2.0 * self._gram[nodes]
        norm += own_gram[nodes][:, None] + own_gram
        np.sqrt(np.maximum(norm, 1e-24, out=norm), out=norm)
        # The diagonal holds each node's product with itself twice.
        cross = self._cross[nodes]
        cross += 0.5 * (own_cross[nodes][:, None] + own_cross)
        bias = self._targets[nodes][:, None] + self._targets - cross / norm
        return norm, bias / (self.counts[nodes][:, None] + self.counts)

    def _heights(self, nodes: np.ndarray) -> np.ndarray:
        """h of each image in its own node."""
        norm = np.sqrt(np.maximum(np.diag(self._gram)[nodes], 1e-24))
        cross = 0.5 * np.diag(self._cross)[nodes] / norm
        bias = (self._targets[nodes] - cross) / self.counts[nodes]
        return self._projections[np.arange(len(nodes)), nodes] / norm + bias

    def _own_masses(self, nodes: np.ndarray | None = None) -> np.ndarray:
        values = self._exponentials(self._heights(self.node))
        masses = np.bincount(self.node, values, minlength=self.positives)
        return masses if nodes is None else masses[nodes]

    def _exponentials(self, heights: np.ndarray) -> np.ndarray:
        exponents = self.gamma * heights - self._shift
        return np.exp(np.minimum(exponents, _LARGEST_EXPONENT))

    def _refresh(self, touched: np.ndarray, gone: int = -1) -> None:
        """Changes of Theta, and each row's least, after some nodes changed."""
        touched = touched[self.active[touched]]
        pair = self._half[touched] + self._half[:, touched].T
        change = pair - self._masses[touched][:, None] - self._masses
        change[:, ~self.active] = np.inf
        change[np.arange(len(touched)), touched] = np.inf
        self._change[touched] = change
        self._change[:, touched] = change.T
        # A row whose least was at a changed node is looked through again.
        stale = np.isin(self._partner, np.append(touched, gone))
        stale[touched] = True
        rows = np.flatnonzero(stale & self.active)
        self._partner[rows] = self._change[rows].argmin(axis=1)
        self._least[rows] = self._change[rows, self._partner[rows]]
        rest = np.flatnonzero(~stale & self.active)
        if len(rest) and len(touched):
            found = self._change[np.ix_(rest, touched)]
            nearest = found.argmin(axis=1)
            value = found[np.arange(len(rest)), nearest]
            place = touched[nearest]
            # Of equal pairs the first, as a search through the whole row would give.
            equal = (value == self._least[rest]) & (place < self._partner[rest])
            better = (value < self._least[rest]) | equal
            self._partner[rest[better]] = place[better]
            self._least[rest[better]] = value[better]

"""The nodes of a decision tree as arrays: who merged into whom, and what they say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from keras_interp.graphs._filter_selection import select_filters
from keras_interp.graphs._merging_table import MergingTable
from keras_interp.graphs._mode_vectors import ModeVectors


@dataclasses.dataclass(frozen=True)
class TreeStructure:
    """Nodes in the order in which they were made, the root last.

    Attributes:
        parent: int `(nodes,)`, -1 for the root.
        step: int `(nodes,)`, 0 for an image's own node, then the number of the merger
            that made the node; that of the root is one more than the last.
        count: int `(nodes,)`, positive images that a node covers.
        image: int `(nodes,)`, row of the image of an image's own node; else -1.
        selected: bool `(nodes, F)`, alpha.
        weights: float64 `(nodes, F)`, w = alpha o gbar.
        bias: float64 `(nodes,)`, b.
        gain: float64 `(nodes,)`, Delta log E of the merger; NaN for other nodes.
        leaves: how many positive images the tree was grown on.
    """

    parent: np.ndarray
    step: np.ndarray
    count: np.ndarray
    image: np.ndarray
    selected: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    gain: np.ndarray
    leaves: int

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def root(self) -> int:
        """The last node."""
        return len(self.parent) - 1

    def children(self, node: int) -> np.ndarray:
        """Nodes right under one."""
        return np.flatnonzero(self.parent == node)

    def depth(self) -> np.ndarray:
        """int `(nodes,)`, steps from the root."""
        depth = np.zeros(len(self), dtype=int)
        # A parent comes after its children.
        for node in range(len(self) - 2, -1, -1):
            depth[node] = depth[self.parent[node]] + 1
        return depth

    def pairs(self) -> np.ndarray:
        """int `(nodes, 2)`, the children of each node but the root; -1 for none."""
        found = np.full((len(self), 2), -1)
        nodes = np.flatnonzero((self.parent >= 0) & (self.parent != self.root))
        order = nodes[np.argsort(self.parent[nodes], kind="stable")]
        found[self.parent[order[::2]]] = order.reshape(-1, 2)
        return found

    def pruned(
        self, depth: int | None, nodes: int | None, min_images: int
    ) -> TreeStructure:
        """The tree without what is under some nodes; see `DecisionTree.prune`."""
        ends = self.count < min_images
        if depth is not None:
            ends |= self.depth() >= depth
        if nodes is not None:
            ends |= self.step <= self.leaves - nodes
        kept = np.ones(len(self), dtype=bool)
        # A parent comes after its children.
        for node in range(len(self) - 2, -1, -1):
            above = self.parent[node]
            kept[node] = kept[above] and not ends[above]
        return self._only(kept)

    def _only(self, kept: np.ndarray) -> TreeStructure:
        place = np.append(np.cumsum(kept) - 1, -1)
        changed = {
            field.name: getattr(self, field.name)[kept]
            for field in dataclasses.fields(self)
            if field.name != "leaves"
        }
        changed["parent"] = place[changed["parent"]]
        return TreeStructure(**changed, leaves=self.leaves)

    def descend(
        self,
        gradients: np.ndarray,
        depth: int | None = None,
        nodes: int | None = None,
    ) -> np.ndarray:
        """Nodes that images pass, by the greatest cosine of g and w at each step.

        Args:
            gradients: `(N, F)`, of length 1.
            depth: steps from the root at most.
            nodes: go no further than the second layer of so many nodes.

        Returns:
            int `(N, steps + 1)`, from the root on; -1 after an image's last node.
        """
        lengths = np.linalg.norm(self.weights, axis=1, keepdims=True)
        units = self.weights / np.where(lengths > 0.0, lengths, 1.0)
        first, pairs = self.children(self.root), self.pairs()
        # The second layer had that many nodes after this merger.
        last = np.inf if nodes is None else self.leaves - nodes
        path = [np.full(len(gradients), self.root)]
        moving = np.arange(len(gradients))
        if not len(first) or depth == 0:
            return path[0][:, None]
        at = first[(gradients @ units[first].T).argmax(axis=1)]
        while True:
            column = np.full(len(gradients), -1)
            column[moving] = at
            path.append(column)
            on = pairs[at, 0] >= 0
            if nodes is not None:
                on &= self.step[at] > last
            moving, at = moving[on], at[on]
            if not len(moving) or (depth is not None and len(path) > depth):
                return np.stack(path, axis=1)
            cosines = np.einsum("nf,nkf->nk", gradients[moving], units[pairs[at]])
            at = pairs[at, cosines.argmax(axis=1)]


def grow(
    known: ModeVectors,
    positives: int,
    *,
    beta: float,
    by_size: bool,
    min_nodes: int,
    selection: str | None,
    penalty: float,
    on_step: Callable[[int], None] | None = None,
) -> TreeStructure:
    """Merges images into nodes from the bottom up, then fits alpha and b of each.

    Args:
        known: modes of all images, the positive ones first.
        positives: how many.
        beta: what a node less is worth.
        by_size: compare pairs by their gain for each of their images.
        min_nodes: nodes of the second layer at which to stop at the latest.
        selection: how filters are chosen.
        penalty: price of a filter.
        on_step: called with 1 after each merger.

    Returns:
        `TreeStructure`.
    """
    table = MergingTable(
        known.vectors,
        known.gradients,
        known.targets,
        positives,
        beta=beta,
        by_size=by_size,
    )
    parent = [-1] * positives
    gains = [np.nan] * positives
    members = [np.array([leaf]) for leaf in range(positives)]
    node_at = list(range(positives))
    while table.active.sum() > max(1, min_nodes):
        first, second, gain = table.best_pair()
        if gain <= 0.0:
            break
        table.merge(first, second)
        made = len(parent)
        pair = node_at[first], node_at[second]
        parent[pair[0]] = parent[pair[1]] = made
        parent.append(-1)
        gains.append(gain)
        members.append(np.sort(np.concatenate([members[one] for one in pair])))
        node_at[first] = made
        if on_step is not None:
            on_step(1)
    root = len(parent)
    members.append(np.arange(positives))
    mergers = root - positives
    count = np.array([len(one) for one in members])
    parents = np.array([root if one < 0 else one for one in parent] + [-1])
    selected, weights, bias = _modes(known, members, parents, selection, penalty)
    return TreeStructure(
        parent=parents,
        step=np.concatenate([np.zeros(positives, int), np.arange(1, mergers + 2)]),
        count=count,
        image=np.where(np.arange(root + 1) < positives, np.arange(root + 1), -1),
        selected=selected,
        weights=weights,
        bias=bias,
        gain=np.array([*gains, np.nan]),
        leaves=positives,
    )


def _modes(
    known: ModeVectors,
    members: list[np.ndarray],
    parent: np.ndarray,
    selection: str | None,
    penalty: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """alpha, w and b of each node."""
    size = len(members), known.vectors.shape[1]
    selected, weights = np.ones(size, dtype=bool), np.zeros(size)
    bias = np.zeros(len(members))
    # A node above before those under it.
    for node in range(len(members) - 1, -1, -1):
        images = members[node]
        vectors, targets = known.vectors[images], known.targets[images]
        direction = known.gradients[images].sum(axis=0)
        direction /= max(float(np.linalg.norm(direction)), 1e-12)
        if len(images) > size[1]:
            selected[node] = select_filters(
                direction * vectors, targets, selection, penalty
            )
        elif len(images) > 1 and parent[node] >= 0:
            # Of no more images than filters the support has no more filters than
            # images, whatever matters.
            selected[node] = selected[parent[node]]
        weights[node] = direction * selected[node]
        # b at its best for this alpha: the Lasso shrinks its own.
        bias[node] = np.mean(targets - vectors @ weights[node])
    return selected, weights, bias

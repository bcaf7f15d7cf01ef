"""How a decision tree is grown, and what other programs can read of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from keras_interp.graphs import _tree_export as export
from keras_interp.graphs._decision_modes import DecisionModes
from keras_interp.graphs._mode_vectors import FilterScaling
from keras_interp.graphs._tree_arguments import check_depth, chosen_rows
from keras_interp.graphs._tree_structure import TreeStructure, grow
from keras_interp.metrics._progress import progress

if TYPE_CHECKING:
    import networkx


class GrownTree(BaseEstimator):
    """The part of `DecisionTree` that grows it and hands it on."""

    structure_: TreeStructure
    scaling_: FilterScaling
    layer_name_: str | None
    class_index_: int | None
    filter_parts_: np.ndarray
    part_names_: tuple[str, ...]

    def to_networkx(self) -> networkx.DiGraph:
        """The tree as a graph from the root down.

        Returns:
            `networkx.DiGraph` whose nodes are numbers, with the attributes `count`,
            `depth`, `bias`, `gain`, `image` (row of the training image of an end, -1
            for others), `filters` (how many are selected) and, after `name_parts`,
            `parts`: the share of each part in the node's weights.
        """
        self._check_fitted()
        return export.to_networkx(self.structure_, *self._named())

    def to_graphviz(self, depth: int | None = 3) -> str:
        """The tree in the language of Graphviz, for `dot -Tsvg`.

        Args:
            depth: steps from the root that are shown; `None` shows all.

        Returns:
            Text of a `digraph`.
        """
        self._check_fitted()
        check_depth(depth, None)
        return export.to_graphviz(self.structure_, *self._named(), depth)

    def to_json(self) -> str:
        """Settings, nodes and weights as JSON, for other programs.

        Returns:
            Text; `save` writes a smaller file.
        """
        self._check_fitted()
        return export.to_json(self.get_params(), self._arrays())

    def save(self, path: str | Path) -> None:
        """Writes the tree to a file of NumPy arrays, without the network.

        Args:
            path: ends in `.npz`.

        Raises:
            ValueError: if the path has another ending.
            OSError: if it cannot be written; no part of a file is left then.
        """
        self._check_fitted()
        export.save(Path(path), self.get_params(), self._arrays())

    def _arrays(self) -> dict[str, Any]:
        """What makes the tree beside its settings."""
        names = ("structure_", "scaling_", "layer_name_", "class_index_", "outputs_")
        named = ("filter_parts_", "part_names_")
        found = {name: getattr(self, name) for name in names}
        return found | {n: getattr(self, n) for n in named if hasattr(self, n)}

    def _named(self) -> tuple[Any, tuple[str, ...]]:
        return getattr(self, "filter_parts_", None), getattr(self, "part_names_", ())

    def _check_fitted(self) -> None:
        if not hasattr(self, "structure_"):
            raise ValueError(
                "Expected a tree that has been grown. Received: one without nodes. "
                "Call fit first."
            )

    def _grow(self, modes: DecisionModes, positive: np.ndarray | None) -> None:
        if positive is None:
            positive = modes.scores > 0.0
        self.scaling_ = FilterScaling.fit(modes, self.pooling)
        if not self.scaling_.scale.any():
            raise ValueError(
                "Expected filters that fire. Received: activations that are all zero. "
                "Were the images prepared as in training?"
            )
        known = self.scaling_(modes)
        rows = chosen_rows(known, positive, self.max_positives, self.seed)
        count = int(positive[rows].sum())
        words = f"Merging {count:,} images of the class"
        with progress(max(1, count - self.min_nodes), self.verbose, words) as on_step:
            structure = grow(
                known.take(rows),
                count,
                beta=self.beta,
                by_size=self.by_size,
                min_nodes=self.min_nodes,
                selection=self.selection,
                penalty=self.penalty,
                on_step=on_step,
            )
        # Rows of the images as they were given.
        image = np.where(structure.image >= 0, rows[structure.image], -1)
        self.structure_ = dataclasses.replace(structure, image=image)

"""How a decision tree comes to the score of one image."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_interp.graphs._mode_vectors import ModeVectors
from keras_interp.graphs._tree_structure import TreeStructure

NO_PART = "no part"


@dataclasses.dataclass(frozen=True)
class ParseTree:
    """Result of `DecisionTree.parse`: the nodes from the root to the image's mode.

    Attributes:
        nodes: int `(L,)`, the nodes on the way, the root first.
        counts: int `(L,)`, images of the class that each covers.
        similarity: float `(L,)`, cosine of the image's gradient and each node's w.
        predicted: float `(L,)`, the score by each node.
        contributions: float `(L, F)`, what each filter adds to it, `w o x`.
        bias: float `(L,)`, b: with the contributions it makes the predicted score.
        score: the network's own.
        part_names: names of the parts, and `"no part"` for filters without one; empty
            where the filters have no names.
        part_contributions: float `(L, parts)`, sums over the filters of each part.

    Reference:
        Zhang, Yang, Ma, Wu, "Interpreting CNNs via Decision Trees", 2018.
    """

    nodes: np.ndarray
    counts: np.ndarray
    similarity: np.ndarray
    predicted: np.ndarray
    contributions: np.ndarray
    bias: np.ndarray
    score: float
    part_names: tuple[str, ...]
    part_contributions: np.ndarray

    @classmethod
    def of(
        cls,
        structure: TreeStructure,
        known: ModeVectors,
        nodes: np.ndarray,
        score: float,
        filter_parts: np.ndarray | None,
        part_names: Sequence[str] | None,
    ) -> ParseTree:
        """Reads the nodes on the way of one image."""
        length = known.lengths[0]
        weights = structure.weights[nodes]
        contributions = weights * known.vectors[0] * length
        bias = structure.bias[nodes] * length
        norms = np.maximum(np.linalg.norm(weights, axis=1), 1e-12)
        names, by_part = by_named_part(contributions, filter_parts, part_names)
        return cls(
            nodes=nodes,
            counts=structure.count[nodes],
            similarity=weights @ known.gradients[0] / norms,
            predicted=contributions.sum(axis=1) + bias,
            contributions=contributions,
            bias=bias,
            score=score,
            part_names=names,
            part_contributions=by_part,
        )

    def summands(self, filters: int = 5) -> tuple[tuple[str, ...], np.ndarray]:
        """What the predicted score of each node is the sum of, with the bias.

        Args:
            filters: where no parts are named: how many of the filters that add most at
                the last node have a column of their own.

        Returns:
            Names, and float `(L, names)`: of parts, or of filters and "other filters".
        """
        if self.part_names:
            return self.part_names, self.part_contributions
        sizes = np.abs(self.contributions[-1])
        order = np.argsort(-sizes, kind="stable")[:filters]
        values = self.contributions[:, order]
        rest = self.contributions.sum(axis=1) - values.sum(axis=1)
        names = (*(f"filter {one}" for one in order), "other filters")
        return names, np.column_stack([values, rest])

    def table(self, filters: int = 5) -> str:
        """The way from the root to the image as a Markdown table.

        Args:
            filters: as for `summands`.

        Returns:
            A row for each node: its images, its score, and what each part, or the
            strongest filter, adds.
        """
        names, values = self.summands(filters)
        lines = ["| depth | images | score | " + " | ".join([*names, "bias"]) + " |"]
        lines.append("|" + "---:|" * (len(names) + 4))
        for depth, count in enumerate(self.counts):
            cells = [*values[depth], self.bias[depth]]
            shown = " | ".join(f"{value:+.2f}" for value in cells)
            score = self.predicted[depth]
            lines.append(f"| {depth} | {count} | {score:+.2f} | {shown} |")
        lines.append(f"\nThe network's score is {self.score:+.2f}.")
        return "\n".join(lines) + "\n"


def by_named_part(
    contributions: np.ndarray,
    filter_parts: np.ndarray | None,
    part_names: Sequence[str] | None,
) -> tuple[tuple[str, ...], np.ndarray]:
    """Sums `(..., F)` over the filters of each part, the last those without one."""
    if filter_parts is None or part_names is None:
        return (), np.zeros((*contributions.shape[:-1], 0))
    return (*part_names, NO_PART), contributions @ membership(
        filter_parts, len(part_names)
    )


def membership(filter_parts: np.ndarray, parts: int) -> np.ndarray:
    """A transposed, `(F, parts + 1)`: 1 where a filter stands for a part."""
    places = np.where(filter_parts < 0, parts, filter_parts)
    return (places[:, None] == np.arange(parts + 1)).astype("float64")

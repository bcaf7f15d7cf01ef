"""A network's decisions and part patterns as trees and graphs."""

from __future__ import annotations

from keras_interp.graphs._decision_modes import DecisionModes, decision_modes
from keras_interp.graphs._decision_tree import DecisionTree
from keras_interp.graphs._parse_tree import ParseTree
from keras_interp.graphs._part_effects import part_effects
from keras_interp.graphs._tree_scores import DecisionTreeScores
from keras_interp.graphs.explanatory._explanatory_graph import ExplanatoryGraph
from keras_interp.graphs.explanatory._inferred_nodes import InferredNodes
from keras_interp.graphs.explanatory._node_instability import (
    NodeInstability,
    node_instability,
)
from keras_interp.graphs.explanatory._node_table import NodeTable
from keras_interp.graphs.explanatory._part_locator import PartLocator

__all__ = [
    "DecisionModes",
    "DecisionTree",
    "DecisionTreeScores",
    "ExplanatoryGraph",
    "InferredNodes",
    "NodeInstability",
    "NodeTable",
    "ParseTree",
    "PartLocator",
    "decision_modes",
    "node_instability",
    "part_effects",
]

# The documentation and pickles name the place that users import from.
for _name in __all__:
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return list(__all__)

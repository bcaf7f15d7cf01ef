"""The papers' tables, measured again with this library."""

from keras_interp.reproduce._results import Results
from keras_interp.reproduce._tasks import plan_tasks
from keras_interp.reproduce._trunk import FrozenTrunk, Projection
from keras_interp.reproduce.decision_tree._run import (
    DecisionTreeSettings,
    reproduce_decision_tree,
)
from keras_interp.reproduce.explainer._run import ExplainerSettings, reproduce_explainer
from keras_interp.reproduce.explanatory_graph._run import (
    ExplanatoryGraphSettings,
    reproduce_explanatory_graph,
)
from keras_interp.reproduce.icnn._run import IcnnSettings, reproduce_icnn
from keras_interp.reproduce.interpnet._run import InterpnetSettings, reproduce_interpnet
from keras_interp.reproduce.srae._run import SraeSettings, reproduce_srae

__all__ = [
    "DecisionTreeSettings",
    "ExplainerSettings",
    "ExplanatoryGraphSettings",
    "FrozenTrunk",
    "IcnnSettings",
    "InterpnetSettings",
    "Projection",
    "Results",
    "SraeSettings",
    "plan_tasks",
    "reproduce_decision_tree",
    "reproduce_explainer",
    "reproduce_explanatory_graph",
    "reproduce_icnn",
    "reproduce_interpnet",
    "reproduce_srae",
]

# The documentation and pickles name the place that users import from.
for _name in __all__:
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return list(__all__)

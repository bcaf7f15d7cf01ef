"""A network's decisions and part patterns as trees and graphs."""

from __future__ import annotations

from keras_interp.graphs._decision_modes import DecisionModes, decision_modes

__all__ = [
    "DecisionModes",
    "decision_modes",
]

# The documentation and pickles name the place that users import from.
for _name in __all__:
    globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return list(__all__)

"""One self-contained HTML page that says what a network's filters do."""

from __future__ import annotations

from keras_interp.metrics import (
    FilterMeasurement,
    LayerMaps,
    measure_filters,
    measure_maps,
    read_feature_maps,
)
from keras_interp.reporting._explain import explain
from keras_interp.reporting._explanation import Explanation, FilterContributions
from keras_interp.reporting._page import (
    ReportBars,
    ReportContent,
    ReportFigure,
    ReportSection,
    ReportTable,
    write_report,
)
from keras_interp.reporting._report import report
from keras_interp.reporting._results import instability_bars, results_tables

__all__ = [
    "Explanation",
    "FilterContributions",
    "FilterMeasurement",
    "LayerMaps",
    "ReportBars",
    "ReportContent",
    "ReportFigure",
    "ReportSection",
    "ReportTable",
    "explain",
    "instability_bars",
    "measure_filters",
    "measure_maps",
    "read_feature_maps",
    "report",
    "results_tables",
    "write_report",
]

# The documentation and pickles name the place that users import from; what comes
# from the metrics has its own.
for _name in __all__:
    if globals()[_name].__module__.startswith(__name__):
        globals()[_name].__module__ = __name__


def __dir__() -> list[str]:
    return list(__all__)

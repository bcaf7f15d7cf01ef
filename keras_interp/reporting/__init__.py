"""One self-contained HTML page that says what a network's filters do."""

from __future__ import annotations

from keras_interp.reporting.feature_maps import LayerMaps, read_feature_maps
from keras_interp.reporting.filter_measurement import (
    FilterMeasurement,
    measure_filters,
    measure_maps,
)
from keras_interp.reporting.model_report import report
from keras_interp.reporting.report_bars import ReportBars
from keras_interp.reporting.report_content import ReportContent
from keras_interp.reporting.report_figure import ReportFigure
from keras_interp.reporting.report_section import ReportSection
from keras_interp.reporting.report_table import ReportTable
from keras_interp.reporting.results_table import instability_bars, results_tables
from keras_interp.reporting.writer import write_report

__all__ = [
    "FilterMeasurement",
    "LayerMaps",
    "ReportBars",
    "ReportContent",
    "ReportFigure",
    "ReportSection",
    "ReportTable",
    "instability_bars",
    "measure_filters",
    "measure_maps",
    "read_feature_maps",
    "report",
    "results_tables",
    "write_report",
]

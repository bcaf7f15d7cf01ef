"""A section of a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from keras_interp.reporting.report_bars import ReportBars
from keras_interp.reporting.report_figure import ReportFigure
from keras_interp.reporting.report_table import ReportTable


@dataclasses.dataclass(frozen=True)
class ReportSection:
    """Text under a heading, then what it talks about, in this order.

    Example:

    >>> from keras_interp.reporting import ReportSection
    >>> section = ReportSection("Data", ["Six kinds of animals, drawn."])

    Args:
        title: the heading; also the entry in the table of contents.
        paragraphs: plain text.
        points: plain text, one point of a list each.
        tables: tables.
        bars: bars.
        figures: pictures.
        terms: (term, meaning) pairs of a glossary.
    """

    title: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    tables: Sequence[ReportTable] = ()
    bars: Sequence[ReportBars] = ()
    figures: Sequence[ReportFigure] = ()
    terms: Sequence[tuple[str, str]] = ()

    @property
    def anchor(self) -> str:
        """The title as the end of an address."""
        words = "".join(c if c.isalnum() else " " for c in self.title.lower())
        return "-".join(words.split())

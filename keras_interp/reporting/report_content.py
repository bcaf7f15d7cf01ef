"""All that a report says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from keras_interp.reporting.report_section import ReportSection


@dataclasses.dataclass(frozen=True)
class ReportContent:
    """Title, key figures and sections of one page.

    Example:

    ```python
    content = ReportContent(
        "Birds", "Two small networks.", sections=[section], facts=[("accuracy", "97 %")]
    )
    write_report(content, "report.html")
    ```

    Args:
        title: the page's title.
        summary: one or two sentences: what was done and what came out.
        sections: the sections, in order.
        facts: (name, value) pairs, shown large at the top.
        footer: a line at the end: versions, seconds, date.
    """

    title: str
    summary: str
    sections: Sequence[ReportSection]
    facts: Sequence[tuple[str, str]] = ()
    footer: str = ""

"""Writes a report into one HTML file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from keras_interp.reporting.report_content import ReportContent


def write_report(content: ReportContent, path: str | Path) -> Path:
    """Writes one HTML file that needs nothing else: no picture files, no network.

    Example:

    ```python
    write_report(ReportContent("Birds", "Nothing yet.", sections=[]), "report.html")
    ```

    Args:
        content: what the page says.
        path: of the file; its folder is made where it is missing. The file appears
            when it is complete, and one that was there before is replaced.

    Returns:
        The path.

    Raises:
        ValueError: if `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(
            f"path must name a file; {path} is a folder. Pass {path / 'report.html'}."
        )
    text = _page(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".report-", suffix=".html")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp makes a file for its owner alone; a report is made to be passed on.
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return path


def _page(content: ReportContent) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_interp.reporting", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(content=content)

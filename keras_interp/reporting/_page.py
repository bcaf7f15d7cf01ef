"""What a report is made of, and the one HTML file it is written into."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import math
import os
import re
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    _PathOfThisSystem = Path
else:
    _PathOfThisSystem = type(Path())

# How files of these kinds begin.
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# A page in a notebook is written into the notebook; a larger one is named only.
_MOST_INLINE = 4 * 2**20
# What the text of a number, of a missing one and of an empty cell begins with.
_NUMBER_STARTS = {*"0123456789+-−–", ""}
# A name may begin with a digit, such as 003.Sooty_Albatross.
_WORD = re.compile(r"[^\W\d]{3}")


@dataclasses.dataclass(frozen=True)
class ReportTable:
    """Text in rows and columns; the first column names the row.

    Example:

    >>> from keras_interp.reporting import ReportTable
    >>> table = ReportTable(["filter", "part"], [["0", "head"], ["1", "tail"]])

    Args:
        columns: heads of the columns.
        rows: one text for each column, already formatted; `""` leaves a cell empty.
        caption: what the table shows, and what its signs mean.
        folded: whether the reader opens the table with a click, for long ones.
        pictures: a `ReportFigure` for each row, which stands after its name; none by
            default.

    Raises:
        ValueError: if a row has another length than `columns`, or there is another
            number of pictures than of rows.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    folded: bool = False
    pictures: Sequence[ReportFigure] = ()

    def __post_init__(self) -> None:
        if self.pictures and len(self.pictures) != len(self.rows):
            raise ValueError(
                f"Expected one picture for each of the {len(self.rows)} rows. "
                f"Received: {len(self.pictures)} pictures. Leave them out for none."
            )
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"Expected row {number} to have {len(self.columns)} cells, one "
                    f"for each of {list(self.columns)}. Received: {list(row)}. Leave "
                    'a cell empty with "".'
                )

    @property
    def holds_numbers(self) -> list[bool]:
        """For each column, whether its cells are numbers, to be set flush right."""
        return [
            any(cells)
            and all(
                cell[:1] in _NUMBER_STARTS and not _WORD.search(cell) for cell in cells
            )
            for cells in zip(*self.rows, strict=True)
        ] or [False] * len(self.columns)


@dataclasses.dataclass(frozen=True)
class ReportBars:
    """Horizontal bars, those that were measured and those to compare them with.

    Example:

    >>> from keras_interp.reporting import ReportBars
    >>> bars = ReportBars(["network", "random"], [0.05, 0.16], [True, False])

    Args:
        labels: what each bar is.
        values: lengths, at least 0; NaN for a value that was not measured.
        measured: whether a bar is a measured network (coloured) or something to
            compare with (grey).
        caption: what the bars show and which way is better.

    Raises:
        ValueError: if the lengths differ or a value is negative.
    """

    labels: Sequence[str]
    values: Sequence[float]
    measured: Sequence[bool]
    caption: str = ""

    def __post_init__(self) -> None:
        if not len(self.labels) == len(self.values) == len(self.measured):
            raise ValueError(
                "Expected labels, values and measured of the same length. Received: "
                f"{len(self.labels)}, {len(self.values)} and {len(self.measured)}. "
                "Pass one of each for every bar."
            )
        if any(value < 0 for value in self.values):
            raise ValueError(
                "Expected bars that are at least 0 long. Received: "
                f"values={list(self.values)}. Show negative values in a table."
            )

    @property
    def shares(self) -> list[float]:
        """Length of each bar as a percentage of the longest; 0 where not measured."""
        known = [0.0 if math.isnan(value) else value for value in self.values]
        longest = max(known, default=0.0)
        return [100 * value / longest if longest else 0.0 for value in known]


@dataclasses.dataclass(frozen=True)
class ReportFigure:
    """An image that is written into the page itself.

    Example:

    ```python
    ax = ki.plotting.overlay(image, heat)
    figure = ki.reporting.ReportFigure.drawn(ax, "The heat map of filter 7.")
    ```

    Args:
        png: the bytes of a PNG file, or of a JPEG file for a small photograph.
        caption: what the image shows and how to read it.
        alt: what is seen in this very image, for those who cannot see it. Default: the
            caption.

    Raises:
        ValueError: if the bytes are not those of a PNG or JPEG file.
    """

    png: bytes
    caption: str = ""
    alt: str = ""

    def __post_init__(self) -> None:
        if not self.png.startswith((_PNG, _JPEG)):
            raise ValueError(
                "Expected png as the bytes of a PNG file. Received: bytes that begin "
                f"with {self.png[:8]!r}. ReportFigure.drawn makes them from axes."
            )

    @classmethod
    def drawn(
        cls, drawing: Any, caption: str = "", dpi: int = 110, alt: str = ""
    ) -> ReportFigure:
        """Makes a PNG of what a plotting function gave back.

        Args:
            drawing: a matplotlib figure, axes, or an array of axes of one figure.
            caption: what the figure shows and how to read it.
            dpi: pixels for each inch of the figure.
            alt: what is seen in this very figure. Default: the caption.
        """
        buffer = io.BytesIO()
        _figure_of(drawing).savefig(buffer, format="png", dpi=dpi)
        return cls(buffer.getvalue(), caption, alt)

    @property
    def words(self) -> str:
        """What is read out in place of the image."""
        return self.alt or self.caption

    @property
    def is_wide(self) -> bool:
        """Whether the image is a row of panels, too small on a narrow screen."""
        if not self.png.startswith(_PNG):
            return False
        # Every PNG file begins with its width and height.
        width, height = struct.unpack(">II", self.png[16:24])
        return bool(width > 4 * height)

    @property
    def data_address(self) -> str:
        """The image as an address that holds all of it, for `<img src>`."""
        kind = "jpeg" if self.png.startswith(_JPEG) else "png"
        content = base64.b64encode(self.png).decode("ascii")
        return f"data:image/{kind};base64,{content}"


def _figure_of(drawing: Any) -> Figure:
    if hasattr(drawing, "flat"):
        drawing = drawing.flat[0]
    return getattr(drawing, "figure", None) or drawing


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
        figures: images.
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


@dataclasses.dataclass(frozen=True)
class ReportContent:
    """Title, key figures and sections of one page.

    Example:

    ```python
    content = ki.reporting.ReportContent(
        "Birds", "Two small networks.", sections=[section], facts=[("accuracy", "97 %")]
    )
    ki.reporting.write_report(content, "report.html")
    ```

    Args:
        title: the page's title.
        summary: one or two sentences: what was done and what came out.
        sections: the sections, in order.
        facts: (name, value) pairs, shown large at the top.
        footer: a line at the end: versions, seconds, date.
        lead: the image that the page opens with, or `None`.
    """

    title: str
    summary: str
    sections: Sequence[ReportSection]
    facts: Sequence[tuple[str, str]] = ()
    footer: str = ""
    lead: ReportFigure | None = None


class WrittenPage(_PathOfThisSystem):
    """The path of a page, which in a notebook shows the page itself.

    It is a `pathlib.Path` in all else.

    Example:

    ```python
    page = ki.report(model, images, "report.html")
    page                                    # in a notebook: the page, in a frame
    page.read_text()
    ```
    """

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame that may do nothing to the notebook."""
        name = html.escape(str(self), quote=True)
        if not self.is_file() or self.stat().st_size > _MOST_INLINE:
            return f'<a href="{name}">{name}</a>'
        page = html.escape(self.read_text(encoding="utf-8"), quote=True)
        return (
            f'<iframe title="{name}" srcdoc="{page}" sandbox="allow-scripts" '
            'width="100%" height="640" style="border: 1px solid #8888"></iframe>'
        )


def write_report(content: ReportContent, path: str | Path) -> WrittenPage:
    """Writes one HTML file that needs nothing else: no image files, no network.

    Example:

    ```python
    content = ki.reporting.ReportContent("Birds", "Nothing yet.", sections=[])
    ki.reporting.write_report(content, "report.html")
    ```

    Args:
        content: what the page says.
        path: of the file; its folder is made where it is missing. The file appears
            when it is complete, and one that was there before is replaced.

    Returns:
        The path, which in a notebook shows the page.

    Raises:
        ValueError: if `path` is a folder.
    """
    path = WrittenPage(path)
    check_page_path(path)
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


def check_page_path(path: Path) -> None:
    """Refuses a folder."""
    if path.is_dir():
        raise ValueError(
            f"Expected path as the name of a file. Received: path={str(path)!r}, which "
            f"is a folder. Pass {str(path / 'report.html')!r}."
        )


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

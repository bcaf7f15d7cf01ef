"""A picture of a report."""

from __future__ import annotations

import base64
import dataclasses
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class ReportFigure:
    """A PNG picture that is written into the page itself.

    Example:

    ```python
    ax = ki.plotting.overlay(image, heat)
    figure = ReportFigure.drawn(ax, "The heat map of filter 7.")
    ```

    Args:
        png: the bytes of a PNG file.
        caption: what the picture shows and how to read it; also read out to those who
            cannot see it.

    Raises:
        ValueError: if the bytes are not those of a PNG file.
    """

    png: bytes
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.png.startswith(b"\x89PNG\r\n\x1a\n"):
            raise ValueError(
                "png must hold the bytes of a PNG file; got bytes that begin with "
                f"{self.png[:8]!r}. ReportFigure.drawn makes one from axes."
            )

    @classmethod
    def drawn(cls, drawing: Any, caption: str = "", dpi: int = 110) -> ReportFigure:
        """Makes a PNG of what a plotting function gave back.

        Args:
            drawing: a matplotlib figure, axes, or an array of axes of one figure.
            caption: as above.
            dpi: pixels for each inch of the figure.
        """
        buffer = io.BytesIO()
        _figure_of(drawing).savefig(buffer, format="png", dpi=dpi)
        return cls(buffer.getvalue(), caption)

    @property
    def data_address(self) -> str:
        """The picture as an address that holds all of it, for `<img src>`."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def _figure_of(drawing: Any) -> Figure:
    if hasattr(drawing, "flat"):
        drawing = drawing.flat[0]
    return getattr(drawing, "figure", None) or drawing

"""A table of a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

# What the text of a number, of a missing one and of an empty cell begins with.
_NUMBER_STARTS = {*"0123456789+-−–", ""}


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

    Raises:
        ValueError: if a row has another length than `columns`.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    folded: bool = False

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} must have {len(self.columns)} cells, one for each "
                    f"of {list(self.columns)}; got {list(row)}."
                )

    @property
    def holds_numbers(self) -> list[bool]:
        """For each column, whether its cells are numbers, to be set flush right."""
        return [
            all(cell[:1] in _NUMBER_STARTS for cell in cells) and any(cells)
            for cells in zip(*self.rows, strict=True)
        ] or [False] * len(self.columns)

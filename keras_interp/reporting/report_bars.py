"""Values of a report as bars beside each other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence


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
                "labels, values and measured must have the same length; got "
                f"{len(self.labels)}, {len(self.values)} and {len(self.measured)}."
            )
        if any(value < 0 for value in self.values):
            raise ValueError(f"bars must be at least 0 long; got {list(self.values)}.")

    @property
    def shares(self) -> list[float]:
        """Length of each bar as a percentage of the longest; 0 where not measured."""
        known = [0.0 if math.isnan(value) else value for value in self.values]
        longest = max(known, default=0.0)
        return [100 * value / longest if longest else 0.0 for value in known]

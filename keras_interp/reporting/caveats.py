"""What a report does not show, said in the report itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_interp.reporting.filter_measurement import FilterMeasurement
from keras_interp.reporting.report_section import ReportSection

_FEW = 100


def caveats_section(
    found: FilterMeasurement, part_names: Sequence[str], notes: Sequence[str] = ()
) -> ReportSection:
    """The limits of these very figures, and those that hold always.

    Args:
        found: what was measured.
        part_names: names of the landmarks.
        notes: further sentences, about the data for instance.
    """
    scored = int((~found.chose).sum())
    points = [*notes]
    if scored < _FEW:
        points.append(
            f"Only {scored} pictures were scored. Differences of a few hundredths "
            "between filters or networks are noise."
        )
    if found.detectors.any() and (found.coverage < 1.5):
        parts = found.tracking.part[found.detectors]
        most = part_names[int(np.bincount(parts[parts >= 0]).argmax())]
        points.append(
            f"Nearly all filters follow one part ({most}). They are stable and easy to "
            "name, but they say the same thing many times."
        )
    if not found.detectors.any():
        points.append(
            "No filter passed the bar for a part detector. A picture in which a filter "
            "happens to sit on a part is no evidence against that."
        )
    if found.dead > 0.1:
        points.append(
            f"{found.dead:.0%} of the filters hardly ever fire; their lines are empty, "
            "and they do not enter the means."
        )
    points += [
        "The gallery shows each filter's strongest pictures, which flatters every "
        "filter; the tables count all scored pictures.",
        "A filter can only be matched to parts that somebody marked. It may follow "
        "something that has no landmark.",
        "One training run is one draw: another seed gives other filters. Compare "
        "networks over several seeds.",
        "That a filter follows a part does not yet mean that the network's decision "
        "depends on it.",
    ]
    return ReportSection("What this does not show", points=points)

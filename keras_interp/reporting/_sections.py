"""Sections of a report that show what a layer's filters do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp import plotting
from keras_interp.datasets import PartsDataset
from keras_interp.metrics._measurement import FilterMeasurement
from keras_interp.reporting._page import ReportFigure, ReportSection, ReportTable
from keras_interp.reporting._results import instability_bars
from keras_interp.reporting._words import metric_words


def instability_section(rows: Sequence[dict[str, Any]]) -> list[ReportSection]:
    """The papers' figure beside filters that anybody could build."""
    bars = instability_bars(rows)
    if bars is None:
        return []
    return [
        ReportSection(
            "What instability is worth",
            [
                "This is the figure that the papers report. A filter that always fires "
                "at one well-chosen place has a small instability without looking at "
                "the image at all, so the networks stand beside such a filter."
            ],
            bars=[bars],
        )
    ]


def parts_section(found: FilterMeasurement, dataset: PartsDataset) -> ReportSection:
    """Which part each filter follows, and how well."""
    names = dataset.landmark_names
    count, total = int(found.detectors.sum()), len(found.detectors)
    axes = plotting.part_histogram(
        found.tracking.part, names, detectors=found.detectors
    )
    whose = "all objects" if found.categories is None else "those of its own class"
    return ReportSection(
        "Which part each filter follows",
        [
            f"{count} of {total} filters are part detectors: tracking above 0.2 and "
            "hit gain above 0.1. Each filter's part was chosen on "
            f"{int(found.chose.sum())} images; the figures are from "
            f"{int((~found.chose).sum())} others, each filter judged on {whose}."
        ],
        figures=[
            ReportFigure.drawn(
                axes,
                "Filters by the part that they follow best. Bars of even length mean "
                "that the filters share the parts among them; a single long bar, that "
                "they all repeat one another.",
            )
        ],
        tables=[_filter_table(found, dataset)],
    )


def _filter_table(found: FilterMeasurement, dataset: PartsDataset) -> ReportTable:
    tracking, gain = metric_words("tracking"), metric_words("hit_gain")
    order = np.argsort(-np.nan_to_num(found.tracking.per_filter, nan=-np.inf))
    names = [*dataset.landmark_names, "none"]
    rows = [
        [
            str(index),
            names[found.tracking.part[index]],
            tracking.text(found.tracking.per_filter[index]),
            gain.text(found.hit_gain.per_filter[index]),
            "yes" if found.detectors[index] else "no",
        ]
        for index in order.tolist()
    ]
    return ReportTable(
        ["filter", "part", tracking.heading, gain.heading, "part detector"],
        rows,
        f"All {len(rows)} filters, the best first.",
        folded=True,
    )


def gallery_section(
    found: FilterMeasurement, dataset: PartsDataset, filters: int = 6, top: int = 6
) -> ReportSection:
    """The strongest images of the best filters of different parts."""
    chosen = representative_filters(found, filters)
    scored = ~found.chose
    axes = plotting.filter_gallery(
        dataset.images[found.images[scored]],
        found.layer.maps[scored],
        found.receptive_field,
        chosen,
        top=min(top, int(scored.sum())),
        show=["region"],
        names=[_filter_name(index, found, dataset) for index in chosen],
    )
    return ReportSection(
        "What single filters see",
        [
            "One line for each filter, with the images in which it fires most. The "
            "bright region is what the filter responds to, the cross its peak. Look "
            "along a line: does the cross stay on one part while the object moves?"
        ],
        figures=[
            ReportFigure.drawn(
                axes,
                "Beside each line the filter's number and the part that it follows "
                "best; filters of different parts first, then by tracking. Scored "
                "images only.",
            )
        ],
    )


def _filter_name(index: int, found: FilterMeasurement, dataset: PartsDataset) -> str:
    """Number, class and part of a filter, such as `7: cat head`."""
    part = [*dataset.landmark_names, "no part"][found.tracking.part[index]]
    if found.categories is None:
        return f"{index}: {part}"
    return f"{index}: {dataset.class_names[found.categories[index]]} {part}"


def representative_filters(found: FilterMeasurement, count: int) -> list[int]:
    """Filters to look at: the best of each part first, then the next best."""
    tracking = np.nan_to_num(found.tracking.per_filter, nan=-np.inf)
    order = np.argsort(-tracking, kind="stable")
    parts, first = np.unique(found.tracking.part[order], return_index=True)
    leaders = np.sort(first[parts >= 0])
    others = np.setdiff1d(np.arange(len(order)), leaders)
    return order[np.concatenate([leaders, others])[:count]].tolist()


def masks_section(
    found: FilterMeasurement, dataset: PartsDataset
) -> list[ReportSection]:
    """One filter's map before and after the mask; nothing for an ordinary layer."""
    if found.layer.masked_maps is None:
        return []
    scored = ~found.chose
    chosen = representative_filters(found, 1)
    axes = plotting.filter_gallery(
        dataset.images[found.images[scored]],
        found.layer.maps[scored],
        found.receptive_field,
        chosen,
        top=min(6, int(scored.sum())),
        masked_maps=found.layer.masked_maps[scored],
    )
    return [
        ReportSection(
            "What the mask does",
            [
                "The same filter three times: what it responds to, its feature map "
                "before the mask, and what the mask lets through to the next layer."
            ],
            figures=[ReportFigure.drawn(axes, f"Filter {chosen[0]}.")],
        )
    ]


def heatmap_section(
    found: FilterMeasurement, dataset: PartsDataset, images: int = 6
) -> ReportSection:
    """Where in some images the filters peak, all filters together."""
    from matplotlib.figure import Figure

    scored = np.flatnonzero(~found.chose)
    # Evenly over the scored images, which are often sorted by class.
    places = np.linspace(0, len(scored) - 1, min(images, len(scored)))
    shown = scored[np.unique(places.astype(int))]
    figure = Figure(figsize=(1.6 * len(shown), 1.75), layout="constrained")
    for ax, image in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True
    ):
        place = found.images[image]
        plotting.part_heatmap(
            dataset.images[place],
            found.layer.maps[image],
            found.receptive_field,
            ax,
            title=dataset.class_names[dataset.labels[place]],
        )
    return ReportSection(
        "Where the layer looks",
        ["All filters at once: hot where many filters have their peaks."],
        figures=[
            ReportFigure.drawn(
                figure,
                "Each filter adds a spot of the same size at its peak, brighter the "
                "stronger the peak.",
            )
        ],
    )


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
            f"Only {scored} images were scored. Differences of a few hundredths "
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
            "No filter passed the bar for a part detector. An image in which a filter "
            "happens to sit on a part is no evidence against that."
        )
    if found.dead > 0.1:
        points.append(
            f"{found.dead:.0%} of the filters hardly ever fire; their lines are empty, "
            "and they do not enter the means."
        )
    points += [
        "The gallery shows each filter's strongest images, which flatters every "
        "filter; the tables count all scored images.",
        "A filter can only be matched to parts that somebody marked. It may follow "
        "something that has no landmark.",
        "One training run is one draw: another seed gives other filters. Compare "
        "networks over several seeds.",
        "That a filter follows a part does not yet mean that the network's decision "
        "depends on it.",
    ]
    return ReportSection("What this does not show", points=points)

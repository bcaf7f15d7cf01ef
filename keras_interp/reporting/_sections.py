"""Sections of a report that show what a layer's filters do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_interp import plotting
from keras_interp.datasets import PartsDataset
from keras_interp.metrics._measurement import FilterMeasurement
from keras_interp.metrics._scores import pick
from keras_interp.receptive_fields import ReceptiveField
from keras_interp.reporting._filter_pictures import filter_pictures
from keras_interp.reporting._page import ReportFigure, ReportSection, ReportTable
from keras_interp.reporting._results import instability_bars
from keras_interp.reporting._words import metric_words

_FEW = 100


@dataclasses.dataclass(frozen=True)
class Shown:
    """The images of the figures, with the maps of the measured filters.

    Args:
        images: `(N, H, W, C)`.
        titles: N words, such as the names of their classes.
        maps: `(N, h, w, F)`.
        masked_maps: `(N, h, w, F)`, or `None` for a layer without masks.
        receptive_field: of the layer.
    """

    images: np.ndarray
    titles: Sequence[str]
    maps: np.ndarray
    masked_maps: np.ndarray | None
    receptive_field: ReceptiveField

    @classmethod
    def scored(cls, found: FilterMeasurement, dataset: PartsDataset) -> Shown:
        """Those that had no say in choosing parts."""
        scored = ~found.chose
        places, masked = found.images[scored], found.layer.masked_maps
        return cls(
            images=dataset.images[places],
            titles=[dataset.class_names[label] for label in dataset.labels[places]],
            maps=found.layer.maps[scored],
            masked_maps=None if masked is None else masked[scored],
            receptive_field=found.receptive_field,
        )


def instability_section(rows: Sequence[dict[str, Any]]) -> list[ReportSection]:
    """The papers' figure beside filters that look at nothing."""
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
    """Which part each filter stands for, and how well it finds it."""
    detectors = found.groups.detectors
    # A landmark that occurs in no image is no part that a filter could follow.
    occurs = occurring(dataset)
    place = np.append(np.cumsum(occurs) - 1, -1)
    axes = plotting.part_histogram(
        place[found.names.part],
        [
            name
            for name, seen in zip(dataset.landmark_names, occurs, strict=True)
            if seen
        ],
        detectors=detectors,
    )
    whose = "all objects" if found.categories is None else "those of its own class"
    return ReportSection(
        "Which part each filter follows",
        [
            "A filter has the name of the landmark that its peak hits more often than "
            "the best fixed place does. "
            f"{int(detectors.sum())} of {len(detectors)} filters also track the part "
            "that they hit: hit gain above 0.1, and tracking of that very part above "
            f"0.2. Parts were chosen on {int(found.chose.sum())} images; the figures "
            f"are from {int((~found.chose).sum())} others, each filter judged on "
            f"{whose}."
        ],
        figures=[
            ReportFigure.drawn(
                axes,
                "Filters by their part. Bars of even length mean that the filters "
                "share the parts among them; a single long bar, that they all repeat "
                "one another.",
                alt=_counted(found, dataset),
            )
        ],
    )


def _counted(found: FilterMeasurement, dataset: PartsDataset) -> str:
    names = np.array([*dataset.landmark_names, "no part"])[found.names.part]
    parts, counts = np.unique(names, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    bars = ", ".join(f"{parts[place]} {counts[place]}" for place in order)
    return f"Bars with the number of filters of each part: {bars}."


def occurring(dataset: PartsDataset) -> np.ndarray:
    """bool `(K,)`: the landmarks that at least one image shows."""
    return np.isfinite(dataset.landmarks).all(axis=-1).any(axis=0)


def filters_section(
    found: FilterMeasurement, dataset: PartsDataset, shown: Shown
) -> ReportSection:
    """Every filter: its strongest images and how well it finds its part."""
    tracking, gain = metric_words("tracking"), metric_words("hit_gain")
    part, confidence = found.names.part, found.names.confidence
    figures = [pick(one.per_part, part) for one in (found.tracking, found.hit_gain)]
    names = [*dataset.landmark_names, "none"]
    order = np.argsort(-confidence, kind="stable").tolist()
    rows = [
        [
            str(index),
            names[part[index]],
            f"{confidence[index]:.0%}" if part[index] >= 0 else "–",
            tracking.text(figures[0][index]),
            gain.text(figures[1][index]),
            "yes" if found.groups.detectors[index] else "no",
        ]
        for index in order
    ]
    words = filter_names(found, dataset, range(len(rows)))
    return every_filter_section(
        shown,
        order,
        [f"filter {name}" for name in words],
        [
            "filter",
            "part",
            "confidence ↑",
            tracking.heading,
            gain.heading,
            "tracks what it hits",
        ],
        rows,
        f"All {len(rows)} filters, the surest first, on scored images only. "
        "Confidence: the share of the part's appearances that the filter hits and the "
        "best fixed place does not. Tracking and hit gain are those of the part.",
    )


def every_filter_section(
    shown: Shown,
    order: Sequence[int],
    names: Sequence[str],
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str,
) -> ReportSection:
    """A line for each filter, with the images in which it fires most.

    Args:
        shown: images and maps.
        order: the filters in the order of the rows.
        names: of the filters, in the order of the maps.
        columns: heads of the table.
        rows: the filters' figures.
        caption: of the table.
    """
    pictures = filter_pictures(
        shown.images, shown.maps, shown.receptive_field, names, shown.titles
    )
    return ReportSection(
        "What single filters see",
        [
            "One line for each filter, with the images in which it fires most. The "
            "bright region is where its map is above half of its peak, the cross the "
            "peak. Look along a line: does the cross stay on one part while the object "
            "moves? Click a heading to sort by it."
        ],
        tables=[
            ReportTable(
                columns, rows, caption, pictures=[pictures[index] for index in order]
            )
        ],
    )


def filter_names(
    found: FilterMeasurement, dataset: PartsDataset, chosen: Sequence[int]
) -> list[str]:
    """Number, class and part of filters, such as `7: cat head`."""
    names = []
    for index in chosen:
        words = [found.names.names[index] or "no part"]
        if found.categories is not None:
            words.insert(0, dataset.class_names[found.categories[index]])
        names.append(f"{index}: {' '.join(words)}")
    return names


def representative_filters(found: FilterMeasurement, count: int) -> list[int]:
    """Filters to look at: the surest of each part first, then the next surest."""
    order = np.argsort(-found.names.confidence, kind="stable")
    parts, first = np.unique(found.names.part[order], return_index=True)
    leaders = np.sort(first[parts >= 0])
    others = np.setdiff1d(np.arange(len(order)), leaders)
    return order[np.concatenate([leaders, others])[:count]].tolist()


def masks_section(shown: Shown, chosen: int) -> list[ReportSection]:
    """One filter's map before and after the mask; nothing for an ordinary layer."""
    if shown.masked_maps is None:
        return []
    axes = plotting.filter_gallery(
        shown.images,
        shown.maps,
        shown.receptive_field,
        [chosen],
        top=min(6, len(shown.images)),
        masked_maps=shown.masked_maps,
    )
    return [
        ReportSection(
            "What the mask does",
            [
                "The same filter three times: what it responds to, its feature map "
                "before the mask, and what the mask lets through to the next layer."
            ],
            figures=[
                ReportFigure.drawn(
                    axes,
                    f"Filter {chosen}.",
                    alt=f"Three rows of the images in which filter {chosen} fires "
                    "most: the images, the map before the mask and the map after it.",
                )
            ],
        )
    ]


def heatmap_section(shown: Shown, count: int = 6) -> ReportSection:
    """Where in some images the filters peak, all filters together."""
    from matplotlib.figure import Figure

    # Evenly over the images, which are often sorted by class.
    places = np.linspace(0, len(shown.images) - 1, min(count, len(shown.images)))
    places = np.unique(places.astype(int))
    figure = Figure(figsize=(1.6 * len(places), 1.75), layout="constrained")
    row = figure.subplots(1, len(places), squeeze=False)[0]
    for ax, place in zip(row, places, strict=True):
        plotting.part_heatmap(
            shown.images[place],
            shown.maps[place],
            shown.receptive_field,
            ax,
            title=shortened(shown.titles[place]),
        )
    return ReportSection(
        "Where the layer looks",
        ["Hot where many filters have their peaks."],
        figures=[
            ReportFigure.drawn(
                figure,
                "All filters at once: each adds a spot of the same size at its peak, "
                "brighter the stronger the peak.",
                alt=f"{len(places)} images with spots where filters peak"
                + "".join(f"; {shown.titles[place]}" for place in places)
                + ".",
            )
        ],
    )


def shortened(title: str, most: int = 18) -> str:
    """A title that fits above a small image: its end, where names of files differ."""
    return title if len(title) <= most else "…" + title[1 - most :]


def training_section(history: Any) -> list[ReportSection]:
    """The curves of what `fit` logged; nothing without a history."""
    if history is None:
        return []
    axes = plotting.training_curves(history)
    return [
        ReportSection(
            "How training went",
            [
                "The two entropies say how undecided the filters are: between their "
                "category and the rest, and between places in the image. The exact "
                "filter loss lowers both; the default one sharpens each map on its "
                "own, and there the filter loss is the curve to watch."
            ],
            figures=[
                ReportFigure.drawn(
                    axes, "One point for each epoch.", alt=_from_to(history)
                )
            ],
        )
    ]


def _from_to(history: Any) -> str:
    """The curves in words."""
    logged = getattr(history, "history", history)
    curves = [
        f"{name.replace('_', ' ')} from {values[0]:.3g} to {values[-1]:.3g}"
        for name, values in logged.items()
        if len(values)
    ]
    return f"Curves over the epochs: {', '.join(curves)}."


def caveats_section(points: Sequence[str]) -> ReportSection:
    """The limits of these very figures, and those that always hold."""
    always = [
        "The gallery shows each filter's strongest images, which flatters every "
        "filter; the tables count all images that were measured.",
        "A filter can only be matched to parts that have landmarks. It may follow "
        "something else.",
        "One training run is one draw: another seed gives other filters. Compare "
        "networks over several seeds.",
        "That a filter follows a part does not yet mean that the network's decision "
        "depends on it.",
    ]
    return ReportSection("What this does not show", points=[*points, *always])


def limits_of(found: FilterMeasurement) -> list[str]:
    """What these very figures cannot say."""
    scored = int((~found.chose).sum())
    points = []
    if scored < _FEW:
        points.append(
            f"Only {scored} images were scored. Differences of a few hundredths "
            "between filters or networks are noise."
        )
    if found.groups.groups and found.coverage < 1.5:
        most = found.groups.group_names[int(found.groups.count.argmax())]
        points.append(
            f"Nearly all filters follow one part ({most}). They are stable and easy to "
            "name, but they say the same thing many times."
        )
    if not found.groups.groups:
        points.append(
            "No filter passed the bar for a part detector. An image in which a filter "
            "happens to sit on a part is no evidence against that."
        )
    return [*points, *limit_of_dead(found.dead)]


def limit_of_dead(dead: float) -> list[str]:
    """What many filters that hardly ever fire mean for the figures."""
    if not dead > 0.1:
        return []
    return [
        f"{dead:.0%} of the filters hardly ever fire; their lines are empty, and they "
        "do not enter the means."
    ]

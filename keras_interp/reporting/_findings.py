"""What a report says of a model's filters, with landmarks and without."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_interp import plotting
from keras_interp.datasets import PartsDataset
from keras_interp.metrics._activity import FilterActivity
from keras_interp.metrics._measurement import FilterMeasurement
from keras_interp.reporting._page import ReportFigure, ReportSection, ReportTable
from keras_interp.reporting._parts_found import headline, parts_figure
from keras_interp.reporting._sections import (
    Shown,
    every_filter_section,
    filters_section,
    heatmap_section,
    limit_of_dead,
    limits_of,
    masks_section,
    occurring,
    parts_section,
    representative_filters,
)
from keras_interp.reporting._shared_places import SharedPlaces, shared_places
from keras_interp.reporting._words import metric_words

# More colours are hard to tell apart.
_COLOURED_GROUPS = 8


@dataclasses.dataclass(frozen=True)
class Findings:
    """The parts of a page that depend on what is known of the images.

    Args:
        summary: what came out, in one or two sentences.
        lead: the image that the page opens with, or `None`.
        facts: names and values for the table of what was measured.
        reading: how the figures are to be read.
        sections: figures and tables of the filters.
        limits: what the figures cannot say.
    """

    summary: str
    lead: ReportFigure | None
    facts: dict[str, str]
    reading: str
    sections: list[ReportSection]
    limits: list[str]


def with_landmarks(
    found: FilterMeasurement,
    dataset: PartsDataset,
    other: FilterMeasurement | None = None,
) -> Findings:
    """What landmarks say about the filters.

    Args:
        found: of the model.
        dataset: what it was measured on.
        other: of the model that it is compared with, or `None`.
    """
    height, width = dataset.image_size
    names = dataset.class_names
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    shown = Shown.scored(found, dataset)
    (chosen,) = representative_filters(found, 1)
    kind = "interpretable network" if found.layer.interpretable else "this network"
    headings = ("" if other is None else kind, "ordinary network")
    return Findings(
        summary=headline(found, other),
        lead=parts_figure(found, dataset, other, headings),
        facts={
            "images": f"{len(dataset):,} of {height}×{width}, {len(found.images):,} "
            "with landmarks",
            "classes": ", ".join(names[:12]) + more,
            "landmarks": _landmark_names(dataset),
        },
        reading="Tracking and hit gain are what counts: both are measured on images "
        "that had no say in which part a filter was matched with, and a filter that "
        "never moves scores about 0.",
        sections=[
            parts_section(found, dataset),
            filters_section(found, dataset, shown),
            *masks_section(shown, chosen),
            heatmap_section(shown),
        ],
        limits=limits_of(found),
    )


def without_landmarks(
    found: FilterActivity, images: np.ndarray, titles: Sequence[str]
) -> Findings:
    """What can be said of the filters without landmarks.

    Args:
        found: what was measured.
        images: `(N, H, W, C)`.
        titles: N words, such as the names of classes.
    """
    count, height, width = images.shape[:3]
    filters = found.scores.shape[1]
    shown = Shown(
        images,
        titles,
        found.layer.maps,
        found.layer.masked_maps,
        found.receptive_field,
    )
    dead = round(found.dead * filters)
    fires = (found.scores > 0).mean(axis=0)
    places = shared_places(found.positions, (height, width), fires > 0)
    heat = heatmap_section(shown)
    strongest = int(found.scores.mean(axis=0).argmax())
    return Findings(
        summary=f"{filters - dead} of the {filters} filters measured fire in at least "
        f"one image of twenty. {_places_in_words(places)} Which parts they follow "
        "cannot be told without landmarks.",
        lead=_places_figure(found, shown, places) or heat.figures[0],
        facts={"images": f"{count:,} of {height}×{width}, without landmarks"},
        reading="These figures say how filters fire, not what they follow. A filter "
        "with one compact peak has a low density. An overlap near 1 means that the "
        "filters repeat one another, a position spread near 0 that peaks stay at one "
        "place whatever the image shows.",
        sections=[
            _activity_section(found, shown, places),
            *masks_section(shown, strongest),
            *_places_section(places),
            # Without groups this is what the page opens with.
            *([heat] if len(places.sizes) else []),
        ],
        limits=[
            "There are no landmarks, so nothing here says which part of an object a "
            "filter follows, or whether it does better than a fixed place.",
            *limit_of_dead(found.dead),
        ],
    )


def _activity_section(
    found: FilterActivity, shown: Shown, places: SharedPlaces
) -> ReportSection:
    """Every filter, with how it fires."""
    kinds = [metric_words(metric) for metric in found.per_filter]
    fires = (found.scores > 0).mean(axis=0)
    peaks = found.scores.mean(axis=0)
    order = np.argsort(-peaks, kind="stable").tolist()
    rows = [
        [
            str(index),
            f"{fires[index]:.0%}",
            f"{peaks[index]:.3g}",
            *(
                words.text(values[index])
                for words, values in zip(kinds, found.per_filter.values(), strict=True)
            ),
            _group_name(places.group[index]),
        ]
        for index in order
    ]
    columns = ["filter", "fires in", "mean peak"]
    columns += [words.heading for words in kinds]
    return every_filter_section(
        shown,
        order,
        [f"filter {index}" for index in range(len(rows))],
        [*columns, "shares its place with"],
        rows,
        f"All {len(rows)} filters, those of the greatest mean peak first. Fires in: "
        "the share of images in which the filter is active at all. Filters of one "
        "group fire at one place in most images.",
    )


def _group_name(group: int) -> str:
    return f"group {group + 1}" if group >= 0 else "no other"


def _places_in_words(places: SharedPlaces) -> str:
    sizes = places.sizes
    if not len(sizes):
        return "No two of them share a place in most images."
    words = f"{int(sizes.sum())} of them fire at places that they share with others"
    return (
        f"{words}, in {len(sizes)} group{'s' if len(sizes) > 1 else ''}; the largest "
        f"has {sizes[0]} filters."
    )


def _places_section(places: SharedPlaces) -> list[ReportSection]:
    """The filters that fire at one place."""
    rows = [
        [
            _group_name(number),
            str(size),
            f"{share:.0%}",
            ", ".join(map(str, np.flatnonzero(places.group == number).tolist())),
        ]
        for number, (size, share) in enumerate(
            zip(places.sizes.tolist(), places.share.tolist(), strict=True)
        )
    ]
    if not rows:
        return []
    return [
        ReportSection(
            "Which filters fire at one place",
            [
                "Two filters share a place where their peaks lie within a tenth of the "
                "image's diagonal in more than half of the images in which both fire; "
                "in a group any two filters do. A large group says one thing many "
                "times, or looks at one place of the frame: its spread tells which."
            ],
            tables=[
                ReportTable(
                    ["group", "filters", "close in", "numbers of the filters"],
                    rows,
                    "Close in: the mean share of images in which two filters of the "
                    "group peak close to each other.",
                )
            ],
        )
    ]


def _places_figure(
    found: FilterActivity, shown: Shown, places: SharedPlaces
) -> ReportFigure | None:
    """One image with the peaks of all filters, those of a group in one colour."""
    if not len(places.sizes):
        return None
    # Of the images, one that moves many filters: nothing about parts chose it.
    place = int(np.median(np.argsort(found.scores.sum(axis=1))[-3:]))
    names = [
        _group_name(group) if 0 <= group < _COLOURED_GROUPS else ""
        for group in places.group.tolist()
    ]
    order = [_group_name(group) for group in range(_COLOURED_GROUPS)]
    ax = plotting.parts_on_image(
        shown.images[place],
        shown.maps[place],
        shown.receptive_field,
        names=names,
        order=order,
        title=shown.titles[place],
    )
    groups = ", ".join(
        f"{name} with {names.count(name)} filters" for name in order if name in names
    )
    return ReportFigure.drawn(
        ax.figure,
        "Each spot is the peak of one filter in this image. Filters of one colour fire "
        "at one place in most images, with their number in brackets; grey ones share "
        "their place with no other, or with few.",
        alt=f"One image with the peaks of {len(names)} filters: "
        f"{groups or 'none share a place'}.",
    )


def _landmark_names(dataset: PartsDataset) -> str:
    """Names of the landmarks, those that no image shows apart."""
    seen = occurring(dataset)
    names = [n for n, shown in zip(dataset.landmark_names, seen, strict=True) if shown]
    absent = [n for n in dataset.landmark_names if n not in names]
    return ", ".join(names) + (f" (in no image: {', '.join(absent)})" if absent else "")

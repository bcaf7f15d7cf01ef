"""What a report says of a model's filters, with landmarks and without."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_interp.datasets import PartsDataset
from keras_interp.metrics._activity import FilterActivity
from keras_interp.metrics._measurement import FilterMeasurement
from keras_interp.reporting._page import ReportFigure, ReportSection
from keras_interp.reporting._parts_found import headline, parts_figure
from keras_interp.reporting._sections import (
    Shown,
    filter_names,
    gallery_section,
    heatmap_section,
    limit_of_dead,
    limits_of,
    masks_section,
    occurring,
    parts_section,
    representative_filters,
    strongest_filters,
)

_SHOWN_FILTERS = 6


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
    chosen = representative_filters(found, _SHOWN_FILTERS)
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
            gallery_section(
                shown,
                chosen,
                filter_names(found, dataset, chosen),
                "Beside each line the filter's number and the part that it hits; "
                "filters of different parts first, then by confidence. Scored "
                "images only.",
            ),
            *masks_section(shown, chosen[0]),
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
    chosen = strongest_filters(found.scores, _SHOWN_FILTERS)
    dead = round(found.dead * filters)
    return Findings(
        summary=f"{filters - dead} of the {filters} filters measured fire in at least "
        "one image of twenty. Which parts they follow cannot be told without "
        "landmarks.",
        lead=None,
        facts={"images": f"{count:,} of {height}×{width}, without landmarks"},
        reading="These figures say how filters fire, not what they follow. A filter "
        "with one compact peak has a low density. An overlap near 1 means that the "
        "filters repeat one another, a position spread near 0 that peaks stay at one "
        "place whatever the image shows.",
        sections=[
            gallery_section(
                shown,
                chosen,
                [f"filter {index}" for index in chosen],
                "The filters with the greatest mean peak, the strongest first.",
            ),
            *masks_section(shown, chosen[0]),
            heatmap_section(shown),
        ],
        limits=[
            "There are no landmarks, so nothing here says which part of an object a "
            "filter follows, or whether it does better than a fixed place.",
            *limit_of_dead(found.dead),
        ],
    )


def _landmark_names(dataset: PartsDataset) -> str:
    """Names of the landmarks, those that no image shows apart."""
    seen = occurring(dataset)
    names = [n for n, shown in zip(dataset.landmark_names, seen, strict=True) if shown]
    absent = [n for n in dataset.landmark_names if n not in names]
    return ", ".join(names) + (f" (in no image: {', '.join(absent)})" if absent else "")

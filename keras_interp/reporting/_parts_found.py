"""What a report opens with: how many different parts were found, and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_interp import plotting
from keras_interp.datasets import PartsDataset
from keras_interp.metrics._measurement import FilterMeasurement
from keras_interp.plotting._parts_on_image import axes_with_room
from keras_interp.reporting._page import ReportFigure


def headline(found: FilterMeasurement, other: FilterMeasurement | None = None) -> str:
    """How many different parts the filters find, and which; a collapse in plain words.

    Args:
        found: of the model.
        other: of the model that it is compared with, or `None`.
    """
    groups, total = found.groups, len(found.detectors)
    detectors = int(groups.detectors.sum())
    if not groups.groups:
        words = (
            f"No part is found: none of the {total} filters measured follows a part of "
            "the object better than a fixed place."
        )
    elif groups.groups == 1:
        (name,) = _names_found(found)
        whole = f"The one part detector among the {total} filters follows"
        if detectors > 1:
            whole = f"All {detectors} part detectors among the {total} filters follow"
        words = f"{whole} one and the same part, {name}: 1 part is found."
    else:
        *first, last = _names_found(found)
        words = (
            f"The filters find {groups.groups} different parts: {', '.join(first)} and "
            f"{last}. {detectors} of the {total} filters follow the part that they hit "
            "on images that had no say in choosing it."
        )
    if other is not None:
        count = other.groups.groups
        words += (
            f" The filters of the ordinary network find {count or 'no'} "
            f"part{'' if count == 1 else 's'}"
        )
        words += f" ({', '.join(_names_found(other))})." if count else "."
    return words


def _names_found(found: FilterMeasurement) -> list[str]:
    """Names of the parts with a detector, most filters first."""
    groups = found.groups
    order = np.argsort(-groups.count, kind="stable")[: groups.groups]
    return [groups.group_names[place].replace("_", " ") for place in order]


def parts_figure(
    found: FilterMeasurement,
    dataset: PartsDataset,
    other: FilterMeasurement | None = None,
    headings: Sequence[str] = ("", "ordinary network"),
) -> ReportFigure:
    """One image with the peaks of all filters, those of another model beside it.

    The image is the scored one in which most landmarks are seen, whatever the filters
    do there; of several classes, one of the class with most parts found.

    Args:
        found: of the model.
        dataset: what it was measured on.
        other: of the model that it is compared with, or `None`.
        headings: words above the image of each of the two.
    """
    both = [found] if other is None else [found, other]
    axes = np.atleast_1d(np.asarray(axes_with_room(len(both)), dtype=object))
    place = _chosen_image(found, dataset)
    order = sorted(
        {name for one in both for name in one.part_names if name},
        key=lambda name: found.groups.group_names.index(name),
    )
    label = dataset.labels[found.images[place]]
    for ax, one, heading in zip(axes, both, headings, strict=False):
        own = slice(None) if one.categories is None else one.categories == label
        names = np.array(one.part_names, dtype=object)[own]
        plotting.parts_on_image(
            dataset.images[one.images[place]],
            one.layer.maps[place][..., own],
            one.receptive_field,
            ax,
            names=names.tolist(),
            order=order,
            title=heading,
        )
    caption = (
        "Each spot is the peak of one filter. Filters that follow the part they hit "
        "have its colour and name, with their number in brackets; grey filters follow "
        "none. The image was not used to choose parts; it is the one in which most "
        "landmarks are seen."
    )
    if found.categories is not None:
        caption += f" Filters of the class {dataset.class_names[label]!r} alone."
    seen = []
    for one, heading in zip(both, headings, strict=False):
        words = [name or "no part" for name in one.part_names]
        listed = ", ".join(f"{word} {words.count(word)}" for word in sorted(set(words)))
        seen.append(f"{heading or 'this network'}: {listed}")
    alt = f"One image with the peaks of filters, by part. {'; '.join(seen)}."
    return ReportFigure.drawn(axes[0].figure, caption, alt=alt)


def _chosen_image(found: FilterMeasurement, dataset: PartsDataset) -> int:
    """Place in the measurement of the image to show."""
    candidates = np.flatnonzero(~found.chose)
    if found.categories is not None:
        labels = dataset.labels[found.images[candidates]]
        parts = {
            label: len(
                set(np.array(found.part_names)[found.categories == label]) - {""}
            )
            for label in np.unique(labels)
        }
        candidates = candidates[labels == max(parts, key=lambda one: parts[one])]
    seen = np.isfinite(dataset.landmarks[found.images[candidates]]).all(axis=-1)
    return int(candidates[seen.sum(axis=1).argmax()])

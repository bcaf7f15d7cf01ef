"""How much each object part adds to a class score, by an explainer's filters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward, activation_and_gradient
from keras_interp.attribution._shared_arguments import with_shared_arguments
from keras_interp.metrics import FilterNames, name_filters, positions_and_scores
from keras_interp.metrics._landmark_groups import check_landmark_groups
from keras_interp.receptive_fields import ReceptiveField, receptive_field

if TYPE_CHECKING:
    from keras_interp.datasets import PartsDataset
    from keras_interp.models import Explainer

MIXTURE_LAYER = "tracks"
PART_LAYER = "conv_interp_2"
NO_PART = "no part"
UNMASKED = "unmasked filters"
ORDINARY = "ordinary track"
REST = "bias and remainder"


@dataclasses.dataclass(frozen=True)
class PartContributions:
    """Result of `part_contributions`.

    Attributes:
        parts: Names of the landmarks that filters stand for, most filters first, then
            `"unmasked filters"` (of the interpretable track), `"ordinary track"` and
            `"bias and remainder"`; `"no part"` before them where a filter hits no part
            more often than a fixed place does.
        filters: int `(parts,)`, how many interpretable filters stand for each; 0 for
            the last three.
        values: float32 `(N, parts)`, contributions. A row adds up to the score.
        per_filter: float32 `(N, F)`, contribution of each interpretable filter.
        filter_parts: int `(F,)`, place of each filter's part in `parts`.
        confidence: float `(F,)`, 0 to 1, how surely each filter stands for its part,
            see `keras_interp.metrics.name_filters`; 0 for none.
        distances: float `(F,)`, mean distance of the filter's peak to its landmark, or
            to the nearest of a group, as a share of the diagonal; NaN for none.
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels; NaN where
            it does not fire.
        scores: float32 `(N,)`, the class score as rebuilt by the explainer, before a
            softmax or sigmoid.
        class_index: int `(N,)`, class of the score.
        explained: What was explained, in words.
    """

    parts: tuple[str, ...]
    filters: np.ndarray
    values: np.ndarray
    per_filter: np.ndarray
    filter_parts: np.ndarray
    confidence: np.ndarray
    distances: np.ndarray
    positions: np.ndarray
    scores: np.ndarray
    class_index: np.ndarray
    explained: str

    def table(self) -> str:
        """Mean contribution of each part over the images, as a Markdown table."""
        mean = self.values.mean(axis=0)
        lines = ["| part | filters | mean contribution |", "|---|---|---|"]
        for name, count, value in zip(self.parts, self.filters, mean, strict=True):
            lines.append(f"| {name} | {count or ''} | {value:+.2f} |")
        lines.append(f"| score | | {self.scores.mean():+.2f} |")
        return "\n".join(lines) + "\n"


@with_shared_arguments
def part_contributions(
    explainer: Explainer,
    images: Any,
    dataset: PartsDataset,
    class_index: Any = None,
    *,
    preprocess: Callable[[np.ndarray], Any] | None = None,
    inputs: Any = None,
    field: ReceptiveField | None = None,
    landmark_groups: Mapping[str, Any] | None = None,
    batch_size: int = 32,
) -> PartContributions:
    """Splits a class score into what each object part adds to it.

    Each interpretable filter of the explainer's conv-interp-2 is named by the landmark
    that its peak hits more often than a fixed place does on the images of `dataset`
    (`keras_interp.metrics.name_filters`). The contribution of a
    filter is `sum_ij x_ij dy/dx_ij` over its encoded map x, with y the class score
    computed from the rebuilt features: the linear part of the decoder at this image.

    Example:

    ```python
    found = ki.attribution.part_contributions(explainer, images[:4], dataset)
    print(found.table())
    ki.plotting.part_contributions(found, 0)
    ```

    Args:
        explainer: a trained `keras_interp.models.Explainer`.
        images: {images}
        dataset: `PartsDataset` whose landmarks name the filters. Images without any
            landmark do not count.
        class_index: {class_index}
        preprocess: applied to each batch of these images before the performer.
        inputs: what stands for the images of `dataset`, in their order, where the
            performer does not start at images: features that were computed before.
        field: receptive field of conv-interp-2 in pixels of the dataset. Default:
            computed from the layers; needed where the performer does not start at the
            images.
        landmark_groups: landmarks that count as one part, as
            `ki.datasets.landmark_groups(dataset.landmark_names)` makes them: a mapping
            from the name of each part to the names or places of its landmarks. Default:
            each landmark is a part.
        batch_size: {batch_size}

    Returns:
        `PartContributions`.

    Raises:
        ValueError: if no image of the dataset has a landmark or the explainer has no
            interpretable filter; and
            {raises}

    Reference:
        Zhang, Yang, Wu, "Unsupervised Learning of Neural Networks to Explain Neural
        Networks", 2018, figure 5. Its formula is lost; this one is that of the same
        authors' decision trees.
    """
    count = explainer.interpretable_filters
    if count == 0:
        raise ValueError(
            "Expected an explainer with interpretable filters. Received one with "
            "fraction=0: none of its filters stands for a part."
        )
    explained = ExplainedModel(explainer, images, class_index)
    if field is None:
        field = receptive_field(explainer, PART_LAYER, dataset.image_size)
    names, distances = _named_filters(
        explainer, dataset, field, preprocess, inputs, landmark_groups, batch_size
    )
    slopes, scores, chosen = _slopes(explained, batch_size)
    encoding = explainer.encode(explained.inputs.images, batch_size)
    places = tuple(range(1, slopes.ndim - 1))
    parts_track = (slopes * encoding.interpretable).sum(axis=places)
    ordinary = (slopes * encoding.ordinary).sum(axis=places).sum(axis=1)
    parts, filter_parts = _parts(names)
    per_filter, unmasked = parts_track[:, :count], parts_track[:, count:].sum(axis=1)
    member = filter_parts[:, None] == np.arange(len(parts))
    by_part = per_filter @ member
    rest = scores - by_part.sum(axis=1) - unmasked - ordinary
    positions, _ = positions_and_scores(encoding.part_maps[..., :count], field)
    return PartContributions(
        parts=(*parts, UNMASKED, ORDINARY, REST),
        filters=np.concatenate([member.sum(axis=0), [0, 0, 0]]),
        values=np.column_stack([by_part, unmasked, ordinary, rest]).astype("float32"),
        per_filter=per_filter.astype("float32"),
        filter_parts=filter_parts,
        confidence=names.confidence,
        distances=distances,
        positions=positions,
        scores=scores,
        class_index=chosen,
        explained=explained.explained,
    )


def _named_filters(
    explainer: Explainer,
    dataset: PartsDataset,
    field: ReceptiveField,
    preprocess: Callable[[np.ndarray], Any] | None,
    inputs: Any,
    landmark_groups: Mapping[str, Any] | None,
    batch_size: int,
) -> tuple[FilterNames, np.ndarray]:
    """Part of each interpretable filter, and the mean distance to it."""
    seen = np.isfinite(dataset.landmarks).all(axis=-1).any(axis=-1)
    rows = np.flatnonzero(seen)
    if not len(rows):
        raise ValueError(
            "Expected a dataset with landmarks, which name the filters. Received: "
            f"{len(dataset)} images without any."
        )
    if inputs is not None and len(inputs) != len(dataset):
        raise ValueError(
            "Expected as many `inputs` as the dataset has images. Received: "
            f"{len(inputs)} inputs and {len(dataset)} images."
        )
    found = []
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        values = (dataset.images if inputs is None else inputs)[batch]
        if preprocess is not None:
            values = preprocess(values)
        maps = explainer.encode(values, batch_size).part_maps
        found.append(
            positions_and_scores(maps[..., : explainer.interpretable_filters], field)
        )
    positions, scores = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    shown = dataset.subset(rows)
    names = name_filters(positions, scores, shown, landmark_groups=landmark_groups)
    if landmark_groups is None:
        groups = {name: np.array([k]) for k, name in enumerate(shown.landmark_names)}
    else:
        groups = check_landmark_groups(landmark_groups, shown.landmark_names)
    return names, _distances(positions, names.part, shown, list(groups.values()))


def _distances(
    positions: np.ndarray,
    part: np.ndarray,
    dataset: PartsDataset,
    groups: Sequence[np.ndarray],
) -> np.ndarray:
    """Mean distance `(F,)` of peaks to the nearest landmark of their part."""
    found = np.full(len(part), np.nan)
    for place in np.unique(part[part >= 0]):
        own = part == place
        offsets = positions[:, own, None] - dataset.landmarks[:, None, groups[place]]
        lengths = np.linalg.norm(offsets, axis=-1)
        nearest = np.where(np.isnan(lengths), np.inf, lengths).min(axis=-1)
        seen = np.isfinite(nearest)
        total = np.where(seen, nearest, 0.0).sum(axis=0)
        found[own] = total / np.maximum(seen.sum(axis=0), 1)
    return found / np.hypot(*dataset.image_size)


def _slopes(
    explained: ExplainedModel, batch_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradient of the score at the encoded features, the score and its class."""
    call = explained.record.find_call(MIXTURE_LAYER, None)

    def body(forward: Forward, images: Any, targets: Any) -> Any:
        _, slope = activation_and_gradient(forward, call, images, targets)
        scores, chosen = forward.scores(images, targets)
        return ops.cast(slope, "float32"), ops.cast(scores, "float32"), chosen

    slopes, scores, chosen = explained.compute(
        ("part_contributions", call.path), body, batch_size=batch_size
    )
    return slopes, scores, chosen


def _parts(names: FilterNames) -> tuple[list[str], np.ndarray]:
    """Names of the parts that filters stand for, and each filter's place in them."""
    used, counts = np.unique(names.part, return_counts=True)
    # Most filters first; those without a part last.
    order = np.lexsort((-counts, used < 0))
    used = used[order]
    places = np.array([np.flatnonzero(used == one)[0] for one in names.part], dtype=int)
    return [names.part_names[one] if one >= 0 else NO_PART for one in used], places

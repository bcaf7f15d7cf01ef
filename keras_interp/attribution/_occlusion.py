"""How much a score drops when a patch of the picture is covered."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.attribution._image_copies import (
    copy_plan,
    reference_pictures,
    scores_and_fixed_targets,
    scores_of_copies,
)

Size = int | tuple[int, int]


def occlusion(
    model: Any,
    images: Any,
    class_index: Any = None,
    *,
    patch_size: Size | None = None,
    stride: Size | None = None,
    fill: Any = 0.0,
    layer_name: str | None = None,
    batch_size: int = 32,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
) -> np.ndarray:
    """Drop of the class score when a pixel is covered, averaged over covering patches.

    A patch slides over the picture in steps of `stride`. Each position gives the score
    of the picture minus that of the picture with the patch filled; each pixel gets the
    mean over the positions that cover it. At the right and lower edge a patch may reach
    out of the picture, so that every pixel is covered.

    It sees what a patch does alone: of two parts that say the same, neither is missed.

    Example:

    ```python
    maps = ki.attribution.occlusion(model, images, patch_size=32, stride=8)
    ```

    Args:
        model: as for `keras_interp.attribution.gradient`.
        images: likewise.
        class_index: likewise; `None` is the class of the uncovered picture.
        patch_size: pixels of a patch, one number or `(height, width)`. Default: an
            eighth of the picture.
        stride: pixels from one patch to the next, one number or `(down, right)`, not
            more than the patch. Default: half a patch.
        fill: what a patch is filled with: a number, or an array that can be broadcast
            to `(batch, height, width, channels)`, as the model wants it.
        layer_name: as for `keras_interp.attribution.gradient`.
        batch_size: most pictures, covered copies counted, that are computed at once.
        call_index: as for `keras_interp.attribution.gradient`.
        output_index: likewise.
        input_index: likewise.

    Returns:
        float32 `(batch, height, width)`, in units of the score. Negative where the
        score rises when the place is covered.

    Raises:
        ValueError: for a patch larger than the picture, a stride larger than the patch
            or a fill of another shape, and as for `keras_interp.attribution.gradient`.

    Reference:
        Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", 2014,
        section 4.2.
    """
    explained = ExplainedModel(
        model,
        images,
        class_index,
        layer_name=layer_name,
        call_index=call_index,
        output_index=output_index,
        input_index=input_index,
    )
    pictures = explained.inputs.images
    patch, step = _patch_and_stride(patch_size, stride, pictures.shape[1:3])
    filling = reference_pictures(fill, pictures, "fill")
    rows = _covered(pictures.shape[1], patch[0], step[0])
    columns = _covered(pictures.shape[2], patch[1], step[1])
    scores = scores_and_fixed_targets(explained, batch_size)
    covered = _covered_scores(explained, filling, rows, columns, batch_size)
    drops = scores[:, None].astype("float64") - covered
    drops = drops.reshape(-1, len(rows), len(columns))
    sums = rows.T @ drops @ columns
    return (sums / np.outer(rows.sum(axis=0), columns.sum(axis=0))).astype("float32")


def _covered_scores(
    explained: ExplainedModel,
    filling: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    batch_size: int,
) -> np.ndarray:
    """Scores of the pictures with each patch, `(batch, patches)`, row by row."""
    # One picture of flags per patch would be as large as the pictures themselves.
    down, right = np.divmod(np.arange(len(rows) * len(columns)), len(columns))
    plan = copy_plan(len(down), explained.pictures_at_once(batch_size))
    parts = []
    for chunk in plan.chunks():
        (scores,) = explained.compute(
            "occlusion",
            _scores_behind_patches,
            filling,
            shared=[plan.filled(rows[down[chunk]]), plan.filled(columns[right[chunk]])],
            batch_size=plan.pictures,
        )
        parts.append(scores[:, : chunk.stop - chunk.start])
    return np.concatenate(parts, axis=1)


def _scores_behind_patches(
    forward: Forward,
    pictures: Any,
    targets: Any,
    filling: Any,
    rows: Any,
    columns: Any,
) -> Any:
    covered = (rows[:, :, None] * columns[:, None, :])[None, ..., None] > 0
    copies = ops.where(covered, filling[:, None], pictures[:, None])
    return scores_of_copies(forward, copies, targets)


def _covered(size: int, patch: int, step: int) -> np.ndarray:
    """Which pixels of an axis each position covers, float32 `(positions, size)`."""
    positions = -(-(size - patch) // step) + 1
    starts = step * np.arange(positions)[:, None]
    pixels = np.arange(size)
    return ((pixels >= starts) & (pixels < starts + patch)).astype("float32")


def _patch_and_stride(
    patch_size: Size | None, stride: Size | None, size: tuple[int, ...]
) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = size
    if patch_size is None:
        patch_size = max(1, round(height / 8)), max(1, round(width / 8))
    patch = _pair(patch_size, "patch_size")
    if stride is None:
        stride = max(1, patch[0] // 2), max(1, patch[1] // 2)
    step = _pair(stride, "stride")
    if patch[0] > height or patch[1] > width:
        raise ValueError(
            f"Expected patch_size of at most the picture's {height} x {width} pixels, "
            f"got {patch[0]} x {patch[1]}."
        )
    if step[0] > patch[0] or step[1] > patch[1]:
        raise ValueError(
            f"Expected stride of at most patch_size {patch}, so that every pixel is "
            f"covered; got {step}."
        )
    return patch, step


def _pair(value: Any, name: str) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    whole = all(
        isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in pair
    )
    if len(pair) != 2 or not whole or min(pair) < 1:
        raise ValueError(
            f"Expected {name} as a positive integer or a pair of them, got {value!r}."
        )
    return int(pair[0]), int(pair[1])

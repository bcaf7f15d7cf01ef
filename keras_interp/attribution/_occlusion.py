"""How much a score drops when a patch of the image is covered."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.attribution._image_copies import (
    copy_plan,
    reference_images,
    scores_and_fixed_targets,
    scores_of_copies,
)
from keras_interp.attribution._shared_arguments import Progress, with_shared_arguments

Size = int | tuple[int, int]


@with_shared_arguments
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
    verbose: int = 0,
) -> np.ndarray:
    """Drop of the class score when a pixel is covered, averaged over covering patches.

    A patch slides over the image in steps of `stride`. Each position gives the score
    of the image minus that of the image with the patch filled; each pixel gets the
    mean over the positions that cover it. At the right and lower edge a patch may reach
    out of the image, so that every pixel is covered.

    It sees what each patch does alone. Where two parts say the same, covering one of
    them changes little, and neither is found.

    Example:

    ```python
    maps = ki.attribution.occlusion(model, images, patch_size=32, stride=8, verbose=1)
    ```

    Args:
        model: {model}
        images: {images}
        class_index: {class_index} `None` is the class of the uncovered image.
        patch_size: pixels of a patch, one number or `(height, width)`. Default: an
            eighth of the image.
        stride: pixels from one patch to the next, one number or `(down, right)`, not
            more than the patch. Default: half a patch.
        fill: what a patch is filled with: a number, or an array that can be broadcast
            to `(batch, height, width, channels)`, as the model wants it.
        layer_name: {filter_layer}
        batch_size: {batch_of_copies}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}
        verbose: {verbose}

    Returns:
        float32 `(batch, height, width)`, in units of the score. Negative where the
        score rises when the place is covered.

    Raises:
        ValueError: for a patch larger than the image, a stride larger than the patch
            or a fill of another shape; and
            {raises}

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
    images = explained.inputs.images
    patch, step = _patch_and_stride(patch_size, stride, images.shape[1:3])
    filling = reference_images(fill, images, "fill")
    rows = _covered(images.shape[1], patch[0], step[0])
    columns = _covered(images.shape[2], patch[1], step[1])
    scores = scores_and_fixed_targets(explained, batch_size)
    progress = Progress(len(images) * len(rows) * len(columns), verbose)
    covered = _covered_scores(explained, filling, rows, columns, batch_size, progress)
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
    progress: Progress,
) -> np.ndarray:
    """Scores of the images with each patch, `(batch, patches)`, row by row."""
    # One image of flags per patch would be as large as the images themselves.
    down, right = np.divmod(np.arange(len(rows) * len(columns)), len(columns))
    plan = copy_plan(len(down), explained.images_at_once(batch_size))
    parts = []
    for chunk in plan.chunks():
        (scores,) = explained.compute(
            "occlusion",
            _scores_behind_patches,
            filling,
            shared=[plan.filled(rows[down[chunk]]), plan.filled(columns[right[chunk]])],
            batch_size=plan.images,
            on_batch=progress.of_copies(chunk),
        )
        parts.append(scores[:, : chunk.stop - chunk.start])
    return np.concatenate(parts, axis=1)


def _scores_behind_patches(
    forward: Forward,
    images: Any,
    targets: Any,
    filling: Any,
    rows: Any,
    columns: Any,
) -> Any:
    covered = (rows[:, :, None] * columns[:, None, :])[None, ..., None] > 0
    copies = ops.where(covered, filling[:, None], images[:, None])
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
            f"Expected patch_size of at most the image's {height} x {width} pixels. "
            f"Received: patch_size={patch}. Choose a smaller one."
        )
    if step[0] > patch[0] or step[1] > patch[1]:
        raise ValueError(
            f"Expected stride of at most patch_size {patch}, so that every pixel is "
            f"covered. Received: stride={step}. Choose a smaller one."
        )
    return patch, step


def _pair(value: Any, name: str) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    whole = all(
        isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in pair
    )
    if len(pair) != 2 or not whole or min(pair) < 1:
        raise ValueError(
            f"Expected {name} as a positive integer or a pair of them. Received: "
            f"{name}={value!r}. Pass (height, width) in pixels."
        )
    return int(pair[0]), int(pair[1])

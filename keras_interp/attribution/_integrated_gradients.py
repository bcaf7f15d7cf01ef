"""The score, divided among the pixels along a path: integrated gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.attribution._image_copies import (
    copy_plan,
    fix_targets,
    reference_images,
    scores_and_fixed_targets,
    slopes_of_copies,
)
from keras_interp.attribution._shared_arguments import Progress, with_shared_arguments

RULES = ("gauss_legendre", "trapezoid")


@with_shared_arguments
def integrated_gradients(
    model: Any,
    images: Any,
    class_index: Any = None,
    *,
    baseline: Any = 0.0,
    steps: int = 50,
    rule: str = "gauss_legendre",
    layer_name: str | None = None,
    batch_size: int = 32,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
    verbose: int = 0,
) -> np.ndarray:
    """Gradient integrated along the straight line from a baseline to the image.

    `(x - b) * integral over t from 0 to 1 of w(b + t (x - b))`, with `w` the gradient
    of the class score. The sum over an image is the score of the image minus that of
    the baseline, up to the error of the sum that stands for the integral:
    `completeness_error` gives it.

    Pixels that equal the baseline get nothing, whatever they show: black parts of a
    image with the baseline 0, say.

    Example:

    ```python
    parts = ki.attribution.integrated_gradients(model, images, baseline=images.mean())
    ```

    Args:
        model: {model}
        images: {images}
        class_index: {class_index} `None` is the class of the image itself.
        baseline: image without what is to be explained: a number, or an array that
            can be broadcast to `(batch, height, width, channels)`, as the model wants
            it.
        steps: points on the line.
        rule: of the integral: `"gauss_legendre"`, exact for polynomials of a degree up
            to `2 * steps - 1`, or `"trapezoid"`, evenly spaced points that include the
            baseline and the image.
        layer_name: {filter_layer}
        batch_size: {batch_of_copies}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}
        verbose: {verbose}

    Returns:
        float32 `(batch, height, width, channels)`.

    Raises:
        ValueError: for a baseline of another shape, an unknown rule or too few steps;
            and
            {raises}

    Reference:
        Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", 2017,
        equation 1; completeness is its proposition 1.
    """
    points, weights = _points_and_weights(steps, rule)
    explained = ExplainedModel(
        model,
        images,
        class_index,
        layer_name=layer_name,
        call_index=call_index,
        output_index=output_index,
        input_index=input_index,
    )
    reference = reference_images(baseline, explained.inputs.images, "baseline")
    progress = Progress(len(explained.inputs) * len(points), verbose)
    plan = copy_plan(len(points), explained.images_at_once(batch_size))
    fix_targets(explained, batch_size)
    total = np.zeros(explained.inputs.images.shape)
    for chunk in plan.chunks():
        (part,) = explained.compute(
            "integrated_gradients",
            _weighted_slopes,
            reference,
            shared=[plan.filled(points[chunk]), plan.filled(weights[chunk])],
            batch_size=plan.images,
            on_batch=progress.of_copies(chunk),
        )
        total += part
    return (total * (explained.inputs.images - reference)).astype("float32")


@with_shared_arguments
def completeness_error(
    model: Any,
    images: Any,
    attributions: Any,
    class_index: Any = None,
    *,
    baseline: Any = 0.0,
    layer_name: str | None = None,
    batch_size: int = 32,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
) -> np.ndarray:
    """How far attributions are from summing to the difference of two scores.

    The sum over each image, minus the score of the image, plus the score of the
    baseline. Large errors of integrated gradients shrink with more steps.

    Example:

    ```python
    parts = ki.attribution.integrated_gradients(model, images, 3, steps=20)
    errors = ki.attribution.completeness_error(model, images, parts, 3)
    ```

    Args:
        model: {model}
        images: {images}
        attributions: `(batch, height, width, channels)` or `(batch, height, width)`.
        class_index: class that was explained, an integer or one for each image; `None`
            for the class of highest score.
        baseline: image without what is to be explained that the attributions were
            computed with: a number, or an array that can be broadcast to `(batch,
            height, width, channels)`.
        layer_name: {filter_layer}
        batch_size: {batch_size}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}

    Returns:
        float32 `(batch,)`, in units of the score.

    Raises:
        ValueError: for attributions or a baseline of another shape; and
            {raises}

    Reference:
        Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", 2017,
        proposition 1.
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
    parts = np.asarray(ops.convert_to_numpy(attributions), "float64")
    if parts.shape not in (images.shape, images.shape[:3]):
        raise ValueError(
            f"Expected attributions of shape {images.shape} or {images.shape[:3]}. "
            f"Received: attributions of shape {parts.shape}. Pass what the method "
            "returned for these images."
        )
    reference = reference_images(baseline, images, "baseline")
    scores = scores_and_fixed_targets(explained, batch_size)
    (of_reference,) = explained.compute(
        "scores of other images", _other_scores, reference, batch_size=batch_size
    )
    sums = parts.reshape(len(parts), -1).sum(axis=1) if len(parts) else np.zeros(0)
    return (sums - scores + of_reference).astype("float32")


def _weighted_slopes(
    forward: Forward,
    images: Any,
    targets: Any,
    reference: Any,
    points: Any,
    weights: Any,
) -> Any:
    points = ops.reshape(points, (1, -1, 1, 1, 1))
    reference = reference[:, None]
    copies = reference + points * (images[:, None] - reference)
    slopes = slopes_of_copies(forward, copies, targets)
    return ops.sum(ops.reshape(weights, (1, -1, 1, 1, 1)) * slopes, axis=1)


def _other_scores(forward: Forward, _: Any, targets: Any, others: Any) -> Any:
    return forward.scores(others, targets)[0]


def _points_and_weights(steps: Any, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Points from 0 to 1 and weights that sum to 1, float32."""
    if rule not in RULES:
        raise ValueError(
            f"Expected rule as one of {list(RULES)}. Received: rule={rule!r}. Choose "
            "'gauss_legendre'."
        )
    least = 1 if rule == "gauss_legendre" else 2
    if not isinstance(steps, (int, np.integer)) or steps < least:
        raise ValueError(
            f"Expected steps as an integer of at least {least} for rule {rule!r}. "
            f"Received: steps={steps!r}. Choose 50."
        )
    if rule == "gauss_legendre":
        points, weights = np.polynomial.legendre.leggauss(int(steps))
        points, weights = (points + 1) / 2, weights / 2
    else:
        points, weights = np.linspace(0, 1, steps), np.ones(steps)
        weights[[0, -1]] = 0.5
        weights /= steps - 1
    return points.astype("float32"), weights.astype("float32")

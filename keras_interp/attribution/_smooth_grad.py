"""Gradients averaged over images with noise: SmoothGrad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.attribution._image_copies import (
    CopyPlan,
    copy_plan,
    fix_targets,
    slopes_of_copies,
)
from keras_interp.attribution._shared_arguments import (
    Progress,
    is_number,
    with_shared_arguments,
)

STATISTICS = ("mean", "magnitude", "square", "variance")


@with_shared_arguments
def smooth_grad(
    model: Any,
    images: Any,
    class_index: Any = None,
    *,
    samples: int = 25,
    noise: float = 0.15,
    statistic: str = "mean",
    seed: int = 0,
    layer_name: str | None = None,
    batch_size: int = 32,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
    verbose: int = 0,
) -> np.ndarray:
    """Saliency of gradients averaged over noisy copies of the image.

    `M_ij = max_c |1/n sum_k w_ijc(x + e_k)|`, with `w` the gradient of the class score
    and `e_k` Gaussian noise of standard deviation `noise` times the image's largest
    minus its smallest value. Without noise it is `saliency`.

    Maps of other libraries differ: some take the noise in absolute units (Captum,
    Xplique), some average `|w|` (tf-keras-vis) or `w**2` (PAIR's default) in place of
    the signed `w` of the paper's equation. The latter two are `statistic="magnitude"`
    and `"square"` here.

    The noise is drawn once from `seed` and is the same for all images, so that the
    map of an image depends neither on the images beside it nor on the backend.

    Example:

    ```python
    maps = ki.attribution.smooth_grad(model, images, samples=50)
    ```

    Args:
        model: {model}
        images: {images}
        class_index: {class_index} `None` is the class that the image without noise has.
        samples: noisy copies of each image.
        noise: standard deviation as a share of each image's range of values. The
            paper recommends 0.1 to 0.2.
        statistic: of the gradients over the copies: `"mean"`, `"magnitude"` (mean of
            `|w|`), `"square"` (mean of `w**2`, SmoothGrad-Squared) or `"variance"`
            (VarGrad). Of the channels the largest is taken.
        seed: of the noise.
        layer_name: {filter_layer}
        batch_size: {batch_of_copies}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}
        verbose: {verbose}

    Returns:
        float32 `(batch, height, width)`, zero or positive, not normalised.

    Raises:
        ValueError: for an unknown statistic, or samples or noise out of range; and
            {raises}

    Reference:
        Smilkov, Thorat, Kim, Viegas, Wattenberg, "SmoothGrad: removing noise by adding
        noise", 2017, section 2; the number of samples and the noise are the defaults of
        the authors' program. SmoothGrad-Squared: Hooker et al., "A Benchmark for
        Interpretability Methods", 2019. VarGrad: Adebayo et al., "Local Explanation
        Methods", 2018.
    """
    _check_options(samples, noise, statistic)
    explained = ExplainedModel(
        model,
        images,
        class_index,
        layer_name=layer_name,
        call_index=call_index,
        output_index=output_index,
        input_index=input_index,
    )
    plan = copy_plan(samples, explained.images_at_once(batch_size))
    fix_targets(explained, batch_size)
    progress = Progress(len(explained.inputs) * samples, verbose)
    moments = _moments(explained, plan, noise, statistic, seed, progress)
    if statistic == "variance":
        mean, square = moments
        # Rounding could make the difference negative where all copies agree.
        values = np.maximum(square - mean**2, 0)
    else:
        values = np.abs(moments[0])
    return values.max(axis=-1).astype("float32")


def _moments(
    explained: ExplainedModel,
    plan: CopyPlan,
    noise: float,
    statistic: str,
    seed: int,
    progress: Progress,
) -> list[np.ndarray]:
    """Means over the copies, float64 `(batch, height, width, channels)` each."""
    random = np.random.default_rng(seed)
    images = explained.inputs.images
    spread = noise * (images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3)))
    totals: list[Any] = [0.0, 0.0]
    for chunk in plan.chunks():
        shape = (chunk.stop - chunk.start, *images.shape[1:])
        drawn = random.standard_normal(shape, dtype="float32")
        counted = np.ones(len(drawn), "float32")
        sums = explained.compute(
            ("smooth_grad", statistic),
            _sums_of(statistic),
            spread.astype("float32"),
            shared=[plan.filled(drawn), plan.filled(counted)],
            batch_size=plan.images,
            on_batch=progress.of_copies(chunk),
        )
        totals = [total + part for total, part in zip(totals, sums, strict=False)]
    return [total / plan.total for total in totals]


def _sums_of(statistic: str) -> Callable[..., list[Any]]:
    def body(
        forward: Forward,
        images: Any,
        targets: Any,
        spread: Any,
        drawn: Any,
        counted: Any,
    ) -> list[Any]:
        noise = ops.reshape(spread, (-1, 1, 1, 1, 1)) * drawn[None]
        slopes = slopes_of_copies(forward, images[:, None] + noise, targets)
        counted = ops.reshape(counted, (1, -1, 1, 1, 1))
        powers = {
            "mean": [slopes],
            "magnitude": [ops.abs(slopes)],
            "square": [ops.square(slopes)],
            "variance": [slopes, ops.square(slopes)],
        }
        return [ops.sum(counted * power, axis=1) for power in powers[statistic]]

    return body


def _check_options(samples: Any, noise: Any, statistic: str) -> None:
    if not isinstance(samples, (int, np.integer)) or samples < 1:
        raise ValueError(
            "Expected samples as a positive integer. Received: "
            f"samples={samples!r}. Choose 25."
        )
    if not is_number(noise) or noise < 0:
        raise ValueError(
            "Expected noise as a share of the image's range of values. Received: "
            f"noise={noise!r}. Choose 0.15."
        )
    if statistic not in STATISTICS:
        raise ValueError(
            f"Expected statistic as one of {list(STATISTICS)}. Received: "
            f"statistic={statistic!r}. Choose 'mean'."
        )

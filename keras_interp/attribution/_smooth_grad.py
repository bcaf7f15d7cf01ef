"""Gradients averaged over pictures with noise: SmoothGrad."""

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

STATISTICS = ("mean", "magnitude", "square", "variance")


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
) -> np.ndarray:
    """Saliency of gradients averaged over noisy copies of the picture.

    `M_ij = max_c |1/n sum_k w_ijc(x + e_k)|`, with `w` the gradient of the class score
    and `e_k` Gaussian noise of standard deviation `noise` times the picture's largest
    minus its smallest value. Without noise it is `saliency`.

    Other libraries mean other things by the name, so that their maps differ: some take
    the noise in absolute units (Captum, Xplique), some average `|w|` (tf-keras-vis) or
    `w**2` (PAIR's default) in place of the signed `w` of the paper's equation. The
    latter two are `statistic="magnitude"` and `"square"` here.

    The noise is drawn once from `seed` and is the same for all pictures, so that the
    map of a picture depends neither on the pictures beside it nor on the backend.

    Example:

    ```python
    maps = ki.attribution.smooth_grad(model, images, samples=50)
    ```

    Args:
        model: as for `keras_interp.attribution.gradient`.
        images: likewise.
        class_index: likewise; `None` is the class that the picture without noise has.
        samples: noisy copies of each picture.
        noise: standard deviation as a share of each picture's range of values. The
            paper recommends 0.1 to 0.2.
        statistic: of the gradients over the copies: `"mean"`, `"magnitude"` (mean of
            `|w|`), `"square"` (mean of `w**2`, SmoothGrad-Squared) or `"variance"`
            (VarGrad). Of the channels the largest is taken.
        seed: of the noise.
        layer_name: as for `keras_interp.attribution.gradient`.
        batch_size: most pictures, noisy copies counted, that are computed at once.
        call_index: as for `keras_interp.attribution.gradient`.
        output_index: likewise.
        input_index: likewise.

    Returns:
        float32 `(batch, height, width)`, zero or positive, not normalised.

    Raises:
        ValueError: for an unknown statistic, a number of samples or a noise that cannot
            be, and as for `keras_interp.attribution.gradient`.

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
    plan = copy_plan(samples, explained.pictures_at_once(batch_size))
    fix_targets(explained, batch_size)
    moments = _moments(explained, plan, noise, statistic, seed)
    if statistic == "variance":
        mean, square = moments
        # Rounding could make the difference negative where all copies agree.
        values = np.maximum(square - mean**2, 0)
    else:
        values = np.abs(moments[0])
    return values.max(axis=-1).astype("float32")


def _moments(
    explained: ExplainedModel, plan: CopyPlan, noise: float, statistic: str, seed: int
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
            batch_size=plan.pictures,
        )
        totals = [total + part for total, part in zip(totals, sums, strict=False)]
    return [total / plan.total for total in totals]


def _sums_of(statistic: str) -> Callable[..., list[Any]]:
    def body(
        forward: Forward,
        pictures: Any,
        targets: Any,
        spread: Any,
        drawn: Any,
        counted: Any,
    ) -> list[Any]:
        noise = ops.reshape(spread, (-1, 1, 1, 1, 1)) * drawn[None]
        slopes = slopes_of_copies(forward, pictures[:, None] + noise, targets)
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
            f"Expected samples as a positive integer, got {samples!r}. Choose 25."
        )
    if not np.isfinite(noise) or noise < 0:
        raise ValueError(
            "Expected noise as a share of the picture's range of values, 0.15 say, got "
            f"{noise!r}."
        )
    if statistic not in STATISTICS:
        raise ValueError(
            f"Expected statistic as one of {list(STATISTICS)}, got {statistic!r}."
        )

"""The image that a class or a filter responds to most."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_interp._network.call_record import LayerCall
from keras_interp._network.explained_model import ExplainedModel, check_model
from keras_interp._network.images import image_inputs
from keras_interp.attribution._ascent import Ascent, ValueScale
from keras_interp.attribution._shared_arguments import (
    Progress,
    is_number,
    with_shared_arguments,
)


@with_shared_arguments
def activation_maximization(
    model: Any,
    target: Any,
    *,
    steps: int = 256,
    learning_rate: float = 0.05,
    l2: float = 0.05,
    total_variation: float = 0.05,
    jitter: int | None = None,
    rotation: float = 3.0,
    blur: float | None = None,
    normalize_gradient: bool = True,
    filter_score: str = "mean",
    start: Any = "noise",
    value_range: tuple[float, float] | None = None,
    preprocess: Callable[[Any], Any] | None = None,
    image_shape: tuple[int, int, int] | None = None,
    seed: Any = 0,
    batch_size: int = 32,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
    on_step: Callable[[int, np.ndarray], None] | None = None,
    verbose: int = 0,
) -> np.ndarray:
    """The image of highest class score, or of strongest response of a filter.

    Each step adds `learning_rate * (g - d/du (l2 * |u|^2 + total_variation * TV(u)))`
    to `u`, the image itself or, with a `value_range`, the image scaled so that the
    range is -1 to 1. `g` is the gradient of the score before any softmax, at an image
    that is shifted and turned a little, at random; it is divided by its root mean
    square, so that the weights mean the same for every score, and cut off at -1 and 1.
    `TV` is the sum of the absolute differences of neighbouring pixels. Every fourth
    step but the last ones the image is blurred. While a score does not depend on the
    image at all, as that of a filter whose ReLU is silent everywhere, the gradient
    also passes silent ReLUs.

    For the equation alone, `I <- I + learning_rate * d/dI (S(I) - l2 * |I|^2)`, set
    `normalize_gradient=False, total_variation=0, jitter=0, rotation=0, blur=0`. Its
    images are mostly noise of high frequency, which the other terms keep out.

    The image shows what excites the score, not what the training images looked like:
    other starts and terms give other images with scores as high or higher.

    Example:

    ```python
    def prepare(rgb):
        return keras.ops.flip(rgb, axis=-1) - keras.ops.array([104.0, 117.0, 123.0])

    image = ki.attribution.activation_maximization(
        model, 94, value_range=(0, 255), preprocess=prepare
    )
    images = ki.attribution.activation_maximization(model, ("conv5", [3, 7, 9]))
    variants = ki.attribution.activation_maximization(model, 94, seed=range(4))
    ```

    Args:
        model: {model}
        target: a class, or `(layer_name, filter)`; a sequence in place of the class or
            filter for several images at once.
        steps: number of steps of the ascent.
        learning_rate: most that the score changes a pixel in one step, as a share of
            half the `value_range`. Without normalisation: factor of the gradient.
        l2: weight of the squared norm; 0 leaves it out.
        total_variation: weight of the total variation; 0 leaves it out.
        jitter: most pixels of the random shift, up, down, left and right. Default: a
            28th of the shorter side of the image.
        rotation: most degrees of the random turn, either way.
        blur: standard deviation in pixels of the Gaussian blur. Default: a 224th of the
            shorter side of the image.
        normalize_gradient: divide the score's gradient by its root mean square and cut
            it off.
        filter_score: of a filter's map: `"mean"` over the positions, or `"largest"`.
        start: `"noise"` (standard deviation a tenth of half the range, about its
            middle), `"zeros"` (the middle of the range, or 0 without a range), an
            image `(height, width, channels)`, a PIL image or the path of an image
            file, or a batch with an image for each target and seed; for a model of
            several inputs a list or dict of them, each with one row.
        value_range: least and greatest value of a pixel. Default: not bounded; give
            what the model, or `preprocess`, takes to get an image that can be shown.
        preprocess: function of a tensor `(batch, height, width, channels)`, written
            with `keras.ops`, between the image and the model: subtracts means, swaps
            the colours. It must not hold the model. Nothing is compiled again when the
            same function is passed again. Default: the model takes the image itself.
        image_shape: `(height, width, channels)`. Default: that of the model's input;
            needed where it is open.
        seed: of the start and of the moves; a sequence for several images.
        batch_size: {batch_size}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}
        on_step: called with the number of the step, from 0, and the scores
            `(images,)` before it. Default: nothing is called.
        verbose: {verbose} The score is shown beside the bar.

    Returns:
        float32 `(height, width, channels)` in the values of `value_range`; `(images,
        height, width, channels)` where `target` or `seed` is a sequence.

    Raises:
        ValueError: for a class, layer or filter that does not exist, settings out of
            range, a model that reads its images with the channels first, or an image
            that grows without bound.

    Reference:
        Simonyan, Vedaldi, Zisserman, "Deep Inside Convolutional Networks", 2014,
        section 2; equation 5 of the survey by Zhang Dinghui. Jitter, turns and blur:
        Olah, Mordvintsev, Schubert, "Feature Visualization", 2017.
    """
    check_model(model)
    layer_name, indices, seeds, single = _targets(target, seed)
    scale = ValueScale.of(value_range)
    explained = ExplainedModel(
        model,
        start_inputs(model, start, image_shape, scale, seeds, input_index),
        indices,
        layer_name=layer_name,
        call_index=call_index,
        output_index=output_index,
        input_index=input_index,
    )
    side = min(explained.inputs.images.shape[1:3])
    jitter = side // 28 if jitter is None else jitter
    blur = side / 224 if blur is None else blur
    rates = {
        "learning_rate": learning_rate,
        "l2": l2,
        "total_variation": total_variation,
    }
    _check_settings(steps, {**rates, "rotation": rotation, "blur": blur}, jitter)
    ascent = Ascent(
        scale=scale,
        unit=_unit_of_mean(explained, filter_score),
        moving=bool(jitter or rotation),
        normalized=normalize_gradient,
        preprocess=preprocess,
    )
    numbers = ascent.run(
        explained,
        _moves(seeds, steps, jitter, rotation),
        np.array([*rates.values()], "float32"),
        blur,
        batch_size,
        _report(on_step, Progress(steps, verbose, "step")),
    )
    images = (scale.middle + scale.half * numbers).astype("float32")
    return images[0] if single else images


def _targets(target: Any, seed: Any) -> tuple[str | None, np.ndarray, np.ndarray, bool]:
    """Layer, class or filter and seed of each image, and whether there is one."""
    layer_name = None
    if isinstance(target, tuple) and len(target) == 2 and isinstance(target[0], str):
        layer_name, target = target
    found = []
    for name, value in (("target", target), ("seed", seed)):
        numbers = np.asarray(list(value) if isinstance(value, range) else value)
        if numbers.dtype.kind not in "iu" or numbers.ndim > 1 or not numbers.size:
            kinds = (
                "a class, (layer_name, filter)" if name == "target" else "an integer"
            )
            raise ValueError(
                f"Expected {name} as {kinds} or a sequence of them. Received: "
                f"{name}={value!r}. Pass whole numbers."
            )
        found.append(numbers)
    indices, seeds = found
    if (seeds < 0).any():
        raise ValueError(
            f"Expected seed of at least 0. Received: seed={seed!r}. Choose 0."
        )
    single = indices.ndim == seeds.ndim == 0
    try:
        indices, seeds = np.broadcast_arrays(np.atleast_1d(indices), seeds)
    except ValueError:
        raise ValueError(
            "Expected as many seeds as targets, or one of either. Received: "
            f"{len(indices)} targets and {len(seeds)} seeds. Pass one seed for all."
        ) from None
    return layer_name, indices, seeds, single


def _moves(seeds: np.ndarray, steps: int, jitter: int, rotation: float) -> np.ndarray:
    """Shifts and angles, float32 `(images, steps, 3)`."""
    moves = np.zeros((len(seeds), steps, 3), "float32")
    for row, seed in enumerate(seeds):
        random = np.random.default_rng((int(seed), 1))
        moves[row, :, :2] = random.integers(-jitter, jitter + 1, (steps, 2))
        moves[row, :, 2] = np.deg2rad(random.uniform(-rotation, rotation, steps))
    return moves


def _check_settings(steps: Any, numbers: dict[str, float], jitter: Any) -> None:
    if not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(
            f"Expected steps as a positive integer. Received: steps={steps!r}. Choose "
            "256."
        )
    for name, value in numbers.items():
        if not is_number(value) or value < 0:
            raise ValueError(
                f"Expected {name} as a number that is not negative. Received: "
                f"{name}={value!r}. Choose 0 to leave it out."
            )
    if not isinstance(jitter, (int, np.integer)) or jitter < 0:
        raise ValueError(
            f"Expected jitter as a whole number of pixels. Received: jitter={jitter!r}."
            " Choose 0 to leave it out."
        )


def _unit_of_mean(explained: ExplainedModel, filter_score: str) -> LayerCall | None:
    if filter_score not in ("mean", "largest"):
        raise ValueError(
            "Expected filter_score as 'mean' or 'largest'. Received: "
            f"filter_score={filter_score!r}. Choose 'mean'."
        )
    return explained.unit if filter_score == "mean" else None


def _report(
    on_step: Callable[[int, np.ndarray], None] | None, progress: Progress
) -> Callable[[int, np.ndarray], None]:
    """What is told after each step."""

    def report(step: int, scores: np.ndarray) -> None:
        if on_step is not None:
            on_step(step, scores)
        progress.advance(1, score=float(scores.mean()))

    return report


# Standard deviation of the noise, as a share of half the range of values.
NOISE = 0.1


def start_inputs(
    model: Any,
    start: Any,
    image_shape: tuple[int, int, int] | None,
    scale: ValueScale,
    seeds: np.ndarray,
    input_index: int | str | None,
) -> Any:
    """The model's inputs before the first step, a row per seed.

    Args:
        model: that the images are for.
        start: `"noise"`, `"zeros"`, an image, or the model's inputs as arrays.
        image_shape: `(height, width, channels)`, `None` for that of the model.
        scale: of the images' values.
        seeds: of the noise.
        input_index: which of several inputs is the image.

    Returns:
        An array, or a structure of arrays.

    Raises:
        ValueError: for another word, a shape that is not known, or a number of images
            that does not fit.
    """
    if not isinstance(start, str) or os.path.isfile(start):
        given = image_inputs(model, start, input_index)
        rows = [_rows(array, len(seeds)) for array in given.arrays]
        return keras.tree.pack_sequence_as(given.structure, rows)
    if start not in ("noise", "zeros"):
        raise ValueError(
            "Expected start as 'noise', 'zeros', an image or an image file. Received: "
            f"start={start!r}. Choose 'noise'."
        )
    shape = _image_shape(model, image_shape, start)
    numbers = np.zeros((len(seeds), *shape))
    if start == "noise":
        for row, seed in enumerate(seeds):
            random = np.random.default_rng((int(seed), 0))
            numbers[row] = NOISE * random.standard_normal(shape)
    return (scale.middle + scale.half * numbers).astype("float32")


def _rows(array: np.ndarray, count: int) -> np.ndarray:
    if len(array) not in (1, count):
        raise ValueError(
            f"Expected start with one image or {count}, one for each target and seed. "
            f"Received: start of shape {array.shape}. Pass one for all."
        )
    return np.repeat(array, count, axis=0) if len(array) != count else array


def _image_shape(model: Any, image_shape: Any, start: str) -> tuple[int, int, int]:
    if image_shape is not None:
        shape = tuple(image_shape)
    else:
        inputs = [
            tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []
        ]
        if len(inputs) > 1:
            raise ValueError(
                "Expected start as the inputs of a model with several. Received: "
                f"start={start!r} and a model with {len(inputs)} inputs of shapes "
                f"{inputs}. Pass a list or dict of arrays with one row."
            )
        shape = inputs[0][1:] if inputs else ()
    whole = all(isinstance(size, (int, np.integer)) and size > 0 for size in shape)
    if len(shape) != 3 or not whole:
        raise ValueError(
            "Expected images of a known (height, width, channels). Received: "
            f"{shape or 'no shape from this model'}. Pass image_shape=(224, 224, 3), "
            "say."
        )
    return shape

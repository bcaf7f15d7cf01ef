"""Gradient ascent on images."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_interp._backend import value_and_gradient
from keras_interp._network.call_record import LayerCall
from keras_interp._network.calls import CapturedCall
from keras_interp._network.class_scores import class_scores
from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.attribution._guided import ReluRule

# The images are blurred after every so many steps, but not after the last ones.
BLUR_EVERY = 4
# Far below any gradient: a score that does not answer leaves the image alone.
TINY = 1e-20


@dataclasses.dataclass(frozen=True)
class ValueScale:
    """Between the values of an image and numbers of which -1 to 1 are allowed.

    Args:
        middle: value that 0 stands for.
        half: what 1 is above it.
        bounded: whether values beyond -1 and 1 are cut off.
    """

    middle: float
    half: float
    bounded: bool

    @classmethod
    def of(cls, value_range: Any) -> ValueScale:
        """The scale of a range; without one a number is its own value.

        Raises:
            ValueError: if the range is no pair of growing finite numbers.
        """
        if value_range is None:
            return cls(0.0, 1.0, False)
        try:
            low, high = map(float, value_range)
        except (TypeError, ValueError):
            low = high = np.nan
        if not (np.isfinite([low, high]).all() and low < high):
            raise ValueError(
                "Expected value_range as (lowest, highest). Received: "
                f"value_range={value_range!r}. Pass (0, 255), say."
            )
        return cls((low + high) / 2, (high - low) / 2, True)


@dataclasses.dataclass(frozen=True)
class Ascent:
    """The way up; ways whose steps do the same are equal, and compiled once.

    Args:
        scale: of the images' values.
        unit: call of the layer of whose filter the mean is the score; `None` for a
            class or a filter's largest activation.
        moving: whether the images are shifted and turned.
        normalized: whether each score's gradient is divided by its root mean square and
            cut off at -1 and 1.
        preprocess: stands between the image and the model.
        waking: whether the gradient also passes ReLUs that are silent, where it would
            make them speak.
    """

    scale: ValueScale
    unit: LayerCall | None
    moving: bool
    normalized: bool
    preprocess: Callable[[Any], Any] | None
    waking: bool = False

    def run(
        self,
        explained: ExplainedModel,
        moves: np.ndarray,
        rates: np.ndarray,
        blur: float,
        batch_size: int,
        report: Callable[[int, np.ndarray], None],
    ) -> np.ndarray:
        """All steps, from the images that are explained.

        Args:
            explained: the model, the start images and the targets.
            moves: float32 `(batch, steps, 3)`, as for `moved`.
            rates: learning rate and weights of the norm and of the total variation.
            blur: standard deviation in pixels.
            batch_size: most images that are computed at once.
            report: called with the number of each step and the scores before it.

        Returns:
            The last images, scaled.

        Raises:
            ValueError: if an image grows without bound.
        """
        middle, half = self.scale.middle, self.scale.half
        numbers = ((explained.inputs.images - middle) / half).astype("float32")
        answered = np.zeros(len(numbers), bool)
        steps = moves.shape[1]
        for step in range(steps):
            given = numbers, moves[:, step], rates
            numbers, scores, slopes = self._computed(explained, *given, batch_size)
            silent = slopes == 0
            if silent.any():
                waking = dataclasses.replace(self, waking=True)
                woken, *_ = waking._computed(explained, *given, batch_size)
                numbers = np.where(silent[:, None, None, None], woken, numbers)
            if not np.isfinite(numbers).all():
                raise ValueError(
                    "Expected an image of finite numbers. Received: one that grew "
                    f"without bound in step {step}. Lower learning_rate, raise l2, or "
                    "give a value_range."
                )
            answered |= ~silent
            if blur and step % BLUR_EVERY == 0 and step < steps - 2 * BLUR_EVERY:
                numbers = _blurred(numbers, blur)
            report(step, scores)
        _warn_of_unmoved(explained.targets[~answered])
        return numbers

    def _computed(
        self,
        explained: ExplainedModel,
        numbers: np.ndarray,
        moves: np.ndarray,
        rates: np.ndarray,
        batch_size: int,
    ) -> list[np.ndarray]:
        return explained.compute(
            ("activation_maximization", self),
            self.step,
            numbers,
            moves,
            shared=[rates],
            batch_size=batch_size,
        )

    def step(
        self,
        forward: Forward,
        _: Any,
        targets: Any,
        numbers: Any,
        moves: Any,
        rates: Any,
    ) -> list[Any]:
        """One step up.

        Args:
            forward: the forward pass inside a compiled function.
            _: the start images.
            targets: class or filter of each image.
            numbers: the images, scaled, `(batch, height, width, channels)`.
            moves: `(batch, 3)`, as for `moved`.
            rates: learning rate and weights of the norm and of the total variation.

        Returns:
            The next images, the scores of these, and the largest absolute slope of
            each score.
        """

        def score(at: Any) -> tuple[Any, Any]:
            at = moved(at, moves) if self.moving else at
            scores = self._scores(forward, at, targets)
            return scores, scores

        def penalty(at: Any) -> tuple[Any, Any]:
            norm = ops.sum(ops.square(at))
            return rates[1] * norm + rates[2] * ops.sum(total_variation(at)), ()

        slope, scores = forward.gradient(score, numbers)
        largest = ops.max(ops.abs(slope), axis=(1, 2, 3))
        if self.normalized:
            square = ops.mean(ops.square(slope), axis=(1, 2, 3), keepdims=True)
            # Where few pixels have all the gradient, they must not jump.
            slope = ops.clip(slope / (ops.sqrt(square) + TINY), -1.0, 1.0)
        direction = slope - value_and_gradient(penalty, numbers)[2]
        after = numbers + rates[0] * direction
        if self.scale.bounded:
            after = ops.clip(after, -1.0, 1.0)
        return [after, scores, largest]

    def _scores(self, forward: Forward, numbers: Any, targets: Any) -> Any:
        images = self.scale.middle + self.scale.half * numbers
        if self.preprocess is not None:
            images = self.preprocess(images)
        rules = [ReluRule("redirected")] if self.waking else []
        if self.unit is None:
            return forward.scores(images, targets, *rules)[0]
        captured = CapturedCall(self.unit.operation(), self.unit.index)
        forward.outputs(images, *rules, captured)
        activation = ops.cast(captured.output, "float32")
        if len(activation.shape) == 4:
            activation = ops.mean(activation, axis=(1, 2))
        return class_scores(activation, targets)[0]


def _blurred(numbers: np.ndarray, deviation: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(numbers, (0, deviation, deviation, 0), mode="nearest")


def _warn_of_unmoved(targets: np.ndarray) -> None:
    if targets.size:
        warnings.warn(
            f"The score of target(s) {targets.tolist()} never changed with the image: "
            "its gradient was zero at every step. Try another seed, or a photograph as "
            "start.",
            stacklevel=4,
        )


def moved(images: Any, moves: Any) -> Any:
    """Shift each image, and turn it about its centre.

    What leaves the image on one side comes in on the other. Values between pixels are
    interpolated bilinearly; whole shifts without a turn only move values. It is written
    with gathers, whose gradient every backend computes alike.

    Args:
        images: float32 tensor `(batch, height, width, channels)`.
        moves: float32 tensor `(batch, 3)`: pixels down, pixels right, and the angle in
            radians, clockwise.

    Returns:
        Tensor of the shape of `images`.
    """
    height, width, channels = images.shape[1:]
    rows, columns = _sources(moves, height, width)
    flat = ops.reshape(images, (-1, height * width, channels))
    top, left = ops.floor(rows), ops.floor(columns)
    down, right = rows - top, columns - left
    total = 0.0
    for row, along in ((top, 1 - down), (top + 1, down)):
        for column, across in ((left, 1 - right), (left + 1, right)):
            cell = ops.mod(row, height) * width + ops.mod(column, width)
            cell = ops.reshape(ops.cast(cell, "int32"), (-1, height * width, 1))
            weight = ops.reshape(along * across, (-1, height * width, 1))
            # Each channel is asked for by name: not all backends repeat the index.
            cell = ops.repeat(cell, channels, axis=-1)
            total = total + weight * ops.take_along_axis(flat, cell, axis=1)
    return ops.reshape(total, (-1, height, width, channels))


def _sources(moves: Any, height: int, width: int) -> tuple[Any, Any]:
    """Row and column that each pixel's value comes from, `(batch, height, width)`."""
    down, right, angle = (ops.reshape(moves[:, i], (-1, 1, 1)) for i in range(3))
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    y = ops.reshape(ops.arange(height, dtype="float32") - middle_row, (-1, 1))
    x = ops.reshape(ops.arange(width, dtype="float32") - middle_column, (1, -1))
    cosine, sine = ops.cos(angle), ops.sin(angle)
    rows = cosine * y - sine * x + middle_row - down
    columns = sine * y + cosine * x + middle_column - right
    return rows, columns


def total_variation(images: Any) -> Any:
    """Sum of absolute differences of neighbouring pixels, down and across.

    Args:
        images: tensor `(batch, height, width, channels)`.

    Returns:
        Tensor `(batch,)`.
    """
    down = ops.abs(images[:, 1:] - images[:, :-1])
    across = ops.abs(images[:, :, 1:] - images[:, :, :-1])
    return ops.sum(down, axis=(1, 2, 3)) + ops.sum(across, axis=(1, 2, 3))

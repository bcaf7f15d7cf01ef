"""Several copies of each image at once, never more than a batch holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.explained_model import ExplainedModel, check_batch_size
from keras_interp._network.forward_pass import Forward


@dataclasses.dataclass(frozen=True)
class CopyPlan:
    """How many copies of how many images are computed at once.

    Example:

    ```python
    plan = copy_plan(25, batch_size=32)  # all 25 copies of one image
    plan = copy_plan(25, batch_size=16)  # 13 copies of an image, then 12
    ```

    Args:
        total: copies of each image.
        copies: of one image in one call.
        images: in one call.
    """

    total: int
    copies: int
    images: int

    def chunks(self) -> Iterator[slice]:
        """The copies of each call; the last chunk may be shorter than the others."""
        for start in range(0, self.total, self.copies):
            yield slice(start, min(start + self.copies, self.total))

    def filled(self, rows: np.ndarray) -> np.ndarray:
        """Rows of one chunk, zeros added where a chunk is short: one shape for all."""
        missing = [(0, self.copies - len(rows))] + [(0, 0)] * (rows.ndim - 1)
        return np.pad(rows, missing)


def copy_plan(total: int, batch_size: int) -> CopyPlan:
    """Divide the copies of an image so that no call holds more than a batch.

    Args:
        total: copies of each image.
        batch_size: most images that are computed at once, each copy counted.

    Raises:
        ValueError: if `batch_size` is no positive integer.
    """
    check_batch_size(batch_size)
    calls = -(-total // batch_size)
    copies = -(-total // calls)
    return CopyPlan(total, copies, max(1, batch_size // copies))


def slopes_of_copies(forward: Forward, copies: Any, targets: Any) -> Any:
    """Gradients of the scores at several copies of each image.

    Args:
        forward: the forward pass inside a compiled function.
        copies: tensor `(batch, copies, height, width, channels)`.
        targets: int32 tensor `(batch,)`.

    Returns:
        float32 tensor of the shape of `copies`.
    """
    times, *shape = copies.shape[1:]
    flat = ops.reshape(copies, (-1, *shape))
    each = ops.repeat(targets, times, axis=0)
    repeated = forward.repeated(times)
    slopes, _ = repeated.gradient(lambda at: repeated.scores(at, each), flat)
    return ops.reshape(ops.cast(slopes, "float32"), (-1, times, *shape))


def scores_of_copies(forward: Forward, copies: Any, targets: Any) -> Any:
    """Scores of several copies of each image.

    Args:
        forward: the forward pass inside a compiled function.
        copies: tensor `(batch, copies, height, width, channels)`.
        targets: int32 tensor `(batch,)`.

    Returns:
        float32 tensor `(batch, copies)`.
    """
    times, *shape = copies.shape[1:]
    flat = ops.reshape(copies, (-1, *shape))
    each = ops.repeat(targets, times, axis=0)
    scores, _ = forward.repeated(times).scores(flat, each)
    return ops.reshape(scores, (-1, times))


def fix_targets(explained: ExplainedModel, batch_size: int) -> None:
    """Explain the class that the image itself has in all of its copies."""
    if (explained.targets < 0).any():
        scores_and_fixed_targets(explained, batch_size)


def scores_and_fixed_targets(explained: ExplainedModel, batch_size: int) -> np.ndarray:
    """Scores of the images as they are, whose classes are explained from then on.

    Returns:
        float32 `(batch,)`.
    """
    scores, explained.targets = explained.compute(
        "scores", _scores, batch_size=batch_size
    )
    return scores


def _scores(forward: Forward, images: Any, targets: Any) -> list[Any]:
    return list(forward.scores(images, targets))


def reference_images(value: Any, images: np.ndarray, name: str) -> np.ndarray:
    """A reference for each image.

    Args:
        value: number, or array that can be broadcast to the images.
        images: float32 `(batch, height, width, channels)`.
        name: of the argument, for the message.

    Returns:
        float32 array of the shape of `images`, a view where it repeats itself.

    Raises:
        ValueError: if it cannot be broadcast or is not finite.
    """
    if ops.is_tensor(value):
        value = ops.convert_to_numpy(value)
    reference = np.asarray(value)
    expected = (
        f"Expected {name} as a number, or an array of shape (channels,), (height, "
        f"width, channels) or {images.shape}"
    )
    if reference.dtype.kind not in "biuf":
        raise ValueError(f"{expected}. Received: {name}={value!r}.")
    reference = reference.astype("float32")
    if not np.isfinite(reference).all():
        raise ValueError(
            f"Expected {name} of finite numbers. Received: {name} with NaN or infinity."
            " Replace them first, with numpy.nan_to_num say."
        )
    try:
        return np.broadcast_to(reference, images.shape)
    except ValueError:
        raise ValueError(
            f"{expected}. Received: {name} of shape {reference.shape}. Resize it."
        ) from None

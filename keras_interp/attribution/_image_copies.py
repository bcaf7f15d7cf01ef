"""Several copies of each picture at once, never more than a batch holds."""

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
    """How many copies of how many pictures are computed at once.

    Example:

    ```python
    plan = copy_plan(25, batch_size=32)  # all 25 copies of one picture
    plan = copy_plan(25, batch_size=16)  # 13 copies of a picture, then 12
    ```

    Args:
        total: copies of each picture.
        copies: of one picture in one call.
        pictures: in one call.
    """

    total: int
    copies: int
    pictures: int

    def chunks(self) -> Iterator[slice]:
        """The copies of each call; the last chunk may be shorter than the others."""
        for start in range(0, self.total, self.copies):
            yield slice(start, min(start + self.copies, self.total))

    def filled(self, rows: np.ndarray) -> np.ndarray:
        """Rows of one chunk, zeros added where a chunk is short: one shape for all."""
        missing = [(0, self.copies - len(rows))] + [(0, 0)] * (rows.ndim - 1)
        return np.pad(rows, missing)


def copy_plan(total: int, batch_size: int) -> CopyPlan:
    """Divide the copies of a picture so that no call holds more than a batch.

    Args:
        total: copies of each picture.
        batch_size: most pictures that are computed at once, each copy counted.

    Raises:
        ValueError: if `batch_size` is no positive integer.
    """
    check_batch_size(batch_size)
    calls = -(-total // batch_size)
    copies = -(-total // calls)
    return CopyPlan(total, copies, max(1, batch_size // copies))


def slopes_of_copies(forward: Forward, copies: Any, targets: Any) -> Any:
    """Gradients of the scores at several copies of each picture.

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
    """Scores of several copies of each picture.

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
    """Explain, in all copies of a picture, the class that the picture itself has."""
    if (explained.targets < 0).any():
        scores_and_fixed_targets(explained, batch_size)


def scores_and_fixed_targets(explained: ExplainedModel, batch_size: int) -> np.ndarray:
    """Scores of the pictures as they are, whose classes are explained from then on.

    Returns:
        float32 `(batch,)`.
    """
    scores, explained.targets = explained.compute(
        "scores", _scores, batch_size=batch_size
    )
    return scores


def _scores(forward: Forward, pictures: Any, targets: Any) -> list[Any]:
    return list(forward.scores(pictures, targets))


def reference_pictures(value: Any, images: np.ndarray, name: str) -> np.ndarray:
    """A reference for each picture.

    Args:
        value: number, or array that can be broadcast to the pictures.
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
        raise ValueError(f"{expected}, got {value!r}.")
    reference = reference.astype("float32")
    if not np.isfinite(reference).all():
        raise ValueError(f"Expected {name} of finite numbers, got NaN or infinity.")
    try:
        return np.broadcast_to(reference, images.shape)
    except ValueError:
        raise ValueError(f"{expected}, got shape {reference.shape}.") from None

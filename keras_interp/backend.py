"""The only file that names TensorFlow, JAX or torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops


def gradient(function: Callable[[Any], Any], inputs: Any) -> np.ndarray:
    """Gradient of a scalar-valued function at a tensor.

    Example:

    ```python
    gradient(lambda x: keras.ops.sum(x**2), np.ones((2, 3)))
    ```

    Args:
        function: Takes a tensor of the active Keras backend, gives a scalar tensor.
        inputs: Array or tensor.

    Returns:
        Array of the shape of `inputs`.
    """
    backend = keras.backend.backend()
    inputs = ops.convert_to_tensor(inputs)
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = function(inputs)
        slope = tape.gradient(
            value, inputs, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
    elif backend == "jax":
        import jax

        slope = jax.grad(function)(inputs)
    elif backend == "torch":
        import torch

        inputs = inputs.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(function(inputs), inputs, allow_unused=True)
        slope = torch.zeros_like(inputs) if slope is None else slope
    else:
        raise ValueError(
            f"keras_interp computes gradients with TensorFlow, JAX or torch, not with "
            f"{backend!r}. Set KERAS_BACKEND to one of them before importing keras."
        )
    return ops.convert_to_numpy(slope)


def batches_of_arrays(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    batch_size: int,
    shuffle: bool,
    seed: int,
) -> Any:
    """A `tf.data.Dataset` of (float32 images, int32 labels) batches of two arrays."""
    import tensorflow as tf

    with tf.device("CPU"):
        all_images = tf.convert_to_tensor(images)
        all_labels = tf.convert_to_tensor(labels, tf.int32)
    # Positions are shuffled, not pictures: no buffer of pictures is needed.
    positions = tf.data.Dataset.range(len(images))
    if shuffle:
        positions = positions.shuffle(max(1, len(images)), seed=seed)

    def gather(rows: Any) -> tuple[Any, Any]:
        pictures = tf.cast(tf.gather(all_images, rows), tf.float32)
        return pictures, tf.gather(all_labels, rows)

    batches = positions.batch(batch_size).map(gather, tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)

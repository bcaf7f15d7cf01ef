"""The devices among which a batch is shared out."""

from __future__ import annotations

from typing import Any

import keras


def replicas() -> int:
    """Among how many devices the batch that is being computed is shared out.

    That is a matter of `tf.distribute`: there every device runs the layers on its own
    share. JAX sees one batch however many devices hold it.
    """
    context = _context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def gathered(tensor: Any) -> Any:
    """The shares of all devices, one after the other in the order of the batch.

    The gradients that the devices find for the whole are added up, and each device gets
    back that of its own share.

    Args:
        tensor: This device's share, `(images, ...)`.

    Returns:
        Tensor `(images of all devices, ...)`; the tensor itself on a single device.
    """
    if replicas() == 1:
        return tensor
    whole = _context().all_gather(tensor, axis=0)
    whole.set_shape([None, *tensor.shape[1:]])
    return whole


def _context() -> Any:
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    # None outside the replicas, as in a symbolic call under a strategy's scope.
    return tf.distribute.get_replica_context()

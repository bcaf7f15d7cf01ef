"""The devices among which a batch is shared out."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def replicas() -> int:
    """Among how many devices the batch that is being computed is shared out.

    That is a matter of `tf.distribute`: there every device runs the layers on its own
    share. JAX sees one batch however many devices hold it.
    """
    context = _context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def gathered(tensor: Any) -> Any:
    """The shares of all devices, one after the other in the order of the batch.

    The gradient of a function of the whole is, on each device, that of its own share.

    Args:
        tensor: This device's share, `(images, ...)`.

    Returns:
        Tensor `(images of all devices, ...)`; the tensor itself on a single device.
    """
    devices = replicas()
    if devices == 1:
        return tensor
    # Sums of arrays that are padded with zeros: the shares may be of different sizes,
    # which TensorFlow's own gathering does not take on a CPU.
    here = ops.one_hot(_context().replica_id_in_sync_group, devices, dtype="int32")
    size = ops.convert_to_tensor(ops.shape(tensor)[0], "int32")
    sizes = _context().all_reduce("SUM", here * size)
    before = ops.sum(sizes * ops.cast(ops.cumsum(here) == 0, "int32"))
    after = ops.sum(sizes) - before - size
    padding = [[before, after], *[[0, 0]] * (len(tensor.shape) - 1)]
    whole = summed(ops.pad(tensor, padding))
    whole.set_shape([None, *tensor.shape[1:]])
    return whole


def summed(tensor: Any) -> Any:
    """The sum of a tensor over all devices; the tensor itself on a single device.

    The gradient of a function of the sum is, on each device, that of its own summand:
    TensorFlow's own gradient would wait for the other devices once more.
    """
    if replicas() == 1:
        return tensor
    constant = ops.stop_gradient(tensor)
    return _context().all_reduce("SUM", constant) + (tensor - constant)


def add_loss_of_all(
    layer: keras.layers.Layer, loss: Any, *, of_parameters: bool = False
) -> None:
    """Add a loss of the whole batch to a layer, once, however many devices share it.

    Keras multiplies the losses of layers by 1 / devices on each device, and adds up the
    gradients of all.

    Args:
        layer: The layer that is being called.
        loss: Scalar tensor that every device has computed from gathered shares.
        of_parameters: Whether the loss depends on parameters alone, which every device
            has, and not on its share of the batch.
    """
    devices = replicas()
    if devices > 1:
        constant = ops.stop_gradient(loss)
        strength = 1 if of_parameters else devices
        loss = constant / devices + strength * (loss - constant)
    # Keras adds the losses of a model up in its own precision.
    layer.add_loss(ops.cast(loss, keras.config.floatx()))
    if devices > 1:
        # All devices put their losses into one list of the layer. Once they have met
        # here, each of them finds all parts in it.
        _context().merge_call(lambda strategy: None)


def _context() -> Any:
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    # None outside the replicas, as in a symbolic call under a strategy's scope.
    return tf.distribute.get_replica_context()

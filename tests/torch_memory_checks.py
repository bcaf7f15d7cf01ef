"""Checks of `keras_interp.backend` that only torch can make; prints what passed."""

import keras
import numpy as np
import torch
from keras import ops

from keras_interp import backend


def check_size():
    """glibc's largest threshold."""
    assert backend.most_bytes_at_once() == 33_554_432


def check_kernels():
    """The values stay, the order in memory is the convolution's, the model's is not."""
    layer = keras.layers.Conv2D(5, 3, padding="same")
    other = keras.Variable(np.ones((2, 3, 4, 5)), name="embedding")
    pictures = np.random.default_rng(0).normal(size=(2, 6, 7, 4)).astype("float32")
    expected = layer(pictures).detach().numpy()
    before = layer.kernel.value
    stride, values = before.stride(), before.detach().clone()
    seen = []

    def function(tensor):
        seen.append(layer.kernel.value)
        assert other.value.is_contiguous()
        return [layer(tensor)]

    spec = backend.ArraySpec((None, 6, 7, 4), "float32")
    run = backend.compiled(function, [spec], lambda: [*layer.variables, other])
    np.testing.assert_array_equal(run([pictures])[0], expected)
    (kernel,) = seen
    assert torch.equal(kernel, values) and kernel.shape == (3, 3, 4, 5)
    turned = kernel.permute(3, 2, 0, 1)
    assert turned.is_contiguous(memory_format=torch.channels_last)
    assert layer.kernel.value is before and before.stride() == stride


def check_rule():
    """A rule of the signal alone is given no tensor, and none is kept for it."""
    given, kept = [], []

    def rule(inputs, output, upstream):
        given.append((inputs, output))
        return [upstream]

    def slope_of(operation, tensor):
        tensor = tensor.detach().requires_grad_(True)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda saved: kept.append(saved) or saved, lambda saved: saved
        ):
            total = ops.sum(operation(tensor))
        return torch.autograd.grad(total, tensor)[0]

    tensor = torch.arange(-1.0, 3.0)
    for alone in (True, False):
        operation = backend.with_backward_rule(torch.relu, rule, signal_alone=alone)
        assert torch.equal(slope_of(operation, tensor), torch.ones(4))
        assert len(kept) == (0 if alone else 2)
    assert given[0] == ([], None)
    assert torch.equal(given[1][1], torch.relu(tensor))


for check in (check_size, check_kernels, check_rule):
    check()
    print(check.__name__.removeprefix("check_"))

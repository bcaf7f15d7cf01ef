"""Checks of `keras_interp._backend` that only torch can make; prints what passed."""

import concurrent.futures

import keras
import numpy as np
import torch
from keras import ops
from keras.src.backend.torch import nn
from keras.src.layers.convolutional.base_conv import BaseConv

from keras_interp import _backend
from keras_interp._network.calls import Interceptor, intercepting


def check_size():
    """glibc's largest threshold."""
    assert _backend.most_bytes_at_once() == 33_554_432


def check_kernels():
    """The values stay, the order in memory is the convolution's, the model's is not."""
    layer = keras.layers.Conv2D(5, 3, padding="same")
    layer.build((None, 6, 7, 4))
    before = layer.kernel.value
    stride, values = before.stride(), before.detach().clone()
    as_keras_does = nn._maybe_convert_to_channels_last
    kernels = [values, torch.randn(2, 3, 1, 6), torch.randn(1, 1, 4, 5)]
    # Maps, a single picture's too, and a kernel that is no matrix in memory.
    others = [torch.randn(2, 4, 6, 7), torch.randn(1, 6, 7, 4).permute(0, 3, 1, 2)]
    others += [torch.randn(5, 4, 6, 7)[:, ::2], torch.randn(3, 4, 5)]
    tensors = [kernel.permute(3, 2, 0, 1) for kernel in kernels] + others
    with intercepting(Interceptor()):
        for tensor in tensors:
            turned = nn._maybe_convert_to_channels_last(tensor)
            assert torch.equal(turned, tensor)
            assert turned.stride() == as_keras_does(tensor).stride()
        layer(torch.ones(2, 6, 7, 4))
    assert nn._maybe_convert_to_channels_last is as_keras_does
    assert layer.kernel.value is before and before.stride() == stride
    assert torch.equal(before, values)


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
        operation = _backend.with_backward_rule(torch.relu, rule, signal_alone=alone)
        assert torch.equal(slope_of(operation, tensor), torch.ones(4))
        assert len(kept) == (0 if alone else 2)
    assert given[0] == ([], None)
    assert torch.equal(given[1][1], torch.relu(tensor))


class Standardized(keras.layers.Conv2D):
    """A user's layer that does something of its own with the kernel."""

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel - ops.mean(kernel))


LAYERS = {
    "same": lambda: keras.layers.Conv2D(5, 3, padding="same", activation="relu"),
    "even": lambda: keras.layers.Conv2D(5, (4, 2), padding="same"),
    "dilated": lambda: keras.layers.Conv2D(5, 3, padding="same", dilation_rate=2),
    "valid": lambda: keras.layers.Conv2D(5, (3, 2), strides=(2, 1)),
    "strided": lambda: keras.layers.Conv2D(5, 3, strides=2, padding="same"),
    "grouped": lambda: keras.layers.Conv2D(6, 3, groups=2, activation="softmax"),
    "without_bias": lambda: keras.layers.Conv2D(5, 3, use_bias=False),
    "standardized": lambda: Standardized(5, 3, activation="relu"),
    "half": lambda: keras.layers.Conv2D(5, 3, dtype="mixed_bfloat16"),
    "transposed": lambda: keras.layers.Conv2DTranspose(5, 3, strides=2),
    "depthwise": lambda: keras.layers.DepthwiseConv2D(3, padding="same"),
    "separable": lambda: keras.layers.SeparableConv2D(5, 3),
    "max": lambda: keras.layers.MaxPooling2D(3, 2, padding="same"),
    "average": lambda: keras.layers.AveragePooling2D(2, padding="same"),
    "adaptive": lambda: keras.layers.AdaptiveAveragePooling2D(3),
}


def operations_of(call):
    """What a call gives, and how often it copies and adds a whole tensor."""
    with torch.profiler.profile() as profile:
        output = call()
    names = [event.name for event in profile.events()]
    return output, names.count("aten::copy_"), names.count("aten::add")


def output_and_slope(layer, pictures):
    pictures = torch.from_numpy(pictures).requires_grad_(True)
    output = layer(pictures)
    (slope,) = torch.autograd.grad(ops.sum(ops.cast(output, "float32") ** 2), pictures)
    return [ops.convert_to_numpy(ops.cast(t, "float32")) for t in (output, slope)]


def check_layers():
    """Layers whose maps are not copied, and whose bias torch adds, do the same."""
    random = np.random.default_rng(0)
    pictures = random.normal(size=(2, 9, 8, 4)).astype("float32")
    for name, make in LAYERS.items():
        layer = make()
        layer.build(pictures.shape)
        for weight in layer.weights:
            weight.assign(random.normal(size=weight.shape))
        expected = output_and_slope(layer, pictures)
        with intercepting(Interceptor()):
            found = output_and_slope(layer, pictures)
        for one, other in zip(expected, found, strict=True):
            scale, within = np.abs(one).max(), 0.02 if name == "half" else 1e-5
            assert scale > 0.1 and np.abs(one - other).max() <= within * scale, name


def check_copies():
    """None of the maps is copied, none is made for a bias, and all is put back."""
    network = keras.Sequential([keras.Input((20, 20, 3))])
    for name in ("same", "max", "average", "valid"):
        network.add(LAYERS[name]())
    pictures = torch.ones((2, 20, 20, 3))
    before = nn._transpose_spatial_inputs, BaseConv.call

    def run():
        return network(pictures)

    _, copies, sums = operations_of(run)
    # Those of the two kernels are among them.
    assert copies >= 2 + 4 and sums == 2
    with intercepting(Interceptor()):
        assert nn._transpose_spatial_inputs is not before[0]
        _, copies, sums = operations_of(run)
        # Another thread gets what Keras has.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            maps = pool.submit(nn._transpose_spatial_inputs, pictures).result()
    assert (copies, sums) == (2, 0)
    assert maps.is_contiguous()
    assert (nn._transpose_spatial_inputs, BaseConv.call) == before


for check in (check_size, check_kernels, check_rule, check_layers, check_copies):
    check()
    print(check.__name__.removeprefix("check_"))

"""Excitation backpropagation from its formulas, in float64, with explicit matrices.

Every linear layer is written out as its matrix, output units by input units, so that
strides, borders, groups and dilation are nothing but entries of it.
"""

from __future__ import annotations

import numpy as np


def excited(matrix, inputs, upstream):
    """`p_in = x o W+^T (p_out / (W+ x))`, with 0 / 0 = 0."""
    positive = np.maximum(matrix, 0)
    total = positive @ inputs
    ratio = np.divide(upstream, total, out=np.zeros_like(total), where=total > 0)
    return inputs * (positive.T @ ratio)


def convolution_matrix(kernel, size, stride=1, dilation=1, padding="same", groups=1):
    """Matrix of a convolution of maps `(height, width, channels)`, and its output size.

    Args:
        kernel: `(rows, columns, channels / groups, filters)`.
        size: `(height, width, channels)` of the input.
        stride: of the convolution.
        dilation: of its kernel.
        padding: `"same"`, the odd cell behind, or `"valid"`.
        groups: of channels.
    """
    height, width, channels = size
    rows, columns, _, filters = kernel.shape
    reach = (dilation * (rows - 1) + 1, dilation * (columns - 1) + 1)
    lengths, before = [], []
    for length, extent in zip((height, width), reach, strict=True):
        if padding == "same":
            lengths.append(-(-length // stride))
            total = max((lengths[-1] - 1) * stride + extent - length, 0)
            before.append(total // 2)
        else:
            lengths.append((length - extent) // stride + 1)
            before.append(0)
    output = (*lengths, filters)
    matrix = np.zeros((*output, *size))
    width_in, width_out = channels // groups, filters // groups
    for i, j, r, c in np.ndindex(*lengths, rows, columns):
        y = i * stride + r * dilation - before[0]
        x = j * stride + c * dilation - before[1]
        if not (0 <= y < height and 0 <= x < width):
            continue
        for group in range(groups):
            out = slice(group * width_out, (group + 1) * width_out)
            into = slice(group * width_in, (group + 1) * width_in)
            matrix[i, j, out, y, x, into] += kernel[r, c, :, out].T
    return matrix.reshape(np.prod(output), np.prod(size)), output


def depthwise_kernel(kernel):
    """The kernel of a depthwise convolution as one of as many groups as channels."""
    rows, columns, channels, multiplier = kernel.shape
    return kernel.reshape(rows, columns, 1, channels * multiplier)


def average_matrix(size, window):
    """Matrix of average pooling with stride 1 and no padding."""
    kernel = np.full((window, window, 1, size[-1]), 1 / window**2)
    return convolution_matrix(kernel, size, padding="valid", groups=size[-1])


def max_matrix(maps, window):
    """Matrix with a 1 at the first largest of each window of these maps."""
    height, width, channels = maps.shape
    output = (height // window, width // window, channels)
    matrix = np.zeros((*output, *maps.shape))
    for i, j, c in np.ndindex(output):
        y, x = i * window, j * window
        cell = np.argmax(maps[y : y + window, x : x + window, c])
        matrix[i, j, c, y + cell // window, x + cell % window, c] = 1
    return matrix.reshape(np.prod(output), -1), output


class ReferenceNetwork:
    """A small network with a skip and a concatenation, and its winning probabilities.

    Image -> convolution -> normalisation -> ReLU (`first`) -> max pooling (`pool`)
    -> plus a normalised convolution of itself, ReLU (`sum`) -> beside a ReLU6 of its
    depthwise convolution (`both`) -> grouped convolution of stride 2, ReLU (`grouped`)
    -> average pooling -> dense, ReLU (`hidden`) -> dense logits.

    Args:
        weights: arrays by the name of layer and weight, such as `"conv1/kernel"`.
        image: `(height, width, 3)`.
    """

    def __init__(self, weights, image):
        self.weights = {name: np.float64(w) for name, w in weights.items()}
        self.image = np.float64(image)
        self._forward()

    def _normalized(self, name, matrix, inputs, bias, epsilon=1e-3):
        """Output and matrix of a linear layer and the normalisation after it."""
        w = self.weights
        scale = w[f"{name}/gamma"] / np.sqrt(w[f"{name}/moving_variance"] + epsilon)
        repeats = len(matrix) // len(scale)
        shift = w[f"{name}/beta"] - scale * (w[f"{name}/moving_mean"] - bias)
        folded = np.tile(scale, repeats)[:, None] * matrix
        return folded @ inputs + np.tile(shift, repeats), folded

    def _forward(self):
        w, relu = self.weights, lambda x: np.maximum(x, 0)
        matrix, size = convolution_matrix(w["conv1/kernel"], self.image.shape)
        flat = self.image.ravel()
        out, _ = self._normalized("norm1", matrix, flat, w["conv1/bias"])
        self.first = relu(out)
        self.to_pool, size = max_matrix(self.first.reshape(size), 2)
        self.pool = self.to_pool @ self.first
        matrix, _ = convolution_matrix(w["conv2/kernel"], size)
        self.branch, self.to_branch = self._normalized(
            "norm2", matrix, self.pool, w["conv2/bias"]
        )
        self.sum = relu(self.pool + self.branch)
        self.to_depthwise, _ = convolution_matrix(
            depthwise_kernel(w["depthwise/kernel"]), size, dilation=2, groups=size[-1]
        )
        depthwise = np.clip(self.to_depthwise @ self.sum, 0, 6)
        both = [self.sum.reshape(size), depthwise.reshape(size)]
        self.both = np.concatenate(both, axis=-1)
        self.half = size
        self.to_grouped, size = convolution_matrix(
            w["grouped/kernel"], self.both.shape, stride=2, groups=2
        )
        bias = np.tile(w["grouped/bias"], np.prod(size[:2]))
        self.grouped = relu(self.to_grouped @ self.both.ravel() + bias)
        self.to_average, _ = average_matrix(size, 2)
        self.average = self.to_average @ self.grouped
        hidden = self.average @ w["hidden/kernel"] + w["hidden/bias"]
        self.hidden = relu(hidden)
        self.logits = self.hidden @ w["logits/kernel"] + w["logits/bias"]

    def probabilities(self, class_index, contrastive=False):
        """Winning probability of each layer's units, flat, by name."""
        last = self.weights["logits/kernel"].T
        one = np.eye(len(last))[class_index]
        p = {"hidden": excited(last, self.hidden, one)}
        if contrastive:
            p["hidden"] -= excited(-last, self.hidden, one)
        hidden = self.weights["hidden/kernel"].T
        average = excited(hidden, self.average, p["hidden"])
        p["grouped"] = excited(self.to_average, self.grouped, average)
        p["both"] = excited(self.to_grouped, self.both.ravel(), p["grouped"])
        parts = np.split(p["both"].reshape(self.both.shape), 2, axis=-1)
        direct, depthwise = (part.ravel() for part in parts)
        p["sum"] = direct + excited(self.to_depthwise, self.sum, depthwise)
        skipped, branch = np.maximum([self.pool, self.branch], 0)
        total = skipped + branch
        share = np.divide(p["sum"], total, out=np.zeros_like(total), where=total > 0)
        p["pool"] = skipped * share
        p["pool"] += excited(self.to_branch, self.pool, branch * share)
        p["first"] = self.to_pool.T @ p["pool"]
        return p

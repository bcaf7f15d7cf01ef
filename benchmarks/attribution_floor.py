"""The least that attribution can cost: bare compiled gradients of a VGG-16.

No library stands between the network's arithmetic and the backend's own gradient: what
a person would write by hand, once, for this one network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

# Pictures that are computed at once where a method looks at copies of each.
CHUNK = 32
SPLIT = "block5_conv3"


class Floor:
    """Maps of a VGG-16 by hand.

    Args:
        network: `keras.applications.VGG16` with logits.
    """

    def __init__(self, network: Any):
        names = [layer.name for layer in network.layers]
        self.layers = network.layers[1:]
        self.split = names.index(SPLIT)
        self.weights = [[w.value for w in layer.weights] for layer in self.layers]
        self.functions: dict[str, Callable[..., Any]] = {}

    def saliency(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return np.abs(self._slopes("plain", images, classes)).max(axis=-1)

    def guided(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return self._slopes("guided", images, classes)

    def deconvnet(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return self._slopes("deconvnet", images, classes)

    def smooth_grad(
        self, images: np.ndarray, classes: np.ndarray, samples: int
    ) -> np.ndarray:
        spread = 0.15 * np.ptp(images, axis=(1, 2, 3))
        random = np.random.default_rng(0)
        noise = random.standard_normal((samples, *images.shape[1:]), dtype="float32")
        copies = images[:, None] + spread[:, None, None, None, None] * noise
        return np.abs(self._of_copies(copies, classes).mean(axis=1)).max(axis=-1)

    def integrated_gradients(
        self, images: np.ndarray, classes: np.ndarray, steps: int
    ) -> np.ndarray:
        points, weights = np.polynomial.legendre.leggauss(steps)
        points = ((points + 1) / 2).astype("float32").reshape(1, -1, 1, 1, 1)
        slopes = self._of_copies(points * images[:, None], classes)
        return images * np.einsum("s,bshwc->bhwc", weights / 2, slopes)

    def occlusion(
        self, images: np.ndarray, classes: np.ndarray, patch: int
    ) -> np.ndarray:
        count, size = len(images), images.shape[1]
        starts = range(0, size, patch)
        copies = np.repeat(images[:, None], len(starts) ** 2, axis=1)
        for index, (y, x) in enumerate((y, x) for y in starts for x in starts):
            copies[:, index, y : y + patch, x : x + patch] = 0
        each = np.repeat(classes, copies.shape[1])
        scores = self._in_chunks("scores", copies.reshape(-1, *images.shape[1:]), each)
        drops = self._in_chunks("scores", images, classes)[:, None]
        drops = (drops - scores.reshape(count, -1)).reshape(count, len(starts), -1)
        return drops.repeat(patch, axis=1).repeat(patch, axis=2)

    def grad_cam(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return self._function("grad_cam")(images, classes)

    def _of_copies(self, copies: np.ndarray, classes: np.ndarray) -> np.ndarray:
        each = np.repeat(classes, copies.shape[1])
        flat = copies.reshape(-1, *copies.shape[2:]).astype("float32")
        return self._in_chunks("plain", flat, each).reshape(copies.shape)

    def _in_chunks(
        self, name: str, images: np.ndarray, classes: np.ndarray
    ) -> np.ndarray:
        function = self._function(name)
        starts = range(0, len(images), CHUNK)
        return np.concatenate(
            [function(images[i : i + CHUNK], classes[i : i + CHUNK]) for i in starts]
        )

    def _slopes(self, rule: str, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return self._function(rule)(images, classes)

    def _function(self, name: str) -> Callable[..., np.ndarray]:
        if name not in self.functions:
            self.functions[name] = compiled(self._body(name), self.weights)
        return self.functions[name]

    def _body(self, name: str) -> Callable[..., Any]:
        relu = RELUS[keras.backend.backend()](name)

        def score(images: Any, classes: Any, weights: Any, first: int = 0) -> Any:
            logits = self._forward(images, weights, relu, first)
            return ops.sum(
                ops.take_along_axis(logits, classes[:, None], axis=1), axis=1
            )

        if name == "scores":
            return score
        if name != "grad_cam":
            return lambda images, classes, weights: slope_of(
                lambda at: ops.sum(score(at, classes, weights)), images
            )

        def cam(images: Any, classes: Any, weights: Any) -> Any:
            maps = self._forward(images, weights, relu, 0, self.split)
            slopes = slope_of(
                lambda at: ops.sum(score(at, classes, weights, self.split)), maps
            )
            heat = ops.sum(
                ops.mean(slopes, axis=(1, 2), keepdims=True) * maps,
                axis=-1,
                keepdims=True,
            )
            return ops.image.resize(ops.relu(heat), images.shape[1:3])[..., 0]

        return cam

    def _forward(
        self, tensor: Any, weights: Any, relu: Any, first: int, last: int | None = None
    ) -> Any:
        stretch = slice(first, last)
        for layer, values in zip(self.layers[stretch], weights[stretch], strict=True):
            if isinstance(layer, keras.layers.Conv2D):
                tensor = relu(ops.conv(tensor, values[0], padding="same") + values[1])
            elif isinstance(layer, keras.layers.MaxPooling2D):
                tensor = ops.max_pool(tensor, 2, 2)
            elif isinstance(layer, keras.layers.Flatten):
                tensor = ops.reshape(tensor, (-1, int(np.prod(tensor.shape[1:]))))
            else:
                tensor = ops.matmul(tensor, values[0]) + values[1]
                tensor = tensor if layer is self.layers[-1] else relu(tensor)
        return tensor


def slope_of(score: Callable[[Any], Any], at: Any) -> Any:
    """Gradient inside a compiled function."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.gradients(score(at), at)[0]
    if backend == "jax":
        import jax

        return jax.grad(score)(at)
    import torch

    at = at.detach().requires_grad_(True)
    return torch.autograd.grad(score(at), at)[0]


def compiled(
    body: Callable[..., Any], weights: list[list[Any]]
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The body as a function of arrays."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        graph = tf.function(lambda x, classes: body(x, classes, weights))
        return lambda x, classes: graph(tf.constant(x), tf.constant(classes)).numpy()
    if backend == "jax":
        import jax

        jitted = jax.jit(body)
        return lambda x, classes: np.asarray(jitted(x, classes, weights))
    import torch

    values = [[value.detach() for value in of_layer] for of_layer in weights]

    def run(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        pictures = ops.convert_to_tensor(images)
        with torch.set_grad_enabled(True):
            result = body(pictures, ops.convert_to_tensor(classes), values)
        return result.detach().cpu().numpy()

    return run


def relu_tensorflow(rule: str) -> Callable[[Any], Any]:
    import tensorflow as tf

    @tf.custom_gradient
    def changed(x: Any) -> Any:
        y = tf.nn.relu(x)

        def backward(signal: Any) -> Any:
            signal = tf.nn.relu(signal)
            return tf.where(y > 0, signal, 0.0) if rule == "guided" else signal

        return y, backward

    return changed if rule in ("guided", "deconvnet") else tf.nn.relu


def relu_jax(rule: str) -> Callable[[Any], Any]:
    import jax
    import jax.numpy as jnp

    @jax.custom_vjp
    def changed(x: Any) -> Any:
        return jax.nn.relu(x)

    def backward(x: Any, signal: Any) -> Any:
        signal = jax.nn.relu(signal)
        return (jnp.where(x > 0, signal, 0) if rule == "guided" else signal,)

    changed.defvjp(lambda x: (jax.nn.relu(x), x), backward)
    return changed if rule in ("guided", "deconvnet") else jax.nn.relu


def relu_torch(rule: str) -> Callable[[Any], Any]:
    import torch

    class Changed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = torch.relu(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx: Any, signal: Any) -> Any:
            (y,) = ctx.saved_tensors
            signal = torch.relu(signal)
            return signal * (y > 0) if rule == "guided" else signal

    return Changed.apply if rule in ("guided", "deconvnet") else torch.relu


RELUS = {"tensorflow": relu_tensorflow, "jax": relu_jax, "torch": relu_torch}

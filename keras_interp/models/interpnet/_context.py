"""What the decoder sees of a classifier: its activations in one vector, r(x)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_interp._network import OpenedCall, OpenedGraph, is_graph
from keras_interp._network.calls import called_in_inference
from keras_interp._network.class_scores import FinalActivation
from keras_interp._network.graph import ACTIVATIONS, NORMALISATIONS

CONDITIONINGS = ("activations", "probabilities", "input")
# What stands between the dense layers of a head.
_IN_A_HEAD = (
    keras.layers.Dense,
    keras.layers.Dropout,
    keras.layers.Softmax,
    *ACTIVATIONS,
    *NORMALISATIONS,
)
# How far the sum of probabilities may be from 1, in half precision too.
SUM_TOLERANCE = 1e-2
SMALLEST_NORM = 1e-12


class ContextBlock(NamedTuple):
    """A block of r(x): what one layer adds to it.

    Attributes:
        name: of the layer whose outputs they are.
        start: place of the first of them in r(x).
        stop: place after the last of them.
    """

    name: str
    start: int
    stop: int

    @property
    def slice(self) -> slice:
        """The block's places in r(x)."""
        return slice(self.start, self.stop)


class ContextReader:
    """Reads r(x) from a classifier, without a gradient into it.

    Args:
        classifier: built functional or Sequential model that puts out probabilities.
        conditioning: one of `CONDITIONINGS`.
        layer_names: layers of r(x), or None for those of the dense head.
        normalize_blocks: whether each block is brought to length 1 for each picture.

    Attributes:
        blocks: a `ContextBlock` for each layer.
        features: length of r(x).
        classes: number of probabilities.
    """

    def __init__(
        self,
        classifier: Any,
        conditioning: str,
        layer_names: Sequence[str] | None,
        normalize_blocks: bool,
    ):
        _check_classifier(classifier)
        graph = OpenedGraph(classifier)
        self.classes = _number_of_probabilities(classifier, graph)
        named = _chosen(graph, conditioning, layer_names)
        self._normalize = normalize_blocks
        self._several = len(graph.inputs) > 1
        self._network = keras.Model(
            graph.inputs if self._several else graph.inputs[0],
            [tensor for _, tensor in named],
        )
        self.blocks: tuple[ContextBlock, ...] = ()
        start = 0
        for name, tensor in named:
            width = _width(name, tuple(tensor.shape))
            self.blocks += (ContextBlock(name, start, start + width),)
            start += width
        self.features = start

    def __call__(self, inputs: Any) -> Any:
        """r(x) of a batch, float32 `(batch, features)`."""
        flat = keras.tree.flatten(inputs)
        inputs = flat if self._several else flat[0]
        outputs = self._network(inputs, training=False)
        tensors = [self._block(tensor) for tensor in keras.tree.flatten(outputs)]
        return ops.stop_gradient(ops.concatenate(tensors, axis=-1))

    def _block(self, tensor: Any) -> Any:
        values = ops.cast(tensor, "float32")
        if len(values.shape) > 2:
            values = ops.mean(values, axis=tuple(range(1, len(values.shape) - 1)))
        if self._normalize:
            squares = ops.sum(ops.square(values), axis=-1, keepdims=True)
            values = values / ops.sqrt(ops.maximum(squares, SMALLEST_NORM))
        return values

    def read(self, inputs: Any, batch_size: int) -> np.ndarray:
        """r(x) of all inputs, float32 `(N, features)`, finite."""
        count = number_of(inputs)
        if not count:
            raise ValueError(
                "Expected at least one picture. Received none. Give an array whose "
                "first axis is the pictures."
            )
        parts = []
        for start in range(0, count, batch_size):
            batch = keras.tree.map_structure(
                lambda array, first=start: array[first : first + batch_size], inputs
            )
            parts.append(np.asarray(ops.convert_to_numpy(self(batch)), "float32"))
        return check_finite(np.concatenate(parts))


def number_of(inputs: Any) -> int:
    """How many pictures there are."""
    arrays = keras.tree.flatten(inputs)
    counts = {len(array) for array in arrays}
    if len(counts) != 1:
        raise ValueError(
            "Expected inputs of one number of pictures. Received: arrays of lengths "
            f"{sorted(counts)}. Give a row of each array for each picture."
        )
    return counts.pop()


def check_finite(context: np.ndarray) -> np.ndarray:
    """r(x) as it is, unless a number in it is none."""
    wrong = np.flatnonzero(~np.isfinite(context).all(axis=-1))
    if len(wrong):
        raise ValueError(
            "Expected finite activations. Received: NaN or infinity for "
            f"{len(wrong)} of {len(context)} pictures, the first at place "
            f"{wrong[0]}. Look at the inputs and at the classifier's weights."
        )
    return context


def _check_classifier(classifier: Any) -> None:
    layer = isinstance(classifier, keras.layers.Layer)
    if not layer or not classifier.built or not is_graph(classifier):
        kind = f"a model that is {'' if layer and classifier.built else 'not '}built"
        raise ValueError(
            "Expected a built functional or Sequential Keras model, whose layers can "
            f"be read. Received: classifier of type {type(classifier).__name__}, "
            f"{kind if layer else 'which is no Keras model'}. Wrap it in keras.Model("
            "inputs, outputs), or give the input's shape to a Sequential model."
        )


def _number_of_probabilities(classifier: Any, graph: OpenedGraph) -> int:
    """Number of classes of a classifier that ends in probabilities."""
    shape = tuple(graph.outputs[0].shape)
    if len(graph.outputs) != 1 or len(shape) != 2 or shape[1] is None:
        raise ValueError(
            "Expected a classifier with one output (batch, classes). Received: "
            f"{len(graph.outputs)} outputs, the first of shape {shape}. Wrap the "
            "output that is to be explained in keras.Model(inputs, output)."
        )
    if any(None in tensor.shape[1:] for tensor in graph.inputs):
        # The size of the images is open: any will do.
        sides = [[64 if n is None else n for n in t.shape[1:]] for t in graph.inputs]
    else:
        sides = [list(tensor.shape[1:]) for tensor in graph.inputs]
    rng = np.random.default_rng(0)
    given = [
        rng.random((2, *side)).astype(tensor.dtype)
        for side, tensor in zip(sides, graph.inputs, strict=True)
    ]
    seen = FinalActivation()
    structure = classifier.inputs if len(given) > 1 else classifier.inputs[0]
    packed = keras.tree.pack_sequence_as(
        structure, [ops.convert_to_tensor(array) for array in given]
    )
    output = keras.tree.flatten(called_in_inference(classifier, packed, seen))[0]
    _, activation = seen.look_through(output)
    if activation not in ("softmax", "sigmoid"):
        values = ops.convert_to_numpy(ops.cast(output, "float32"))
        sums = np.abs(values.sum(axis=-1) - 1.0)
        if (values < 0).any() or (sums > SUM_TOLERANCE).any() or shape[1] == 1:
            raise ValueError(
                "Expected a classifier that puts out probabilities. Received: "
                f"{classifier.name!r}, whose outputs for two random inputs add up to "
                f"{values.sum(axis=-1).round(3).tolist()}. End it in a softmax: "
                "keras.Sequential([classifier, keras.layers.Softmax()])."
            )
    return int(shape[1])


def _chosen(
    graph: OpenedGraph, conditioning: str, layer_names: Sequence[str] | None
) -> list[tuple[str, Any]]:
    """Names and symbolic tensors of the blocks, the probabilities last."""
    if conditioning not in CONDITIONINGS:
        raise ValueError(
            f"Expected conditioning as one of {CONDITIONINGS}. Received: conditioning="
            f"{conditioning!r}. Choose one of these."
        )
    last = ("probabilities", graph.outputs[0])
    if layer_names is not None:
        listed = isinstance(layer_names, list | tuple) and len(layer_names) > 0
        if not listed or conditioning != "activations":
            raise ValueError(
                "Expected layer_names as a list of names, with conditioning="
                f"'activations'. Received: layer_names={layer_names!r} and "
                f"conditioning={conditioning!r}. Leave one of them out."
            )
        named = []
        for name in layer_names:
            call = graph.find(name)
            if call.shape is None:
                raise ValueError(
                    "Expected layers that put out one tensor. Received: layer_names "
                    f"with {name!r}, which puts out several. Choose another."
                )
            named.append((name, call.outputs[0]))
        return [pair for pair in named if pair[1] is not last[1]] + [last]
    if conditioning == "probabilities":
        return [last]
    hidden = _head(graph)
    return hidden[:1] if conditioning == "input" else [*hidden, last]


def _head(graph: OpenedGraph) -> list[tuple[str, Any]]:
    """What goes into each dense layer at the end of a classifier, first to last."""
    makers: dict[int, OpenedCall] = {}
    for call in graph.calls:
        # An inner model's call stands for the calls in it, which are listed too.
        if not is_graph(call.operation):
            makers.update({id(tensor): call for tensor in call.outputs})
    found = []
    tensor = graph.outputs[0]
    while True:
        end = makers.get(id(tensor))
        if end is None or not _stands_in_a_head(end):
            break
        if isinstance(end.operation, keras.layers.Dense):
            source = end.inputs[0]
            # In inference a dropout changes nothing.
            maker = makers.get(id(source))
            while maker and isinstance(maker.operation, keras.layers.Dropout):
                source = maker.inputs[0]
                maker = makers.get(id(source))
            found.append(("input" if maker is None else maker.path, source))
        tensor = end.inputs[0]
    if not found:
        raise ValueError(
            "Expected a classifier that ends in dense layers, whose activations are "
            f"r(x). Received: {graph.model.name!r}, which ends in "
            f"{graph.calls[-1].path!r}. Name the layers: layer_names=['conv5', ...]."
        )
    return found[::-1]


def _stands_in_a_head(call: OpenedCall) -> bool:
    operation = call.operation
    if isinstance(operation, keras.layers.Layer):
        return isinstance(operation, _IN_A_HEAD)
    return len(call.inputs) == 1 and type(operation).__name__ in (
        "Relu",
        "Softmax",
        "Sigmoid",
    )


def _width(name: str, shape: tuple[int | None, ...]) -> int:
    if len(shape) < 2 or shape[-1] is None:
        raise ValueError(
            "Expected layers with a known number of features or channels. Received: "
            f"{name!r}, which puts out {shape}. Choose another layer."
        )
    return int(shape[-1])

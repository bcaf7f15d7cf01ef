"""What an explanation module reads from a network: a layer's features, and logits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.call_record import LayerCall
from keras_interp._network.calls import CapturedCall, called_in_inference
from keras_interp._network.class_scores import number_of_classes
from keras_interp._network.explained_model import ExplainedModel, check_model
from keras_interp._network.forward_pass import Forward
from keras_interp.models.explanation_module._settings import check_classes

# Side of an image with which a network is looked at that takes any.
ANY_SIDE = 64
# What `tf.data.Dataset.cardinality` says of a set that repeats for ever.
ENDLESS = -1


class NetworkReading:
    """Reads one layer of a network, and the logits of some classes.

    Args:
        network: any built Keras model of images.
        layer_name: name or path of the layer.
        class_index: class or classes.
        output_index: which of several outputs.

    Attributes:
        call: the call of the layer; `None` until the network was looked at.
        classes: the classes as a tuple.
    """

    def __init__(
        self, network: Any, layer_name: str, class_index: Any, output_index: Any
    ):
        check_model(network)
        if not isinstance(layer_name, str):
            raise ValueError(
                "Expected layer_name as the name of a layer. Received: "
                f"layer_name={layer_name!r}. Pass 'fc6', say."
            )
        self.network = network
        self.layer_name = layer_name
        self.output_index = output_index
        self.classes = check_classes(class_index, None)
        self.call: LayerCall | None = None
        inputs = getattr(network, "inputs", None)
        if inputs is not None and len(inputs) == 1 and len(inputs[0].shape) == 4:
            # A graph knows its shapes; others are looked at with the first images.
            sides = [ANY_SIDE if n is None else n for n in inputs[0].shape[1:]]
            self.look(np.zeros((1, *sides), "float32"))

    @property
    def features(self) -> int | None:
        """Number of features, `None` where it is not known yet."""
        return None if self.call is None else math.prod(self.call.shape[1:])  # type: ignore[arg-type, index]

    def look(self, images: Any) -> ExplainedModel:
        """The network and images; finds and checks the layer at the first time."""
        explained = ExplainedModel(self.network, images, output_index=self.output_index)
        if self.call is None:
            check_classes(list(self.classes), number_of_classes(explained.output.shape))
            call = explained.find_call(self.layer_name)
            if call.shape is None or None in call.shape[1:] or len(call.shape) < 2:
                raise ValueError(
                    "Expected a layer with features of a known number. Received: "
                    f"layer_name={self.layer_name!r}, which puts out "
                    f"{call.shape or 'several tensors'}. Choose a dense or pooling "
                    "layer, say."
                )
            self.call = call
        return explained

    def read(self, images: Any, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Features and logits of images.

        Args:
            images: what `ExplainedModel` takes, or an iterable data set of batches.
            batch_size: most images that are computed at once.

        Returns:
            float32 `(N, features)` and `(N, classes)`, of the module's classes.
        """
        found = [self._read(one, batch_size) for one in image_sets(images)]
        if not found:
            raise ValueError("Expected at least one image. Received none.")
        features, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return features, logits

    def _read(self, images: Any, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        explained = self.look(images)
        call = self.call
        assert call is not None

        def body(forward: Forward, tensor: Any, targets: Any) -> list[Any]:
            captured = CapturedCall(call.operation(), call.index)
            logits = forward.logits(tensor, captured)
            return [_flat(captured.output), logits]

        key = ("explanation_module", call.path, call.index)
        features, logits = explained.compute(key, body, batch_size=batch_size)
        return features, logits[:, list(self.classes)]

    def features_of(self, images: Any) -> Any:
        """Features of a tensor of images, in whatever is traced at the moment."""
        if self.call is None:
            raise ValueError(
                f"Expected images of {self.network.name!r} in an array first: it is no "
                "graph of layers, whose shapes would be known. Call "
                "module.features(images) once."
            )
        captured = CapturedCall(self.call.operation(), self.call.index)
        called_in_inference(self.network, images, captured)
        return _flat(captured.output)


def image_sets(images: Any) -> Iterator[Any]:
    """Images as they are, or the batches of a data set without their labels."""
    dataset = isinstance(images, keras.utils.PyDataset) or (
        hasattr(images, "__iter__")
        and not hasattr(images, "__getitem__")
        and not hasattr(images, "shape")
    )
    if not dataset:
        yield images
        return
    cardinality = getattr(images, "cardinality", None)
    if callable(cardinality) and int(cardinality()) == ENDLESS:
        raise ValueError(
            "Expected a data set that ends. Received one that repeats for ever: leave "
            "out its repeat()."
        )
    # A PyDataset has a length and can be asked for ever.
    count = len(images) if isinstance(images, keras.utils.PyDataset) else None
    batches = images if count is None else (images[i] for i in range(count))
    for batch in batches:
        taken, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        # A data set may give tensors of another backend.
        yield np.asarray(ops.convert_to_numpy(taken))


def _flat(tensor: Any) -> Any:
    tensor = ops.cast(tensor, "float32")
    return ops.reshape(tensor, (-1, math.prod(tensor.shape[1:])))

"""A model that is asked for explanations: traced once, compiled once, never changed."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp import _backend
from keras_interp._network.call_outline import GraphOutline, graph_outline
from keras_interp._network.call_record import (
    CallRecord,
    LayerCall,
    ModelOutput,
    Recorder,
)
from keras_interp._network.calls import called_in_inference
from keras_interp._network.class_scores import (
    FinalActivation,
    class_targets,
    number_of_classes,
)
from keras_interp._network.forward_pass import Forward, alive
from keras_interp._network.images import (
    ImageInputs,
    image_inputs,
)
from keras_interp._network.model_state import kept_of, lock

# A body takes the forward pass, the images and what else it asked for, as tensors,
# and gives tensors whose first axis is the images.
Body = Callable[..., Any]


class ObservedModel:
    """A model and images, checked and ready to compute with what its layers do.

    Example:

    ```python
    observed = ObservedModel(model, images)
    call = observed.find_call("conv5")

    def body(forward, images):
        captured = CapturedCall(call.operation(), call.index)
        forward.outputs(images, captured)
        return captured.output

    (maps,) = observed.compute(("maps", call.path), body, batch_size=32)
    ```

    Args:
        model: any built Keras model.
        images: `(batch, height, width, channels)`, or the model's several inputs.
        input_index: which of several inputs are the images: position or key.

    Raises:
        ValueError: for anything that cannot be computed, before it is.

    Attributes:
        inputs: `ImageInputs`.
    """

    # What is explained of the outputs; only `ExplainedModel` asks for one.
    unit: LayerCall | None = None
    _output = 0

    def __init__(self, model: Any, images: Any, input_index: int | str | None = None):
        check_model(model)
        self.model = model
        self.inputs: ImageInputs = image_inputs(model, images, input_index)
        self._kept = kept_of(model)
        with lock:
            if "outline" not in self._kept.records:
                self._kept.records["outline"] = graph_outline(model)
        self._outline: GraphOutline | None = self._kept.records["outline"]
        record = self.record if self._outline is None else self._outline.record
        if record.channels_first is not None:
            raise ValueError(
                "Expected a model of images with the channels last, (batch, height, "
                f"width, channels). Received: model={model.name!r}, whose layer "
                f"{record.channels_first!r} reads them with the channels first. Wrap "
                "it: inputs = keras.Input((height, width, channels)); keras.Model("
                "inputs, model(keras.layers.Permute((3, 1, 2))(inputs)))."
            )

    @property
    def record(self) -> CallRecord:
        """What the model does when it is called, traced when it is first asked for."""
        specs = [
            _backend.ArraySpec((None, *array.shape[1:]), array.dtype.name)
            for array in self.inputs.arrays
        ]
        with lock:
            key = (tuple(specs), str(self.inputs.structure))
            if key not in self._kept.records:
                self._kept.records[key] = self._traced(specs)
            return self._kept.records[key]

    def find_call(self, layer_name: str, call_index: int | None = None) -> LayerCall:
        """The call that is meant by the name of a layer, as `CallRecord.find_call`."""
        if self._outline is not None:
            # A layer that no graph shows, in a lambda say, is only in the record.
            with contextlib.suppress(ValueError):
                return self._outline.record.find_call(layer_name, call_index)
        return self.record.find_call(layer_name, call_index)

    def compute(
        self,
        key: Hashable,
        body: Body,
        *per_image: np.ndarray,
        shared: Sequence[np.ndarray] = (),
        batch_size: int = 32,
        on_batch: Callable[[int], None] | None = None,
    ) -> list[np.ndarray]:
        """Run a body on all images, a batch at a time.

        Args:
            key: name of the method and every setting that the body depends on. The
                first body of a key is compiled and used from then on.
            body: takes a `Forward`, the images, the targets, the arrays of
                `per_image` and those of `shared`; gives a tensor or several, the
                first axis the images. It must not hold the model.
            *per_image: arrays with a row for each image.
            shared: arrays that are the same for all images.
            batch_size: most images that are computed at once.
            on_batch: called after each batch with the number of its images.

        Returns:
            Arrays, a row for each image.
        """
        most = self.images_at_once(batch_size)
        if most < batch_size:
            # No call has many fewer than the others.
            count = max(1, len(self.inputs))
            batch_size = -(-count // -(-count // most))
        rows = [*self.inputs.arrays, *self._asked(), *per_image]
        shared = [np.asarray(array) for array in shared]
        function = self._compiled(key, body, rows, shared)
        # Carried to the device once, not with every batch.
        constants = [ops.convert_to_tensor(array) for array in shared]
        parts = []
        for start in range(0, max(1, len(self.inputs)), batch_size):
            batch = [array[start : start + batch_size] for array in rows]
            size = len(batch[0])
            wanted = self._padded_size(size, batch_size)
            batch = [_padded(array, wanted) for array in batch]
            parts.append([part[:size] for part in function([*batch, *constants])])
            if on_batch is not None:
                on_batch(size)
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]

    def images_at_once(self, batch_size: int) -> int:
        """Most images, or copies of images, that one call should take.

        Args:
            batch_size: most images that are computed at once.

        Returns:
            `batch_size`, or less where the backend is slow with tensors of so many.

        Raises:
            ValueError: if `batch_size` is no positive integer.
        """
        check_batch_size(batch_size)
        most = _backend.most_bytes_at_once()
        if most is None:
            return batch_size
        record = self.record if self._outline is None else self._outline.record
        each = record.bytes_of_largest_output()
        return batch_size if batch_size * each <= most else max(1, most // each)

    def _padded_size(self, size: int, batch_size: int) -> int:
        """Images to compute, so that no smaller last batch needs a new trace."""
        if size == 0:
            return 1
        several = len(self.inputs) > batch_size
        return size if _backend.has_open_batches() or not several else batch_size

    def _compiled(
        self,
        key: Hashable,
        body: Body,
        rows: Sequence[np.ndarray],
        shared: Sequence[np.ndarray],
    ) -> Callable[..., Any]:
        specs = [
            *(_backend.ArraySpec((None, *a.shape[1:]), a.dtype.name) for a in rows),
            *(_backend.ArraySpec(a.shape, a.dtype.name) for a in shared),
        ]
        unit = None if self.unit is None else (self.unit.path, self.unit.index)
        inputs = (str(self.inputs.structure), self.inputs.position)
        full_key = (key, tuple(specs), inputs, self._output, unit)
        with lock:
            if full_key not in self._kept.compiled:
                function = self._with_forward(body)
                self._kept.compiled[full_key] = _backend.compiled(
                    function, specs, _variables_of(self.model)
                )
            return self._kept.compiled[full_key]

    def _with_forward(self, body: Body) -> Callable[..., Sequence[Any]]:
        """The body as a function of tensors alone, without the model."""
        reference = weakref.ref(self.model)
        structure, position = self.inputs.structure, self.inputs.position
        count, output, unit = len(self.inputs.arrays), self._output, self.unit

        def function(*tensors: Any) -> Sequence[Any]:
            others = [t for i, t in enumerate(tensors[:count]) if i != position]
            forward = Forward(reference, structure, position, others, output, unit)
            result = body(forward, tensors[position], *tensors[count:])
            return result if isinstance(result, (list, tuple)) else [result]

        return function

    def _traced(self, specs: Sequence[_backend.ArraySpec]) -> CallRecord:
        structure, model = self.inputs.structure, self.model
        recorder = Recorder(model)

        def function(*tensors: Any) -> Sequence[Any]:
            seen = FinalActivation()
            inputs = keras.tree.pack_sequence_as(structure, list(tensors))
            outputs = called_in_inference(model, inputs, recorder, seen)
            return recorder.finish(outputs, seen)

        missed = _backend.rectifiers_in(function, specs, _variables_of(model))
        recorder.record.missed_rectifiers.extend(missed)
        return recorder.record

    def _asked(self) -> list[np.ndarray]:
        """What the body is given after the images."""
        return []


class ExplainedModel(ObservedModel):
    """A model, images and what is asked about them, checked and ready to compute.

    Example:

    ```python
    explained = ExplainedModel(model, images, class_index=3)

    def body(forward, images, targets):
        slopes, _ = forward.gradient(lambda at: forward.scores(at, targets), images)
        return slopes

    (slopes,) = explained.compute("gradient", body, batch_size=32)
    ```

    Args:
        model: any built Keras model.
        images: `(batch, height, width, channels)`, or the model's several inputs.
        class_index: class to explain, one for all or one for each image; `None` for the
            class of highest score in each image. With `layer_name`: the filter.
        layer_name: layer whose filter is explained in place of a class.
        call_index: which call of that layer.
        output_index: which of several outputs: position or name.
        input_index: which of several inputs are the images: position or key.

    Raises:
        ValueError: for anything that cannot be computed, before it is.

    Attributes:
        inputs: `ImageInputs`.
        targets: int32 `(batch,)`, -1 for the class of highest score.
    """

    def __init__(
        self,
        model: Any,
        images: Any,
        class_index: Any = None,
        *,
        layer_name: str | None = None,
        call_index: int | None = None,
        output_index: int | str | None = None,
        input_index: int | str | None = None,
    ):
        super().__init__(model, images, input_index)
        if layer_name is not None:
            self.unit = self.find_call(layer_name, call_index)
        self._output = self._find_output(output_index)
        self.targets = class_targets(class_index, len(self.inputs), *self._choices())

    @property
    def output(self) -> ModelOutput:
        """The output that is explained."""
        return self.record.outputs[self._output]

    @property
    def explained(self) -> str:
        """What is explained, in words, for the legend of a figure."""
        if self.unit is not None:
            return f"largest activation of a filter of layer {self.unit.name!r}"
        return self.output.explained

    def _find_output(self, output_index: int | str | None) -> int:
        shapes = self._shapes_of_outputs()
        names = [name for name, _ in shapes]
        if output_index is None and (len(names) == 1 or self.unit is not None):
            return 0
        known = list(getattr(self.model, "output_names", None) or [])
        for choices in (names, known if len(known) == len(names) else []):
            if isinstance(output_index, str) and output_index in choices:
                return choices.index(output_index)
        if isinstance(output_index, (int, np.integer)):
            if 0 <= output_index < len(names):
                return int(output_index)
        raise ValueError(
            f"Expected output_index as position or name of one of {len(names)} "
            f"output(s) {dict(shapes)}. Received: output_index={output_index!r}. "
            "Choose one of them."
        )

    def _shapes_of_outputs(self) -> Sequence[tuple[str, Any]]:
        """Name and shape of each output."""
        if self._outline is not None:
            return self._outline.outputs
        return [(output.name, output.shape) for output in self.record.outputs]

    def _choices(self) -> tuple[int, str]:
        if self.unit is None:
            shape = self._shapes_of_outputs()[self._output][1]
            return number_of_classes(shape), "class"
        shape = self.unit.shape_of_maps
        if shape is None or len(shape) not in (2, 4):
            raise ValueError(
                "Expected a layer of feature maps (batch, height, width, channels) or "
                "of units (batch, units). Received: layer_name="
                f"{self.unit.name!r} with an output of shape {shape}. Choose another "
                "layer."
            )
        return int(shape[-1] or 0), "filter"

    def _asked(self) -> list[np.ndarray]:
        return [self.targets]


def explained_output(model: Any, images: Any, **options: Any) -> str:
    """What the methods of this package explain of a model, in words.

    Example:

    ```python
    explained_output(model, images)
    # "logits of output '0' (the final softmax is looked through)"
    ```

    Args:
        model: the model.
        images: as for the methods; one image is enough.
        **options: `layer_name`, `output_index` and so on, as for the methods.

    Returns:
        A phrase for the legend of a figure.
    """
    return ExplainedModel(model, images, **options).explained


def check_batch_size(batch_size: Any) -> None:
    """Refuse a batch size that is no positive integer."""
    whole = isinstance(batch_size, (int, np.integer)) and not isinstance(
        batch_size, bool
    )
    if not whole or batch_size < 1:
        raise ValueError(
            "Expected batch_size as a positive integer. Received: "
            f"batch_size={batch_size!r}. Choose 32."
        )


def check_model(model: Any) -> None:
    """Refuse what is no Keras model that has been built."""
    if not isinstance(model, keras.layers.Layer):
        raise ValueError(
            f"Expected a Keras model. Received: model of type {type(model).__name__}. "
            "Load one with keras.models.load_model, say."
        )
    if not model.built:
        raise ValueError(
            "Expected a model that has been built. Received: "
            f"model={model.name!r}, which has no weights yet. Call it on a batch of "
            "images once, or load its weights."
        )


def _variables_of(model: Any) -> Callable[[], list[Any]]:
    reference = weakref.ref(model)
    return lambda: alive(reference).variables


def _padded(array: np.ndarray, size: int) -> np.ndarray:
    if len(array) == size:
        return array
    missing = [(0, size - len(array))] + [(0, 0)] * (array.ndim - 1)
    return np.pad(array, missing)

"""Sanity check: does an explanation depend on what the network has learnt?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.call_record import CallRecord
from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.layer_names import flattened_layers
from keras_interp.attribution._image_copies import fix_targets
from keras_interp.attribution._shared_arguments import Progress, with_shared_arguments
from keras_interp.attribution.sanity._comparison import (
    Method,
    Methods,
    absolute_map,
    applicable,
    chosen_methods,
    markdown_table,
    rank_correlation,
    structural_similarity,
)

DEFAULT = (
    "saliency",
    "gradient_times_input",
    "guided_backprop",
    "deconvnet",
    "grad_cam",
)


@dataclasses.dataclass(frozen=True, eq=False)
class ParameterRandomizationReport:
    """How alike maps stay while the weights of a network are made random.

    Args:
        methods: names.
        stages: the last layer that was made random at each stage, from the top.
        cascading: whether the layers above it stayed random.
        rank_correlation: `(methods, stages)`, Spearman's, of absolute maps with those
            of the trained network, mean over the images; NaN where a map was constant
            for all of them.
        structural_similarity: `(methods, stages)`, of the same maps.
    """

    methods: tuple[str, ...]
    stages: tuple[str, ...]
    cascading: bool
    rank_correlation: np.ndarray
    structural_similarity: np.ndarray

    def rows(self) -> list[dict[str, Any]]:
        """A dict for each method and stage."""
        return [
            {
                "method": method,
                "layer": layer,
                "rank_correlation": float(self.rank_correlation[row, column]),
                "structural_similarity": float(self.structural_similarity[row, column]),
            }
            for row, method in enumerate(self.methods)
            for column, layer in enumerate(self.stages)
        ]

    def markdown(self, measure: str = "rank_correlation") -> str:
        """A table with a line for each stage and a column for each method.

        Args:
            measure: `"rank_correlation"` or `"structural_similarity"`.
        """
        values = getattr(self, measure)
        how = "random from the top to" if self.cascading else "random layer"
        lines = [
            [layer, *(f"{value:.3f}" for value in values[:, column])]
            for column, layer in enumerate(self.stages)
        ]
        return markdown_table([how, *self.methods], lines)


@with_shared_arguments
def parameter_randomization_report(
    model: Any,
    images: Any,
    methods: Methods | None = None,
    class_index: Any = None,
    *,
    cascading: bool = True,
    stages: int | None = None,
    seed: int = 0,
    batch_size: int = 32,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
    verbose: int = 0,
) -> ParameterRandomizationReport:
    """Compares maps of the trained network with those of a network made random.

    Layer by layer from the top, the values of every weight are permuted at random: what
    was learnt is gone and the size of the activations stays. (The paper draws the
    weights anew, whose scale is another than that of trained weights.) A map that stays
    like the first one shows the image's edges rather than what the network knows.
    The explained class is the one that the trained network gave.

    The model is never changed, not even for a while: the random values stand in
    variables of their own, which take the place of the model's inside the compiled
    functions. That is one copy of the weights, freed at the end.

    Example:

    ```python
    report = ki.attribution.parameter_randomization_report(model, images, stages=5)
    print(report.markdown())
    ki.plotting.parameter_randomization(report)
    ```

    Args:
        model: {model}
        images: {images} At least one.
        methods: {methods} Default: saliency, gradient x input, guided backprop and
            deconvnet (where there are ReLUs), and Grad-CAM (where there are maps).
        class_index: {class_index}
        cascading: `True` leaves the layers of earlier stages random; `False` makes the
            layers of each stage random alone.
        stages: how many steps the layers are divided into. Default: a step each.
        seed: of the permutations.
        batch_size: {batch_size}
        output_index: {output_index}
        input_index: {input_index}
        verbose: {verbose}

    Returns:
        `ParameterRandomizationReport`, with `.rows()` and `.markdown()`;
        `keras_interp.plotting.parameter_randomization` draws it.

    Raises:
        ValueError: for unknown methods, no images, a model without weights or a
            number of stages out of range; and
            {raises}

    Reference:
        Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim, "Sanity Checks for Saliency
        Maps", 2018, section 4.
    """
    explained = ExplainedModel(
        model,
        images,
        class_index,
        output_index=output_index,
        input_index=input_index,
    )
    if not len(explained.inputs):
        raise ValueError(
            "Expected at least one image. Received: a batch of none. Pass some."
        )
    layers = _layers_from_the_top(explained.record, model)
    groups = _groups(layers, stages)
    options = {
        "batch_size": batch_size,
        "output_index": explained.record.outputs.index(explained.output),
        "input_index": input_index,
    }
    names = applicable(DEFAULT, explained.record)
    functions = chosen_methods(names if methods is None else methods, options)
    fix_targets(explained, batch_size)
    progress = Progress(len(functions) * (1 + len(groups)), verbose, "map")
    measured = _measured(explained, functions, groups, cascading, seed, progress)
    return ParameterRandomizationReport(
        tuple(functions),
        tuple(group[-1].name for group in groups),
        cascading,
        *measured,
    )


def _measured(
    explained: ExplainedModel,
    functions: dict[str, Method],
    groups: Sequence[Sequence[WeightedLayer]],
    cascading: bool,
    seed: int,
    progress: Progress,
) -> list[np.ndarray]:
    """Rank correlation and structural similarity, `(methods, stages)` each."""
    inputs, targets = explained.inputs, explained.targets
    given = keras.tree.pack_sequence_as(inputs.structure, list(inputs.arrays))

    def absolute(function: Method, network: Any) -> np.ndarray:
        maps = absolute_map(function(network, given, targets), inputs.images)
        progress.advance(1)
        return maps

    trained = [absolute(function, explained.model) for function in functions.values()]
    network = RandomizedNetwork(explained.model, sum(map(list, groups), []))
    found = np.empty((2, len(functions), len(groups)))
    for stage, group in enumerate(groups):
        if not cascading:
            network.restore()
        network.randomize(group, seed)
        for row, function in enumerate(functions.values()):
            maps = absolute(function, network)
            found[0, row, stage] = _mean(rank_correlation(trained[row], maps))
            found[1, row, stage] = _mean(structural_similarity(trained[row], maps))
    return list(found)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _layers_from_the_top(record: CallRecord, model: Any) -> list[WeightedLayer]:
    layers = weighted_layers(record)
    if not layers:
        raise ValueError(
            "Expected a model with weights, which can be made random. Received: "
            f"model={model.name!r}, which has none. Choose another."
        )
    return layers[::-1]


def _groups(
    layers: Sequence[WeightedLayer], stages: int | None
) -> list[Sequence[WeightedLayer]]:
    """The layers divided into consecutive groups of about the same size."""
    if stages is None:
        stages = len(layers)
    if not isinstance(stages, (int, np.integer)) or not 1 <= stages <= len(layers):
        raise ValueError(
            f"Expected stages from 1 to {len(layers)}, the number of layers with "
            f"weights. Received: stages={stages!r}. Leave it out for a step a layer."
        )
    ends = np.linspace(0, len(layers), stages + 1).round().astype(int)
    return [layers[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]


@dataclasses.dataclass(frozen=True)
class WeightedLayer:
    """A layer and the variables that are its own, not those of a layer inside it.

    Args:
        name: path of names, with slashes.
        variables: of floating numbers.
    """

    name: str
    variables: list[Any]


def weighted_layers(record: CallRecord) -> list[WeightedLayer]:
    """The layers of a model that have weights, in the order of their last call.

    Args:
        record: of the model's calls.
    """
    found: dict[int, WeightedLayer] = {}
    for call in record.calls:
        layer = call.operation()
        if not isinstance(layer, keras.layers.Layer):
            continue
        inner = flattened_layers(layer, include_self=False)
        of_others = {id(v) for part in inner for v in part.variables}
        own = [
            variable
            for variable in layer.variables
            if id(variable) not in of_others
            and keras.backend.is_float_dtype(variable.dtype)
        ]
        if own:
            # Moved to the end where the layer is called again.
            found.pop(id(layer), None)
            found[id(layer)] = WeightedLayer(call.name, own)
    return list(found.values())


class RandomizedNetwork(keras.Model):
    """Calls a model with other values in place of some of its variables.

    Example:

    ```python
    network = RandomizedNetwork(model, layers)
    network.randomize(layers[:1], seed=0)
    maps = saliency(network, images, classes)
    ```

    Args:
        model: whose structure is used; it is not changed.
        layers: whose variables may get other values. They start with the model's.
    """

    def __init__(self, model: Any, layers: Sequence[WeightedLayer]):
        # Its own precision must not change the images, nor that of the model.
        super().__init__(dtype="float32", autocast=False, name="randomized_network")
        self.model = model
        self._parts = tuple(layers)
        # Copies: torch would share the memory of the model's own values.
        self._values = [
            keras.Variable(
                np.array(ops.convert_to_numpy(variable.value)),
                dtype=variable.dtype,
                trainable=False,
                name="random",
            )
            for variable in self._originals()
        ]
        self.built = True

    def randomize(self, layers: Sequence[WeightedLayer], seed: int) -> None:
        """Permute the values of each variable of some layers."""
        wanted = {id(variable) for layer in layers for variable in layer.variables}
        for index, (original, value) in enumerate(self._pairs()):
            if id(original) in wanted:
                random = np.random.default_rng((seed, index))
                numbers = ops.convert_to_numpy(original.value)
                value.assign(random.permutation(numbers.ravel()).reshape(numbers.shape))

    def restore(self) -> None:
        """Take the model's own values again."""
        for original, value in self._pairs():
            value.assign(original.value)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        others = {id(original): value for original, value in self._pairs()}
        # A scope hides the one around it, so that it must name every variable.
        state = [
            (variable, others.get(id(variable), variable).value)
            for variable in self.model.variables
        ]
        with keras.StatelessScope(state):
            return self.model(inputs, training=training)

    def _originals(self) -> list[Any]:
        return [variable for layer in self._parts for variable in layer.variables]

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        return zip(self._originals(), self._values, strict=True)

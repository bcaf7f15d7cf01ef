"""Sanity check: does a constant that no network can see change an explanation?"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.explained_model import ExplainedModel
from keras_interp.attribution._image_copies import (
    reference_images,
    scores_and_fixed_targets,
)
from keras_interp.attribution._integrated_gradients import integrated_gradients
from keras_interp.attribution._occlusion import occlusion
from keras_interp.attribution._shared_arguments import Progress, with_shared_arguments
from keras_interp.attribution.sanity._comparison import (
    Method,
    Methods,
    absolute_map,
    applicable,
    chosen_methods,
    markdown_table,
    rank_correlation,
)

DEFAULT = (
    "gradient",
    "saliency",
    "guided_backprop",
    "deconvnet",
    "grad_cam",
    "gradient_times_input",
)


@dataclasses.dataclass(frozen=True, eq=False)
class InputShiftReport:
    """What a constant shift of the input did to each method.

    Args:
        methods: names.
        differences: `(methods, images)`, largest change of a map by the shift as a
            share of its largest value.
        rank_correlations: `(methods, images)`, Spearman's, of the absolute maps with
            and without shift.
        score_difference: largest difference between the scores of the two networks.
        tolerance: largest difference that counts as none.
        image: the first image.
        maps: `(methods, 2, height, width)`, absolute maps of the first image, without
            and with shift.
    """

    methods: tuple[str, ...]
    differences: np.ndarray
    rank_correlations: np.ndarray
    score_difference: float
    tolerance: float
    image: np.ndarray
    maps: np.ndarray

    @property
    def invariant(self) -> np.ndarray:
        """Whether each method gave the same maps, bool `(methods,)`."""
        return self.differences.max(axis=1) <= self.tolerance

    def rows(self) -> list[dict[str, Any]]:
        """A dict for each method: largest difference, mean correlation, verdict."""
        return [
            {
                "method": name,
                "difference": float(self.differences[index].max()),
                "rank_correlation": float(self.rank_correlations[index].mean()),
                "invariant": bool(self.invariant[index]),
            }
            for index, name in enumerate(self.methods)
        ]

    def markdown(self) -> str:
        """The rows as a table."""
        head = ["method", "largest difference", "rank correlation", "invariant"]
        lines = [
            [
                row["method"],
                f"{row['difference']:.2g}",
                f"{row['rank_correlation']:.3f}",
                "yes" if row["invariant"] else "no",
            ]
            for row in self.rows()
        ]
        return markdown_table(head, lines)


@with_shared_arguments
def input_shift_report(
    model: Any,
    images: Any,
    methods: Methods | None = None,
    class_index: Any = None,
    *,
    shift: Any = None,
    tolerance: float = 0.01,
    batch_size: int = 32,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
    verbose: int = 0,
) -> InputShiftReport:
    """Compares the maps of two networks that compute the same, of shifted inputs.

    Network 1 is the model. Network 2 sees the images with a constant `m` added, which
    its first layer takes back: `f2(x + m) = f1(x)` for every image. Nothing that a
    network computes tells the two apart, so a method that explains what is computed
    gives both the same map. Gradient, saliency, guided backpropagation and deconvnet
    do; gradient x input does not; integrated gradients and occlusion do if their
    baseline moves along with the images, and not if it stays 0.

    A first layer `W x + b` takes the shift back with the bias `b - W m`. Where it pads
    with zeros that is right only if the padding is `m` too. Network 2 is realised as
    the model behind a subtraction of `m`, which is the same for any first layer and any
    padding, and copies no weight. To be exact in float32 too, network 1 is shown
    `(x + m) - m` as rounded, which is what network 2 computes.

    Example:

    ```python
    report = ki.attribution.input_shift_report(model, images)
    print(report.markdown())
    ki.plotting.input_shift(report)
    ```

    Args:
        model: {model}
        images: {images} At least one.
        methods: {methods} Default: gradient, saliency, guided backprop and deconvnet
            (where there are ReLUs), Grad-CAM (where there are maps), gradient x input,
            and integrated gradients and occlusion with both kinds of baseline.
        class_index: {class_index}
        shift: `m`, a number or an array that can be broadcast to an image. Default:
            the smallest minus the largest value of the images, as the paper shifts
            images from 0 to 1 into -1 to 0.
        tolerance: largest difference, as a share of the largest value, that counts as
            none. Rounding alone moves a few ReLUs across zero where a baseline lies
            between the images.
        batch_size: {batch_size}
        output_index: {output_index}
        input_index: {input_index}
        verbose: {verbose}

    Returns:
        `InputShiftReport`, with `.rows()` and `.markdown()`;
        `keras_interp.plotting.input_shift` draws it.

    Raises:
        ValueError: for unknown methods, no images or a shift of another shape; and
            {raises}

    Reference:
        Kindermans et al., "The (Un)reliability of saliency methods", 2017, section 2.
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
    offset = _offset(shift, explained.inputs.images)
    options = {
        "batch_size": batch_size,
        "output_index": explained.record.outputs.index(explained.output),
        "input_index": input_index,
    }
    if methods is None:
        pairs = _default_pairs(explained, offset, options)
    else:
        pairs = {
            name: (method, method)
            for name, method in chosen_methods(methods, options).items()
        }
    progress = Progress(2 * len(pairs), verbose, "method")
    return _compared(explained, offset, pairs, options, tolerance, progress)


def _compared(
    explained: ExplainedModel,
    offset: np.ndarray,
    pairs: dict[str, tuple[Method, Method]],
    options: dict[str, Any],
    tolerance: float,
    progress: Progress,
) -> InputShiftReport:
    inputs = explained.inputs
    moved = inputs.images + offset
    images, shifted = _replaced(inputs, moved - offset), _replaced(inputs, moved)
    second = _ShiftedNetwork(explained.model, offset, inputs.position)
    one, other = (
        ExplainedModel(
            network,
            structure,
            None if (explained.targets < 0).any() else explained.targets,
            output_index=options["output_index"],
            input_index=options["input_index"],
        )
        for network, structure in ((explained.model, images), (second, shifted))
    )
    scores = scores_and_fixed_targets(one, options["batch_size"])
    of_second = scores_and_fixed_targets(other, options["batch_size"])
    differences, correlations, shown = [], [], []
    for before, after in pairs.values():
        first = np.asarray(before(explained.model, images, one.targets))
        progress.advance(1)
        again = np.asarray(after(second, shifted, one.targets))
        progress.advance(1)
        absolute = [absolute_map(maps, moved) for maps in (first, again)]
        differences.append(_largest_difference(first, again))
        correlations.append(rank_correlation(*absolute))
        shown.append([values[0] for values in absolute])
    return InputShiftReport(
        tuple(pairs),
        np.array(differences),
        np.array(correlations),
        float(np.abs(scores - of_second).max()),
        tolerance,
        inputs.images[0],
        np.array(shown),
    )


class _ShiftedNetwork(keras.Model):
    """Network 2: the model on its input less a constant; its weights are the model's.

    Args:
        model: network 1.
        offset: float32 `(height, width, channels)`.
        position: of the images among the inputs.
    """

    def __init__(self, model: Any, offset: np.ndarray, position: int):
        # Its own precision must not change the images, nor that of the model.
        super().__init__(dtype="float32", autocast=False, name="shifted_network")
        self.model = model
        self.offset = offset
        self.position = position
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        tensors = keras.tree.flatten(inputs)
        tensors[self.position] = tensors[self.position] - ops.convert_to_tensor(
            self.offset
        )
        inputs = keras.tree.pack_sequence_as(inputs, tensors)
        return self.model(inputs, training=training)


def _default_pairs(
    explained: ExplainedModel, offset: np.ndarray, options: dict[str, Any]
) -> dict[str, tuple[Method, Method]]:
    names = applicable(DEFAULT, explained.record)
    pairs = {
        name: (method, method)
        for name, method in chosen_methods(names, options).items()
    }
    paths = functools.partial(integrated_gradients, **options)
    covers = functools.partial(occlusion, **options)
    with_zero, with_moved = "integrated_gradients, baseline {}", "occlusion, fill {}"
    pairs[with_zero.format("0")] = paths, paths
    pairs[with_zero.format("moved")] = paths, functools.partial(paths, baseline=offset)
    pairs[with_moved.format("0")] = covers, covers
    pairs[with_moved.format("moved")] = covers, functools.partial(covers, fill=offset)
    return pairs


def _offset(shift: Any, images: np.ndarray) -> np.ndarray:
    """The constant that is added, float32 `(height, width, channels)`."""
    if shift is None:
        shift = float(images.min()) - float(images.max())
        # A single grey has no range.
        shift = shift or -1.0
    return reference_images(shift, images[:1], "shift")[0]


def _replaced(inputs: Any, images: np.ndarray) -> Any:
    """The inputs of the model with other images, in their structure."""
    arrays = list(inputs.arrays)
    arrays[inputs.position] = images
    return keras.tree.pack_sequence_as(inputs.structure, arrays)


def _largest_difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    axes = tuple(range(1, first.ndim))
    scale = np.maximum(np.abs(first).max(axis=axes), np.abs(second).max(axis=axes))
    return np.abs(first - second).max(axis=axes) / np.where(scale > 0, scale, 1)

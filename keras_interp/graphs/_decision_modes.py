"""How a class score follows from the filters of a layer, image by image."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._network.call_record import LayerCall
from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward, activation_and_gradient
from keras_interp._network.graph import finishing_operation, graph_of
from keras_interp._network.layer_names import LayerPlace
from keras_interp.metrics._layer_maps import find_layer
from keras_interp.metrics._peaks import to_numpy
from keras_interp.metrics._progress import progress


@dataclasses.dataclass(frozen=True)
class DecisionModes:
    """What each filter adds to a class score in each image, summed over positions.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> maps = np.array([[[[2.0, 0.0]], [[1.0, 4.0]]]])
    >>> slopes = np.array([[[[0.5, 1.0]], [[1.0, -0.5]]]])
    >>> modes = ki.graphs.DecisionModes.from_maps(maps, slopes, [1.0])
    >>> modes.contributions
    array([[ 2., -2.]])

    Attributes:
        activations: float `(N, F)`, mean of each filter's map over the positions.
        gradients: float `(N, F)`, mean gradient of the score over the positions.
        contributions: float `(N, F)`, `sum_hw x_hw dy/dx_hw` of each filter: the part
            of the score that is linear in its map.
        scores: float `(N,)`, the score y: above 0 the network says yes.
        positions: number of positions of a map that the means are over.
    """

    activations: np.ndarray
    gradients: np.ndarray
    contributions: np.ndarray
    scores: np.ndarray
    positions: int = 1

    def __post_init__(self) -> None:
        shape = np.shape(self.activations)
        if len(shape) != 2 or not all(shape):
            raise ValueError(
                "Expected activations of shape (images, filters), at least one of "
                f"each. Received: activations of shape {shape}. Pass maps to "
                "DecisionModes.from_maps."
            )
        for name, wanted in (
            ("activations", shape),
            ("gradients", shape),
            ("contributions", shape),
            ("scores", shape[:1]),
        ):
            array = to_numpy(getattr(self, name)).astype("float64")
            if array.shape != wanted:
                raise ValueError(
                    f"Expected {name} of shape {wanted}, as the activations have. "
                    f"Received: {name} of shape {array.shape}. Pass arrays of the "
                    "same images and filters."
                )
            if not np.isfinite(array).all():
                raise ValueError(
                    f"Expected {name} with finite values. Received: "
                    f"{int((~np.isfinite(array)).sum())} that are NaN or infinite. "
                    "Leave out the images that they belong to."
                )
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def filters(self) -> int:
        """Number of filters."""
        return self.activations.shape[1]

    @classmethod
    def from_maps(cls, activations: Any, gradients: Any, scores: Any) -> DecisionModes:
        """Sums maps that were computed before over their positions.

        Args:
            activations: `(N, H, W, F)`, or `(N, F)` of a layer without positions.
            gradients: of the same shape, `dy/dx` at each activation.
            scores: `(N,)`, the score y: above 0 the network says yes.

        Returns:
            `DecisionModes`.

        Raises:
            ValueError: if shapes differ or values are NaN or infinite.
        """
        maps, slopes = to_numpy(activations), to_numpy(gradients)
        if maps.ndim not in (2, 4) or maps.shape != slopes.shape or not maps.size:
            raise ValueError(
                "Expected activations and gradients of the same shape, (images, "
                "height, width, filters) or (images, filters). Received: activations "
                f"of shape {maps.shape} and gradients of shape {slopes.shape}. Pass "
                "what one layer gave for the same images."
            )
        places = tuple(range(1, maps.ndim - 1))
        maps, slopes = maps.astype("float64"), slopes.astype("float64")
        return cls(
            maps.mean(axis=places),
            slopes.mean(axis=places),
            (maps * slopes).sum(axis=places),
            to_numpy(scores),
            int(np.prod(maps.shape[1:-1])),
        )

    def take(self, rows: Any) -> DecisionModes:
        """Those of some images, chosen by their indices or by bool `(N,)`."""
        return dataclasses.replace(
            self,
            activations=self.activations[rows],
            gradients=self.gradients[rows],
            contributions=self.contributions[rows],
            scores=self.scores[rows],
        )


def decision_modes(
    model: keras.Model,
    images: Any,
    layer_name: str | None = None,
    class_index: int | None = None,
    *,
    batch_size: int = 32,
    verbose: int = 0,
) -> DecisionModes:
    """Reads how the score of a class follows from the filters of a layer.

    The score is the logit of a network with one output. With several classes it is the
    logit of the class less that of its strongest rival in the image, so that above 0
    always means that the network chooses the class.

    Example:

    ```python
    modes = ki.graphs.decision_modes(model, images, class_index=0)
    modes.contributions.sum(axis=1)
    ```

    Args:
        model: any built Keras model that classifies images.
        images: `(N, height, width, channels)`, as the model takes them.
        layer_name: name or path of a layer with maps `(h, w, F)`. Default: the last
            interpretable layer; the last convolution, up to its activation, where
            there is none.
        class_index: the class; `None` for the one that the network names most often.
        batch_size: most images that are computed at once.
        verbose: 1 shows progress, 0 nothing.

    Returns:
        `DecisionModes`, a row for each image.

    Raises:
        ValueError: if the layer has no maps, the class is out of range, or there are no
            images.
    """
    layer = layer_to_explain(model, layer_name)
    rivals = None
    index, logits = class_to_explain(model, images, class_index, batch_size)
    if logits.shape[1] > 1:
        others = logits.copy()
        others[:, index] = -np.inf
        rivals = others.argmax(axis=1)
    with progress(len(logits), verbose, f"Gradients at layer {layer!r}") as on_batch:
        found = _read(model, images, layer, index, batch_size, on_batch)
    if rivals is not None:
        with progress(len(logits), verbose, "Gradients of the rivals") as on_batch:
            other = _read(model, images, layer, rivals, batch_size, on_batch)
        found = dataclasses.replace(
            found,
            gradients=found.gradients - other.gradients,
            contributions=found.contributions - other.contributions,
            scores=found.scores - other.scores,
        )
    return found


def layer_to_explain(model: Any, layer_name: str | None) -> str:
    """Path of the layer of that name, or of the one that is taken by itself.

    Warns:
        UserWarning: if the layer has no interpretable filters.
    """
    place = find_layer(model, layer_name)
    if not hasattr(place.layer, "interpretable_filters"):
        warnings.warn(
            f"Layer {place.path!r} has no interpretable filters: they may stand for "
            "several parts each, or none, and a tree over them names no parts. Train "
            "with ki.InterpretableConv, or convert with ki.models.to_interpretable.",
            stacklevel=3,
        )
        if layer_name is None:
            return _finished(place)
    return place.path


def _finished(place: LayerPlace) -> str:
    """Path of the layer that ends a row of convolution, batch norm and ReLU."""
    inner = place.models[-1]
    if graph_of(inner) is None:
        return place.path
    last = finishing_operation(place.layer, inner)
    if not isinstance(last, keras.layers.Layer):
        return place.path
    return LayerPlace(place.models, last).path


def class_to_explain(
    model: Any, images: Any, class_index: int | None, batch_size: int
) -> tuple[int, np.ndarray]:
    """The class, and the logits `(N, classes)` of all images."""
    explained = ExplainedModel(model, images, class_index)
    if not len(explained.inputs):
        raise ValueError(
            "Expected at least one image. Received: none. Pass a batch of images."
        )

    def body(forward: Forward, tensor: Any, targets: Any) -> Any:
        return forward.logits(tensor)

    (logits,) = explained.compute(("logits",), body, batch_size=batch_size)
    if class_index is None:
        count = logits.shape[1]
        class_index = int(np.bincount(logits.argmax(axis=1), minlength=count).argmax())
    return int(class_index), logits


def _read(
    model: Any,
    images: Any,
    layer: str,
    classes: Any,
    batch_size: int,
    on_batch: Callable[[int], None] | None,
) -> DecisionModes:
    """The sums over positions are taken where the maps are, one batch at a time."""
    explained = ExplainedModel(model, images, classes)
    call = explained.find_call(layer, 0)
    sizes = _sizes(call)

    def body(forward: Forward, tensor: Any, targets: Any) -> list[Any]:
        found = activation_and_gradient(forward, call, tensor, targets)
        maps, slopes = (ops.cast(x, "float32") for x in found)
        scores, _ = forward.scores(tensor, targets)
        places = tuple(range(1, len(sizes)))
        return [
            ops.mean(maps, axis=places) if places else maps,
            ops.mean(slopes, axis=places) if places else slopes,
            ops.sum(maps * slopes, axis=places) if places else maps * slopes,
            ops.cast(ops.reshape(scores, (-1,)), "float32"),
            _ones(maps, places),
        ]

    key = ("decision_modes", call.path, call.index)
    means, slopes_of, added, scores_of, cells = explained.compute(
        key, body, batch_size=batch_size, on_batch=on_batch
    )
    count = round(float(cells.max()))
    return DecisionModes(means, slopes_of, added, scores_of, count)


def _ones(maps: Any, places: tuple[int, ...]) -> Any:
    """Number of positions, for each image."""
    ones = ops.ones_like(maps[..., 0])
    return ops.sum(ones, axis=places) if places else ones


def _sizes(call: LayerCall) -> tuple[Any, ...]:
    shape = call.shape_of_maps
    if shape is None or len(shape) not in (2, 4):
        raise ValueError(
            "Expected layer_name as a layer with maps (height, width, filters), or of "
            f"units. Received: layer {call.name!r}, which puts out {shape}. Choose a "
            "convolution or what follows it."
        )
    return tuple(shape[1:])

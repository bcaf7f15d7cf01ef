"""Interpretable layers on top of a new network, or inside a trained one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras

from keras_interp._network.graph import (
    finishing_operation,
    is_graph,
    is_unfinished,
    output_tensors,
)
from keras_interp._network.graph_copy import copy_with_insertions
from keras_interp._network.layer_names import (
    LayerPlace,
    find_layer,
    flattened_layers,
    layer_places,
)
from keras_interp.layers import InterpretableConv, InterpretableMask
from keras_interp.layers.interpretable_mask import MASK_ARGUMENTS
from keras_interp.models._channel_layout import channels_first_operations
from keras_interp.models.interpretable_model import InterpretableModel

# Zhang, Wu, Zhu (2018) make all the filters of both layers interpretable.
PAPER_FRACTION = 1.0
INTERPRETABLE_CONV_NAME = "conv_interpretable"
INTERPRETABLE_MASK_NAME = "mask_interpretable"
MOST_NAMES_LISTED = 60


def to_interpretable(
    model: keras.Model,
    layer_name: str,
    *,
    add_layer: bool = True,
    whitening: keras.layers.Conv2D | None = None,
    **interpretable_conv_kwargs: Any,
) -> InterpretableModel:
    """Make the feature maps of one layer of a trained model interpretable.

    The maps are masked, and trained with the filter loss, where they are finished:
    behind the batch normalisation and the activation that follow the layer. All that
    took the maps before takes the masked ones. The paper adds a second interpretable
    convolution above; so does this function unless told otherwise.

    With `whitening=` the trained maps stay as they are, without a mask. They are
    whitened, and two interpretable convolutions follow. That is what finds
    parts on pretrained networks: train these layers first, with all layers below
    frozen, then all weights at a rate of 1e-5 to 1e-4.

    Example:

    ```python
    trained = keras.applications.VGG16(weights="imagenet")
    model = ki.models.to_interpretable(trained, "block5_conv3", fraction=1.0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels)
    ```

    Args:
        model: a functional or (built) Sequential Keras model, with any layers, several
            inputs and outputs, shared layers and models inside models. It stays
            unchanged.
        layer_name: name of a layer whose output is `(batch, height, width, channels)`.
            A layer of an inner model is found by its name, too; where names occur
            twice, give the path `"inner_model/layer"`.
        add_layer: whether to add an interpretable 3x3 convolution of the same width
            above the maps, with new, random weights. Defaults to True.
        whitening: what `ki.layers.whitening_conv` makes of the maps of this layer, on
            some hundred training images; the model gets a copy. None (default) masks
            the maps themselves.
        **interpretable_conv_kwargs: keywords of `InterpretableConv`. Those of the mask
            and the filter loss hold for both layers, those of `Conv2D` (`kernel_size`,
            `kernel_initializer`...) for the added one.

    Returns:
        An `InterpretableModel`, not compiled, with copies of all layers and weights.
        The new layers are called `"<layer>_interpretable_mask"` and
        `"<layer>_interpretable_conv"` after the layer they follow, with `whitening=`
        `"<layer>_whitening"`, `"<layer>_interpretable_conv"` and
        `"<layer>_interpretable_conv_2"`. With several outputs, set its
        `category_output` before `compile`.

    Raises:
        ValueError: if the model is no graph of layers, the layer is not found or cannot
            be converted (the message names those that can), a layer cannot be
            copied, or `whitening` does not fit the maps or comes with
            `add_layer=False`.

    Reference:
        Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018,
        section 5, "Four types of CNNs".
    """
    _check_model(model)
    place = _find_layer(model, layer_name)
    last = finishing_operation(place.layer, place.models[-1])
    if is_unfinished(last):
        warnings.warn(
            f"No activation follows {last.name!r} alone: the mask sets the negative "
            "values of the interpretable maps to zero. A layer behind the next "
            "activation may be the better choice.",
            stacklevel=2,
        )
    filters = output_tensors(last, place.models[-1])[0].shape[-1]
    keywords = {
        "dtype": getattr(last, "dtype_policy", None),
        **interpretable_conv_kwargs,
    }
    if whitening is None:
        insertion = _interpretable_layers(last.name, filters, add_layer, keywords)
    else:
        _check_whitening(whitening, filters, add_layer)
        insertion = _whitened_layers(last.name, filters, whitening, keywords)
    copied = copy_with_insertions(model, {id(last): insertion})
    converted = InterpretableModel(copied.input, copied.output, name=model.name)
    converted.category_output = getattr(model, "category_output", None)
    return converted


def interpretable_top(
    x: Any, interpretable: bool, interpretable_keywords: dict[str, Any]
) -> Any:
    """Mask the maps `x` and add an interpretable 3x3 convolution of the same width.

    This is the surgery of Zhang, Wu, Zhu (CVPR 2018), section 5; with
    `interpretable=False` the maps come back as they are.
    """
    if not interpretable:
        if interpretable_keywords:
            raise ValueError(
                "Expected `interpretable=True` with the keywords "
                f"{sorted(interpretable_keywords)}, which expect interpretable layers. "
                "Received: interpretable=False. Set it, or leave them out."
            )
        return x
    keywords = {"fraction": PAPER_FRACTION, **interpretable_keywords}
    mask = InterpretableMask(name=INTERPRETABLE_MASK_NAME, **_mask_keywords(keywords))
    conv = InterpretableConv(
        **{"filters": x.shape[-1], **_conv_keywords(keywords)},
        name=INTERPRETABLE_CONV_NAME,
    )
    return conv(mask(x))


def _mask_keywords(keywords: dict[str, Any]) -> dict[str, Any]:
    """Those of an interpretable convolution's keywords that its mask takes."""
    return {key: value for key, value in keywords.items() if key in MASK_ARGUMENTS}


def _conv_keywords(keywords: dict[str, Any]) -> dict[str, Any]:
    """The keywords of the added convolution: 3x3 that keeps the size of the maps."""
    return {"kernel_size": 3, "padding": "same", **keywords}


def _interpretable_layers(
    name: str, filters: int, add_layer: bool, keywords: dict[str, Any]
) -> Callable[[Any], Any]:
    """The function that puts the new layers on maps; called twice, they are shared."""
    mask_name = f"{name}_interpretable_mask"
    if not add_layer:
        return InterpretableMask(**keywords, name=mask_name)
    mask = InterpretableMask(
        **_mask_keywords(keywords), dtype=keywords["dtype"], name=mask_name
    )
    conv = InterpretableConv(
        **{"filters": filters, **_conv_keywords(keywords)},
        name=f"{name}_interpretable_conv",
    )
    return lambda maps: conv(mask(maps))


def _whitened_layers(
    name: str,
    filters: int,
    whitening: keras.layers.Conv2D,
    keywords: dict[str, Any],
) -> Callable[[Any], Any]:
    """The same for whitened maps and two interpretable convolutions."""
    changes = {"name": f"{name}_whitening", "dtype": keywords["dtype"]}
    config = {**whitening.get_config(), **changes}
    copied = keras.layers.Conv2D.from_config(config)
    copied.build((None, None, None, filters))
    copied.set_weights(whitening.get_weights())
    first, second = (
        InterpretableConv(
            **{"filters": filters, **_conv_keywords(keywords)},
            name=f"{name}_interpretable_conv{ending}",
        )
        for ending in ("", "_2")
    )
    return lambda maps: second(first(copied(maps)))


def _check_whitening(whitening: Any, channels: int, add_layer: bool) -> None:
    if not add_layer:
        raise ValueError(
            "Expected `add_layer=True` with `whitening=`, which adds two layers. "
            "Received: add_layer=False. Leave one of them out."
        )
    made = isinstance(whitening, keras.layers.Conv2D) and whitening.built
    if not made or whitening.kernel.shape[:2] != (1, 1):
        raise ValueError(
            "Expected `whitening` as the 1x1 convolution that "
            f"`ki.layers.whitening_conv` returns. Received: whitening={whitening!r}. "
            "Call it with this layer's maps of some hundred training images."
        )
    if whitening.kernel.shape[2] != channels:
        raise ValueError(
            f"Expected `whitening` for the {channels} channels of the maps. Received: "
            f"whitening={whitening!r} for {whitening.kernel.shape[2]}. Make it of the "
            "maps of this very layer."
        )


def _check_model(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise ValueError(
            "Expected `model` as a Keras model. Received: a "
            f"{type(model).__name__}. Give a functional or Sequential keras.Model."
        )
    if isinstance(model, keras.Sequential) and not model.built:
        raise ValueError(
            "Expected `model` as a built model. Received: the Sequential model "
            f"{model.name!r} without a known input. Start it with keras.Input, or call "
            "it on data first."
        )
    if not is_graph(model):
        raise ValueError(
            "Expected `model` as a functional or Sequential model. Received: the "
            f"subclassed model {model.name!r}, whose layers Keras does not know as a "
            "graph. Put keras_interp.layers.InterpretableMask into its `call` yourself."
        )


def _find_layer(model: keras.Model, layer_name: str) -> LayerPlace:
    reason, place = _absence(model, layer_name), None
    first = channels_first_operations(model)
    if not reason:
        place = find_layer(model, layer_name)
        reason = _obstacle(place, first)
    if reason or place is None:
        able = [p.path for p in layer_places(model) if not _obstacle(p, first)]
        raise ValueError(
            f"Expected a layer of {model.name!r} that can be made interpretable. "
            f"Received: layer_name={layer_name!r}: {reason}. These layers can: "
            f"{_listed(able)}."
        )
    return place


def _absence(model: keras.Model, layer_name: str) -> str:
    for place in layer_places(model):
        inner = flattened_layers(place.layer, include_self=False)
        if not is_graph(place.layer) and layer_name in [part.name for part in inner]:
            return _hidden_in(place.layer, place.path)
    return ""


def _hidden_in(layer: Any, path: str) -> str:
    return (
        f"it is inside the layer {path!r}, of class {type(layer).__name__}, whose "
        "inner graph Keras does not know"
    )


def _obstacle(place: LayerPlace, channels_first: set[int]) -> str:
    """Why the layer's maps cannot be made interpretable, or an empty string."""
    layer, model = place.layer, place.models[-1]
    hidden = [around for around in place.models if not is_graph(around)]
    if hidden:
        return _hidden_in(hidden[0], hidden[0].name)
    if isinstance(layer, keras.layers.InputLayer):
        return "it is an input"
    tensors = output_tensors(layer, model)
    shapes = [tuple(tensor.shape) for tensor in tensors]
    if not shapes or any(len(shape) != 4 for shape in shapes):
        return (
            "expected an output (batch, height, width, channels), got "
            f"{', '.join(map(str, shapes)) or 'none that the model uses'}"
        )
    if any("float" not in str(tensor.dtype) for tensor in tensors):
        return f"expected an output of floating point numbers, got {tensors[0].dtype}"
    if id(layer) in channels_first:
        return (
            "its data_format is 'channels_first', or that of the layers around it; "
            "build the model with 'channels_last'"
        )
    if any(shape[-1] is None for shape in shapes):
        return f"expected a known number of channels, got the shape {shapes[0]}"
    if any(1 in shape[1:3] for shape in shapes):
        return f"expected maps of at least 2 x 2 cells, got the shape {shapes[0]}"
    last = finishing_operation(layer, model)
    names = {other.layer.name for other in layer_places(model)}
    interpretable = isinstance(layer, (InterpretableConv, InterpretableMask))
    new = {f"{last.name}_interpretable_{kind}" for kind in ("mask", "conv")}
    if interpretable or new & names:
        return "it is interpretable already"
    return ""


def _listed(paths: list[str]) -> str:
    """The paths in one line; of very many, the top ones."""
    omitted = len(paths) - MOST_NAMES_LISTED
    start = f"{omitted} lower ones, " if omitted > 0 else ""
    return start + (", ".join(paths[-MOST_NAMES_LISTED:]) or "none")

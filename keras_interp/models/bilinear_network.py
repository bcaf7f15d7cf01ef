"""A network whose feature says which channels fire together."""

from __future__ import annotations

from typing import Any

import keras

from keras_interp.layers import CompactBilinearPooling

MAPS_RANK = 4


def compact_bilinear_network(
    model: keras.Model,
    layer_name: str | None = None,
    classes: int | None = None,
    *,
    output_dim: int = 8192,
    seed: int = 0,
    classifier_activation: str | None = "softmax",
    name: str = "compact_bilinear_network",
) -> keras.Model:
    """Puts compact bilinear pooling on the maps of a network, and classes on that.

    The network that InterpNET takes its 8192 features from is
    `compact_bilinear_network(VGG16(weights="imagenet"), "relu5_3", 200)`, on images of
    448 pixels, trained on birds. The layers and weights are those of `model`: to train
    the classes alone, set `model.trainable = False`.

    Example:

    ```python
    trunk = ki.models.SqueezeNet(weights=None, include_top=False)
    network = ki.models.compact_bilinear_network(trunk)
    features = network.predict(ki.models.preprocess_input(large_images), verbose=0)
    ```

    Args:
        model: a functional Keras model, such as `ki.models.VGG16(...)`.
        layer_name: the layer whose maps are pooled, such as `"relu5_3"`. Default: the
            output of `model`, which `SqueezeNet(include_top=False)` ends with.
        classes: number of outputs of the layer `"predictions"` above the feature.
            `None` ends the network at the feature, the layer `"compact_bilinear"`.
        output_dim: length of the feature. Defaults to 8192.
        seed: of the hashes and signs. Defaults to 0.
        classifier_activation: activation of the outputs, such as `"softmax"`,
            `"sigmoid"` or `None` for logits. Defaults to `"softmax"`.
        name: name of the network.

    Returns:
        A `keras.Model` from the input of `model` to `(batch, output_dim)`, or to
        `(batch, classes)`.

    Raises:
        ValueError: if `model` is not functional, has no such layer, or that puts out no
            maps; if `classes` is no positive integer.

    Reference:
        Gao, Beijbom, Zhang, Darrell, "Compact Bilinear Pooling", CVPR 2016, section 4;
        Barratt, "InterpNET", 2017, section 2.3.
    """
    maps = _maps(model, layer_name)
    pooling = CompactBilinearPooling(
        output_dim, seed, data_format="channels_last", name="compact_bilinear"
    )
    outputs = pooling(maps)
    if classes is not None:
        if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
            raise ValueError(
                "Expected `classes` as a positive integer or None. Received: "
                f"classes={classes!r}. None ends the network at the feature."
            )
        outputs = keras.layers.Dense(
            classes, activation=classifier_activation, name="predictions"
        )(outputs)
    return keras.Model(model.inputs, outputs, name=name)


def _maps(model: Any, layer_name: str | None) -> Any:
    """The symbolic maps of a layer, or of the whole model."""
    functional = isinstance(model, keras.Model) and getattr(model, "inputs", None)
    if not functional:
        raise ValueError(
            "Expected `model` as a functional Keras model that is built. Received: "
            f"model of {type(model).__name__}. Call a Sequential model once, or put "
            "CompactBilinearPooling into the call of a model of your own."
        )
    names = [layer.name for layer in model.layers]
    if layer_name is not None and layer_name not in names:
        raise ValueError(
            f"Expected `layer_name` as a layer of {model.name!r}. Received: "
            f"layer_name={layer_name!r}. Its layers are {', '.join(names)}."
        )
    maps = model.output if layer_name is None else model.get_layer(layer_name).output
    if isinstance(maps, list | dict) or len(maps.shape) != MAPS_RANK:
        raise ValueError(
            "Expected a layer that puts out maps (batch, height, width, channels). "
            f"Received: layer_name={layer_name!r}. Name one below the first pooling "
            "over all positions, or the layer that flattens."
        )
    return maps

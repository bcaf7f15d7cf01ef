"""Backward passes that change the signal at the ReLUs: guided and deconvnet."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.attribution._relu_rules import ReluRule, check_rectifiers
from keras_interp.attribution._shared_arguments import with_shared_arguments


@with_shared_arguments
def guided_backprop(
    model: Any,
    images: Any,
    class_index: Any = None,
    *,
    layer_name: str | None = None,
    batch_size: int = 32,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
) -> np.ndarray:
    """Gradient that passes each ReLU only where input and signal are both positive.

    At a ReLU with input `x` the signal `p` becomes `max(p, 0) * (x > 0)`. Every ReLU is
    given this rule, however it is written: `activation="relu"`, `Activation`,
    `layers.ReLU`, `ops.relu`, `activations.relu`, `maximum(x, 0)`, and the backend's
    own. Its variants (ReLU6, LeakyReLU, PReLU, slopes and thresholds) pass `max(p, 0)`
    times their own derivative.

    Example:

    ```python
    maps = ki.attribution.guided_backprop(model, images)
    filter_maps = ki.attribution.guided_backprop(model, images, 7, layer_name="conv5")
    ```

    Args:
        model: {model}
        images: {images}
        class_index: {class_index}
        layer_name: {filter_layer}
        batch_size: {batch_size}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}

    Returns:
        float32 `(batch, height, width, channels)`.

    Raises:
        ValueError: if the model has no ReLU, or one that cannot be given the rule; and
            {raises}

    Reference:
        Springenberg, Dosovitskiy, Brox, Riedmiller, "Striving for Simplicity: The All
        Convolutional Net", 2015, section 3.4.
    """
    explained = ExplainedModel(
        model,
        images,
        class_index,
        layer_name=layer_name,
        call_index=call_index,
        output_index=output_index,
        input_index=input_index,
    )
    return _with_rule(explained, "guided", batch_size)


@with_shared_arguments
def deconvnet(
    model: Any,
    images: Any,
    class_index: Any = None,
    *,
    layer_name: str | None = None,
    batch_size: int = 32,
    call_index: int | None = None,
    output_index: int | str | None = None,
    input_index: int | str | None = None,
) -> np.ndarray:
    """Signal that a deconvolutional network projects back to the image.

    At a ReLU the signal `p` becomes `max(p, 0)`, whatever the ReLU's input was. Max
    pooling hands the signal to the recorded switches, a convolution applies its filters
    transposed: both as in the gradient. All spellings and variants of the ReLU are
    given the rule, the same ones that `keras_interp.attribution.guided_backprop` knows.

    With `layer_name` it is what the paper shows: the largest activation of one filter,
    all others zero, projected to the pixels.

    Example:

    ```python
    maps = ki.attribution.deconvnet(model, images, 7, layer_name="conv5")
    ```

    Args:
        model: {model}
        images: {images}
        class_index: {class_index}
        layer_name: {filter_layer}
        batch_size: {batch_size}
        call_index: {call_index}
        output_index: {output_index}
        input_index: {input_index}

    Returns:
        float32 `(batch, height, width, channels)`.

    Raises:
        ValueError: if the model has no ReLU, or one that cannot be given the rule; and
            {raises}

    Reference:
        Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", 2014,
        section 2.1.
    """
    explained = ExplainedModel(
        model,
        images,
        class_index,
        layer_name=layer_name,
        call_index=call_index,
        output_index=output_index,
        input_index=input_index,
    )
    return _with_rule(explained, "deconvnet", batch_size)


def _with_rule(explained: ExplainedModel, rule: str, batch_size: int) -> np.ndarray:
    check_rectifiers(explained.record, explained.model.name)
    # What follows the last pooling matters for the prediction alone in a deconvnet:
    # where every class is given, a function of its own leaves it out.
    all_given = rule == "deconvnet" and bool((explained.targets >= 0).all())

    def slopes(forward: Forward, images: Any, targets: Any) -> Any:
        def scores_of(at: Any) -> tuple[Any, Any]:
            return forward.scores(at, targets, ReluRule(rule), all_given=all_given)

        return forward.gradient(scores_of, images)[0]

    (maps,) = explained.compute((rule, all_given), slopes, batch_size=batch_size)
    return maps

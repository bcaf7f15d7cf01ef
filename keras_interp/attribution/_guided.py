"""Backward passes that change the signal at the ReLUs: guided and deconvnet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_interp._backend import with_backward_rule
from keras_interp._network.calls import (
    RECTIFIERS,
    Interceptor,
    is_rectifier,
    not_intercepting,
)
from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.attribution._shared_arguments import with_shared_arguments

if TYPE_CHECKING:
    from keras_interp._network.call_record import CallRecord


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


def check_rectifiers(record: CallRecord, model_name: str) -> None:
    """Refuse a model whose ReLUs cannot all be given a rule.

    Args:
        record: of the model's calls.
        model_name: for the message.

    Raises:
        ValueError: if there is no ReLU, or one that no interceptor sees.
    """
    if record.missed_rectifiers:
        names = ", ".join(sorted(set(record.missed_rectifiers)))
        raise ValueError(
            "Expected ReLUs that can be given another backward pass. Received: "
            f"model={model_name!r}, {len(record.missed_rectifiers)} of whose ReLUs "
            f"cannot ({names}). Write them as keras.ops.relu, not as a function of the "
            "backend that was imported by its name."
        )
    if not any(name in RECTIFIERS or name == "maximum" for name in record.activations):
        found = ", ".join(record.activations) or "none"
        raise ValueError(
            "Expected a model with ReLUs, at which guided backpropagation and "
            f"deconvnet change the signal. Received: model={model_name!r}, whose "
            f"activations are: {found}. Use gradient, saliency or smooth_grad."
        )


class ReluRule(Interceptor):
    """Gives the ReLUs of a model another backward pass, and counts them.

    With `x` the input of a ReLU, `f'` its derivative and `p` the signal from above:

    | rule | signal passed down |
    |---|---|
    | `"deconvnet"` | `max(p, 0)` |
    | `"guided"` | `max(p, 0) f'(x)` |
    | `"redirected"` | `p` where `x > 0`, `max(p, 0)` elsewhere |

    ReLU6, LeakyReLU, PReLU and ReLUs with a threshold, a slope or a maximum follow the
    same formulas with their own `f'`. The third wakes units that are silent: it also
    follows a signal that would make them speak.

    Args:
        rule: `"deconvnet"`, `"guided"` or `"redirected"`.

    Attributes:
        count: how many calls have been given the rule.
    """

    def __init__(self, rule: str):
        self._apply = {
            "deconvnet": _deconvnet,
            "guided": _guided,
            "redirected": _redirected,
        }[rule]
        self.count = 0

    def on_function(
        self, name: str, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        if not is_rectifier(name, args, kwargs):
            return call(*args, **kwargs)
        self.count += 1
        return _applied(self._apply, call, args, kwargs)

    def on_operation(
        self, operation: Any, call: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        # PReLU is computed from two ReLUs and is one itself.
        if not isinstance(operation, keras.layers.PReLU):
            return call(*args, **kwargs)
        self.count += 1
        with not_intercepting():
            return _applied(self._apply, call, args, kwargs)


def _applied(
    apply: Callable[..., Any], call: Callable[..., Any], args: Any, kwargs: Any
) -> Any:
    """Apply a rule to a call whose one tensor may stand anywhere."""
    # Computed in place, the input that the backward pass needs would be lost.
    kwargs = {name: value for name, value in kwargs.items() if name != "inplace"}
    args = [value for value in args if not isinstance(value, bool)]
    places = [*range(len(args)), *kwargs]
    values = dict(zip(places, [*args, *kwargs.values()], strict=True))
    place = next(place for place, value in values.items() if ops.is_tensor(value))

    def of_tensor(tensor: Any) -> Any:
        given = {**values, place: tensor}
        positional = [given.pop(index) for index in range(len(args))]
        return call(*positional, **given)

    return apply(of_tensor, values[place])


def _deconvnet(rectifier: Callable[[Any], Any], tensor: Any) -> Any:
    return with_backward_rule(rectifier, _positive_part, signal_alone=True)(tensor)


def _guided(rectifier: Callable[[Any], Any], tensor: Any) -> Any:
    # The positive part of the signal, and below it the ordinary derivative.
    rule = with_backward_rule(_unchanged, _positive_part, signal_alone=True)
    return rule(rectifier(tensor))


def _redirected(rectifier: Callable[[Any], Any], tensor: Any) -> Any:
    return with_backward_rule(rectifier, _unless_silenced)(tensor)


def _unchanged(tensor: Any) -> Any:
    return tensor


def _positive_part(inputs: Any, output: Any, upstream: Any) -> list[Any]:
    return [ops.relu(upstream)]


def _unless_silenced(inputs: Any, output: Any, upstream: Any) -> list[Any]:
    return [ops.where(inputs[0] > 0, upstream, ops.relu(upstream))]

"""How a class score changes with the image: gradient, saliency, gradient x input."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.attribution._shared_arguments import with_shared_arguments


@with_shared_arguments
def gradient(
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
    """Gradient of a class score with respect to the image.

    Example:

    ```python
    slopes = ki.attribution.gradient(model, images)          # of the predicted class
    slopes = ki.attribution.gradient(model, images, [3, 5])  # a class for each image
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
        float32 `(batch, height, width, channels)`. A batch of no images gives an
        array of no images.

    Raises:
        ValueError: {raises}

    Reference:
        Simonyan, Vedaldi, Zisserman, "Deep Inside Convolutional Networks", 2014,
        section 3; equation 6 of the survey by Zhang Dinghui.
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
    (slopes,) = explained.compute("gradient", _slopes, batch_size=batch_size)
    return slopes


@with_shared_arguments
def saliency(
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
    """Largest absolute gradient over the channels of each pixel.

    `M_ij = max_c |w_ijc|`, with `w` the gradient of the class score.

    Example:

    ```python
    maps = ki.attribution.saliency(model, images)
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
        float32 `(batch, height, width)`, not normalised.

    Raises:
        ValueError: {raises}

    Reference:
        Simonyan, Vedaldi, Zisserman, "Deep Inside Convolutional Networks", 2014,
        section 3.1; equations 6 and 7 of the survey by Zhang Dinghui.
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
    (maps,) = explained.compute("saliency", _saliency, batch_size=batch_size)
    return maps


@with_shared_arguments
def gradient_times_input(
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
    """Gradient of a class score, times the image.

    It does not explain the network alone: a constant that is added to all images, and
    taken back by the first bias, changes it.

    Example:

    ```python
    contributions = ki.attribution.gradient_times_input(model, images)
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
        ValueError: {raises}

    Reference:
        Kindermans et al., "The (Un)reliability of saliency methods", 2017, section 3.
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
    (slopes,) = explained.compute("gradient", _slopes, batch_size=batch_size)
    return slopes * explained.inputs.images


def _slopes(forward: Forward, images: Any, targets: Any) -> Any:
    return forward.gradient(lambda at: forward.scores(at, targets), images)[0]


def _saliency(forward: Forward, images: Any, targets: Any) -> Any:
    return ops.max(ops.abs(_slopes(forward, images, targets)), axis=-1)

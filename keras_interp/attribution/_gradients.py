"""How a class score changes with the picture: gradient, saliency, gradient x input."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.explained_model import ExplainedModel
from keras_interp._network.forward_pass import Forward


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
    """Gradient of a class score with respect to the picture.

    Example:

    ```python
    slopes = ki.attribution.gradient(model, images)          # of the predicted class
    slopes = ki.attribution.gradient(model, images, [3, 5])  # a class per picture
    ```

    Args:
        model: any built Keras model: functional, Sequential, nested, subclassed. It is
            run in inference mode and not changed.
        images: `(batch, height, width, channels)`, as the model wants them. Integers,
            which datasets give, become float32 with the same numbers. Or a list, tuple
            or dict of the inputs of a model with several.
        class_index: class to explain, an integer or one for each picture; `None` for
            the class of highest score. The score is the logit: a softmax or sigmoid at
            the end of the model is looked through.
        layer_name: explains a filter of this layer (name, or path such as
            `"backbone/conv5"`) in place of a class. `class_index` then counts filters,
            and the score is the filter's largest activation in the picture.
        batch_size: most pictures that are computed at once.
        call_index: which call of the layer `layer_name`, where there are several.
        output_index: which output of a model with several: position or name.
        input_index: which input of a model with several is the picture: position or
            key. By default the only one of shape `(batch, height, width, channels)`.

    Returns:
        float32 `(batch, height, width, channels)`. A batch of no pictures gives an
        array of no pictures.

    Raises:
        ValueError: before anything is computed, for images of a wrong shape or that
            are not finite, a class out of range, a layer that does not exist or that
            is called several times, or several outputs of which none is chosen.

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
        model: as for `keras_interp.attribution.gradient`.
        images: likewise.
        class_index: likewise.
        layer_name: likewise: a layer whose filter is explained in place of a class.
        batch_size: likewise.
        call_index: likewise.
        output_index: likewise.
        input_index: likewise.

    Returns:
        float32 `(batch, height, width)`, not normalised.

    Raises:
        ValueError: as for `keras_interp.attribution.gradient`.

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
    """Gradient of a class score, times the picture.

    It is no explanation of the network alone: a constant that is added to all pictures,
    and taken back by the first bias, changes it.

    Example:

    ```python
    contributions = ki.attribution.gradient_times_input(model, images)
    ```

    Args:
        model: as for `keras_interp.attribution.gradient`.
        images: likewise.
        class_index: likewise.
        layer_name: likewise: a layer whose filter is explained in place of a class.
        batch_size: likewise.
        call_index: likewise.
        output_index: likewise.
        input_index: likewise.

    Returns:
        float32 `(batch, height, width, channels)`.

    Raises:
        ValueError: as for `keras_interp.attribution.gradient`.

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


def _slopes(forward: Forward, pictures: Any, targets: Any) -> Any:
    return forward.gradient(lambda at: forward.scores(at, targets), pictures)[0]


def _saliency(forward: Forward, pictures: Any, targets: Any) -> Any:
    return ops.max(ops.abs(_slopes(forward, pictures, targets)), axis=-1)

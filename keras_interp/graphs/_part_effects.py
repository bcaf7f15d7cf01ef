"""What the score of a class loses without the filters of a part."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_interp._network.explained_model import ObservedModel
from keras_interp._network.forward_pass import Forward
from keras_interp.metrics._ablation import Gate
from keras_interp.metrics._peaks import to_numpy
from keras_interp.metrics._progress import progress


def part_effects(
    model: Any,
    images: Any,
    layer_name: str,
    filter_parts: Any,
    parts: int,
    class_index: int = 0,
    *,
    batch_size: int = 32,
    verbose: int = 0,
) -> np.ndarray:
    """Silences the filters of one part after another and sees what a score loses.

    It is what the contributions of a decision tree are judged by: not what is linear in
    the filters, but what the network says without them.

    Example:

    ```python
    tree = ki.graphs.DecisionTree().fit(model, images)
    filters = np.arange(tree.scaling_.scale.size)
    lost = ki.graphs.part_effects(
        model, images, tree.layer_name_, filters % 2, 2, tree.class_index_
    )
    ```

    Args:
        model: any built Keras model that classifies images.
        images: `(N, height, width, channels)`, as the model takes them.
        layer_name: name or path of the layer whose filters are silenced.
        filter_parts: int `(F,)`, place of each filter's part; -1 for none.
        parts: number of parts.
        class_index: class of the score, which is the logit of a network with one
            output and else the logit less that of the strongest rival.
        batch_size: most images that are computed at once.
        verbose: 1 shows progress, 0 nothing.

    Returns:
        float `(N, parts)`, `y - y(without the filters of the part)`.

    Raises:
        ValueError: if there is no such layer, or no part for each of its filters.
    """
    observed = ObservedModel(model, images)
    call = observed.find_call(layer_name, 0)
    shape = call.shape_of_maps
    known = to_numpy(filter_parts)
    if shape is None or known.shape != (shape[-1],) or known.dtype.kind not in "iu":
        raise ValueError(
            f"Expected the place of a part for each filter of layer {call.name!r}, "
            f"which puts out {shape}. Received: filter_parts of shape {known.shape}. "
            "Pass what ki.metrics.name_filters gives as .part."
        )

    def body(forward: Forward, tensor: Any, factors: Any) -> Any:
        if call.layout == "channels_first" and len(call.shape or ()) == 4:
            factors = ops.reshape(factors, (1, -1, 1, 1))
        return forward.logits(tensor, Gate(call.operation(), factors))

    def score(kept: np.ndarray) -> np.ndarray:
        (logits,) = observed.compute(
            ("part_effects", call.path),
            body,
            shared=[kept.astype("float32")],
            batch_size=batch_size,
            on_batch=on_batch,
        )
        return margin(logits, class_index)

    count = len(observed.inputs) * (parts + 1)
    words = f"Scores without the filters of {parts} parts"
    with progress(count, verbose, words) as on_batch:
        whole = score(np.ones(len(known)))
        without = [score(known != part) for part in range(parts)]
    return whole[:, None] - np.stack(without, axis=1)


def margin(logits: np.ndarray, class_index: int) -> np.ndarray:
    """The logit of a class, less that of its strongest rival where there is one."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    others = np.delete(logits, class_index, axis=1)
    return logits[:, class_index] - others.max(axis=1)

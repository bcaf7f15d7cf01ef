"""The pull-away term, which keeps x-features from saying the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

# Keeps the length of a vector of zeros from being divided by.
TINY = 1e-8


def pull_away_term(contributions: Any, over: str = "features") -> Any:
    """Mean squared cosine of pairs of vectors of contributions.

    It is 0 where no two x-features contribute to the same images, and 1 where all
    contribute alike.

    Example:

    ```python
    contributions = [[1.0, 2.0, 0.0], [2.0, 1.0, 1.0]]
    print(round(float(ki.losses.pull_away_term(contributions)), 4))  # 0.5467
    print(round(float(ki.losses.pull_away_term(contributions, "images")), 4))  # 0.5333
    ```

    Args:
        contributions: `(batch, x-features)`, what each x-feature adds to the logit of
            each image; `(batch, modules, x-features)` for several modules.
        over: `"features"` (default) compares x-features, each a vector over the images
            of the batch; `"images"` compares images, each a vector over the x-features.

    Returns:
        float32 scalar, or `(modules,)` for several modules; 0 where there is no pair.

    Raises:
        ValueError: for another `over`, or contributions of another shape.

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017, in its longer
        version, arXiv:1709.05360; the formula is that of its released code.
    """
    if over not in ("features", "images"):
        raise ValueError(
            "Expected over='features' or 'images'. Received: "
            f"over={over!r}. Choose what is compared."
        )
    vectors = ops.cast(ops.convert_to_tensor(contributions), "float32")
    if len(vectors.shape) not in (2, 3):
        raise ValueError(
            "Expected contributions (batch, x-features) or (batch, modules, "
            f"x-features). Received: shape {tuple(vectors.shape)}. Give a row an image."
        )
    # The pairs are those of the rows of (..., rows, columns).
    axes = list(range(1, len(vectors.shape)))
    order = [*axes, 0] if over == "features" else [*axes[:-1], 0, axes[-1]]
    vectors = ops.transpose(vectors, order) + TINY
    lengths = ops.sqrt(ops.sum(ops.square(vectors), axis=-1, keepdims=True))
    unit = vectors / ops.maximum(lengths, TINY)
    # The squared cosines of all pairs of rows add up to the squared entries of either
    # product; those of a row with itself are 1.
    rows, columns = vectors.shape[-2:]
    turned = np.arange(len(vectors.shape))
    turned[-2:] = turned[-2:][::-1]
    across = ops.transpose(unit, turned.tolist())
    few_columns = rows is None or (columns is not None and columns < rows)
    products = ops.matmul(across, unit) if few_columns else ops.matmul(unit, across)
    count = ops.cast(ops.shape(vectors)[-2], "float32")
    total = ops.sum(ops.square(products), axis=(-2, -1)) - count
    pairs = ops.maximum(count * (count - 1.0), 1.0)
    return ops.where(count > 1.0, ops.maximum(total, 0.0) / pairs, 0.0)

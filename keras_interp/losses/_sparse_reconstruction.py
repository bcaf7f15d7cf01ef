"""The objective of an explanation module: the logit, and some features rebuilt."""

from __future__ import annotations

from typing import Any

from keras import ops


def sparse_reconstruction_loss(
    features: Any, rebuilt: Any, sparsity: float = 100.0, weights: Any = None
) -> Any:
    """Mean over features of `log(1 + sparsity * mean squared error of the feature)`.

    The logarithm is taken feature by feature, after the mean over the batch: a feature
    that cannot be rebuilt costs little more when it is given up, so that some features
    are rebuilt well and the others not at all.

    Example:

    ```python
    features, rebuilt = [[1.0, 2.0], [0.0, 1.0]], [[1.5, 2.0], [0.0, 0.0]]
    loss = ki.losses.sparse_reconstruction_loss(features, rebuilt)
    print(round(float(loss), 4))  # 3.2673
    ```

    Args:
        features: `(batch, features)`, what is to be rebuilt.
        rebuilt: `(batch, features)`, or `(batch, modules, features)` for several
            autoencoders on the same features.
        sparsity: q, which multiplies the mean squared error of a feature. The larger,
            the fewer features are rebuilt. Defaults to 100.
        weights: `(features,)`, share of each feature in the mean, with a sum of 1. None
            (default) takes them alike.

    Returns:
        float32 scalar; `(modules,)` for several autoencoders.

    Raises:
        ValueError: if the shapes do not go together, or sparsity is not positive.

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017, equation (1),
        second term.
    """
    if not sparsity > 0:
        raise ValueError(
            "Expected sparsity as a positive number. Received: "
            f"sparsity={sparsity!r}. Choose 100, say."
        )
    error = squared_error_of_features(features, rebuilt)
    return _mean_of_features(ops.log1p(sparsity * error), weights)


def mean_reconstruction_loss(features: Any, rebuilt: Any, weights: Any = None) -> Any:
    """Mean squared error of rebuilt features, that of an ordinary autoencoder.

    Example:

    ```python
    features, rebuilt = [[1.0, 2.0], [0.0, 1.0]], [[1.5, 2.0], [0.0, 0.0]]
    loss = ki.losses.mean_reconstruction_loss(features, rebuilt)
    print(float(loss))  # 0.3125
    ```

    Args:
        features: `(batch, features)`, what is to be rebuilt.
        rebuilt: `(batch, features)`, or `(batch, modules, features)` for several
            autoencoders on the same features.
        weights: `(features,)`, share of each feature in the mean, with a sum of 1. None
            (default) takes them alike.

    Returns:
        float32 scalar; `(modules,)` for several autoencoders.

    Raises:
        ValueError: if the shapes do not go together.

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017, section 3,
        the baseline SAE.
    """
    return _mean_of_features(squared_error_of_features(features, rebuilt), weights)


def squared_faithfulness_loss(logits: Any, approximated: Any) -> Any:
    """Mean squared error of approximated logits.

    Example:

    ```python
    loss = ki.losses.squared_faithfulness_loss([3.0, 1.0], [[2.5], [1.5]])
    print(float(loss))  # 0.25
    ```

    Args:
        logits: `(batch,)`, what the network says; `(batch, modules)` for several.
        approximated: `(batch,)` or `(batch, 1)`; `(batch, modules)` for several. A
            last axis of one is no reason to compare each image with all others.

    Returns:
        float32 scalar; `(modules,)` for logits `(batch, modules)`.

    Raises:
        ValueError: if the shapes do not go together.

    Reference:
        Qi, Li, "Learning Explainable Embeddings for Deep Networks", 2017, equation (1),
        first term.
    """
    logits = _float32(logits)
    approximated = _float32(approximated)
    # (batch, 1) less (batch,) would be (batch, batch).
    if len(logits.shape) != len(approximated.shape):
        logits, approximated = _vector(logits), _vector(approximated)
    if not _go_together(logits.shape, approximated.shape):
        raise ValueError(
            "Expected logits and approximated of one shape, (batch,) or (batch, "
            f"modules). Received: logits of shape {tuple(logits.shape)} and "
            f"approximated of shape {tuple(approximated.shape)}. Give a number an "
            "image and module."
        )
    return ops.mean(ops.square(approximated - logits), axis=0)


def squared_error_of_features(features: Any, rebuilt: Any) -> Any:
    """Mean over the batch of the squared error of each feature.

    Args:
        features: `(batch, features)`.
        rebuilt: `(batch, features)` or `(batch, modules, features)`.

    Returns:
        float32 `(features,)` or `(modules, features)`.
    """
    features, rebuilt = _float32(features), _float32(rebuilt)
    shape = (rebuilt.shape[0], rebuilt.shape[-1])
    if len(rebuilt.shape) not in (2, 3) or not _go_together(features.shape, shape):
        raise ValueError(
            "Expected features (batch, features) and rebuilt of that shape or (batch, "
            f"modules, features). Received: features of shape {tuple(features.shape)} "
            f"and rebuilt of shape {tuple(rebuilt.shape)}. Give both of the same "
            "images."
        )
    if len(rebuilt.shape) == 3:
        features = features[:, None]
    return ops.mean(ops.square(rebuilt - features), axis=0)


def _mean_of_features(values: Any, weights: Any) -> Any:
    if weights is None:
        return ops.mean(values, axis=-1)
    return ops.sum(values * ops.cast(weights, "float32"), axis=-1)


def _float32(values: Any) -> Any:
    return ops.cast(ops.convert_to_tensor(values), "float32")


def _vector(values: Any) -> Any:
    """`(batch, 1)` as `(batch,)`."""
    one = len(values.shape) == 2 and values.shape[-1] == 1
    return ops.squeeze(values, axis=-1) if one else values


def _go_together(first: Any, second: Any) -> bool:
    """Whether two shapes are the same, as far as they are known."""
    pairs = zip(first, second, strict=False)
    return len(first) == len(second) and all(
        a == b or a is None or b is None for a, b in pairs
    )

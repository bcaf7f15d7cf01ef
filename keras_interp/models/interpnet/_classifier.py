"""The classifier of the paper on InterpNET."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_interp.layers._normalized_columns import NormalizedColumns

HIDDEN_BIAS = 0.1


def interpnet_classifier(
    input_dim: int,
    classes: int,
    hidden_units: Sequence[int] = (500,),
    *,
    seed: int | None = None,
) -> keras.Model:
    """The classifier of InterpNET on a feature vector, untrained.

    Hidden layers with a ReLU, then a softmax. The weights of each unit start with
    length 1, hidden biases with 0.1.

    Example:

    ```python
    classifier = ki.models.interpnet_classifier(8192, 200, hidden_units=(500, 300))
    print(classifier.output_shape)  # (None, 200)
    ```

    Args:
        input_dim: length of the feature vector, 8192 in the paper.
        classes: number of classes.
        hidden_units: units of each hidden layer. The paper's code has `(500,)`, the
            default, and `(500, 300)`; the sizes of its three layers are not known.
        seed: of the initial weights. None (default) follows
            `keras.utils.set_random_seed`.

    Returns:
        Functional Keras model from `(batch, input_dim)` to float32 probabilities
        `(batch, classes)`.

    Raises:
        ValueError: for a number that is no positive integer.

    Reference:
        Barratt, "InterpNET: Neural Introspection for Interpretable Deep Learning",
        2017, section 2.2, and its released code.
    """
    listed = isinstance(hidden_units, list | tuple)
    numbers = {"input_dim": [input_dim], "classes": [classes]}
    numbers["hidden_units"] = list(hidden_units) if listed else [hidden_units]  # type: ignore[list-item]
    for name, values in numbers.items():
        whole = [isinstance(v, int) and not isinstance(v, bool) for v in values]
        if not all(whole) or min(values, default=1) < 1 or not listed:
            raise ValueError(
                "Expected positive integers, several for hidden_units. Received: "
                f"{name}={values if name == 'hidden_units' else values[0]!r}. Pass "
                "interpnet_classifier(8192, 200, (500,)), say."
            )
    inputs = keras.Input((input_dim,), name="input")
    vector = inputs
    for number, units in enumerate(hidden_units, start=1):
        vector = keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=NormalizedColumns(seed=_seed(seed, number)),
            bias_initializer=keras.initializers.Constant(HIDDEN_BIAS),
            name=f"hidden_{number}",
        )(vector)
    logits = keras.layers.Dense(
        classes,
        kernel_initializer=NormalizedColumns(seed=_seed(seed, 0)),
        name="logits",
    )(vector)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(inputs, probabilities, name="interpnet_classifier")


def _seed(seed: int | None, number: int) -> int | None:
    return None if seed is None else seed + 1000 * number

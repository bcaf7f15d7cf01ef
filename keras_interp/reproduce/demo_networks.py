"""The two small networks of the demo, which differ in two layers only."""

from __future__ import annotations

import keras

from keras_interp.layers import InterpretableConv
from keras_interp.models import InterpretableSequential

TOP_LAYER = "part_conv"


def demo_network(
    image_size: int, categories: int, *, interpretable: bool, filters: int = 48
) -> keras.Sequential:
    """A network of four conv-layers for small pictures, compiled.

    Example:

    ```python
    model = demo_network(64, 1, interpretable=True)
    model.fit(images, labels, epochs=10)
    ```

    Args:
        image_size: Side of the pictures in pixels.
        categories: 1 ends in a logistic unit, more in a softmax.
        interpretable: Whether the two top conv-layers are `InterpretableConv` or
            `Conv2D`; all else is the same.
        filters: Filters of each of the two top conv-layers.

    Returns:
        Compiled Keras model that takes pictures from 0 to 255.
    """

    def conv(name: str) -> keras.layers.Layer:
        if interpretable:
            return InterpretableConv(filters, 3, padding="same", name=name)
        return keras.layers.Conv2D(
            filters, 3, padding="same", activation="relu", name=name
        )

    kind = InterpretableSequential if interpretable else keras.Sequential
    model = kind(
        [
            keras.Input((image_size, image_size, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(24, 5, strides=2, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(48, 3, padding="same", activation="relu"),
            conv("target_conv"),
            conv(TOP_LAYER),
            keras.layers.MaxPooling2D(3, 2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(
                categories, activation="sigmoid" if categories == 1 else "softmax"
            ),
        ],
        name="interpretable" if interpretable else "ordinary",
    )
    loss = "binary_crossentropy"
    if categories > 1:
        loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return model

"""Arguments of the trainings of InterpNet, refused before anything is computed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


def check_whole(value: Any, name: str, least: int = 1) -> None:
    """Refuse what is no integer, or too small a one."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(
            f"Expected {name} as an integer of {least} or more. Received: {name}="
            f"{value!r}. Give such a number."
        )


def checked_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Keras callbacks as a list, one alone among them."""
    listed = keras.tree.flatten([] if callbacks is None else callbacks)
    for one in listed:
        if not isinstance(one, keras.callbacks.Callback):
            raise ValueError(
                "Expected callbacks as a list of keras.callbacks.Callback. Received: "
                f"{one!r:.60} of type {type(one).__name__}. Pass instances, such as "
                "[keras.callbacks.CSVLogger('training.csv')]."
            )
    return listed


def checked_options(
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int | None,
    checkpoint: Any,
    seed: int,
    verbose: Any,
) -> dict[str, Any]:
    check_whole(epochs, "epochs")
    check_whole(batch_size, "batch_size")
    check_whole(seed, "seed", least=0)
    if patience is not None:
        check_whole(patience, "patience")
    if not learning_rate > 0.0:
        raise ValueError(
            "Expected learning_rate as a positive number. Received: learning_rate="
            f"{learning_rate!r}. Pass 5e-4, say."
        )
    given = locals()
    return {
        name: given[name]
        for name in checked_options.__annotations__
        if name != "return"
    }


def checked_pair(validation_data: Any, second: str) -> tuple[Any, Any]:
    pair = isinstance(validation_data, list | tuple) and len(validation_data) == 2
    if not pair:
        raise ValueError(
            f"Expected validation_data=(inputs, {second}) of pictures that are not "
            "trained on: they decide which epoch is the best. Received: "
            f"validation_data={type(validation_data).__name__}. Hold some pictures "
            "back."
        )
    return validation_data[0], validation_data[1]


def check_other_pictures(inputs: Any, others: Any) -> None:
    """Refuse a validation on the pictures of the training."""
    rows = [
        {np.asarray(ops.convert_to_numpy(row)).tobytes() for row in one}
        for one in (keras.tree.flatten(inputs)[0], keras.tree.flatten(others)[0])
    ]
    if rows[1] <= rows[0]:
        raise ValueError(
            "Expected validation_data of pictures that are not trained on. Received: "
            f"{len(rows[1])} pictures, all of them among the training's. Hold some "
            "pictures back."
        )

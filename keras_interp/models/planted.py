"""The network whose class scores are the known sums of planted data."""

from __future__ import annotations

import keras
import numpy as np

from keras_interp.datasets.synthetic.planted import (
    CELL_PIXELS,
    CELLS,
    THRESHOLD,
    PlantedParts,
)


def planted_network(planted: PlantedParts) -> keras.Model:
    """Builds the network that computes the scores of `PlantedParts` from the pixels.

    Layers: `maps` (13x13 cells, a channel each pattern), `peaks` (the greatest value of
    each channel, the layer to explain), `scores`. Nothing is trained: the kernels are
    the patterns that the images were painted with, and the weights of the scores are
    the known ones. Its results equal `planted.scores` up to the rounding of pixels.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> planted = ki.datasets.PlantedParts(targets=2)
    >>> dataset = planted.load(20)
    >>> network = ki.models.planted_network(planted)
    >>> scores = network.predict(dataset.images.astype("float32"), verbose=0)
    >>> bool(np.abs(scores - planted.scores(dataset.ids)).max() < 0.05)
    True

    Args:
        planted: the world of the images.

    Returns:
        A Keras model from float images of 0 to 255, `(104, 104, 3)`, to `(targets,)`.
    """
    size = CELLS * CELL_PIXELS
    images = keras.Input((size, size, 3), name="images")
    maps = keras.layers.Conv2D(
        planted.channels, CELL_PIXELS, CELL_PIXELS, activation="relu", name="maps"
    )
    peaks = keras.layers.GlobalMaxPooling2D(name="peaks")
    scores = keras.layers.Dense(planted.targets, name="scores")
    model = keras.Model(images, scores(peaks(maps(images))), name="planted")
    maps.set_weights([planted.kernel(), np.full(planted.channels, -THRESHOLD)])
    scores.set_weights([planted.channel_weights, np.zeros(planted.targets)])
    return model

"""SqueezeNet: its layers, its published weights, its interpretable form."""

from __future__ import annotations

import numpy as np

import keras_interp as ki


def read_pictures(folder):
    """Shorter side to 256, then the 227x227 in the middle."""
    from PIL import Image

    pictures = []
    for path in sorted(folder.glob("*.jpeg")):
        picture = Image.open(path).convert("RGB")
        scale = 256 / min(picture.size)
        size = [round(side * scale) for side in picture.size]
        picture = picture.resize(size, Image.Resampling.BILINEAR)
        left, top = ((side - 227) // 2 for side in size)
        pictures.append(np.asarray(picture.crop((left, top, left + 227, top + 227))))
    return np.stack(pictures)


def test_published_weights_name_14_of_20_pictures(real_data):
    images = read_pictures(real_data / "imagenet_sanity")
    model = ki.models.SqueezeNet(weights="imagenet")
    probabilities = model.predict(
        ki.models.preprocess_input(images, backbone="squeezenet"), verbose=0
    )
    labels = np.arange(20)
    best = np.argsort(-probabilities, axis=1)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert np.sum(best[:, 0] == labels) == 14
    assert np.sum(best[:, :5] == labels[:, None]) == 17

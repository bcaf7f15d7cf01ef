"""Draws the picture of the home page: one bird, eight filters, eight places.

    python docs/home.py

Trains the network of the page on drawn birds (some minutes on two cores).
"""

from __future__ import annotations

from pathlib import Path

import keras
import matplotlib
import matplotlib.pyplot as plt
import numpy as np

import keras_interp as ki

matplotlib.use("Agg")

FILTERS = 8
HEAD, TORSO = 0, 1  # landmarks of the drawn birds
COLORS = plt.get_cmap("tab10").colors


def train(birds: ki.datasets.PartsDataset) -> keras.Model:
    """The network of the page."""
    keras.utils.set_random_seed(0)
    images = birds.take_split("train")
    model = ki.models.InterpretableSequential(
        [
            keras.Input((128, 128, 3)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.AveragePooling2D(2),
            keras.layers.Conv2D(24, 5, 2, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(48, 3, padding="same", activation="relu"),
            ki.InterpretableConv(48, 3, padding="same", filter_loss="parts"),
            ki.InterpretableConv(48, 3, padding="same", filter_loss="parts"),
            keras.layers.MaxPooling2D(3, 2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(images.images, ~images.is_background, epochs=10, verbose=2)
    return model


def spread_out(places: np.ndarray, count: int) -> list[int]:
    """Rows of `places` that lie far from each other: each is the farthest yet."""
    chosen = [int(np.argmin(places[:, 1]))]
    while len(chosen) < count:
        gaps = np.linalg.norm(places[:, None] - places[chosen], axis=-1).min(axis=1)
        chosen.append(int(np.argmax(gaps)))
    return chosen


def draw(model: keras.Model, birds: ki.datasets.PartsDataset, path: Path) -> None:
    """The test bird on which the eight filters peak nearest to their parts."""
    measured = ki.metrics.measure_filters(model, birds)
    tested = np.flatnonzero(~measured.chose)
    parts = birds.landmarks[measured.images[tested]]
    peaks = measured.positions[tested]
    # Filters that often hit their part, and that usually lie far from each other.
    sure = np.flatnonzero(measured.names.confidence > 0.5)
    sides = np.sign(parts[:, HEAD, :1] - parts[:, TORSO, :1])
    offsets = peaks[:, sure] - parts[:, TORSO, None]
    offsets[..., 0] *= sides
    filters = sure[spread_out(np.nanmedian(offsets, axis=0), FILTERS)]
    named = parts[:, measured.names.part[filters]]
    misses = np.linalg.norm(peaks[:, filters] - named, axis=-1).mean(axis=1)
    row = np.nanargmin(misses)
    image = birds.images[measured.images[tested[row]]]
    maps = measured.layer.maps[tested[row]][..., filters]
    spots = peaks[row, filters]

    figure = plt.figure(figsize=(10.5, 3.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 2))
    ax = left.subplots()
    ax.imshow(image)
    ax.axis("off")
    for (x, y), color in zip(spots, COLORS, strict=False):
        ax.plot(x, y, "o", ms=13, mfc="none", mec="white", mew=4)
        ax.plot(x, y, "o", ms=13, mfc="none", mec=color, mew=2.5)
    for place, ax in enumerate(right.subplots(2, FILTERS // 2).flat):
        name = measured.names.names[filters[place]].replace("_", " ")
        ki.plotting.overlay(
            image,
            maps[..., place],
            ax,
            receptive_field=measured.receptive_field,
            title=name,
        )
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set(color=COLORS[place], linewidth=3, visible=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    birds = ki.datasets.load(
        "synthetic_parts",
        num_images=2000,
        categories=["bird"],
        negatives=0.5,
        difficulty=0.1,
        image_size=128,
    )
    draw(train(birds), birds, Path(__file__).with_suffix(".png"))


if __name__ == "__main__":
    main()

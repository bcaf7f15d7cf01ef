"""Draws the attribution methods side by side, with SqueezeNet trained on ImageNet.

    python docs/gallery/attribution.py
    python docs/gallery/attribution.py --data cub --out birds.png

The drawn birds are those of the page; photographs belong to their owners and are drawn
on your machine only. The weights are looked for in `$KERAS_INTERP_DATA/weights`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import keras_interp as ki

matplotlib.use("Agg")

SIZE = 224
METHODS = {
    "gradient": ki.attribution.gradient,
    "saliency": ki.attribution.saliency,
    "gradient_times_input": ki.attribution.gradient_times_input,
    "smooth_grad": ki.attribution.smooth_grad,
    "integrated_gradients": ki.attribution.integrated_gradients,
    "guided_backprop": ki.attribution.guided_backprop,
    "deconvnet": ki.attribution.deconvnet,
    "grad_cam": ki.attribution.grad_cam,
    "excitation_backprop": ki.attribution.excitation_backprop,
    "contrastive_excitation_backprop": ki.attribution.contrastive_excitation_backprop,
    "occlusion": ki.attribution.occlusion,
}


def birds_of(data: str, count: int) -> np.ndarray:
    """uint8 images of birds: evenly spaced ones of the data set."""
    if data == "synthetic_birds":
        birds = ki.datasets.load(data, num_images=40, image_size=SIZE, seed=3)
    else:
        birds = ki.datasets.load(data, split="test", size=SIZE)
    rows = np.linspace(0, len(birds) - 1, count).round().astype(int)
    return birds.images[rows]


def batched(items: Iterable, count: int) -> Iterator[tuple]:
    """As `itertools.batched` of Python 3.12."""
    rest = iter(items)
    while some := tuple(islice(rest, count)):
        yield some


def band(images: np.ndarray, maps: dict, words: list[str]) -> np.ndarray:
    """The pixels of a figure of four methods: more in a row are too small to read."""
    rows = len(images)
    figure, axes = plt.subplots(
        rows, 5, figsize=(9, 1.75 * rows + 0.6), dpi=100, layout="constrained"
    )
    for ax in axes.flat:
        ax.axis("off")
    shown = axes[:, : len(maps) + 1]
    for ax in shown.flat:
        ax.axis("on")
    ki.plotting.attribution_grid(images, maps, shown, explained=words, color_bar=False)
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="synthetic_birds")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--classes", type=int, nargs="*", help="default: predicted")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/gallery/attribution.png")
    )
    options = parser.parse_args()
    images = birds_of(options.data, options.count)
    model = ki.models.SqueezeNet((SIZE, SIZE, 3), 1000, weights="imagenet")
    inputs = ki.models.preprocess_input(images, "squeezenet")
    classes = options.classes or model.predict(inputs, verbose=0).argmax(axis=1)
    maps = {}
    for name, method in METHODS.items():
        print(name, flush=True)
        maps[name] = method(model, inputs, classes)
    words = [f"ImageNet class {one}" for one in classes]
    drawn = [band(images, dict(some), words) for some in batched(maps.items(), 4)]
    # A palette of 128 colours is a third of the size, and looks the same.
    Image.fromarray(np.concatenate(drawn)).quantize(128).save(
        options.out, optimize=True
    )
    print(f"Written to {options.out}")


if __name__ == "__main__":
    main()

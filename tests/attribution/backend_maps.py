"""Writes maps of every method and kind of model on the active Keras backend.

Run with `KERAS_BACKEND` set; the result is one `.npz` file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import tiny_models

from keras_interp import attribution

# Name of the method, and keywords that make it quick on tiny images.
METHODS = {
    "gradient": {},
    "saliency": {},
    "gradient_times_input": {},
    "smooth_grad": {"samples": 3},
    "integrated_gradients": {"steps": 5},
    "occlusion": {"patch_size": 4},
    "guided_backprop": {},
    "deconvnet": {},
    "grad_cam": {},
    "excitation_backprop": {},
    "contrastive_excitation_backprop": {},
}
KINDS = ("functional", "nested", "subclassed", "residual")


def main(path):
    images = tiny_models.sample_images(3)
    arrays = {}
    for kind in KINDS:
        model = tiny_models.MODELS[kind]()
        for name, keywords in METHODS.items():
            method = getattr(attribution, name)
            arrays[f"{name}, {kind}"] = method(model, images, **keywords)
        for name in ("guided_backprop", "deconvnet"):
            method = getattr(attribution, name)
            maps = method(model, images, 2, layer_name="second")
            arrays[f"{name} of a filter, {kind}"] = maps
        arrays[f"activation_maximization, {kind}"] = (
            attribution.activation_maximization(
                model, [0, 2], steps=5, jitter=1, image_shape=tiny_models.SIZE
            )
        )
        arrays[f"parameter randomisation, {kind}"] = (
            attribution.parameter_randomization_report(
                model, images, ["gradient_times_input"], 1
            ).rank_correlation
        )
    np.savez(path, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])

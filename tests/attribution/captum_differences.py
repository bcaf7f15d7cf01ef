"""Prints, as JSON, how far each method is from captum on the same weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import captum.attr
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

import tiny_models

from keras_interp import attribution

CLASSES = [3, 0, 2, 2, 1]
KEYWORDS = {
    "integrated_gradients": {"steps": 20, "baseline": 0.3},
    "occlusion": {"patch_size": (5, 4), "stride": (3, 2), "fill": 0.3},
}


class Reference(torch.nn.Module):
    """The network of `tiny_models.spelled`, with ReLUs that captum finds."""

    def __init__(self, weights):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 6, 3, padding=1)
        self.second = torch.nn.Conv2d(6, 5, 3)
        self.classes = torch.nn.Linear(5, tiny_models.CLASSES)
        self.relu1, self.relu2 = torch.nn.ReLU(), torch.nn.ReLU()
        self.pool = torch.nn.MaxPool2d(2)
        kernels = iter(weights)
        with torch.no_grad():
            for layer in (self.first, self.second, self.classes):
                kernel = next(kernels)
                order = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
                layer.weight.copy_(torch.from_numpy(kernel.transpose(order).copy()))
                layer.bias.copy_(torch.from_numpy(next(kernels)))

    def forward(self, images):
        maps = self.relu2(self.second(self.pool(self.relu1(self.first(images)))))
        return self.classes(maps.mean(dim=(2, 3)))


def references(network, images):
    """Maps of captum, channels last."""
    images = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    images.requires_grad_(True)
    slopes = captum.attr.Saliency(network).attribute(images, CLASSES, abs=False)
    found = {
        "gradient": slopes,
        "saliency": slopes.abs().amax(dim=1),
        "gradient_times_input": captum.attr.InputXGradient(network).attribute(
            images, CLASSES
        ),
        "guided_backprop": captum.attr.GuidedBackprop(network).attribute(
            images, CLASSES
        ),
        "deconvnet": captum.attr.Deconvolution(network).attribute(images, CLASSES),
    }
    found["integrated_gradients"] = captum.attr.IntegratedGradients(network).attribute(
        images, 0.3, CLASSES, n_steps=20
    )
    # A window of all channels, whose drop stands in each of them.
    found["occlusion"] = captum.attr.Occlusion(network).attribute(
        images, (3, 5, 4), (3, 3, 2), baselines=0.3, target=CLASSES
    )[:, 0]
    cam = captum.attr.LayerGradCam(network, network.relu2)
    maps = cam.attribute(images, CLASSES, relu_attributions=True)
    size = images.shape[1:3]
    maps = captum.attr.LayerAttribution.interpolate(maps, size, "bilinear")
    found["grad_cam"] = maps[:, 0]
    arrays = {name: tensor.detach().numpy() for name, tensor in found.items()}
    return {
        name: array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
        for name, array in arrays.items()
    }


def main():
    images = tiny_models.sample_images()
    expected = references(Reference(tiny_models.spelled().get_weights()), images)
    models = {
        f"spelling {name}": tiny_models.spelled(name) for name in tiny_models.SPELLINGS
    }
    for name in ("functional", "sequential", "nested", "subclassed"):
        models[name] = tiny_models.MODELS[name]()
    for name in (None, "sigmoid"):
        models[f"final {name}"] = tiny_models.spelled(final=name)
    differences = {}
    for name, model in models.items():
        for method, maps in expected.items():
            keywords = KEYWORDS.get(method, {})
            found = getattr(attribution, method)(model, images, CLASSES, **keywords)
            error = np.abs(found - maps).max() / np.abs(maps).max()
            differences[f"{method}, {name}"] = float(error)
    print(json.dumps(differences))


if __name__ == "__main__":
    main()

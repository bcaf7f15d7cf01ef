"""One library in a process of its own, which times its methods when it is told to.

    python benchmarks/attribution_contestants.py xplique

Reads lines of JSON from standard input and answers each with one. `attribution.py`
starts it; nobody else needs to.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SAMPLES = 16
CHUNK = 32
LAYER = "block5_conv3"
CLASSES = 1000

Method = Callable[[np.ndarray, np.ndarray], Any]


def vgg16(size: int) -> Any:
    """The network of all contestants that know Keras, with logits."""
    import keras

    keras.utils.set_random_seed(0)
    return keras.applications.VGG16(
        weights=None, classifier_activation=None, input_shape=(size, size, 3)
    )


def keras_interp(size: int) -> dict[str, Method]:
    from keras_interp import attribution

    model, patch = vgg16(size), size // 4
    options = {
        "saliency": ("saliency", {}),
        "guided": ("guided_backprop", {}),
        "deconvnet": ("deconvnet", {}),
        "grad_cam": ("grad_cam", {"layer_name": LAYER}),
        "smooth_grad": ("smooth_grad", {"samples": SAMPLES}),
        "integrated_gradients": ("integrated_gradients", {"steps": SAMPLES}),
        "occlusion": ("occlusion", {"patch_size": patch, "stride": patch}),
    }
    return {
        name: functools.partial(
            getattr(attribution, function), model, batch_size=CHUNK, **keywords
        )
        for name, (function, keywords) in options.items()
    }


def floor(size: int) -> dict[str, Method]:
    from attribution_floor import Floor

    bare = Floor(vgg16(size))
    return {
        "saliency": bare.saliency,
        "guided": bare.guided,
        "deconvnet": bare.deconvnet,
        "grad_cam": bare.grad_cam,
        "smooth_grad": functools.partial(bare.smooth_grad, samples=SAMPLES),
        "integrated_gradients": functools.partial(
            bare.integrated_gradients, steps=SAMPLES
        ),
        "occlusion": functools.partial(bare.occlusion, patch=size // 4),
    }


def xplique(size: int) -> dict[str, Method]:
    from xplique import attributions

    model, patch = vgg16(size), size // 4
    options = {
        "saliency": ("Saliency", {}),
        "guided": ("GuidedBackprop", {}),
        "deconvnet": ("DeconvNet", {}),
        "grad_cam": ("GradCAM", {"conv_layer": LAYER}),
        "smooth_grad": ("SmoothGrad", {"nb_samples": SAMPLES}),
        "integrated_gradients": ("IntegratedGradients", {"steps": SAMPLES}),
        "occlusion": ("Occlusion", {"patch_size": patch, "patch_stride": patch}),
    }

    def method(kind: str, keywords: dict[str, Any]) -> Method:
        made: list[Any] = []

        def explain(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
            # Making the explainer belongs to the first call.
            if not made:
                explainer = getattr(attributions, kind)
                made.append(explainer(model, batch_size=CHUNK, **keywords))
            targets = np.eye(CLASSES, dtype="float32")[classes]
            return np.asarray(made[0].explain(images, targets))

        return explain

    return {name: method(*option) for name, option in options.items()}


def tf_keras_vis(size: int) -> dict[str, Method]:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.model_modifiers import GuidedBackpropagation
    from tf_keras_vis.utils.scores import CategoricalScore

    model = vgg16(size)

    def method(make: Callable[[], Any], **keywords: Any) -> Method:
        made: list[Any] = []

        def explain(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
            if not made:
                made.append(make())
            score = CategoricalScore(classes.tolist())
            return np.asarray(made[0](score, images, **keywords))

        return explain

    guided = functools.partial(Saliency, model, GuidedBackpropagation())
    return {
        "saliency": method(functools.partial(Saliency, model)),
        "guided": method(guided, gradient_modifier=None, keepdims=True),
        "grad_cam": method(functools.partial(Gradcam, model), penultimate_layer=LAYER),
        "smooth_grad": method(
            functools.partial(Saliency, model), smooth_samples=SAMPLES
        ),
    }


def tf_explain(size: int) -> dict[str, Method]:
    from tf_explain.core import (
        GradCAM,
        IntegratedGradients,
        OcclusionSensitivity,
        SmoothGrad,
        VanillaGradients,
    )

    model = vgg16(size)

    # It explains one class for the whole batch.
    def method(explain: Callable[..., Any], **keywords: Any) -> Method:
        return lambda images, classes: np.asarray(
            explain((images, None), model, int(classes[0]), **keywords)
        )

    return {
        "saliency": method(VanillaGradients().explain_score_model),
        "grad_cam": method(GradCAM().explain, layer_name=LAYER, use_guided_grads=False),
        "smooth_grad": method(SmoothGrad().explain, num_samples=SAMPLES),
        "integrated_gradients": method(IntegratedGradients().explain, n_steps=SAMPLES),
        "occlusion": method(
            OcclusionSensitivity(batch_size=CHUNK).explain, patch_size=size // 4
        ),
    }


def captum(size: int) -> dict[str, Method]:
    import captum.attr
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, last_relu = torch_vgg16(size)
    network, patch = network.to(device).eval(), size // 4
    cam = captum.attr.LayerGradCam(network, last_relu)

    def enlarged(x: Any, target: Any) -> Any:
        maps = cam.attribute(x, target, relu_attributions=True)
        size_of_picture = tuple(x.shape[2:])
        return captum.attr.LayerAttribution.interpolate(
            maps, size_of_picture, "bilinear"
        )

    def method(explain: Callable[..., Any], **keywords: Any) -> Method:
        def run(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
            x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(device)
            x.requires_grad_(True)
            target = torch.from_numpy(classes.astype("int64")).to(device)
            return explain(x, target=target, **keywords).detach().cpu().numpy()

        return run

    plain = captum.attr.Saliency(network)
    return {
        "saliency": method(plain.attribute),
        "guided": method(captum.attr.GuidedBackprop(network).attribute),
        "deconvnet": method(captum.attr.Deconvolution(network).attribute),
        "grad_cam": method(enlarged),
        "smooth_grad": method(
            captum.attr.NoiseTunnel(plain).attribute,
            nt_samples=SAMPLES,
            nt_samples_batch_size=4,
            abs=False,
        ),
        "integrated_gradients": method(
            captum.attr.IntegratedGradients(network).attribute,
            n_steps=SAMPLES,
            internal_batch_size=CHUNK,
        ),
        "occlusion": method(
            captum.attr.Occlusion(network).attribute,
            sliding_window_shapes=(3, patch, patch),
            strides=(3, patch, patch),
            perturbations_per_eval=4,
        ),
    }


def torch_vgg16(size: int) -> tuple[Any, Any]:
    """The same network for torch, and the ReLU after its last convolution."""
    from torch import nn

    torch_layers: list[Any] = []
    channels, last_relu = 3, None
    for width, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            last_relu = nn.ReLU()
            torch_layers += [nn.Conv2d(channels, width, 3, padding=1), last_relu]
            channels = width
        torch_layers.append(nn.MaxPool2d(2))
    cells = 512 * (size // 32) ** 2
    torch_layers += [nn.Flatten(), nn.Linear(cells, 4096), nn.ReLU()]
    torch_layers += [nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, CLASSES)]
    return nn.Sequential(*torch_layers), last_relu


CONTESTANTS = {
    "keras_interp": keras_interp,
    "floor": floor,
    "xplique": xplique,
    "tf_keras_vis": tf_keras_vis,
    "tf_explain": tf_explain,
    "captum": captum,
}


def forget_peak() -> None:
    """Start counting the peak memory anew, where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def peak_memory() -> float | None:
    """Peak resident memory in MiB since `forget_peak`."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) / 1024


def pictures(batch: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    images = random.random((batch, size, size, 3), dtype="float32")
    return images, random.integers(0, CLASSES, batch).astype("int32")


def answer(methods: dict[str, Method], order: dict[str, Any]) -> dict[str, Any]:
    """Do what one line asks for."""
    if order["do"] == "methods":
        return {"methods": sorted(methods)}
    if order["do"] == "forget":
        forget_peak()
        return {}
    if order["do"] == "peak":
        return {"peak": peak_memory()}
    images, classes = pictures(order["batch"], order["size"])
    start, start_cpu = time.perf_counter(), time.process_time()
    maps = methods[order["method"]](images, classes)
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - start_cpu
    finite = bool(np.isfinite(maps).all())
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "finite": finite}


def main() -> None:
    # Libraries print what they like; the answers have a channel of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, size = sys.argv[1], int(sys.argv[2])
    methods = CONTESTANTS[name](size)
    for line in sys.stdin:
        try:
            reply = answer(methods, json.loads(line))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(reply) + "\n")


if __name__ == "__main__":
    main()

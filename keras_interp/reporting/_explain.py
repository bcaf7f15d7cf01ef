"""Why this prediction: everything that the library can say, in one call."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp import attribution
from keras_interp._network.images import image_inputs
from keras_interp.attribution import PartContributions, XFeatureMaps
from keras_interp.datasets import PartsDataset
from keras_interp.datasets._images import read_photograph
from keras_interp.graphs import DecisionTree, ParseTree, decision_modes
from keras_interp.metrics import FilterNames, read_feature_maps
from keras_interp.metrics._peaks import positions_and_scores, to_numpy
from keras_interp.models import Explainer, ExplanationModule, InterpNet
from keras_interp.receptive_fields import receptive_field
from keras_interp.reporting._explanation import Explanation, FilterContributions
from keras_interp.reporting._preparation import prepared_by, shown_image

METHODS = ("grad_cam", "integrated_gradients", "excitation_backprop")


def explain(
    model: keras.Model,
    image: Any,
    class_names: Sequence[str] | None = None,
    *,
    class_index: int | None = None,
    using: Sequence[Any] = (),
    names: FilterNames | Sequence[str] | None = None,
    dataset: PartsDataset | None = None,
    methods: Sequence[str] = METHODS,
    layer_name: str | None = None,
    preprocess: Callable[[np.ndarray], Any] | str | None = None,
    top: int = 5,
) -> Explanation:
    """Says why a network gives one image its class, in all the ways that apply.

    That is the classes with their scores, maps of several methods of attribution, and
    what each filter of a layer adds to the score. What was trained to explain the
    network goes into `using`: an `Explainer` adds object parts, an `ExplanationModule`
    x-features, a `DecisionTree` its way to the score, an `InterpNet` a sentence.

    Example:

    ```python
    why = ki.explain(model, images[0])
    print(why)
    why.plot()
    why.to_html("why.html")
    ```

    Args:
        model: built Keras model that classifies images: one probability, or a score
            for each class.
        image: `(H, W, C)` in the size that the model takes, a batch of one, a PIL
            image, or the path of an image file, which is read as 0 to 255, turned as
            its camera says and resized to the model's size.
        class_names: a name for each class; of a model with one output the name of yes,
            or those of no and yes. Default: `"class 0"` and so on.
        class_index: the class to explain. Default: the one with the greatest score.
        using: fitted `Explainer`, `ExplanationModule`, `DecisionTree` and `InterpNet`
            of this model, in any order, at most one of each.
        names: the part of each filter of the layer, or of its interpretable ones, `""`
            for none, or what `ki.metrics.name_filters` gave. Default: no names.
        dataset: `PartsDataset` with landmarks that name the parts of an `Explainer`.
        methods: functions of `ki.attribution` that take a model, images and a class.
        layer_name: layer of the filters. Default: the last interpretable layer, or the
            last convolution where there is none.
        preprocess: applied to the image as a batch before the model, or a name:
            `"none"`, `"unit"` (0 to 1), `"tf"` (-1 to 1), `"caffe"` or `"torch"` (as in
            `keras.applications`), or a network of `ki.models`. Default: a file, a PIL
            image or uint8 numbers are prepared as the model itself tells, where it
            rescales its images; where it does not, and for other numbers, they go in as
            they are. `.preparation` says which of these it was.
        top: how many classes are shown.

    Returns:
        `Explanation`: `.top`, `.maps`, `.filters`, `.parts`, `.x_features`, `.path`,
        `.sentence`, `.left_out`, `.preparation`, with `.plot()` and `.to_html(path)`.

    Raises:
        ValueError: for several images, an image or a file that the model cannot take,
            an unknown name in `preprocess`, names of another number than the classes, a
            class that is out of range, an unknown method, or something in `using` that
            explains nothing.
    """
    shown = _one_image(model, image)
    prepare, preparation, is_known = prepared_by(model, preprocess, _are_pixels(image))
    if not is_known and isinstance(image, str | os.PathLike):
        warnings.warn(preparation, stacklevel=2)
    batch = shown if prepare is None else to_numpy(prepare(shown.copy()))
    explaining = _by_kind(using, dataset)
    for method in methods:
        _check_method(method)
    scores = to_numpy(model(batch, training=False)).astype("float64").reshape(-1)
    known_names = _class_names(class_names, len(scores))
    order = _order(scores)
    if class_index is None:
        class_index = int(order[0])
    elif not 0 <= class_index < len(known_names):
        raise ValueError(
            f"Expected class_index from 0 to {len(known_names) - 1}. Received: "
            f"class_index={class_index}. Pass None for the class that is predicted."
        )
    # A model with one output has one score, which no is the lack of.
    target = 0 if len(scores) == 1 else class_index
    left_out: list[str] = []

    def attempt(what: str, compute: Callable[[], Any]) -> Any:
        """A method that does not suit the model leaves a reason, not an error."""
        try:
            return compute()
        except ValueError as error:
            left_out.append(f"{what}: {error}")
            return None

    maps = {
        method: attempt(method, functools.partial(_map, model, batch, method, target))
        for method in methods
    }
    found = _explained(explaining, batch, target, dataset, attempt)
    return Explanation(
        image=shown[0],
        scores=scores,
        class_names=known_names,
        top=order[:top],
        class_index=class_index,
        maps={name: values for name, values in maps.items() if values is not None},
        filters=attempt(
            "filters", lambda: _filters(model, batch, layer_name, target, names)
        ),
        left_out=tuple(left_out),
        preparation=preparation,
        **found,
    )


def _one_image(model: Any, image: Any) -> np.ndarray:
    """The image as a batch of one, as it was given; a file in the model's size."""
    inputs = getattr(model, "inputs", None) or []
    if isinstance(image, str | os.PathLike) and len(inputs) == 1:
        size = tuple(inputs[0].shape)[1:3]
        pixels = read_photograph(Path(image), None if None in size else size)
        return shown_image(model, pixels)[None]
    shown = image_inputs(model, image).images
    if len(shown) != 1:
        raise ValueError(
            f"Expected one image. Received: {len(shown)}. Explain them one by one."
        )
    return shown


def _are_pixels(image: Any) -> bool:
    """Whether an image is known to hold numbers from 0 to 255."""
    if isinstance(image, str | os.PathLike):
        return True
    if not hasattr(image, "dtype"):
        image = np.asarray(image)
    return keras.backend.standardize_dtype(image.dtype) == "uint8"


def _by_kind(using: Sequence[Any], dataset: PartsDataset | None) -> dict[type, Any]:
    kinds = (Explainer, ExplanationModule, DecisionTree, InterpNet)
    by_kind: dict[type, Any] = {}
    for thing in using:
        kind = next((kind for kind in kinds if isinstance(thing, kind)), None)
        if kind is None or kind in by_kind:
            raise ValueError(
                "Expected using as at most one Explainer, ExplanationModule, "
                f"DecisionTree and InterpNet. Received: {type(thing).__name__}"
                f"{' a second time' if kind else ''}. Leave it out."
            )
        by_kind[kind] = thing
    if Explainer in by_kind and dataset is None:
        raise ValueError(
            "Expected dataset with landmarks, which name the parts of an Explainer. "
            "Received: dataset=None. Pass a PartsDataset."
        )
    return by_kind


def _check_method(method: str) -> None:
    if not callable(getattr(attribution, method, None)):
        raise ValueError(
            "Expected methods of ki.attribution, such as 'saliency' or 'grad_cam'. "
            f"Received: {method!r}. See the page about attribution."
        )


def _class_names(given: Sequence[str] | None, outputs: int) -> tuple[str, ...]:
    classes = 2 if outputs == 1 else outputs
    if given is None:
        names = [f"class {place}" for place in range(classes)]
        return ("no", "yes") if outputs == 1 else tuple(names)
    names = [str(name) for name in given]
    if outputs == 1 and len(names) == 1:
        names = [f"not {names[0]}", names[0]]
    if len(names) != classes:
        raise ValueError(
            f"Expected class_names as {classes} names, one for each class. Received: "
            f"{len(names)} names. Pass them in the order of the model's outputs."
        )
    return tuple(names)


def _order(scores: np.ndarray) -> np.ndarray:
    """Classes from the greatest score to the smallest."""
    if len(scores) == 1:
        return np.array([1, 0]) if scores[0] >= 0.5 else np.array([0, 1])
    return np.argsort(-scores, kind="stable")


def _map(model: Any, batch: np.ndarray, method: str, target: int) -> np.ndarray:
    return getattr(attribution, method)(model, batch, target)[0]


def _filters(
    model: Any,
    batch: np.ndarray,
    layer_name: str | None,
    target: int,
    names: FilterNames | Sequence[str] | None,
) -> FilterContributions:
    with warnings.catch_warnings():
        # Ordinary filters are told from others by a column, not by a warning.
        warnings.simplefilter("ignore", UserWarning)
        modes = decision_modes(model, batch, layer_name, target)
    read = read_feature_maps(model, batch, layer_name)
    field = receptive_field(model, read.layer_name, batch.shape[1:3])
    positions, _ = positions_and_scores(read.maps, field)
    words = names.names if isinstance(names, FilterNames) else tuple(names or ())
    if words and len(words) not in (modes.filters, read.interpretable):
        raise ValueError(
            f"Expected names as one for each of the {modes.filters} filters of layer "
            f"{read.layer_name!r}, or of its {read.interpretable} interpretable ones. "
            f'Received: {len(words)}. Give those without a part "".'
        )
    # Interpretable filters come first.
    words += ("",) * (modes.filters - len(words))
    return FilterContributions(
        layer_name=read.layer_name,
        values=modes.contributions[0],
        positions=positions[0],
        names=words,
        is_interpretable=np.arange(modes.filters) < read.interpretable,
    )


def _explained(
    explaining: dict[type, Any],
    batch: np.ndarray,
    target: int,
    dataset: PartsDataset | None,
    attempt: Callable[[str, Callable[[], Any]], Any],
) -> dict[str, Any]:
    """What the things that were trained to explain the model say."""

    def parts() -> PartContributions:
        return explaining[Explainer].part_contributions(batch, dataset, target)

    def x_features() -> XFeatureMaps:
        module = explaining[ExplanationModule]
        if target not in module.classes:
            raise ValueError(
                f"Expected a module of class {target}. Received: one of classes "
                f"{list(module.classes)}. Fit one for this class."
            )
        return module.explain(batch, class_index=target, resize=True)

    def path() -> ParseTree:
        return explaining[DecisionTree].parse(batch)

    def sentence() -> str:
        return explaining[InterpNet].explain(batch)[0]

    kinds: dict[str, tuple[type, Callable[[], Any]]] = {
        "parts": (Explainer, parts),
        "x_features": (ExplanationModule, x_features),
        "path": (DecisionTree, path),
        "sentence": (InterpNet, sentence),
    }
    return {
        name: attempt(name.replace("_", "-"), compute)
        for name, (kind, compute) in kinds.items()
        if kind in explaining
    }

"""`ki.report`: everything about one model on one page."""

from __future__ import annotations

import dataclasses
import datetime
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import keras
import matplotlib
import numpy as np

from keras_interp._network.layer_names import layer_places
from keras_interp.datasets import PartsDataset
from keras_interp.metrics._ablation import input_hint
from keras_interp.metrics._activity import FilterActivity, measure_activity
from keras_interp.metrics._layer_maps import read_feature_maps
from keras_interp.metrics._measurement import (
    FilterMeasurement,
    measure_filters,
)
from keras_interp.metrics._progress import announce
from keras_interp.receptive_fields import receptive_field
from keras_interp.reporting._findings import Findings, with_landmarks, without_landmarks
from keras_interp.reporting._images import gathered_images
from keras_interp.reporting._page import (
    ReportContent,
    ReportSection,
    ReportTable,
    check_page_path,
    write_report,
)
from keras_interp.reporting._predictions import (
    Predictions,
    cards_section,
    predictions_section,
)
from keras_interp.reporting._preparation import prepared_by
from keras_interp.reporting._results import (
    accuracy_of_scores,
    accuracy_row,
    labels_for,
    outputs_of,
    results_tables,
    scores_of,
)
from keras_interp.reporting._sections import (
    caveats_section,
    instability_section,
    occurring,
    training_section,
)
from keras_interp.reporting._words import glossary, metric_words

Rows = list[dict[str, Any]]


def report(
    model: keras.Model,
    dataset: Any,
    path: str | Path = "report.html",
    *,
    layer_name: str | None = None,
    compare_with: keras.Model | None = None,
    history: Any = None,
    labels: Any = None,
    preprocess: Callable[[np.ndarray], Any] | str | None = None,
    class_names: Sequence[str] | None = None,
    batch_size: int = 64,
    title: str = "What the filters mean",
    settings: Mapping[str, Any] | None = None,
    extra_rows: Sequence[Mapping[str, Any]] = (),
    notes: Sequence[str] = (),
    verbose: int = 1,
) -> Path:
    """Measures a model's filters and writes one self-contained HTML page about them.

    With landmarks the page opens with one image and the peaks of all filters in it,
    each named by its part, and says how many different parts are found. It goes on with
    what was trained, how the filters compare with those of another network, location
    instability beside its baselines, which part each filter follows, the images in
    which filters fire most, part heat maps, training curves, what all this does not
    show, and a glossary. Without landmarks it holds what can be said all the same: each
    filter's strongest images, how often, how densely and how much at the same place
    filters fire, and the accuracy where labels are known.

    Example:

    ```python
    dataset = ki.datasets.load("synthetic_parts")
    history = model.fit(dataset.images, dataset.labels, epochs=5)
    ki.report(model, dataset, "report.html", history=history)
    ki.report(model, dataset.images, "without_landmarks.html")
    ```

    Args:
        model: functional or Sequential model; the layer may lie in a model inside it.
        dataset: `PartsDataset` with landmarks: parts are chosen on the images whose
            split is not `"test"` and filters scored on those of `"test"`, or without
            such a split on every second group of images. Or images without landmarks:
            a `PartsDataset` that has none, an array `(N, H, W, C)`, the path of a
            folder of image files, or of one with a folder for each class, as
            `keras.utils.image_dataset_from_directory` reads it (read as 0 to 255 in the
            size that `model` takes; the folders' names are those of the classes), or a
            `tf.data.Dataset`, `keras.utils.PyDataset` or other iterable of batches
            `images` or `(images, labels)`. All images are held in memory: of a large
            `tf.data.Dataset` pass `dataset.take(n)`.
        path: of the HTML file; its folder is made where it is missing.
        layer_name: name of the layer to look at, or its path in a nested model, such
            as `"backbone/conv5"`. Default: the last interpretable layer, or the last
            convolution where there is none.
        compare_with: another model, an ordinary one say, that is measured in the same
            way and set beside `model`.
        history: what `model.fit` returned, or its dict, for the training curves.
        labels: int `(N,)`, or one-hot `(N, classes)`: what `model` was trained to say
            about the images, for the accuracy. Default: the labels of the dataset or
            of its batches, where the model has an output for each class; otherwise
            accuracy is left out.
        preprocess: applied to each batch of images before either model, or a name:
            `"none"`, `"unit"` (0 to 1), `"tf"` (-1 to 1), `"caffe"` or `"torch"` (as in
            `keras.applications`), or a network of `ki.models`. Default: files are
            prepared as `model` itself tells, where it rescales its images; otherwise
            images go in as they are, 0 to 255 in a `PartsDataset`. A network that was
            trained on images divided by 255, or with the mean taken off, must be given
            the same here.
        class_names: a name for each output of `model`; of a model with one output the
            name of yes, or those of no and yes. Default: those of the dataset or of the
            folders, where there are as many, or else numbers.
        batch_size: images at a time.
        title: the page's title.
        settings: what else was set, shown in the first table.
        extra_rows: further rows as in `results.json`, part interpretability say.
        notes: sentences to add to what the page does not show, such as where the
            images come from.
        verbose: 1 says what is being done and shows progress bars, 0 nothing.

    Returns:
        The path of the file.

    Raises:
        ValueError: if there is no such layer with maps, the dataset holds no image or
            is in none of these forms, or `labels` are not one for each image.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018, for
        the layer, the masks and location instability; the other measures are this
        library's.
    """
    check_page_path(Path(path))
    given = _Given.of(model, dataset, labels)
    prepare, preparation, is_known = prepared_by(model, preprocess, given.are_files)
    options: dict[str, Any] = {
        "batch_size": batch_size,
        "preprocess": prepare,
        "verbose": verbose,
    }
    classes = given.right_classes(model)
    found = given.measured(model, layer_name, options)
    name = "interpretable" if found.layer.interpretable else "model"
    said = given.predictions(model, class_names, classes, options)
    rows = [*given.accuracy(name, model, classes, options, said), *found.rows(name)]
    points = [*notes, *_accuracy_notes(given, classes, rows, preprocess)]
    if not is_known:
        warnings.warn(preparation, stacklevel=2)
        points.insert(0, preparation)
    elif preprocess is not None or given.are_files:
        settings = {"preparation": preparation, **(settings or {})}
    other = None
    if compare_with is not None:
        other = given.measured(compare_with, None, options)
        classes = given.right_classes(compare_with)
        judged = given.accuracy("ordinary", compare_with, classes, options)
        rows = [*judged, *other.rows("ordinary"), *rows]
    rows += [dict(row) for row in extra_rows]
    announce("Drawing the figures", verbose)
    # Names come from anywhere: no dollar sign in them begins a formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        findings = given.findings(found, other)
        explained = []
        if said is not None:
            shown = said, given.images, given.titles
            explained.append(predictions_section(*shown))
            explained += cards_section(model, *shown, prepare, verbose)
    content = ReportContent(
        title,
        findings.summary,
        [
            _trained_section(model, found, findings.facts, settings or {}),
            ReportSection(
                "What came out", [findings.reading], tables=results_tables(rows)
            ),
            *instability_section(rows),
            *findings.sections,
            *explained,
            *training_section(history),
            caveats_section([*points, *findings.limits]),
            glossary((row["metric"] for row in rows), _has_interpretable(found, other)),
        ],
        facts=_facts(rows, name),
        footer=_footer(),
        lead=findings.lead,
    )
    announce(f"Writing {path}", verbose)
    return write_report(content, path)


@dataclasses.dataclass(frozen=True)
class _Given:
    """The images of a report.

    Args:
        images: `(N, H, W, C)`.
        labels: what the caller said that the model should say, or `None`.
        own_labels: labels that came with the images, or `None`.
        dataset: what the images came from, where that may have landmarks and a split.
        class_names: names of the classes of `own_labels`, or `None`.
        titles: a word for each image, or `""`.
        are_files: whether the images were read from files, from 0 to 255.
    """

    images: np.ndarray
    labels: Any
    own_labels: np.ndarray | None
    dataset: PartsDataset | None
    class_names: tuple[str, ...] | None
    titles: tuple[str, ...]
    are_files: bool

    @classmethod
    def of(cls, model: keras.Model, dataset: Any, labels: Any) -> _Given:
        if isinstance(dataset, PartsDataset):
            names = tuple(dataset.class_names)
            titles = tuple(names[label] for label in dataset.labels)
            own = dataset.labels
            return cls(dataset.images, labels, own, dataset, names, titles, False)
        found = gathered_images(model, dataset)
        return cls(
            found.images,
            labels,
            found.labels,
            None,
            found.class_names,
            found.titles,
            found.are_files,
        )

    @property
    def has_landmarks(self) -> bool:
        return self.dataset is not None and bool(occurring(self.dataset).any())

    def measured(
        self, model: keras.Model, layer_name: str | None, options: dict[str, Any]
    ) -> FilterMeasurement | FilterActivity:
        """The filters of one layer, with landmarks where there are any."""
        if self.dataset is not None and self.has_landmarks:
            return measure_filters(model, self.dataset, layer_name, **options)
        layer = read_feature_maps(model, self.images, layer_name, **options)
        size = self.images.shape[1:3]
        field = receptive_field(model, layer.layer_name, size)
        return measure_activity(layer, field, size)

    def findings(
        self,
        found: FilterMeasurement | FilterActivity,
        other: FilterMeasurement | FilterActivity | None,
    ) -> Findings:
        """What the page says about them."""
        if isinstance(found, FilterMeasurement):
            beside = other if isinstance(other, FilterMeasurement) else None
            return with_landmarks(found, cast(PartsDataset, self.dataset), beside)
        return without_landmarks(found, self.images, self.titles)

    def right_classes(self, model: keras.Model) -> np.ndarray | None:
        """What a model should say about the images, where that is known."""
        names = self.class_names
        if self.are_files and names and len(names) == 2 and outputs_of(model) == 1:
            # As `image_dataset_from_directory(label_mode="binary")` counts them.
            names = names[1:]
        return labels_for(model, len(self.images), self.labels, self.own_labels, names)

    def predictions(
        self,
        model: keras.Model,
        class_names: Sequence[str] | None,
        classes: np.ndarray | None,
        options: dict[str, Any],
    ) -> Predictions | None:
        """What the model says of images without landmarks, where it classifies."""
        outputs = outputs_of(model)
        if self.has_landmarks or outputs is None:
            return None
        names = self.class_names if class_names is None else class_names
        allowed = (outputs,) if outputs > 1 else (1, 2)
        if class_names is not None and len(class_names) not in allowed:
            raise ValueError(
                f"Expected class_names as a name for each of the model's {outputs} "
                f"outputs. Received: {len(class_names)} names. Pass them in the order "
                "of the outputs."
            )
        scores = scores_of(model, self.images, **options)
        return Predictions.of(model, scores, names, classes)

    @property
    def judged(self) -> np.ndarray:
        """Places of the images that accuracy is measured on: those of the test."""
        if self.dataset is None:
            return np.arange(len(self.images))
        return np.flatnonzero(np.asarray(self.dataset.split) == "test")

    def accuracy(
        self,
        name: str,
        model: keras.Model,
        classes: np.ndarray | None,
        options: dict[str, Any],
        said: Predictions | None = None,
    ) -> list[dict[str, Any]]:
        """The accuracy as a row of results, where it can be told."""
        judged = self.judged
        if classes is None or not len(judged):
            return []
        if said is not None:
            scores = said.scores[judged]
            return [accuracy_of_scores(name, model, scores, classes[judged])]
        images = self.images[judged]
        return [accuracy_row(name, model, images, classes[judged], **options)]


def _accuracy_notes(
    given: _Given,
    classes: np.ndarray | None,
    rows: Rows,
    preprocess: Callable[[np.ndarray], Any] | str | None,
) -> list[str]:
    """What is to be said of the model's accuracy, if it was measured."""
    values = [row["value"] for row in rows if row["metric"] == "accuracy"]
    if not values or classes is None:
        return []
    notes = []
    if given.dataset is None:
        notes.append(
            "The accuracy is that on the images given here. If the model was trained "
            "on them, it says nothing about others."
        )
    hint = input_hint(values[0], classes[given.judged])
    if hint is not None and preprocess is None:
        hint += " Pass what prepares them as preprocess=."
    if hint is not None:
        warnings.warn(hint, stacklevel=3)
        notes.insert(0, hint)
    return notes


def _trained_section(
    model: keras.Model,
    found: FilterMeasurement | FilterActivity,
    of_images: Mapping[str, str],
    settings: Mapping[str, Any],
) -> ReportSection:
    field, count = found.receptive_field, found.layer.maps.shape[-1]
    kind = "interpretable " if found.layer.interpretable else ""
    facts = {
        "model": f"{model.name}, {model.count_params():,} weights",
        "layer": f"{found.layer.layer_name}, {count} {kind}filters",
        "receptive field": f"{_pixels(field.size)}, stride {_pixels(field.stride)}",
        **of_images,
        **{str(key): str(value) for key, value in settings.items()},
    }
    layers = [
        [
            place.path,
            type(place.layer).__name__,
            _shape(place.layer),
            f"{place.layer.count_params():,}",
        ]
        for place in layer_places(model)
    ]
    return ReportSection(
        "What was trained",
        tables=[
            ReportTable(["setting", "value"], [[*pair] for pair in facts.items()]),
            ReportTable(
                ["layer", "kind", "output", "weights"],
                layers,
                f"All {len(layers)} layers of the model",
                folded=True,
            ),
        ],
    )


def _has_interpretable(*measured: FilterMeasurement | FilterActivity | None) -> bool:
    return any(one is not None and one.layer.interpretable > 0 for one in measured)


def _facts(rows: Rows, name: str) -> list[tuple[str, str]]:
    """The figures of the model itself that are shown large."""
    wanted = (
        "accuracy",
        "detected_groups",
        "part_coverage",
        "hit_part_detectors",
        "tracking_median",
        "hit_gain",
    )
    return [
        (
            metric_words(row["metric"]).label,
            metric_words(row["metric"]).text(row["value"]),
        )
        for metric in wanted
        for row in rows
        if row["metric"] == metric and row["row"] == name
    ]


def _footer() -> str:
    from keras_interp import __version__

    today = datetime.date.today().isoformat()
    return (
        f"Written by keras_interp {__version__} with Keras {keras.__version__} on "
        f"{keras.backend.backend()}, {today}."
    )


def _pixels(value: Any) -> str:
    pair = value if isinstance(value, tuple) else (value,)
    return "×".join(f"{number:g}" for number in pair) + " pixels"


def _shape(layer: Any) -> str:
    shape = getattr(getattr(layer, "output", None), "shape", None)
    return "" if shape is None else "×".join(str(length) for length in shape[1:])

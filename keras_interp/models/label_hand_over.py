"""How InterpretableModel and InterpretableSequential serve their filter losses."""

from __future__ import annotations

from typing import Any

import keras

from keras_interp.layers.filter_monitor import FilterFindings
from keras_interp.layers.interpretable_mask import InterpretableMask
from keras_interp.layers.label_scope import LabelScope


def interpretable_masks(model: keras.Model) -> list[InterpretableMask]:
    """All part masks with a filter loss inside a model, nested ones too."""
    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, InterpretableMask)
    ]


def set_num_categories(model: keras.Model, output: int | str | None) -> None:
    """Tell the filter losses how many categories the model's labels have.

    The width of the output says it; a subclassed model has no output to look at, and
    its layers are given `num_categories=` by the user.
    """
    masks = [m for m in interpretable_masks(model) if m.num_categories is None]
    outputs = getattr(model, "outputs", None)
    if not masks or not outputs or (output is None and len(outputs) > 1):
        return
    width = outputs[output_index(model, output)].shape[-1]
    if width is None:
        return
    for mask in masks:
        mask.set_num_categories(int(width))


def output_index(model: keras.Model, output: int | str | None) -> int:
    """Which of the model's outputs holds the categories."""
    if output is None and len(model.outputs) == 1:
        return 0
    names = list(model.output_names)
    if isinstance(output, int) and 0 <= output < len(names):
        return output
    if isinstance(output, str) and output in names:
        return names.index(output)
    raise ValueError(
        f"The model has {len(names)} outputs, {names}. Set `model.category_output` to "
        "the name or index of the one whose labels are the categories of the filters. "
        f"Received: category_output={output!r}"
    )


def category_labels(model: keras.Model, labels: Any, output: int | str | None) -> Any:
    """The categories' labels out of whatever `fit` was given as `y`.

    With several outputs and no word which of them holds the categories, filter losses
    that can do without labels get none.
    """
    if labels is None or not isinstance(labels, (dict, list, tuple)):
        return labels
    if len(labels) == 1:
        return next(iter(labels.values())) if isinstance(labels, dict) else labels[0]
    if output is None and not any(m.needs_labels for m in interpretable_masks(model)):
        return None
    index = output_index(model, output)
    return labels[model.output_names[index] if isinstance(labels, dict) else index]


def record_findings(scope: LabelScope | None) -> None:
    """Put what the filter losses found in the forward pass into their metrics."""
    if scope is None:
        return
    for layer, findings in scope.findings.items():
        layer.record(findings)
    scope.findings.clear()


def evaluation_list(model: keras.Model, results: dict[str, Any]) -> Any:
    """What `evaluate` returns without `return_dict`: as for the same plain model.

    The filters' entropies are left to the log, so that `loss, accuracy =
    model.evaluate(...)` goes on working when a model becomes interpretable.
    """
    monitors = tuple(f"{mask.name}_" for mask in interpretable_masks(model))
    kept = {
        name: value
        for name, value in results.items()
        if not (name.startswith(monitors) and name.endswith(FilterFindings._fields))
    }
    return model._flatten_metrics_in_order(kept)

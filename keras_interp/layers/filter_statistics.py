"""What a filter loss remembers of the maps that it has seen."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_interp.layers.filter_categories import MOMENTUM, FilterCategories, Targets
from keras_interp.layers.label_scope import category_matrix
from keras_interp.layers.response_levels import ResponseLevels
from keras_interp.losses.template_scores import log_ratio_to_mean


class FilterStatistics(keras.layers.Layer):
    """Running state of a layer's filter loss: target pictures, peaks, normalisers.

    Build with the shape `(templates, filters)`; `templates` is None where no normaliser
    is kept.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.categories = FilterCategories(name="filter_categories")
        self.levels = ResponseLevels(name="response_levels")

    def build(self, input_shape: tuple[int | None, int]) -> None:
        templates, filters = input_shape
        self.filters = filters
        self.steps = self._state("steps", ())
        self.peak_mean = self._state("peak_mean", (filters,))
        self.levels.build((filters,))
        self.log_mean_likelihood = None
        if templates is not None:
            self.log_mean_likelihood = self._state(
                "log_mean_likelihood", (templates, filters)
            )

    def _state(self, name: str, shape: tuple[int, ...]) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer="zeros",
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="mean",
        )

    def targets(
        self,
        feature_maps: Any,
        peaks: Any,
        labels: Any,
        training: bool,
        by_response: bool,
    ) -> Targets:
        """Which pictures are targets of which filters, by label or by response.

        Args:
            feature_maps: Constant tensor `(batch, height, width, filters)`.
            peaks: Tensor `(batch, filters)`, the highest activation of each map.
            labels: Labels of the batch, or None.
            training: Whether the running state learns from the batch.
            by_response: Whether labels only say which category a filter has.
        """
        if labels is None:
            return self.levels.update(peaks, training)
        if not self.categories.built:
            raise ValueError(
                f"Layer '{self.name}' was given labels but does not know how many "
                "categories they have: pass `num_categories=` (1 for object against "
                "background) when you make the layer."
            )
        categories = category_matrix(labels, self.categories.num_categories)
        activation = ops.sum(feature_maps, axis=(1, 2))
        by_label = self.categories.update(activation, categories, training)
        return self.levels.update(peaks, training) if by_response else by_label

    def mean_peak(self, peaks: Any, targets: Targets, training: bool) -> Any:
        """Running mean peak of each filter on its target pictures, `(filters,)`."""
        count = ops.sum(targets.is_target, axis=0)
        mean = ops.sum(peaks * targets.is_target, axis=0) / ops.maximum(count, 1.0)
        old = ops.convert_to_tensor(self.peak_mean)
        moved = ops.where(old > 0, MOMENTUM * old + (1 - MOMENTUM) * mean, mean)
        # A batch without a target, or with a NaN map, leaves the mean as it is.
        new = ops.where((count > 0) & ops.isfinite(mean), moved, old)
        if training:
            self.peak_mean.assign(new)
        # Before a filter's first target the other pictures say how large its maps are:
        # divided by nearly nothing, they would give a loss of many thousands.
        every = ops.sum(ops.where(ops.isfinite(peaks), peaks, 0.0), axis=0)
        pictures = ops.maximum(ops.cast(ops.shape(peaks)[0], "float32"), 1.0)
        return ops.where(new > 0, new, every / pictures)

    def normaliser(self, scores: Any, training: bool) -> Any:
        """Running `log mean_x exp tr(x . T)`, `(templates, filters)`, or None.

        Footnote 2 of the paper: Z_T is kept up to date with the maps that arrive. The
        mean is kept in place of the sum, which leaves the number of maps out.
        """
        if self.log_mean_likelihood is None:
            return None
        scores = ops.stop_gradient(scores)
        batch = (scores - log_ratio_to_mean(scores, axis=0))[0]
        old = ops.convert_to_tensor(self.log_mean_likelihood)
        # log(MOMENTUM exp(old) + (1 - MOMENTUM) exp(batch)), exact for a small change.
        higher, lower = ops.maximum(old, batch), ops.minimum(old, batch)
        share_of_lower = ops.where(batch > old, MOMENTUM, 1.0 - MOMENTUM)
        moved = higher + ops.log1p(share_of_lower * ops.expm1(lower - higher))
        new = ops.where(ops.convert_to_tensor(self.steps) > 0, moved, batch)
        new = ops.where(ops.isfinite(batch), new, old)
        if training:
            self.log_mean_likelihood.assign(new)
            complete = ops.cast(ops.all(ops.isfinite(batch)), "float32")
            self.steps.assign(self.steps + complete)
        return new

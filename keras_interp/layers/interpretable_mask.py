"""Part mask and filter loss on the maps of any layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp.layers.filter_monitor import FilterFindings, FilterMonitor
from keras_interp.layers.filter_statistics import FilterStatistics
from keras_interp.layers.label_scope import current_label_scope
from keras_interp.layers.mask_arguments import check_mask_arguments
from keras_interp.layers.part_mask import check_feature_map_shape
from keras_interp.losses import FILTER_LOSSES, FilterLossInputs
from keras_interp.losses.filter_mutual_information import entropies_of_scores
from keras_interp.losses.part_templates import (
    template_matrix,
    templates_at,
)
from keras_interp.losses.peak_positions import (
    activation_spread,
    distinctive_part,
    peak_positions,
)
from keras_interp.losses.template_scores import template_scores

# Temperature of the scores from which the monitor reports mutual information with
# scale="peak", the same for every mode so that their logs can be compared.
MONITOR_TEMPERATURE = 0.3
# Range of the learnt slope, in the released code's coordinates from -1 to 1.
SLOPE_RANGE = (1.5, 3.0)
SLOPE_RATE = 0.05


@keras.saving.register_keras_serializable(package="keras_interp")
class InterpretableMask(keras.layers.Layer):
    """Makes feature maps interpretable: part mask in the forward pass, filter loss.

    The first `round(fraction * filters)` maps are masked around their peaks, and in
    training a filter loss pushes each of them to one object part; the other maps pass
    unchanged. `InterpretableConv` is a convolution, a ReLU and this layer. Use this one
    after an activation that you have already.

    Example:

    ```python
    x = keras.layers.Conv2D(64, 3, padding="same")(images)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = ki.layers.InterpretableMask()(x)
    ```

    Args:
        fraction: Share of interpretable filters, 0 to 1. Defaults to 0.5, which costs
            hardly any accuracy; the paper's is 1.
        beta: Slope of the templates. Defaults to the paper's 4.
        norm: `"l1"` (default), the paper's, or `"l2"`, round templates.
        peak: `"argmax"` (default), the paper's, or `"centroid"`, the released code's.
        filter_loss: `"posterior"` (default; the library's own, needs no labels and no
            normaliser), `"exact"` (eq. 1 on the batch), `"running"` (with running
            normalisers), `"approx"` (eq. 4, second line), `"authors"` (the released
            code's), or None. `"approx"` and `"authors"` need labels: use
            `InterpretableModel` or `InterpretableSequential`, or call the layer with
            `labels=`.
        filter_loss_weight: Weight of the loss before the schedule. None (default)
            takes the mode's: 0.1 for `"posterior"` (0.15 with several categories), 0.3
            for `"exact"`, 0.03 for `"running"` and `"authors"`, 0.003 for `"approx"`
            (0.01 with several categories).
        scale: `"peak"` (default): activations are divided by each filter's running mean
            peak, and the loss is a mean over filters. `"paper"`: raw activations, the
            paper's tau, a sum over filters, and a weight that grows with the mean peak.
        mask: Whether maps are masked. Defaults to True.
        num_categories: Number of categories of the labels, 1 for object against
            background. None (default) lets `InterpretableModel` fill it in.
        weight_schedule: `"constant"`, or `"inverse_epoch"`, the paper's 1 / epoch. None
            (default) takes the paper's with `scale="paper"` and else the constant one,
            which gave clearer parts at the same accuracy.
        mask_warmup_epochs: Epochs over which the mask is blended in. Defaults to 0;
            advisable only with `fraction=1`.
        learn_beta: Whether each filter learns its slope, as the released code can.
            `filter_loss="authors"` only. Defaults to False.
        targets: Which pictures a filter's part is looked for in: `"labels"` (default),
            those of its category where labels are given, or `"response"`, those that it
            answers strongly itself. `"response"` is for `filter_loss="posterior"` or
            None.
        monitor: Whether filter loss, mutual information and the two entropies of eq.
            (5) appear in the training log. Defaults to True.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: Tensor `(batch, height, width, filters)` after the activation.
        training: Whether the filter loss is added.
        labels: Labels of the batch, for a training loop of your own.

    Attributes:
        interpretable_filters: How many of the leading filters are interpretable.
        filter_categories: Category of each interpretable filter, int array; -1 while
            no label has been seen.
        epoch: Number of the epoch in progress, from 1; saved with the weights.

    Raises:
        ValueError: For an unknown argument; inputs that are not of rank 4; labels that
            are needed and not there, or do not fit `num_categories`.

    Reference:
        Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018.
    """

    def __init__(
        self,
        fraction: float = 0.5,
        beta: float = 4.0,
        norm: str = "l1",
        peak: str = "argmax",
        filter_loss: str | None = "posterior",
        filter_loss_weight: float | None = None,
        scale: str = "peak",
        mask: bool = True,
        num_categories: int | None = None,
        weight_schedule: str | None = None,
        mask_warmup_epochs: int = 0,
        learn_beta: bool = False,
        targets: str = "labels",
        monitor: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.fraction = fraction
        self.beta = beta
        self.norm = norm
        self.peak = peak
        self.filter_loss = filter_loss
        self.filter_loss_weight = filter_loss_weight
        self.scale = scale
        self.mask = mask
        self.num_categories = num_categories
        self.weight_schedule = weight_schedule
        self.mask_warmup_epochs = mask_warmup_epochs
        self.learn_beta = learn_beta
        self.targets = targets
        self.monitor = monitor
        check_mask_arguments(self)
        self._loss_of_maps: Any = FILTER_LOSSES[filter_loss]() if filter_loss else None
        self._statistics = FilterStatistics(name="statistics")
        self._monitor = FilterMonitor(self.name, on_reset=self._begin_epoch)
        # Set for the length of a measurement to see the maps, or to shift them.
        self.map_probe: Callable[[Any], Any] | None = None

    def build(self, input_shape: tuple[Any, ...]) -> None:
        check_feature_map_shape(input_shape, self.name)
        _, height, width, filters = input_shape
        self.interpretable_filters = round(self.fraction * filters)
        self.epoch = self._state("epoch", (), "ones")
        self._steps_in_epoch = self._state("steps_in_epoch", (), "zeros")
        templates = None
        if self._loss_of_maps is not None and self._loss_of_maps.keeps_normaliser:
            self._need_fixed_size(height, width, f"filter_loss='{self.filter_loss}'")
            templates = height * width + 1
        self._statistics.build((templates, self.interpretable_filters))
        if self.num_categories is not None:
            self.set_num_categories(self.num_categories)
        if self.learn_beta:
            self._need_fixed_size(height, width, "learn_beta=True")
            self._beta_of_slope = 2.0 * max(height, width) / (max(height, width) - 1)
            self._slope = self._state(
                "slope",
                (self.interpretable_filters,),
                keras.initializers.Constant(self.beta / self._beta_of_slope),
            )
        self.built = True

    def _state(self, name: str, shape: tuple[int, ...], initializer: Any) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="mean",
        )

    def _need_fixed_size(self, height: Any, width: Any, what: str) -> None:
        if height is None or width is None or max(height, width) < 2:
            raise ValueError(
                f"Layer '{self.name}' with {what} keeps a number for each cell of the "
                "map and needs maps of a known size, at least 2 cells on a side. "
                f"Received maps of {height} x {width}. Give the model a fixed input "
                "size, or use filter_loss='posterior' or 'exact'."
            )

    def set_num_categories(self, num_categories: int) -> None:
        """Say how many categories the labels have, after the layer was built.

        Args:
            num_categories: 1 for object against background.

        Raises:
            ValueError: If the layer has another number already.
        """
        if self.num_categories not in (None, num_categories):
            raise ValueError(
                f"Layer '{self.name}' was made with num_categories="
                f"{self.num_categories}, but the model's labels have {num_categories}."
            )
        self.num_categories = num_categories
        categories = self._statistics.categories
        if categories.built and categories.num_categories != num_categories:
            raise ValueError(
                f"Layer '{self.name}' has loaded the state of "
                f"{categories.num_categories} categories, but the model's labels have "
                f"{num_categories}."
            )
        if self._statistics.built and not categories.built:
            categories.build((self.interpretable_filters, num_categories))

    @property
    def filter_categories(self) -> np.ndarray:
        """Category of each interpretable filter; -1 while no label has been seen."""
        categories = self._statistics.categories
        if not categories.built:
            return np.full(self._statistics.filters if self.built else 0, -1)
        return categories.assigned()

    @property
    def needs_labels(self) -> bool:
        """Whether the filter loss cannot be computed without labels."""
        return self._loss_of_maps is not None and self._loss_of_maps.needs_labels

    @property
    def effective_filter_loss_weight(self) -> float:
        """The weight before the schedule: the argument, or the mode's default."""
        if self.filter_loss_weight is not None:
            return self.filter_loss_weight
        if self._loss_of_maps is None:
            return 0.0
        if self.scale == "paper":
            return self._loss_of_maps.default_weight_paper
        several = self.num_categories is not None and self.num_categories > 1
        if several and self.targets == "labels":
            return self._loss_of_maps.default_weight_many
        return self._loss_of_maps.default_weight

    def call(
        self, inputs: Any, training: bool | None = None, labels: Any = None
    ) -> Any:
        count = self.interpretable_filters
        # Without pictures there is nothing to mask, or to learn from.
        if count == 0 or not (self.mask or self.filter_loss) or inputs.shape[0] == 0:
            return inputs
        # One split, whose gradient is one concatenation, in place of two slices.
        interpretable, *others = (
            ops.split(inputs, [count], axis=-1)
            if count < inputs.shape[-1]
            else [inputs]
        )
        interpretable = ops.relu(interpretable)
        if self.map_probe is not None:
            interpretable = self.map_probe(interpretable)
        feature_maps = ops.cast(interpretable, "float32")
        rows, columns = self._peaks(feature_maps)
        templates = self._templates(feature_maps, rows, columns)
        if self.filter_loss is not None:
            self._serve_filter_loss(feature_maps, templates, training, labels)
        if not self.mask:
            return inputs
        mask = ops.cast(self._warmed_up(ops.relu(templates)), inputs.dtype)
        return ops.concatenate([interpretable * mask, *others], axis=-1)

    def _peaks(self, feature_maps: Any) -> tuple[Any, Any]:
        return peak_positions(ops.stop_gradient(feature_maps), self.peak)

    def _templates(self, feature_maps: Any, rows: Any, columns: Any) -> Any:
        _, height, width, _ = ops.shape(feature_maps)
        beta = self.beta
        if self.learn_beta:
            beta = ops.convert_to_tensor(self._slope) * self._beta_of_slope
        templates = templates_at(rows, columns, height, width, beta, self.norm)
        # The mask is a constant in the backward pass.
        return ops.stop_gradient(templates)

    def _warmed_up(self, mask: Any) -> Any:
        if not self.mask_warmup_epochs:
            return mask
        epoch = ops.convert_to_tensor(self.epoch)
        share = ops.minimum((epoch - 1.0) / self.mask_warmup_epochs, 1.0)
        return 1.0 - share + share * mask

    def _serve_filter_loss(
        self, feature_maps: Any, templates: Any, training: Any, labels: Any
    ) -> None:
        scope = current_label_scope()
        # A metric that is filled during the pass is lost with JAX: there only a model
        # that opens a scope can report.
        self._monitor.reporting = self.monitor and (
            scope is not None or (bool(training) and keras.backend.backend() != "jax")
        )
        if not (training or self._monitor.reporting):
            return
        if labels is None and scope is not None:
            labels = scope.labels
        inputs = self._loss_inputs(feature_maps, templates, labels, bool(training))
        loss = self._reduced(self._loss_of_maps(inputs), feature_maps)
        if training:
            self.add_loss(loss * self._current_weight(inputs.mean_peak))
            self._steps_in_epoch.assign(self._steps_in_epoch + 1.0)
        if self._monitor.reporting:
            findings = self._findings(loss, inputs)
            if scope is not None:
                scope.findings[self] = findings
            else:
                self.record(findings)

    def weighted_filter_loss(self, feature_maps: Any, labels: Any = None) -> Any:
        """What training would add to the loss for these maps; changes no state.

        Args:
            feature_maps: Tensor `(batch, height, width, interpretable_filters)` after
                the activation and before the mask.
            labels: Labels of the batch, where the mode needs them.

        Returns:
            Scalar tensor.
        """
        loss, inputs = self._loss_without_weight(feature_maps, labels)
        return loss * self._current_weight(inputs.mean_peak)

    def _loss_without_weight(
        self, feature_maps: Any, labels: Any
    ) -> tuple[Any, FilterLossInputs]:
        feature_maps = ops.cast(feature_maps, "float32")
        templates = self._templates(feature_maps, *self._peaks(feature_maps))
        inputs = self._loss_inputs(feature_maps, templates, labels, training=False)
        return self._reduced(self._loss_of_maps(inputs), feature_maps), inputs

    def _reduced(self, loss_of_filters: Any, feature_maps: Any) -> Any:
        reduce = ops.mean if self.scale == "peak" else ops.sum
        # A replica can be handed an empty share of the last batch.
        pictures = ops.cast(ops.shape(feature_maps)[0], "float32")
        return ops.where(pictures > 0, reduce(loss_of_filters), 0.0)

    def _loss_inputs(
        self, feature_maps: Any, templates: Any, labels: Any, training: bool
    ) -> FilterLossInputs:
        if labels is None and self.needs_labels:
            raise ValueError(
                f"Layer '{self.name}' with filter_loss='{self.filter_loss}' needs the "
                "labels of the pictures. Make the model a keras_interp.models."
                "InterpretableModel or InterpretableSequential, whose `fit` hands them "
                "over, or choose filter_loss='posterior' or 'exact', which need none."
            )
        constant_maps = ops.stop_gradient(feature_maps)
        statistics = self._statistics
        heights = ops.max(constant_maps, axis=(1, 2))
        targets = statistics.targets(
            constant_maps, heights, labels, training, self.targets == "response"
        )
        mean_peak = statistics.mean_peak(heights, targets, training)
        rows, columns = self._peaks(feature_maps)
        if self._loss_of_maps.looks_for_distinctive_peaks:
            rows, columns = self._peaks(distinctive_part(constant_maps))
            templates = self._templates(feature_maps, rows, columns)
        if self.learn_beta and training:
            self._learn_slope(
                constant_maps, templates, (rows, columns), targets.is_target
            )
        _, height, width, _ = ops.shape(feature_maps)
        if self.scale == "peak":
            # A filter that hardly fires is not blown up beyond ten times the others.
            floor = ops.maximum(0.1 * ops.mean(mean_peak), 1e-6)
            feature_maps = feature_maps / ops.maximum(mean_peak, floor)
            score_scale = self._loss_of_maps.temperature
            weights = targets.weights()
        else:
            score_scale = 0.5 / ops.cast(height * width, "float32")  # tau
            # The released code weighs categories only where there are several.
            several = self.num_categories is not None and self.num_categories > 1
            weights = targets.weights() if several else ops.ones_like(heights)
        matrix = template_matrix(height, width, self.beta, self.norm)
        scores = template_scores(feature_maps, matrix)
        return FilterLossInputs(
            feature_maps=feature_maps,
            peak_templates=templates,
            peak_cells=ops.cast(rows * width + columns, "int32"),
            templates=matrix,
            scores=scores,
            score_scale=score_scale,
            targets=targets.is_target,
            weights=weights,
            mean_peak=mean_peak,
            log_mean_likelihood=statistics.normaliser(scores * score_scale, training),
            literal=self.scale == "paper",
        )

    def _current_weight(self, mean_peak: Any) -> Any:
        weight = self.effective_filter_loss_weight
        schedule = self.weight_schedule
        if schedule == "inverse_epoch" or (schedule is None and self.scale == "paper"):
            weight = weight / ops.convert_to_tensor(self.epoch)
        if self.scale == "paper" and self._loss_of_maps.follows_activation:
            # lambda_t ~ (1 / t) mean_x max_ij x_ij, "Implementation details".
            weight = weight * ops.mean(mean_peak)
        return weight

    def _findings(self, loss: Any, inputs: FilterLossInputs) -> FilterFindings:
        scale = MONITOR_TEMPERATURE if self.scale == "peak" else inputs.score_scale
        entropies = entropies_of_scores(ops.stop_gradient(inputs.scores) * scale)
        return FilterFindings(
            ops.stop_gradient(loss), *(ops.mean(value) for value in entropies)
        )

    def record(self, findings: FilterFindings) -> None:
        """Put what was found on a batch into the metrics of the log."""
        self._monitor.update_state(findings)

    def _learn_slope(
        self, feature_maps: Any, templates: Any, peaks: Any, targets: Any
    ) -> None:
        """Move each filter's slope to 3 / (spread of its activation in cells)."""
        fit = ops.mean(feature_maps * templates, axis=(1, 2)) * targets
        spread = activation_spread(feature_maps, *peaks)
        total = ops.sum(fit, axis=0)
        mean_spread = ops.sum(fit * spread, axis=0) / ops.where(
            ops.abs(total) < 1e-9, 1e-9, total
        )
        wanted = 3.0 / ops.where(mean_spread > 1e-6, mean_spread, 1e-6)
        wanted = ops.clip(wanted, *SLOPE_RANGE)
        slope = ops.convert_to_tensor(self._slope)
        moved = slope + SLOPE_RATE * (wanted - slope)
        self._slope.assign(ops.where(ops.isfinite(moved), moved, slope))

    def _begin_epoch(self) -> None:
        # Metrics are reset before an epoch and before an evaluation: an epoch has
        # begun if there was a training step since the last reset.
        if not self.built:
            return
        trained = ops.cast(self._steps_in_epoch > 0, "float32")
        self.epoch.assign(self.epoch + trained)
        self._steps_in_epoch.assign(0.0)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in MASK_ARGUMENTS},
        }


# The constructor's arguments, which InterpretableConv takes over.
MASK_ARGUMENTS = tuple(
    name
    for name in inspect.signature(InterpretableMask.__init__).parameters
    if name not in ("self", "kwargs")
)

"""Part mask and filter loss on the maps of any layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp._backend.replicas import add_loss_of_all, gathered
from keras_interp._network.layer_names import flattened_layers
from keras_interp.layers._filter_state import (
    FilterLog,
    FilterState,
    holds_the_state_of,
)
from keras_interp.layers._labels import categories_of, current_label_scope
from keras_interp.layers._part_places import PARTS_WEIGHT, places_for
from keras_interp.layers._part_search import say_no_background
from keras_interp.layers.part_mask import (
    blended_in,
    check_feature_map_shape,
    check_fixed_size,
    check_mask_options,
)
from keras_interp.losses import FILTER_LOSSES, PARTS, FilterLossInputs
from keras_interp.losses._mutual_information import (
    bounded_product,
    entropies_of_scores,
    template_scores,
)
from keras_interp.losses._templates import (
    distinctive_part,
    peak_positions,
    template_matrix,
    templates_at,
)

# Temperature of the scores from which the log's mutual information is computed with
# scale="peak", the same for every mode so that their logs can be compared.
MONITOR_TEMPERATURE = 0.3
# With scale="peak" a filter that hardly fires is not blown up beyond ten times the
# others: no divisor is below this share of the filters' mean peak.
LOWEST_PEAK = 0.1


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

    `InterpretableConv` says how to get the released code in full.

    Args:
        fraction: Share of interpretable filters, from 0 to 1. Defaults to 0.5, which
            costs hardly any accuracy; the paper's is 1.
        beta: Slope of the templates: a mask falls to 0 at `n / beta` cells from its
            peak, on maps of `n x n` cells. Defaults to the paper's 4.
        norm: How distance in cells is measured: `"l1"` (default), the paper's diamond,
            or `"l2"`, a disc.
        peak: Where a map has its part: `"argmax"` (default), the paper's strongest
            cell, or `"centroid"`, the released code's activation-weighted centre.
        filter_loss: `"parts"`, which finds places on the object to which an
            `InterpretableConv` behind this layer pulls its filters (those of this one,
            whose silent cells no gradient reaches, have the posterior loss);
            `"posterior"` (default; the library's own, which needs no labels),
            `"exact"` (eq. 1 on the batch, needs no labels), `"running"` (eq. 1 with
            running normalisers), `"approx"` (eq. 4, second line),
            `"authors"` (the released code's, see below), or None for the mask alone.
            `"approx"` and `"authors"` need labels: use `InterpretableModel` or
            `InterpretableSequential`, or call the layer with `labels=`.
        filter_loss_weight: Weight of the loss before the schedule. None (default)
            takes the mode's: 0.1 for `"parts"` and `"posterior"` (0.15 with several
            categories), 0.3 for `"exact"`, 0.03 for `"running"` and `"authors"`, 0.003
            for `"approx"` (0.01 with several categories); 1 with `scale="paper"`.
        scale: `"peak"` (default): activations are divided by each filter's running mean
            peak (at least a tenth of the filters' mean), and the loss is a mean over
            filters. `"paper"`: raw activations, the paper's tau, a sum over filters,
            and a weight that grows with the mean peak (not with `"authors"`).
        mask: Whether maps are masked. Defaults to True.
        num_categories: Number of categories of the labels, 1 for object against
            background. None (default) lets `InterpretableModel` or
            `InterpretableSequential` fill it in.
        weight_schedule: `"constant"`, or `"inverse_epoch"`, the paper's 1 / epoch. None
            (default) takes the paper's with `scale="paper"` and else the constant one,
            which gave clearer parts at the same accuracy.
        mask_warmup_epochs: Epochs over which the mask is blended in. Defaults to 0;
            advisable only with `fraction=1`.
        learn_beta: Whether each filter learns its slope, as in the released code:
            `filter_loss="authors"` only. Defaults to False.
        targets: Which images a filter's part is looked for in: `"labels"` (default),
            those of its category where labels are given, or `"response"`, those that it
            answers strongly itself, for a filter loss that can do without labels.
        monitor: What `fit` shows in its log: True (default), the filter loss before its
            weight, as `<layer>_filter_loss`; `"full"`, its mutual information and the
            two entropies of eq. (5) too; False, nothing.
        parts: Into how many places of the object the filters are dealt with
            `filter_loss="parts"`. None (default) gives each filter its own.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`. A layer that
            is not trainable masks its maps, adds no filter loss and learns nothing.

    Call arguments:
        inputs: Tensor `(batch, height, width, filters)` after the activation.
        training: Whether the filter loss is added.
        labels: Labels of the batch, for a training loop of your own.

    Attributes:
        interpretable_filters: How many of the leading filters are interpretable.
        filter_categories: Category of each interpretable filter, int array; -1 while
            no label has been seen.
        epoch: Number of the epoch in progress, from 1, a variable that is saved with
            the weights. `fit` counts it; see `begin_epoch` for a loop of your own.

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
        parts: int | None = None,
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
        self.parts = parts
        check_mask_options(self)
        of_maps = "posterior" if filter_loss == PARTS else filter_loss
        self._loss_of_maps: Any = FILTER_LOSSES[of_maps]() if of_maps else None
        self._places: Any = None
        # Set by InterpretableConv, which hands over activations before their ReLU.
        self.feature_channels: int | None = None
        # Set for the length of a measurement to see the maps, or to shift them.
        self.map_probe: Callable[[Any], Any] | None = None
        self._beta_of_slope = 1.0
        self._statistics = FilterState(
            by_response=targets == "response",
            literal=filter_loss == "authors" and scale == "paper",
            name="statistics",
        )
        self.filter_log = FilterLog(
            self.name, monitor, self._statistics, lambda: self.trainable, self._say
        )

    def build(self, input_shape: tuple[Any, ...]) -> None:
        check_feature_map_shape(input_shape, self.name)
        _, height, width, filters = input_shape
        self.interpretable_filters = round(self.fraction * filters)
        templates = first_slope = None
        if self._loss_of_maps is not None and self._loss_of_maps.keeps_normaliser:
            check_fixed_size(
                self.name, height, width, f"filter_loss='{self.filter_loss}'"
            )
            templates = height * width + 1
        if self.learn_beta:
            check_fixed_size(self.name, height, width, "learn_beta=True")
            # The released code counts from -1 to 1 what is n - 1 cells here.
            self._beta_of_slope = 2.0 * max(height, width) / (max(height, width) - 1)
            first_slope = self.beta / self._beta_of_slope
        self._statistics.prepare(self.interpretable_filters, templates, first_slope)
        if self.filter_loss == PARTS:
            self._places = places_for(self, input_shape)
        self.built = True
        if self.num_categories is not None:
            self.set_num_categories(self.num_categories)

    def set_num_categories(self, num_categories: int) -> None:
        """Say how many categories the labels have, after the layer was built.

        Args:
            num_categories: 1 for object against background.

        Raises:
            ValueError: If the layer has another number already.
        """
        if self.num_categories not in (None, num_categories):
            raise ValueError(
                f"Expected labels of {self.num_categories} categories at layer "
                f"'{self.name}', which was made for them. Received: "
                f"num_categories={num_categories}."
            )
        self.num_categories = num_categories
        state = self._statistics
        if state.num_categories not in (None, num_categories):
            raise ValueError(
                f"Expected labels of {state.num_categories} categories at layer "
                f"'{self.name}', whose running state was loaded. Received: "
                f"num_categories={num_categories}. Use the same classes, or load the "
                "weights into a fresh layer."
            )
        if self.built and state.num_categories is None:
            state.set_num_categories(num_categories)
        if num_categories > 1 and self.feature_channels and self._places is not None:
            say_no_background(self.name, num_categories)

    @property
    def filter_categories(self) -> np.ndarray:
        """Category of each interpretable filter; -1 while no label has been seen."""
        return self._statistics.assigned_categories()

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
        if self.pulls_to_places:
            return PARTS_WEIGHT
        several = self.num_categories is not None and self.num_categories > 1
        if several and self.targets == "labels":
            return self._loss_of_maps.default_weight_many
        return self._loss_of_maps.default_weight

    def _say(self) -> None:
        if self.pulls_to_places:
            self._places.say_if_lost(self.name)

    @property
    def pulls_to_places(self) -> bool:
        """Whether filters are pulled to different places: `filter_loss="parts"`."""
        return self.feature_channels is not None and self._finds_places

    @property
    def _finds_places(self) -> bool:
        return self._places is not None and self.num_categories in (None, 1)

    @property
    def epoch(self) -> Any:
        """Number of the epoch in progress, a float32 variable; 1 before any."""
        return self._statistics.epoch

    def begin_epoch(self) -> None:
        """Say that an epoch begins, in a training loop of your own.

        Call it where each epoch begins, the first one too. Models that are trained with
        `fit` count their epochs themselves, and evaluations, `train_on_batch` and
        `reset_metrics` count none. Set `layer.epoch.assign(number)` where a loop goes
        on from a file that was saved in the middle of an epoch.
        """
        self._statistics.begin_epoch(self.name)

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        labels: Any = None,
        logits: Any = None,
        features: Any = None,
    ) -> Any:
        count = self.interpretable_filters
        # Without images there is nothing to mask, or to learn from.
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
        masked = inputs
        if self.mask:
            templates = self._templates(feature_maps, *self._peaks(feature_maps))
            mask = blended_in(templates, self.epoch, self.mask_warmup_epochs)
            mask = ops.cast(mask, inputs.dtype)
            masked = ops.concatenate([interpretable * mask, *others], axis=-1)
        if self.filter_loss is not None and self.trainable:
            sources = (logits, inputs if features is None else features)
            self._serve_filter_loss(feature_maps, bool(training), labels, sources)
        return masked

    def _peaks(self, feature_maps: Any) -> tuple[Any, Any]:
        return peak_positions(ops.stop_gradient(feature_maps), self.peak)

    def _templates(self, feature_maps: Any, rows: Any, columns: Any) -> Any:
        _, height, width, _ = ops.shape(feature_maps)
        beta = self.beta
        if self.learn_beta:
            beta = ops.convert_to_tensor(self._statistics.slope) * self._beta_of_slope
        templates = templates_at(rows, columns, height, width, beta, self.norm)
        # The mask is a constant in the backward pass.
        return ops.stop_gradient(templates)

    def _serve_filter_loss(
        self, feature_maps: Any, training: bool, labels: Any, sources: tuple[Any, Any]
    ) -> None:
        scope = current_label_scope()
        # In an evaluation only a model that hands labels over measures the filter loss.
        logs = bool(self.monitor) and (training or scope is not None)
        if not (training or logs):
            return
        if labels is None and scope is not None:
            labels = scope.labels
        # Where devices share the batch, each computes the loss of the whole: that of a
        # part of it, with the targets and peaks of a part, would be another.
        feature_maps = gathered(feature_maps)
        categories = self._categories(labels)
        if categories is not None:
            categories = gathered(categories)
        inputs = self._loss_inputs(feature_maps, categories, training)
        loss_of_filters = self._loss_of_maps(inputs)
        # A mask alone finds places for the layers behind it.
        if self._finds_places and (self.feature_channels or scope is not None):
            places = self._places
            found = places.found_in(inputs, gathered(sources[1]), scope, training)
            if self.feature_channels:
                logits = gathered(sources[0])
                loss_of_filters = places.loss(loss_of_filters, inputs, logits, found)
        loss = self._reduced(loss_of_filters, feature_maps)
        if training:
            weight = self._current_weight(inputs.mean_peak)
            add_loss_of_all(self, self._weighted(loss, weight))
        if logs:
            full = self.monitor == "full"
            self._statistics.add_to_log(loss, self._entropies(inputs) if full else None)

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
        return self._weighted(loss, self._current_weight(inputs.mean_peak))

    def _loss_without_weight(
        self, feature_maps: Any, labels: Any
    ) -> tuple[Any, FilterLossInputs]:
        feature_maps = ops.cast(feature_maps, "float32")
        inputs = self._loss_inputs(feature_maps, self._categories(labels), False)
        return self._reduced(self._loss_of_maps(inputs), feature_maps), inputs

    def _categories(self, labels: Any) -> Any:
        number, mode = self._statistics.num_categories, self.filter_loss
        needed = mode if self.needs_labels else None
        return categories_of(labels, number, needed, self.name)

    def _reduced(self, loss_of_filters: Any, feature_maps: Any) -> Any:
        reduce = ops.mean if self.scale == "peak" else ops.sum
        # A batch without images has neither a loss nor a mean.
        images = ops.cast(ops.shape(feature_maps)[0], "float32")
        return ops.where(images > 0, reduce(loss_of_filters), 0.0)

    def _loss_inputs(
        self, feature_maps: Any, categories: Any, training: bool
    ) -> FilterLossInputs:
        constant_maps = ops.stop_gradient(feature_maps)
        state, mode = self._statistics, self._loss_of_maps
        heights = ops.max(constant_maps, axis=(1, 2))
        targets = state.targets(constant_maps, heights, categories, training)
        mean_peak = state.mean_peak(heights, targets, training)
        shown = constant_maps
        if mode.looks_for_distinctive_peaks:
            shown = distinctive_part(constant_maps)
        rows, columns = self._peaks(shown)
        templates = self._templates(feature_maps, rows, columns)
        if training:
            state.learn_slope(
                constant_maps, templates, (rows, columns), targets.is_target
            )
        _, height, width, _ = ops.shape(feature_maps)
        if self.scale == "peak":
            floor = ops.maximum(LOWEST_PEAK * ops.mean(mean_peak), 1e-6)
            feature_maps = feature_maps / ops.maximum(mean_peak, floor)
            score_scale = mode.temperature
            weights = targets.weights()
        else:
            score_scale = 0.5 / ops.cast(height * width, "float32")  # tau
            # The released code weighs categories only where there are several.
            several = self.num_categories is not None and self.num_categories > 1
            weights = targets.weights() if several else ops.ones_like(heights)
        matrix = template_matrix(height, width, self.beta, self.norm)
        scores = template_scores(feature_maps, matrix)
        cells = ops.cast(rows, "int32") * width + ops.cast(columns, "int32")
        return FilterLossInputs(
            feature_maps=feature_maps,
            peak_templates=templates,
            peak_cells=cells,
            templates=matrix,
            scores=scores,
            score_scale=score_scale,
            targets=targets.is_target,
            weights=weights,
            mean_peak=mean_peak,
            log_mean_likelihood=state.normaliser(scores * score_scale, training),
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

    def _weighted(self, loss: Any, weight: Any) -> Any:
        return loss * weight if self.scale == "peak" else bounded_product(loss, weight)

    def _entropies(self, inputs: FilterLossInputs) -> Any:
        scale = MONITOR_TEMPERATURE if self.scale == "peak" else inputs.score_scale
        return entropies_of_scores(ops.stop_gradient(inputs.scores) * scale)

    def load_own_variables(self, store: Any) -> None:
        # The state of earlier versions lay in four layers, some of it here.
        if holds_the_state_of(self, store):
            super().load_own_variables(store)

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


def masks_inside(model: Any) -> list[InterpretableMask]:
    """All layers with a part mask inside a model, those of nested models too."""
    return [
        layer
        for layer in flattened_layers(model, include_self=False)
        if isinstance(layer, InterpretableMask)
    ]

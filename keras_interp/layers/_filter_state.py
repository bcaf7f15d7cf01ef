"""What a filter loss remembers of the maps that it has seen."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_interp._network.training_calls import asking_function
from keras_interp.losses import FilterEntropies
from keras_interp.losses._mutual_information import log_ratio_to_mean
from keras_interp.losses._templates import activation_spread

# Share of a running mean that a batch leaves as it is.
MOMENTUM = 0.9
# Of the mean activation of a category, an image: a memory of some fifty images.
MOMENTUM_OF_AN_IMAGE = 0.98
# No image weighs more than 0.5 / 0.005 = 100 times what it would alone.
RAREST_DENSITY = 0.005
# Range of the learnt slope, in the released code's coordinates from -1 to 1; the slope
# is this many times the inverse of the activation's spread, and moves by this share of
# the way in each step.
SLOPE_RANGE = (1.5, 3.0)
SLOPE_TIMES_SPREAD = 3.0
SLOPE_RATE = 0.05
# Above so many categories the released code takes each for as frequent as any other.
MOST_WEIGHED_CATEGORIES = 10
# The epoch in progress, of a layer's `epoch_state`; 0 is a layer that was not trained,
# and what is positive an epoch that has ended.
IN_PROGRESS = -1.0


class Targets(NamedTuple):
    """For each image and filter, whether the image is one of the filter's targets.

    Attributes:
        is_target: float32 tensor `(batch, filters)`, 0 or 1.
        density: float32 tensor `(filters,)`, share of target images among all.
    """

    is_target: Any
    density: Any

    def weights(self) -> Any:
        """Weights `(batch, filters)` by which targets and others count alike in sum."""
        density = ops.clip(self.density, RAREST_DENSITY, 1.0 - RAREST_DENSITY)[None]
        return 0.5 * self.is_target / density + 0.5 * (1.0 - self.is_target) / (
            1.0 - density
        )


def add_state(
    layer: keras.layers.Layer,
    name: str,
    shape: tuple[int | None, ...],
    start: float = 0.0,
) -> Any:
    """A variable of a layer that no optimizer moves, float32 under any policy."""
    return layer.add_weight(
        name=name,
        shape=shape,
        initializer=keras.initializers.Constant(start),
        dtype="float32",
        trainable=False,
        autocast=False,
        # Where devices share a batch, each of them computes the state of the whole.
        aggregation="mean",
    )


def holds_the_state_of(layer: keras.layers.Layer, store: Any) -> bool:
    """Whether a file's group fits a layer's running state; warns where it does not."""
    kept: dict[str, Any] = {}
    layer.save_own_variables(kept)
    if len(store) == len(kept):
        return True
    warnings.warn(
        f"Layer '{layer.path}': the file holds {len(store)} variables of running "
        f"state where the layer keeps {len(kept)}. The running state starts anew; "
        "weights are loaded as they are. The file was written with another filter loss "
        "or by an earlier version of keras_interp.",
        stacklevel=3,
    )
    return False


class FilterState(keras.layers.Layer):
    """Running state of a layer's filter loss: all that is remembered between batches.

    Epoch, sums for the training log, target images by response and by label, peaks,
    normalisers and learnt slopes, and how each filter responds to each category.

    Its variables are made by `prepare` and `set_num_categories`, not by `build`, after
    which Keras lets nobody add any: how many categories the labels have may become
    known when the model is complete.

    Args:
        by_response: Whether labels only say which category a filter has.
        literal: Whether filters find their categories as in the released code.
    """

    def __init__(self, by_response: bool, literal: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.by_response = by_response
        self.literal = literal
        self.prepared = False
        self.loaded = False
        self.filters = 0
        self.num_categories: int | None = None
        self.log_mean_likelihood = self.steps = self.slope = None
        self.built = True

    def build(self, input_shape: Any) -> None:
        """Does nothing, and keeps Keras from closing the layer when it is made."""

    def prepare(
        self, filters: int, templates: int | None, first_slope: float | None
    ) -> None:
        """Make the variables.

        Args:
            filters: Number of interpretable filters.
            templates: Number of templates; None where no normaliser is kept.
            first_slope: Slope of each filter before it learns its own; None where none
                does.
        """
        self.prepared = True
        self.filters = filters
        self.epoch = add_state(self, "epoch", (), 1.0)
        self.epoch_state = add_state(self, "epoch_state", ())
        # How many there were before the `fit` in progress.
        self.epochs_before = add_state(self, "epochs_before", ())
        # Filter loss, mutual information and its two entropies, over `log_batches`.
        self.log_totals = add_state(self, "log_totals", (4,))
        self.log_batches = add_state(self, "log_batches", ())
        self.peak_mean = add_state(self, "peak_mean", (filters,))
        self.high = add_state(self, "high", (filters,))
        self.low = add_state(self, "low", (filters,))
        self.target_share = add_state(self, "target_share", (filters,))
        self.started = add_state(self, "started", (filters,))
        if templates is not None:
            self.steps = add_state(self, "steps", ())
            self.log_mean_likelihood = add_state(
                self, "log_mean_likelihood", (templates, filters)
            )
        if first_slope is not None:
            self.slope = add_state(self, "slope", (filters,), first_slope)

    def set_num_categories(self, number: int) -> None:
        """Make the variables that depend on the number of categories."""
        self.num_categories = number
        self.mean_activation = add_state(
            self, "mean_activation", (self.filters, number)
        )
        self.category_share = add_state(self, "category_share", (number,))
        self.images = add_state(self, "images", ())

    # Epochs and the log -----------------------------------------------------------

    def begin_epoch(self, layer_name: str) -> None:
        """Count an epoch; the first one is that of a layer that was not trained."""
        if not self.prepared:
            raise ValueError(
                f"Expected layer '{layer_name}' to be built before its first epoch. "
                "Received: a layer without a known input. Call the model on a batch, "
                "or give it a keras.Input, before the loop."
            )
        begun = ops.cast(ops.convert_to_tensor(self.epoch_state) != 0, "float32")
        self.epoch.assign(self.epoch + begun)
        self.epoch_state.assign(IN_PROGRESS)

    def begin_epoch_of_fit(self, index: int, first: int) -> None:
        """Count the epoch that `fit` begins.

        A `fit` goes on counting where the one before it ended. One that goes on from a
        file that was saved within an epoch was killed: its epochs are those of the
        `fit` that was killed, whichever of them it does again.

        Args:
            index: The epoch's number in this `fit`, from 0.
            first: `initial_epoch` of this `fit`.
        """
        if index == first:
            state, epoch = self.epoch_state.numpy(), self.epoch.numpy()
            if not (self.loaded and state == IN_PROGRESS):
                done = float(epoch) - (0 if state > 0 else 1)
                self.epochs_before.assign(max(done - first, 0.0))
            self.loaded = False
        self.epoch.assign(self.epochs_before + (index + 1.0))
        self.epoch_state.assign(IN_PROGRESS)

    def end_epoch(self) -> None:
        """Say that the epoch in progress was trained to its end."""
        self.epoch_state.assign(1.0)

    def add_to_log(self, loss: Any, entropies: FilterEntropies | None) -> None:
        """Take a batch into the means of the log, which are read after the epoch.

        They are variables of this layer, not of a metric: the JAX backend forgets what
        is put into a metric while a layer is called.
        """
        loss = ops.stop_gradient(loss)
        values = [loss] * 4 if entropies is None else [loss, *map(ops.mean, entropies)]
        self.log_totals.assign(self.log_totals + ops.stack(values))
        self.log_batches.assign(self.log_batches + 1.0)

    # Targets ----------------------------------------------------------------------

    def targets(
        self, feature_maps: Any, peaks: Any, categories: Any, training: bool
    ) -> Targets:
        """Which images are targets of which filters, by label or by response.

        Args:
            feature_maps: Constant tensor `(batch, height, width, filters)`.
            peaks: Tensor `(batch, filters)`, the highest activation of each map.
            categories: Tensor `(batch, categories)` of 0 and 1, or None.
            training: Whether the running state learns from the batch.
        """
        if categories is None:
            return self._targets_by_response(peaks, training)
        # In double precision labels come as float64, which the state is not.
        categories = ops.cast(categories, "float32")
        # The paper sums up the activation, the released code takes its maximum.
        strength = peaks if self.literal else ops.sum(feature_maps, axis=(1, 2))
        by_label = self._targets_by_label(strength, categories, training)
        if self.by_response:
            return self._targets_by_response(peaks, training)
        return by_label

    def _targets_by_label(
        self, activation: Any, categories: Any, training: bool
    ) -> Targets:
        """Targets are the images of the category that activates a filter most.

        `argmax_c mean_{I in I_c} sum_ij x_ij`, Zhang, Wu, Zhu, CVPR 2018, "Determining
        the target category for each filter". A category that no image has shown is
        never chosen. The literal form has the released code's targets: in the first
        batch every image of any category, and with more than ten categories a density
        of 1 / categories for each.
        """
        counts = ops.sum(categories, axis=0)
        batch_mean = ops.matmul(ops.transpose(activation), categories)
        batch_mean = batch_mean / ops.maximum(counts, 1.0)[None]
        old = ops.convert_to_tensor(self.mean_activation)
        old_share = ops.convert_to_tensor(self.category_share)
        old_images = ops.convert_to_tensor(self.images)
        # Every image has the same say, however few of a category are in a batch: the
        # plain mean of the first fifty, then one that forgets as the network changes.
        rate = ops.maximum(
            1.0 - MOMENTUM_OF_AN_IMAGE**counts,
            counts / ops.maximum(old_share * old_images + counts, 1.0),
        )
        blended = old + rate[None] * (batch_mean - old)
        # A batch with a NaN map must not spoil the state for good.
        usable = (counts[None] > 0) & ops.isfinite(batch_mean)
        mean_activation = ops.where(usable, blended, old)
        # A running mean, since a float32 count would come to a halt at 2**24 images.
        arrived = ops.cast(ops.shape(categories)[0], "float32")
        images = old_images + arrived
        share = old_share + (counts - arrived * old_share) / ops.maximum(images, 1.0)
        assigned = ops.argmax(
            ops.where(share[None] > 0, mean_activation, -1e30), axis=1
        )
        is_target = ops.take(categories, assigned, axis=1)
        density = ops.take(share, assigned)
        if self.literal:
            any_category = ops.max(categories, axis=1, keepdims=True)
            is_target = ops.where(old_images > 0, is_target, any_category)
            known = self.category_share.shape[0]
            if known > MOST_WEIGHED_CATEGORIES:
                density = ops.ones_like(density) / known
        # Last, since what was read of a variable may follow it.
        if training:
            self.mean_activation.assign(mean_activation)
            self.category_share.assign(share)
            self.images.assign(images)
        return Targets(is_target, density)

    def assigned_categories(self) -> np.ndarray:
        """Category of each filter, int `(filters,)`; -1 before any label was seen."""
        if self.num_categories is None:
            return np.full(self.filters, -1)
        mean_activation = self.mean_activation.numpy()
        seen = self.category_share.numpy() > 0
        if not seen.any():
            return np.full(len(mean_activation), -1)
        return np.where(seen, mean_activation, -np.inf).argmax(axis=1)

    def _targets_by_response(self, peaks: Any, training: bool) -> Targets:
        """Two means on a line: a peak near to the higher one makes a target.

        The levels follow the images on their side, as in online k-means.
        """
        started = ops.convert_to_tensor(self.started) > 0
        old_share = ops.convert_to_tensor(self.target_share)
        arrived = ops.cast(ops.shape(peaks)[0], "float32")
        images = ops.maximum(arrived, 1.0)
        mean = ops.sum(peaks, axis=0) / images
        # The squares of strong peaks would overflow.
        size = ops.maximum(ops.max(ops.abs(peaks), axis=0, initial=0.0), 1e-30)
        squares = ops.square((peaks - mean) / size)
        deviation = size * ops.sqrt(ops.sum(squares, axis=0) / images)
        high = ops.where(started, ops.convert_to_tensor(self.high), mean + deviation)
        low = ops.where(started, ops.convert_to_tensor(self.low), mean - deviation)
        above = ops.cast(peaks > (0.5 * high + 0.5 * low)[None], "float32")
        count = ops.sum(above, axis=0)
        share = ops.where(
            started,
            MOMENTUM * old_share + (1 - MOMENTUM) * count / images,
            count / images,
        )
        if training:
            below = 1.0 - above
            self._follow(self.high, high, ops.sum(peaks * above, axis=0), count)
            self._follow(
                self.low, low, ops.sum(peaks * below, axis=0), ops.sum(below, axis=0)
            )
            # A batch that is empty, or has a NaN map, teaches the filter nothing.
            usable = (arrived > 0) & ops.isfinite(mean)
            self.target_share.assign(ops.where(usable, share, old_share))
            self.started.assign(ops.cast(started | usable, "float32"))
        return Targets(above, share)

    def _follow(self, variable: Any, level: Any, total: Any, count: Any) -> None:
        moved = MOMENTUM * level + (1 - MOMENTUM) * total / ops.maximum(count, 1.0)
        usable = (count > 0) & ops.isfinite(moved)
        kept = ops.where(ops.isfinite(level), level, ops.zeros_like(level))
        variable.assign(ops.where(usable, moved, kept))

    # Peaks, normalisers, slopes ---------------------------------------------------

    def mean_peak(self, peaks: Any, targets: Targets, training: bool) -> Any:
        """Running mean peak of each filter on its target images, `(filters,)`."""
        count = ops.sum(targets.is_target, axis=0)
        mean = ops.sum(peaks * targets.is_target, axis=0) / ops.maximum(count, 1.0)
        old = ops.convert_to_tensor(self.peak_mean)
        moved = ops.where(old > 0, MOMENTUM * old + (1 - MOMENTUM) * mean, mean)
        # A batch without a target, or with a NaN map, leaves the mean as it is.
        new = ops.where((count > 0) & ops.isfinite(mean), moved, old)
        if training:
            self.peak_mean.assign(new)
        # Before a filter's first target the other images say how large its maps are:
        # divided by nearly nothing, they would give a loss of many thousands.
        every = ops.sum(ops.where(ops.isfinite(peaks), peaks, 0.0), axis=0)
        images = ops.maximum(ops.cast(ops.shape(peaks)[0], "float32"), 1.0)
        return ops.where(new > 0, new, every / images)

    def normaliser(self, scores: Any, training: bool) -> Any:
        """Running `log mean_x exp tr(x . T)`, `(templates, filters)`, or None.

        Footnote 2 of the paper: Z_T is kept up to date with the maps that arrive. The
        mean is kept in place of the sum, which leaves the number of maps out.
        """
        if self.log_mean_likelihood is None or self.steps is None:
            return None
        scores = ops.stop_gradient(scores)
        batch = (scores - log_ratio_to_mean(scores, axis=0))[0]
        old = ops.convert_to_tensor(self.log_mean_likelihood)
        # log(MOMENTUM exp(old) + (1 - MOMENTUM) exp(batch)), exact for a small change.
        higher, lower = ops.maximum(old, batch), ops.minimum(old, batch)
        grows = ops.cast(batch > old, "float32")
        share_of_lower = MOMENTUM * grows + (1.0 - MOMENTUM) * (1.0 - grows)
        moved = higher + ops.log1p(share_of_lower * ops.expm1(lower - higher))
        new = ops.where(ops.convert_to_tensor(self.steps) > 0, moved, batch)
        new = ops.where(ops.isfinite(batch), new, old)
        if training:
            self.log_mean_likelihood.assign(new)
            complete = ops.cast(ops.all(ops.isfinite(batch)), "float32")
            self.steps.assign(self.steps + complete)
        return new

    def learn_slope(
        self, feature_maps: Any, templates: Any, peaks: Any, is_target: Any
    ) -> None:
        """Move each filter's slope towards 3 / (spread of its activation in cells).

        Args:
            feature_maps: Constant tensor `(batch, height, width, filters)`.
            templates: Tensor of the same shape, the template at each map's peak.
            peaks: Rows and columns of the peaks, tensors `(batch, filters)`.
            is_target: Tensor `(batch, filters)`, 1 where the image shows the category.
        """
        if self.slope is None:
            return
        fit = ops.mean(feature_maps * templates, axis=(1, 2)) * is_target
        spread = activation_spread(feature_maps, *peaks)
        total = ops.sum(fit, axis=0)
        mean_spread = ops.sum(fit * spread, axis=0) / ops.where(
            ops.abs(total) < 1e-9, 1e-9, total
        )
        wanted = SLOPE_TIMES_SPREAD / ops.where(mean_spread > 1e-6, mean_spread, 1e-6)
        slope = ops.convert_to_tensor(self.slope)
        moved = slope + SLOPE_RATE * (ops.clip(wanted, *SLOPE_RANGE) - slope)
        self.slope.assign(ops.where(ops.isfinite(moved), moved, slope))

    # Files ------------------------------------------------------------------------

    def load_own_variables(self, store: Any) -> None:
        # A model may be saved before it is told how many categories its labels have,
        # and be loaded after, or the other way round. Their three variables are last.
        kept: dict[str, Any] = {}
        self.save_own_variables(kept)
        if self.num_categories is None and len(store) == len(kept) + 3:
            self.set_num_categories(np.shape(store[str(len(kept) + 1)])[0])
            self.save_own_variables(kept)
        stored = {name: store[name] for name in kept if name in store}
        if self.num_categories is not None and len(store) == len(kept) - 3:
            stored = {**kept, **stored}
        if holds_the_state_of(self, stored):
            super().load_own_variables(stored)
            self.loaded = True

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: running state is no kernel."""


class FilterLog(keras.metrics.Metric):
    """What a layer's filter loss shows in the training log, and how epochs are counted.

    Keras resets its metrics where an epoch begins and reads them where it ends, in any
    model and without a callback.

    Args:
        layer_name: Name that the log's entries begin with.
        monitor: True for the filter loss alone, `"full"` for its mutual information
            and entropies too, False for nothing.
        state: The layer's running state.
        counts: Says whether epochs are counted: those of a frozen layer are not.
        say: Called where an epoch of `fit` ends, to log what the user should know.
    """

    FULL = (
        "filter_loss",
        "mutual_information",
        "inter_category_entropy",
        "spatial_entropy",
    )

    def __init__(
        self,
        layer_name: str,
        monitor: bool | str,
        state: FilterState,
        counts: Any,
        say: Any,
    ):
        super().__init__(name=f"{layer_name}_filter_loss", dtype="float32")
        count = {True: 1, False: 0}.get(monitor, len(self.FULL))  # type: ignore
        self.names = [f"{layer_name}_{name}" for name in self.FULL[:count]]
        # As a function, so that a file has the state under its layer alone.
        self._state_of = lambda: state
        self.counts, self.say = counts, say
        # True while a model asks for what a plain one would give.
        self.silent = False

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the layer itself adds what it finds when it is called.

        A training step of one's own gives labels and predictions to every metric.
        """

    def result(self) -> dict[str, Any]:
        """Means since the last reset, by name, for `fit` and `evaluate`.

        In the result of a training step they are left out: each name stands for an
        empty dict, which Keras drops. So `train_on_batch` returns what it does for a
        Conv2D, while `fit`, which reads the metrics where an epoch ends, logs them.
        """
        asking = asking_function().name
        if asking == "fit" and self.counts():
            self._state_of().end_epoch()
            self.say()
        reads = asking in ("fit", "evaluate") and not self.silent
        found = self.means() if reads and self._state_of().prepared else {}
        return found or {name: {} for name in self.names}

    def means(self) -> dict[str, float]:
        """Means since the last reset as numbers; empty if nothing was measured."""
        batches = float(self._state_of().log_batches.numpy())
        if not batches:
            return {}
        totals = self._state_of().log_totals.numpy()
        return {
            name: float(total) / batches
            for name, total in zip(self.names, totals, strict=False)
        }

    def reset_state(self) -> None:
        """Forget the batches, and count the epoch that `fit` begins."""
        if not self._state_of().prepared:
            return
        self._state_of().log_totals.assign(ops.zeros((4,)))
        self._state_of().log_batches.assign(0.0)
        asking = asking_function()
        if asking.name == "fit" and self.counts():
            self._state_of().begin_epoch_of_fit(asking.epoch, asking.first_epoch)

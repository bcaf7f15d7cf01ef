"""The weighted sum of an interpretable and an ordinary track of feature maps."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from keras_interp._backend.replicas import add_loss_of_all
from keras_interp.layers._filter_state import add_state
from keras_interp.layers._labels import current_label_scope
from keras_interp.layers.interpretable_mask import InterpretableMask
from keras_interp.layers.magnitude_norm import MagnitudeNorm

# A step of an optimizer moves the learnt weight of the tracks this many times as far as
# any other weight: there is one of it, and it has a way to go from 0.5 to 0.9.
RATIO_STEP = 30.0
RESTORATIONS = (None, "scalar", "channel")


@keras.saving.register_keras_serializable(package="keras_interp")
class BalancedMask(InterpretableMask):
    """`InterpretableMask` whose filter loss has a weight that a callback sets.

    `keras_interp.callbacks.FilterLossBalance` sets it where an epoch begins. Until then
    it is 0.

    Attributes:
        balance: The weight, float32 scalar variable, saved with the layer.
    """

    def build(self, input_shape: tuple[Any, ...]) -> None:
        super().build(input_shape)
        self.balance = add_state(self, "balance", ())

    def _current_weight(self, mean_peak: Any) -> Any:
        return ops.convert_to_tensor(self.balance)

    def plain_filter_loss(self, feature_maps: Any, labels: Any = None) -> Any:
        """The filter loss without a weight; changes no state.

        Args:
            feature_maps: Tensor `(batch, height, width, interpretable_filters)` after
                the activation and before the mask.
            labels: Labels of the batch, where the mode needs them.

        Returns:
            Scalar tensor.
        """
        loss, _ = self._loss_without_weight(feature_maps, labels)
        return loss


@keras.saving.register_keras_serializable(package="keras_interp")
class TrackMixture(keras.layers.Layer):
    """`p * norm(interpretable) + (1 - p) * norm(ordinary)` with a learnt ratio p.

    Both tracks are normalised by `MagnitudeNorm`, so that p is the share of the
    interpretable one. `-reward * log p` is added to the loss. The filter loss of the
    interpretable track's top filters is put on the mixture of the maps before masks and
    pooling, `p x_f + (1 - p) x_ordinary`: the ordinary channel is diffuse, and the less
    there is of it, the more the mixture looks like a part. Nothing of it flows back
    into the ordinary track.

    Example:

    ```python
    encoded = ki.layers.TrackMixture()(
        [pooled_parts, pooled_textures, part_maps, texture_maps], labels=labels
    )
    ```

    Args:
        reward: Weight of the reward for a large p. Defaults to 0.1.
        on_mixture: Whether the filter loss sees the mixture (default), or the
            interpretable maps alone.
        initial_ratio: p before training. Defaults to 0.5.
        momentum: Share of the running mean activation that a batch leaves as it is,
            in both norm layers. Defaults to 0.9.
        floor: Smallest mean activation that a channel is divided by, as a share of the
            mean of all channels, in both norm layers. Defaults to 0.1.
        filter_loss: Keywords of the `InterpretableMask` that computes the filter loss
            of the first `round(fraction * filters)` maps. None (default) has none.
        balanced: Whether `keras_interp.callbacks.FilterLossBalance` sets the weight of
            the filter loss. Defaults to False.
        restore: What the sum is multiplied with. None (default): nothing, as in the
            paper. `"channel"`: the magnitude of each ordinary channel on the first
            training batch, and `"scalar"`: the mean of these. Where the ordinary track
            starts as a copy of the performer's convolution, a decoder that is copied
            from the performer then starts with features of the size that it is used to.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: Four tensors: the two tracks as they are added, of one shape, and the
            maps `(batch, height, width, filters)` of both tracks before mask and
            pooling.
        training: Whether losses are added and the norm layers learn.
        labels: Labels of the batch for the filter loss, or None.
        weights: Tensor `(batch,)`, the images that the norm layers learn from.

    Attributes:
        interpretable_ratio: p, a float.

    Raises:
        ValueError: For a negative reward, an initial ratio outside 0 to 1, an unknown
            `restore`, or keywords that `InterpretableMask` refuses.

    Reference:
        Zhang, Yang, Wu, "Unsupervised Learning of Neural Networks to Explain Neural
        Networks", 2018, section 3.1 ("Encoder", "Norm-layer"), equation 1 (second
        term), and appendix "Optimization of filter losses".
    """

    def __init__(
        self,
        reward: float = 0.1,
        on_mixture: bool = True,
        initial_ratio: float = 0.5,
        momentum: float = 0.9,
        floor: float = 0.1,
        filter_loss: dict[str, Any] | None = None,
        balanced: bool = False,
        restore: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if reward < 0:
            raise ValueError(
                f"Expected `reward` of 0 or more. Received: reward={reward!r}."
            )
        if not 0.0 < initial_ratio < 1.0:
            raise ValueError(
                "Expected `initial_ratio` between 0 and 1. Received: "
                f"initial_ratio={initial_ratio!r}."
            )
        if restore not in RESTORATIONS:
            raise ValueError(
                f"Expected `restore` to be one of {RESTORATIONS}. Received: "
                f"restore={restore!r}."
            )
        if filter_loss is not None and not isinstance(filter_loss, dict):
            raise ValueError(
                "Expected `filter_loss` to be keywords of `InterpretableMask`, such as "
                "{'filter_loss': 'posterior'}, or None. Received: "
                f"filter_loss={filter_loss!r}."
            )
        self.reward = reward
        self.restore = restore
        self.on_mixture = on_mixture
        self.initial_ratio = initial_ratio
        self.momentum = momentum
        self.floor = floor
        self.filter_loss = filter_loss
        self.balanced = balanced
        self.norm_interpretable = MagnitudeNorm(
            momentum, floor, name="norm_interpretable", dtype=self.dtype_policy
        )
        self.norm_ordinary = MagnitudeNorm(
            momentum, floor, name="norm_ordinary", dtype=self.dtype_policy
        )
        self.mask: InterpretableMask | None = None
        if filter_loss is not None:
            # It is given the interpretable maps alone.
            self.mask = (BalancedMask if balanced else InterpretableMask)(
                **{**filter_loss, "fraction": 1.0, "mask": False},
                name=self.name,
                dtype="float32",
            )

    def build(self, input_shape: Any) -> None:
        self.norm_interpretable.build(input_shape[0])
        self.norm_ordinary.build(input_shape[1])
        *positions, filters = input_shape[2]
        self._filters_with_loss = 0
        if self.mask is not None:
            fraction = (self.filter_loss or {}).get("fraction", 0.5)
            self._filters_with_loss = round(fraction * filters)
            self.mask.build((*positions, self._filters_with_loss))
        self.magnitude = add_state(self, "magnitude", (input_shape[1][-1],))
        logit = math.log(self.initial_ratio / (1.0 - self.initial_ratio))
        self.ratio_logit = self.add_weight(
            name="ratio_logit",
            shape=(),
            initializer=keras.initializers.Constant(logit / RATIO_STEP),
            dtype="float32",
            autocast=False,
        )

    @property
    def interpretable_ratio(self) -> float:
        """The learnt p, from 0 to 1."""
        return float(ops.convert_to_numpy(self._ratio()))

    def _ratio(self) -> Any:
        return ops.sigmoid(RATIO_STEP * ops.convert_to_tensor(self.ratio_logit))

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        labels: Any = None,
        weights: Any = None,
    ) -> Any:
        interpretable, ordinary, part_maps, other_maps = inputs
        ratio = self._ratio()
        parts = self.norm_interpretable(
            interpretable, training=training, weights=weights
        )
        textures = self.norm_ordinary(ordinary, training=training, weights=weights)
        scope = current_label_scope()
        if self.mask is not None and (training or scope is not None):
            # In inference the maps pass a mask that masks nothing.
            mixed = self.mixed_maps(part_maps, other_maps)
            self.mask(mixed, training=training, labels=labels)
        if self.trainable and (training or scope is not None):
            # In an evaluation too, whose loss is then that of the training without
            # the filter losses.
            add_loss_of_all(self, -self.reward * ops.log(ratio), of_parameters=True)
        if scope is not None:
            scope.findings[self] = {"interpretable_ratio": ratio}
        share = ops.cast(ratio, parts.dtype)
        mixture = share * parts + (1.0 - share) * textures
        return mixture * ops.cast(
            self._restored(bool(training) and self.trainable), parts.dtype
        )

    def _restored(self, training: bool) -> Any:
        """Factor `(filters,)` of the sum, set once on the first training batch."""
        magnitude = ops.convert_to_tensor(self.magnitude)
        if self.restore is None:
            return ops.ones_like(magnitude)
        known = ops.any(magnitude > 0)
        if training:
            now = ops.convert_to_tensor(self.norm_ordinary.alpha)
            if self.restore == "scalar":
                now = ops.full_like(now, ops.mean(now))
            else:
                # With the norm's floor: 0 would silence the channel for good.
                floored = self.norm_ordinary.divisors(now)
                now = ops.where(ops.any(now > 0), floored, now)
            magnitude = ops.where(known, magnitude, now)
            self.magnitude.assign(magnitude)
            known = ops.any(magnitude > 0)
        return ops.where(known, magnitude, ops.ones_like(magnitude))

    def mixed_maps(self, part_maps: Any, other_maps: Any) -> Any:
        """Maps that the filter loss of the top interpretable filters is put on."""
        count = self._filters_with_loss
        part_maps = ops.cast(part_maps[..., :count], "float32")
        part_maps = part_maps / self.norm_interpretable.divisors()[:count]
        if not self.on_mixture:
            return part_maps
        other_maps = ops.stop_gradient(ops.convert_to_tensor(other_maps))
        other_maps = ops.cast(other_maps[..., :count], "float32")
        other_maps = other_maps / self.norm_ordinary.divisors()[:count]
        ratio = self._ratio()
        return ratio * part_maps + (1.0 - ratio) * other_maps

    def contributions(self, interpretable: Any, ordinary: Any) -> tuple[Any, Any]:
        """The two terms of the sum, outside training."""
        ratio, factor = self._ratio(), self._restored(training=False)
        parts = self.norm_interpretable(interpretable, training=False)
        textures = self.norm_ordinary(ordinary, training=False)
        return (
            ops.cast(ratio * factor, parts.dtype) * parts,
            ops.cast((1.0 - ratio) * factor, parts.dtype) * textures,
        )

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "reward": self.reward,
            "on_mixture": self.on_mixture,
            "initial_ratio": self.initial_ratio,
            "momentum": self.momentum,
            "floor": self.floor,
            "filter_loss": self.filter_loss,
            "balanced": self.balanced,
            "restore": self.restore,
        }

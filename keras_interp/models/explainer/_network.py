"""The encoder and decoder of an explainer, on a performer's features."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_interp._network.graph import is_activation
from keras_interp._network.graph_copy import copy_from_config
from keras_interp._network.opened_graph import OpenedCall
from keras_interp.layers.interpretable_mask import InterpretableMask
from keras_interp.layers.magnitude_norm import MagnitudeRestore
from keras_interp.layers.reconstruction_loss import ReconstructionLoss
from keras_interp.layers.track_mixture import BalancedMask, TrackMixture
from keras_interp.losses import PARTS
from keras_interp.models.explainer._plan import PerformerPlan, has_weights

KERNEL_SIZE = 3
PROBABILITIES = ("sigmoid", "softmax")
# Pooled maps are rebuilt by as many weights as the square of their number.
MOST_POOLED_FEATURES = 10_000


@dataclasses.dataclass(frozen=True)
class ExplainerNetwork:
    """Symbolic tensors of an explainer.

    Attributes:
        features: Inputs: maps of the target layer, vectors to rebuild, categories.
        part_maps: Maps of conv-interp-2 before the mask.
        tracks: The interpretable and the ordinary track, pooled, before the norm.
        encoded: Their weighted sum.
        rebuilt: The vectors that the decoder gives.
    """

    features: list[Any]
    part_maps: Any
    tracks: tuple[Any, Any]
    encoded: Any
    rebuilt: list[Any]


def feature_network(plan: PerformerPlan) -> keras.Model:
    """From images to the target layer's maps, vectors to rebuild and categories.

    The category is the performer's own decision: distillation needs no label.
    """
    scores = plan.graph.outputs[0]
    if scores.shape[-1] == 1:
        category = ops.cast(scores[:, 0] > decision_threshold(plan), "int32")
    else:
        category = ops.cast(ops.argmax(scores, axis=-1), "int32")
    vectors = [_flat(call.outputs[0]) for call in plan.rebuilt]
    wanted = [plan.target.outputs[0], *vectors, category]
    return keras.Model(plan.graph.inputs[0], wanted, name="performer_features")


def _flat(tensor: Any) -> Any:
    """Pooled maps of a single cell as a vector."""
    if len(tensor.shape) == 2:
        return tensor
    return ops.reshape(tensor, (-1, tensor.shape[-1]))


def output_activation(plan: PerformerPlan) -> str:
    """Name of the function that a performer's outputs come from, `"linear"` for none.

    What only shapes or hands on is looked through.
    """
    call = plan.graph.producer(plan.graph.outputs[0])
    while call is not None and call.inputs:
        activation = getattr(call.operation, "activation", None)
        # `keras.layers.Softmax` and `keras.ops.sigmoid` are called after theirs.
        named_after = activation or type(call.operation)
        name = getattr(named_after, "__name__", "linear").lower()
        if name in PROBABILITIES or has_weights(call.operation):
            break
        call = plan.graph.producer(call.inputs[0])
    else:
        return "linear"
    return name if name in PROBABILITIES else "linear"


def decision_threshold(plan: PerformerPlan) -> float:
    """Output of a performer with one unit above which it says yes."""
    return 0.5 if output_activation(plan) == "sigmoid" else 0.0


def top_network(plan: PerformerPlan) -> keras.Model | None:
    """From the last rebuilt vector to the performer's output; None if it is that."""
    vector = plan.rebuilt[-1].outputs[0]
    if vector is plan.graph.outputs[0]:
        return None
    try:
        top = keras.Model(vector, plan.graph.outputs[0], name="performer_top")
    except ValueError as error:
        raise ValueError(
            f"The output of {plan.graph.model.name!r} does not come from "
            f"{plan.rebuilt[-1].path!r} alone: {error}. Name in `rebuilt_layers` a "
            "layer through which everything goes."
        ) from error
    if len(vector.shape) == 2:
        return top
    features = keras.Input((vector.shape[-1],))
    cell = keras.layers.Reshape(vector.shape[1:], name="pooled")(features)
    return keras.Model(features, top(cell), name="performer_top")


def build_network(
    plan: PerformerPlan, features: list[Any], settings: dict[str, Any]
) -> ExplainerNetwork:
    """Put the two tracks and the decoder on a performer's features.

    Args:
        plan: Places in the performer.
        features: Symbolic tensors as `feature_network` gives them.
        settings: Arguments of `Explainer`.

    Raises:
        ValueError: If the pooled maps have another size than the performer's.
    """
    target, *wanted, category = features
    width = plan.graph.outputs[0].shape[-1]
    labels = None if settings["filter_loss"] is None else category
    masked, part_maps = _interpretable_track(target, plan, settings, width, labels)
    texture_maps = _conv(plan, settings, "conv_ordinary")(target)
    tracks = (
        _pooled(masked, plan, "interpretable"),
        _pooled(texture_maps, plan, "ordinary"),
    )
    _check_size(tracks[0], plan)
    # Filters that are pulled to places of the object are so before the tracks mix.
    on_tracks = settings["filter_loss"] != PARTS
    mixture = TrackMixture(
        reward=settings["ratio_reward"],
        on_mixture=settings["on_mixture"],
        momentum=settings["norm_momentum"],
        floor=settings["norm_floor"],
        filter_loss=_filter_loss(settings, width) if on_tracks else None,
        balanced=settings["filter_loss_balance"] is not None,
        restore=None if plan.rebuilds_pooled_maps else settings["restore"],
        name="tracks",
    )
    # Images of the only category trigger interpretable filters much more strongly
    # than others ("Optimization of filter losses").
    weights = category if width == 1 else None
    encoded = mixture(
        [*tracks, part_maps, texture_maps], labels=labels, weights=weights
    )
    rebuilt = _decoder(encoded, wanted, plan, settings)
    return ExplainerNetwork(features, part_maps, tracks, encoded, rebuilt)


def _interpretable_track(
    target: Any, plan: PerformerPlan, settings: dict[str, Any], width: int, labels: Any
) -> tuple[Any, Any]:
    """Masked maps of conv-interp-2, and the same before the mask."""
    if settings["filter_loss"] == PARTS:
        return _track_of_places(target, plan, settings, width, labels)
    mask = _mask(settings, width, "mask_interp_1", settings["filter_loss"])
    first = mask(_conv(plan, settings, "conv_interp_1")(target), labels=labels)
    part_maps = _conv(plan, settings, "conv_interp_2")(first)
    # Its filter loss is computed on the mixture of both tracks.
    return _mask(settings, width, "mask_interp_2", None)(part_maps), part_maps


def _track_of_places(
    target: Any, plan: PerformerPlan, settings: dict[str, Any], width: int, labels: Any
) -> tuple[Any, Any]:
    """The same, with filters that are pulled to places found in the target's maps."""
    maps = masked = target
    for number in (1, 2):
        conv = _conv(plan, settings, f"conv_interp_{number}", activation="linear")
        logits = conv(masked)
        maps = keras.layers.ReLU(name=f"relu_interp_{number}")(logits)
        mask = _mask(settings, width, f"mask_interp_{number}", PARTS)
        mask.feature_channels = target.shape[-1]
        masked = mask(maps, labels=labels, logits=logits, features=target)
    return masked, maps


def _conv(
    plan: PerformerPlan, settings: dict[str, Any], name: str, activation: str = "relu"
) -> Any:
    filters = settings["filters"] or plan.top_maps.shape[-1]
    return keras.layers.Conv2D(
        filters,
        KERNEL_SIZE,
        padding="same",
        activation=activation,
        data_format="channels_last",
        name=name,
    )


def _filter_loss(settings: dict[str, Any], width: int) -> dict[str, Any] | None:
    """Keywords of a mask with filter loss."""
    if settings["filter_loss"] is None:
        return None
    names = ("fraction", "beta", "norm", "peak", "filter_loss", "scale")
    keywords = {name: settings[name] for name in names}
    keywords["filter_loss_weight"] = settings["filter_loss_weight"]
    keywords["weight_schedule"] = settings["weight_schedule"]
    usual = "response" if settings["filter_loss"] == "posterior" else "labels"
    keywords["targets"] = settings["targets"] or usual
    return {**keywords, "num_categories": width}


def _mask(
    settings: dict[str, Any], width: int, name: str, filter_loss: str | None
) -> InterpretableMask:
    if filter_loss is None:
        names = ("fraction", "beta", "norm", "peak")
        keywords = {key: settings[key] for key in names}
        # A layer that is not built whole makes Keras look for its shapes in every fit.
        keywords["num_categories"] = width
        return InterpretableMask(**keywords, filter_loss=None, name=name)
    keywords = _filter_loss(settings, width) or {}
    balanced = settings["filter_loss_balance"] is not None
    kind = BalancedMask if balanced else InterpretableMask
    return kind(**keywords, name=name)


def _pooled(maps: Any, plan: PerformerPlan, track: str) -> Any:
    for pooling in plan.poolings:
        copy = copy_from_config(pooling)
        copy.name = f"{pooling.name}_{track}"
        if isinstance(copy, keras.layers.Layer):
            # The performer may compute in half precision, which is not the explainer's.
            copy.dtype_policy = keras.config.dtype_policy()
        maps = copy(maps)
    return maps


def _check_size(track: Any, plan: PerformerPlan) -> None:
    """The dense layer takes as many numbers as the explainer's pooled maps have."""
    places = track.shape[1:-1]
    taken = _places_of(plan)
    if taken is not None and tuple(places) != tuple(taken):
        raise ValueError(
            f"The maps of {plan.target.path!r} come out of the performer's poolings "
            f"with {tuple(places)} cells, but {plan.rebuilt[0].path!r} is computed "
            f"from {tuple(taken)} cells. Expected a target layer with maps of the same "
            "size as the last convolution's, such as the layer just below it."
        )


def _places_of(plan: PerformerPlan) -> tuple[int, ...] | None:
    """Cells of the performer's maps where they are flattened."""
    first = plan.first_vector
    flattens = isinstance(first.operation, keras.layers.Flatten | keras.layers.Reshape)
    taken = first.inputs[0].shape
    return tuple(taken[1:-1]) if flattens and len(taken) == 4 else None


def _decoder(
    encoded: Any, wanted: list[Any], plan: PerformerPlan, settings: dict[str, Any]
) -> list[Any]:
    vector = encoded
    if len(encoded.shape) > 2:
        vector = keras.layers.Flatten(name="flatten_encoded")(encoded)
    if plan.rebuilds_pooled_maps:
        _check_pooled_size(vector, plan)
    if plan.rebuilds_pooled_maps and vector.shape[-1] == wanted[0].shape[-1]:
        # Without a dense layer to learn it, each channel gets its magnitude back.
        vector = MagnitudeRestore(settings["norm_momentum"], name="magnitude_restored")(
            [vector, wanted[0]]
        )
    rebuilt = []
    reconstructs = settings["objective"] == "reconstruction"
    places = zip(plan.rebuilt, plan.dense, plan.names, strict=True)
    for number, (call, dense, name) in enumerate(places, 1):
        vector = keras.layers.Dense(
            call.outputs[0].shape[-1],
            activation=_activation(call, dense, plan),
            name=f"fc_dec_{number}",
        )(vector)
        loss = ReconstructionLoss(
            settings["reconstruction_weight"] if reconstructs else 0.0,
            settings["reconstruction_power"],
            name=f"reconstruction_{name.replace('/', '_')}",
        )
        vector = loss([vector, wanted[number - 1]])
        rebuilt.append(vector)
    return rebuilt


def _check_pooled_size(vector: Any, plan: PerformerPlan) -> None:
    """Flattened maps are too many to be rebuilt by a dense layer of their own."""
    features = plan.rebuilt[0].outputs[0].shape[-1]
    if vector.shape[-1] * features > MOST_POOLED_FEATURES**2:
        scores = plan.graph.producer(plan.graph.outputs[0])
        raise ValueError(
            f"{plan.graph.model.name!r} has no dense layer before the one that "
            f"classifies, and the {features} numbers of {plan.rebuilt[0].path!r} are "
            "too many to be rebuilt each from all the others. Name the classifying "
            f"layer itself: rebuilt_layers=[{scores.path if scores else ''!r}]."
        )


def _activation(call: OpenedCall, dense: OpenedCall | None, plan: PerformerPlan) -> Any:
    """The activation that the rebuilt features end in."""
    if call is plan.first_vector:
        # A pooled ReLU is not negative.
        producer = plan.graph.producer(call.inputs[0])
        return "relu" if producer and _ends_in_relu(producer.operation) else None
    if dense is None:
        return None
    own = dense.operation.activation
    if own is not keras.activations.linear:
        return own
    if call is dense or not is_activation(call.operation):
        return None
    return getattr(call.operation, "activation", None) or copy_from_config(
        call.operation
    )


def _ends_in_relu(operation: Any) -> bool:
    activation = getattr(operation, "activation", None)
    is_relu = getattr(activation, "__name__", "").startswith("relu")
    return is_relu or isinstance(operation, keras.layers.ReLU)

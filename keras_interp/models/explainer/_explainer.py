"""A network that paraphrases what a trained network has learnt, in object parts."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_interp.layers.track_mixture import TrackMixture
from keras_interp.models.explainer._features import (
    PerformerFeatures,
    computed_features,
    image_batches,
    is_features,
)
from keras_interp.models.explainer._initial_weights import set_initial_weights
from keras_interp.models.explainer._network import (
    build_network,
    feature_network,
    output_activation,
    top_network,
)
from keras_interp.models.explainer._plan import plan_performer
from keras_interp.models.explainer._settings import SETTINGS, check_settings
from keras_interp.models.explainer._training import DistilledModel, log_means

if TYPE_CHECKING:
    from keras_interp.attribution import PartContributions


@dataclasses.dataclass(frozen=True)
class Encoding:
    """Maps and track contributions of an explainer on images.

    Attributes:
        part_maps: float `(N, h, w, filters)`, conv-interp-2 after the ReLU and before
            the mask.
        interpretable: float `(N, ..., filters)`, what the interpretable track adds to
            the encoded features.
        ordinary: float `(N, ..., filters)`, what the ordinary track adds to them.
        interpretable_filters: How many leading filters are interpretable; the others
            pass the interpretable track without mask and filter loss.
    """

    part_maps: np.ndarray
    interpretable: np.ndarray
    ordinary: np.ndarray
    interpretable_filters: int

    @property
    def masked_share(self) -> float:
        """Share of the encoded activation that comes through masked filters.

        The ratio p counts the whole interpretable track; this is what is left of it
        without the filters that have no mask.
        """
        masked = self.interpretable[..., : self.interpretable_filters].sum()
        whole = self.interpretable.sum() + self.ordinary.sum()
        return float(masked / whole) if whole > 0 else float("nan")

    @property
    def dead_filters(self) -> float:
        """Share of the interpretable filters that fire on no image."""
        maps = self.part_maps[..., : self.interpretable_filters]
        if not maps.shape[-1]:
            return float("nan")
        return float((maps.max(axis=(0, 1, 2)) <= 0).mean())


@keras.saving.register_keras_serializable(package="keras_interp")
class Explainer(DistilledModel):
    """Explains the feature maps of a trained network by object parts.

    Attached to one layer of the performer, the explainer learns without labels to
    disentangle its maps into parts (two convolutions whose filters each mean one part)
    and textures (an ordinary convolution), and to rebuild from both the features of the
    performer's dense layers. The performer itself is only read.

    Called on images it gives the performer's output as computed from the rebuilt
    features, so that `evaluate`, `keras_interp.attribution` and
    `keras_interp.report` work on it as on any classifier.

    Example:

    ```python
    explainer = ki.models.Explainer(performer, target_layer="relu4")
    explainer.compile()
    explainer.fit(images, epochs=10, cache_features=True)
    print(explainer.interpretable_ratio)
    print(explainer.part_contributions(images[:4], dataset).table())
    ```

    Args:
        performer: Trained functional or Sequential classifier with one input and one
            output `(batch, classes)`. Inner models may hold the target layer.
        target_layer: Name or path of the layer whose maps are explained: `"relu4"` of
            AlexNet, VGG-M and VGG-S or `"relu5_2"` of VGG-16 in the paper.
        rebuilt_layers: Layers whose features are rebuilt, in order. None (default)
            takes the last two dense layers before the classifying one (`fc6` and
            `fc7`), after their activations. Where there are none (ResNet, MobileNet) it
            is the vector of pooled maps that goes into the classifier, and where the
            pooled maps are the classes' own (SqueezeNet) that of the class scores.
        filters: Filters of each convolution. None (default) takes as many as the
            performer's last maps have, so that its dense layers can be copied.
        fraction: Share of interpretable filters in the interpretable track. With 0.5
            (default) the rebuilt features come nearest to the performer's, but the
            unmasked half of the track makes most of the score. With 1, the paper's,
            parts make most of it; give `filter_loss_weight=0.5` then.
        beta: Slope of the part templates. Defaults to 4.
        norm: Distance in the templates: `"l1"` (default), the paper's, or `"l2"`, round
            templates.
        peak: Where a mask is centred: `"argmax"` (default), the strongest cell, or
            `"centroid"`, the mean place of the activations.
        filter_loss: `"posterior"` (default), `"exact"`, `"running"`, `"approx"` or
            `"authors"`, as `keras_interp.layers.InterpretableMask` describes them; the
            categories are the performer's own decisions. None trains without a filter
            loss. `"parts"` pulls the filters to different places of the object that a
            performer with one logistic unit tells from background: see
            `keras_interp.InterpretableConv`; with it `filter_loss_weight=0.3`.
        filter_loss_weight: Weight of each layer's filter loss. Defaults to 0.1.
        scale: `"peak"` (default): the filter loss divides activations by each filter's
            running mean peak and is a mean over filters. `"paper"`: raw activations,
            the paper's tau, and a sum over filters.
        weight_schedule: `"constant"`, or `"inverse_epoch"`, which divides the weight of
            the filter loss by the number of the epoch. None (default) takes the latter
            with `scale="paper"`, the former otherwise.
        targets: Which images a filter's part is looked for in: `"response"`, those that
            the filter answers strongly, or `"labels"`, those that the performer takes
            for the filter's category. None (default) takes `"response"` with
            `filter_loss="posterior"`, the one that allows it: filters that may fire for
            every category lose less of what the performer says.
        filter_loss_balance: None (default) keeps `filter_loss_weight`. A number sets
            the weight in each epoch N so that the filter loss pulls at the maps
            `filter_loss_balance / N` times as hard as the reconstruction; the paper's
            is 2/3.
        on_mixture: Whether the filter loss of conv-interp-2 is put on the mixture of
            both tracks, which drives the ratio up. Defaults to True.
        ratio_reward: Weight of the reward for a large ratio. Defaults to 0.1.
        reconstruction_weight: Factor of each reconstruction loss. Defaults to 0.5.
        reconstruction_power: 2 (default) divides the squared distance by the mean
            squared norm of the features, 1 by their mean norm.
        initialization: `"identity"` (default): conv-interp-2 starts as the identity
            and conv-ordinary as the performer's convolution. `"paper"`: both random,
            with which conv-interp-2 may die.
        norm_momentum: Of the norm layers' running mean. Defaults to 0.9.
        norm_floor: Smallest magnitude that the norm layers divide a channel by, as a
            share of the mean magnitude of all channels. Defaults to 0.1: without it a
            channel that dies in training is blown up without bound.
        restore: What gives the encoded features the size that the copied decoder is
            used to: `"channel"`, the magnitude of each ordinary channel on the first
            training batch; `"scalar"` (default), the mean of these; or None, nothing,
            as in the paper.
        objective: `"reconstruction"` (default), or `"classification"` for the paper's
            baseline Explainer+cls, which learns from labels in place of features.
        name: Name of the model.

    Attributes:
        performer: The network that is explained.
        interpretable_ratio: p, the interpretable track's share of the encoded features.
        rebuilt_layers: Paths of the layers whose features are rebuilt.

    Raises:
        ValueError: If a layer is missing or does not fit, or an argument is unknown.

    Reference:
        Zhang, Yang, Wu, "Unsupervised Learning of Neural Networks to Explain Neural
        Networks", 2018. Its constants are lost: see
        `keras_interp.models.EXPLAINER_PAPER_SETTINGS`.
    """

    def __init__(
        self,
        performer: keras.Model,
        target_layer: str,
        *,
        rebuilt_layers: Sequence[str] | None = None,
        filters: int | None = None,
        fraction: float = 0.5,
        beta: float = 4.0,
        norm: str = "l1",
        peak: str = "argmax",
        filter_loss: str | None = "posterior",
        filter_loss_weight: float = 0.1,
        scale: str = "peak",
        weight_schedule: str | None = None,
        targets: str | None = None,
        filter_loss_balance: float | None = None,
        on_mixture: bool = True,
        ratio_reward: float = 0.1,
        reconstruction_weight: float = 0.5,
        reconstruction_power: int = 2,
        initialization: str = "identity",
        norm_momentum: float = 0.9,
        norm_floor: float = 0.1,
        restore: str | None = "scalar",
        objective: str = "reconstruction",
        name: str | None = None,
    ):
        given = locals()
        settings = {setting: given[setting] for setting in SETTINGS}
        check_settings(settings)
        plan = plan_performer(performer, target_layer, rebuilt_layers)
        read = feature_network(plan)
        top = top_network(plan)
        images = keras.Input(
            batch_shape=plan.graph.inputs[0].shape,
            dtype=plan.graph.inputs[0].dtype,
            name="images",
        )
        network = build_network(plan, keras.tree.flatten(read(images)), settings)
        vector = network.rebuilt[-1]
        outputs = vector if top is None else top(vector)
        super().__init__(images, outputs, name=name or f"{performer.name}_explainer")
        # Besides images it takes features that were computed before.
        self.input_spec = None
        self.performer = performer
        self.target_layer = plan.target.path
        self.rebuilt_layers = list(plan.names)
        self.settings = settings
        self._asked_layers = target_layer, rebuilt_layers
        self._read = read
        self._top = top
        self._decode = keras.Model(network.features, network.rebuilt, name="decode")
        self._encode = keras.Model(
            network.features,
            [network.part_maps, *network.tracks, network.encoded],
            name="encode",
        )
        self._trackers = log_means(self._decode)
        self._output_activation = output_activation(plan)
        set_initial_weights(self, plan, initialization)

    # What it says -----------------------------------------------------------------

    @property
    def interpretable_ratio(self) -> float:
        """p, the interpretable track's share of the encoded features, 0 to 1."""
        tracks: TrackMixture = self.get_layer("tracks")
        return tracks.interpretable_ratio

    def performer_features(
        self, images: Any, batch_size: int = 32
    ) -> dict[str, np.ndarray]:
        """What the explainer reads from the performer on images.

        Args:
            images: Images that the performer takes: an array `(images, height, width,
                channels)`, one image, a PIL image, the path of an image file, or a list
                of these.
            batch_size: Images at a time. Defaults to 32.

        Returns:
            `"target"`: maps `(images, height, width, channels)`; `"rebuilt_0"` and so
            on: vectors `(images, features)`; `"category"`: the performer's decisions,
            int32 `(images,)`. `fit`, `reconstruct` and a call take them in place of
            images, those of other explainers of the same layer too.
        """
        if is_features(images):
            return images
        return computed_features(self._read, self._feature_names(), images, batch_size)

    def reconstruct(self, images: Any, batch_size: int = 32) -> dict[str, np.ndarray]:
        """Features of the performer's upper layers, rebuilt from parts and textures.

        Args:
            images: Images that the performer takes: an array `(images, height, width,
                channels)`, one image, a PIL image, the path of an image file, or a list
                of these. Or `performer_features` of them.
            batch_size: Images at a time. Defaults to 32.

        Returns:
            Path of each rebuilt layer to float32 `(images, features)`.
        """
        parts = [
            [np.asarray(ops.convert_to_numpy(v), "float32") for v in vectors]
            for vectors in self._in_batches(self._decode, images, batch_size)
        ]
        return {
            path: np.concatenate([part[number] for part in parts])
            for number, path in enumerate(self.rebuilt_layers)
        }

    def encode(self, images: Any, batch_size: int = 32) -> Encoding:
        """Maps of the interpretable filters, and what each track contributes.

        Args:
            images: Images that the performer takes: an array `(images, height, width,
                channels)`, one image, a PIL image, the path of an image file, or a list
                of these. Or `performer_features` of them.
            batch_size: Images at a time. Defaults to 32.

        Returns:
            `Encoding`.
        """
        mixture = self.get_layer("tracks")
        found = []
        for maps, *tracks, _ in self._in_batches(self._encode, images, batch_size):
            both = (maps, *mixture.contributions(*tracks))
            found.append([np.asarray(ops.convert_to_numpy(x), "float32") for x in both])
        whole = [np.concatenate(arrays) for arrays in zip(*found, strict=True)]
        part_maps, interpretable, ordinary = whole
        return Encoding(part_maps, interpretable, ordinary, self.interpretable_filters)

    def _in_batches(self, model: keras.Model, images: Any, size: int) -> Any:
        """What a part of the explainer gives, a batch at a time."""
        for batch in self._feature_batches(images, size):
            yield keras.tree.flatten(model.predict_on_batch(self._as_list(batch)))

    def _feature_batches(self, images: Any, size: int) -> Iterator[PerformerFeatures]:
        if not is_features(images):
            for batch in image_batches(self._read, images, size):
                read = self._read.predict_on_batch(batch)
                yield dict(zip(self._feature_names(), read, strict=True))
            return
        count = len(images["target"])
        if count == 0:
            raise ValueError("Expected features of at least one image. Received none.")
        for start in range(0, count, size):
            yield {k: v[start : start + size] for k, v in images.items()}

    @property
    def interpretable_filters(self) -> int:
        """How many of conv-interp-2's leading filters are interpretable."""
        return int(self.get_layer("mask_interp_2").interpretable_filters)

    def part_contributions(
        self, images: Any, dataset: Any, class_index: Any = None, **kwargs: Any
    ) -> PartContributions:
        """What each object part contributes to the class score of each image.

        The filters of conv-interp-2 are named by the landmark that their peaks hit more
        often than a fixed place does on `dataset`; the contribution of a filter is the
        sum over its map of activation times gradient of the rebuilt score.

        Args:
            images: Images that the performer takes: an array `(images, height, width,
                channels)`, one image, a PIL image, the path of an image file, or a list
                of these.
            dataset: `PartsDataset` whose landmarks name the filters.
            class_index: Class whose score is explained; None (default) takes the one
                that the explainer predicts for each image.
            **kwargs: Other arguments of `keras_interp.attribution.part_contributions`:
                `preprocess`, `inputs`, `field`, `landmark_groups` and `batch_size`.

        Returns:
            `keras_interp.attribution.PartContributions`.
        """
        from keras_interp.attribution import part_contributions

        return part_contributions(self, images, dataset, class_index, **kwargs)

    # Saving -----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments, the performer's configuration among them.

        A saved explainer holds the performer's weights: it needs no other file.
        """
        target_layer, rebuilt_layers = self._asked_layers
        return {
            "performer": keras.saving.serialize_keras_object(self.performer),
            "target_layer": target_layer,
            "rebuilt_layers": None if rebuilt_layers is None else list(rebuilt_layers),
            **self.settings,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        # Keras empties the configurations of inner models.
        config = copy.deepcopy(config)
        performer = keras.saving.deserialize_keras_object(
            config.pop("performer"), custom_objects=custom_objects
        )
        return cls(performer, config.pop("target_layer"), **config)

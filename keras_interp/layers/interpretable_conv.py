"""A convolution whose filters each mean one object part."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_interp.layers._part_search import PartSearch
from keras_interp.layers.interpretable_mask import MASK_ARGUMENTS, InterpretableMask


@keras.saving.register_keras_serializable(package="keras_interp")
class InterpretableConv(keras.layers.Conv2D):
    """2D convolution with ReLU, part mask and filter loss.

    A `keras.layers.Conv2D` in every argument. Its maps pass a ReLU; the first
    `round(fraction * filters)` of them are masked around their peaks, and in training a
    filter loss pushes each of these filters to one object part of one category. No part
    annotation is needed, and in the default mode no label either, although labels make
    its parts clearer.

    With `filter_loss="parts"` a few filters (the anchor) first find the part that is
    easiest to learn. Where it is, and where the foreground lies, gives each object a
    frame of its own, over which places are laid out evenly; every other filter is
    pulled to its place. The search starts after 40 batches with an object and is
    complete after 140. Where the anchor's filters do not agree on a place, the search
    waits for them: meanwhile all filters have the posterior loss, a warning in the log
    says so, and `part_search` tells how far it has come. It needs 8 interpretable
    filters, maps of 6 x 6 cells, and images of background: with several categories, or
    less, the layer says so in the log and has `filter_loss="posterior"`. In an
    `InterpretableModel` the first layer with maps of a size finds the places for all
    layers with maps of that size.

    Example:

    ```python
    model = keras.Sequential([
        keras.Input((64, 64, 3)),
        keras.layers.Conv2D(32, 5, strides=2, activation="relu"),
        ki.InterpretableConv(64, 3, padding="same"),
        keras.layers.GlobalMaxPooling2D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, epochs=5)
    ```

    On the maps of a pretrained network put `ki.layers.whitening_conv` before two of
    these layers: on raw maps hardly a filter finds a part.

    The released code, in full: `filter_loss="authors"`, `scale="paper"`,
    `peak="centroid"`, `fraction=1`, `learn_beta=True` and `beta=4 * n / (n - 1)` for
    maps of `n x n` cells, its first slope of 2. With these come its temperature of 0.5,
    the reversed masks of its normaliser, the factors 0.1 and 1e-5, a weight of
    1 / epoch, categories by the mean *maximum* of a map, all images of any category as
    targets in the first batch, and a weight of the categories by 1 / L above ten of
    them. For a softmax of up to ten categories it has `filter_loss_weight=0.2`, above
    ten 1 / 50, and it multiplies the loss of the task by the number L of categories
    (`compile(loss_weights=L)`). What stays the library's: running means over images in
    place of means over batches, from which a filter finds its category.

    Args:
        filters: Number of filters.
        kernel_size: Rows and columns of the kernel, one number or two. Defaults to 3.
        strides: Step of the kernel in rows and columns, one number or two. Defaults
            to 1.
        padding: `"valid"` (default), no padding, or `"same"`.
        data_format: None (default) or `"channels_last"`.
        dilation_rate: Distance of the kernel's cells, one number or two. Defaults to 1.
        groups: Groups of channels that are convolved apart. Defaults to 1.
        activation: `"relu"` (default); no other function fits the templates.
        use_bias: Whether a bias is added. Defaults to True.
        kernel_initializer: First values of the kernel. Defaults to
            `"glorot_uniform"`.
        bias_initializer: First values of the bias. Defaults to `"zeros"`.
        kernel_regularizer: Penalty on the kernel. Defaults to None.
        bias_regularizer: Penalty on the bias. Defaults to None.
        activity_regularizer: Penalty on the output. Defaults to None.
        kernel_constraint: Constraint of the kernel. Defaults to None.
        bias_constraint: Constraint of the bias. Defaults to None.
        fraction: Share of interpretable filters, from 0 to 1. Defaults to 0.5, which
            costs hardly any accuracy; the paper's is 1.
        beta: Slope of the templates: a mask falls to 0 at `n / beta` cells from its
            peak, on maps of `n x n` cells. Defaults to the paper's 4.
        norm: How distance in cells is measured: `"l1"` (default), the paper's diamond,
            or `"l2"`, a disc.
        peak: Where a map has its part: `"argmax"` (default), the paper's strongest
            cell, or `"centroid"`, the released code's activation-weighted centre.
        filter_loss: `"parts"` (the library's own), which pulls the filters
            to different parts of the object, see below; `"posterior"` (default; the
            library's own, needs no labels and no normaliser; all filters may follow
            one part),
            `"exact"` (eq. 1 on the batch, needs no labels), `"running"` (eq. 1 with
            running normalisers), `"approx"` (eq. 4, second line),
            `"authors"` (the released code's, see below), or None for the mask alone.
            `"approx"` and `"authors"` need labels: use `InterpretableModel` or
            `InterpretableSequential`, or call the layer with `labels=`.
        filter_loss_weight: Weight of the loss before the schedule. None (default)
            takes the mode's: 0.3 for `"parts"`, 0.1 for `"posterior"` (0.15 with
            several categories), 0.3 for `"exact"`, 0.03 for `"running"` and
            `"authors"`, 0.003 for `"approx"` (0.01 with several categories); 1 with
            `scale="paper"`.
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
        inputs: Tensor `(batch, rows, columns, channels)`, channels last.
        training: Whether the filter loss is added.
        labels: Labels of the batch, for a training loop of your own.

    Attributes:
        interpretable_filters: How many of the leading filters are interpretable.
        filter_categories: Category of each interpretable filter, int array.
        interpretable_mask: The `InterpretableMask` inside.
        part_search: How far the search of `filter_loss="parts"` has come.
        epoch: Number of the epoch in progress, from 1, a variable that is saved with
            the weights. `fit` counts it; see `begin_epoch` for a loop of your own.

    Raises:
        ValueError: For an unknown argument, another activation than ReLU, or
            `data_format="channels_first"`.

    Reference:
        Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018.
    """

    activation: Any

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        strides: int | tuple[int, int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | tuple[int, int] = 1,
        groups: int = 1,
        activation: Any = "relu",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
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
        monitor: bool | str = True,
        parts: int | None = None,
        **kwargs: Any,
    ):
        given = {
            name: value
            for name, value in locals().items()
            if name not in ("self", "kwargs", "__class__")
        }
        options = {name: given.pop(name) for name in MASK_ARGUMENTS}
        super().__init__(**given, **kwargs)
        self._check_conv_arguments()
        self.interpretable_mask = InterpretableMask(
            **options,
            # The log names the layer that the user made.
            name=self.name,
            dtype=self.dtype_policy,
        )

    def _check_conv_arguments(self) -> None:
        if self.data_format != "channels_last":
            raise ValueError(
                "Expected channels-last maps (batch, rows, columns, channels) at "
                f"InterpretableConv. Received: data_format={self.data_format!r}. Move "
                "the channels with keras.layers.Permute((2, 3, 1)) before the layer "
                "and pass data_format='channels_last'."
            )
        # The backend's own, such as tf.nn.relu, is the same function.
        name = getattr(self.activation, "__name__", self.activation)
        if name != "relu":
            raise ValueError(
                "Expected activation='relu' at InterpretableConv, since templates are "
                "compared with activations that are not negative. Received: "
                f"activation={name}. For another activation use keras.layers.Conv2D "
                "and put keras_interp.layers.InterpretableMask after it."
            )
        self.activation = keras.activations.relu

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        shape = super().compute_output_shape(input_shape)
        self.interpretable_mask.feature_channels = input_shape[-1]
        self.interpretable_mask.build(shape)

    def feature_maps(self, inputs: Any) -> Any:
        """Activations after the ReLU and before the mask.

        Args:
            inputs: What the layer is called with.

        Returns:
            Tensor `(batch, rows, columns, filters)`.
        """
        return super().call(inputs)

    def call(
        self, inputs: Any, training: bool | None = None, labels: Any = None
    ) -> Any:
        mask = self.interpretable_mask
        if not (mask.pulls_to_places and self.trainable):
            return mask(super().call(inputs), training=training, labels=labels)
        logits = self.convolution_op(inputs, self.kernel)
        if self.use_bias:
            logits = logits + ops.cast(self.bias, logits.dtype)
        return mask(
            ops.relu(logits),
            training=training,
            labels=labels,
            logits=logits,
            features=self._inputs_at_cells(inputs),
        )

    def _inputs_at_cells(self, inputs: Any) -> Any:
        """The inputs at the centres of the kernel, one for each cell of the maps."""
        for axis in (1, 2):
            side, step = inputs.shape[axis], self.strides[axis - 1]
            reach = (self.kernel_size[axis - 1] - 1) * self.dilation_rate[axis - 1]
            before, cells = 0, (side - reach - 1) // step + 1
            if self.padding == "same":
                cells = -(-side // step)
                before = max((cells - 1) * step + reach + 1 - side, 0) // 2
            centres = np.arange(cells) * step + reach // 2 - before
            if cells != side or centres[0] != 0:
                inputs = ops.take(inputs, np.clip(centres, 0, side - 1), axis=axis)
        return inputs

    @property
    def epoch(self) -> Any:
        """Number of the epoch in progress, a float32 variable; 1 before any."""
        return self.interpretable_mask.epoch

    def begin_epoch(self) -> None:
        """Say that an epoch begins, in a training loop of your own.

        Call it where each epoch begins, the first one too. Models that are trained with
        `fit` count their epochs themselves, and evaluations, `train_on_batch` and
        `reset_metrics` count none. Set `layer.epoch.assign(number)` where a loop goes
        on from a file that was saved in the middle of an epoch.
        """
        self.interpretable_mask.begin_epoch()

    @property
    def interpretable_filters(self) -> int:
        """How many of the leading filters are interpretable."""
        return round(self.interpretable_mask.fraction * self.filters)

    @property
    def part_search(self) -> PartSearch | None:
        """How far the search for parts has come; None where this layer has none.

        A named tuple: `batches` that were searched, `agreement` of the filters that
        look for a first part (0 to 1), `anchor_found`, and whether all steps of the
        search are `complete`. None with another filter loss, and in a layer that takes
        its places from the layer before it.
        """
        places = self.interpretable_mask._places
        if places is None or not self.interpretable_mask.pulls_to_places:
            return None
        search = places.search()
        return search if search.batches else None

    @property
    def filter_categories(self) -> np.ndarray:
        """Category of each interpretable filter; -1 while no label has been seen."""
        return self.interpretable_mask.filter_categories

    def get_config(self) -> dict[str, Any]:
        mask_config = self.interpretable_mask.get_config()
        return {
            **super().get_config(),
            **{name: mask_config[name] for name in MASK_ARGUMENTS},
        }

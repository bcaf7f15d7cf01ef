"""What the filters of a layer do, in TensorBoard, while they learn."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp.datasets import PartsDataset
from keras_interp.metrics import measure_filters, read_feature_maps
from keras_interp.metrics._activity import measure_activity
from keras_interp.metrics._layer_maps import LayerMaps, find_layer
from keras_interp.metrics._peaks import to_numpy
from keras_interp.plotting import filter_gallery
from keras_interp.receptive_fields import receptive_field

# What is written beside the gallery where there are landmarks; see FilterMeasurement.
_WITH_LANDMARKS = (
    "tracking_median",
    "hit_gain",
    "hit_part_detectors",
    "detected_groups",
    "part_coverage",
)
# Below the folder that is given, as Keras's own callback writes to `train` beside it.
_RUN = "filters"
_DOTS_PER_INCH = 72


class FilterBoard(keras.callbacks.Callback):
    """Writes a gallery of filters and measures of them to TensorBoard while training.

    After the first epoch, after every few, and at the end it writes to
    `log_dir/filters`: under Images the gallery, each row the images in which one filter
    fires most; under Scalars the share of silent filters and, with landmarks, what
    filters follow. It works with every backend of Keras and leaves the training as it
    is. The steps are the epochs of Keras's own callback `TensorBoard`, which may use
    the same `log_dir`. A training that goes on with `fit(..., initial_epoch=n)` goes on
    in the same curves: what was written of later epochs is replaced.

    Example:

    ```python
    board = ki.callbacks.FilterBoard("logs", images[:200], every=5)
    model.fit(images, labels, epochs=20, callbacks=[board])
    ```

    Then `tensorboard --logdir logs` in a shell shows it in the browser.

    Args:
        log_dir: folder for the event files, made where it is missing.
        images: `(N, H, W, C)` as the model, or `preprocess`, takes them; a few hundred
            are enough. Or a `PartsDataset` with landmarks: as in
            `ki.metrics.measure_filters` the images whose split is not `"test"` choose
            parts and the others, or every second group of images, are scored.
        every: epochs from one time to the next.
        layer_name: name of the layer, or its path in a nested model. Default: the last
            interpretable layer, or the last convolution where there is none.
        filters: how many filters are shown, the first of the layer, or which. Of an
            interpretable layer the interpretable ones come first.
        top: how many images of each filter are shown.
        preprocess: applied to each batch of images before the model. Default: images
            go in as they are.
        batch_size: images at a time.

    Raises:
        ImportError: if TensorBoard is not installed.
        ValueError: if there is no image, `every` or `top` is below 1, or when training
            begins, if there is no such layer.

    Reference:
        The gallery is that of `ki.plotting.filter_gallery`, the measures are those of
        `ki.metrics.measure_filters`.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        images: Any,
        every: int = 1,
        layer_name: str | None = None,
        *,
        filters: int | Sequence[int] = 8,
        top: int = 6,
        preprocess: Callable[[np.ndarray], Any] | None = None,
        batch_size: int = 64,
    ):
        super().__init__()
        _check_installed()
        self.dataset = images if isinstance(images, PartsDataset) else None
        self.images = to_numpy(images if self.dataset is None else images.images)
        for name, value in (("every", every), ("top", top)):
            if value < 1:
                raise ValueError(
                    f"Expected {name} of at least 1. Received: {name}={value}. Pass 1 "
                    "for the most."
                )
        if self.images.ndim != 4 or not len(self.images):
            raise ValueError(
                "Expected images of shape (images, height, width, channels), at least "
                f"one, or a PartsDataset. Received: shape {self.images.shape}."
            )
        self.log_dir = Path(log_dir)
        self.every = every
        self.layer_name = layer_name
        self.filters = filters
        self.top = top
        self.preprocess = preprocess
        self.batch_size = batch_size
        self._writer: _EventWriter | None = None
        self._last: int | None = None
        self._written: int | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        # A wrong name is told before an epoch has been waited for.
        if self.model.built:
            find_layer(self.model, self.layer_name)
        self._last = self._written = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._last = epoch
        first = self._written is None
        if first or epoch % self.every == 0:
            self._write(epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._last is not None and self._written != self._last:
            self._write(self._last)
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, epoch: int) -> None:
        if self._writer is None:
            self._writer = _EventWriter(self.log_dir / _RUN, epoch)
        layer, shown, values = self._measured()
        name = layer.layer_name
        for metric, value in values.items():
            if value is not None and np.isfinite(value):
                self._writer.add_scalar(f"{name}/{metric}", float(value), epoch)
        self._writer.add_image(f"{name}/gallery", self._gallery(layer, shown), epoch)
        self._writer.flush()
        self._written = epoch

    def _measured(self) -> tuple[LayerMaps, np.ndarray, dict[str, float | None]]:
        """The maps of the layer, the images that they are of, and the measures."""
        options: dict[str, Any] = {
            "batch_size": self.batch_size,
            "preprocess": self.preprocess,
        }
        if self.dataset is not None and np.isfinite(self.dataset.landmarks).any():
            found = measure_filters(
                self.model, self.dataset, self.layer_name, **options
            )
            rows = {row["metric"]: row["value"] for row in found.rows("")}
            values = {name: rows[name] for name in ("dead_filters", *_WITH_LANDMARKS)}
            layer, shown = found.layer, self.images[found.images]
        else:
            layer = read_feature_maps(
                self.model, self.images, self.layer_name, **options
            )
            size = self.images.shape[1:3]
            field = receptive_field(self.model, layer.layer_name, size)
            activity = measure_activity(layer, field, size)
            values = {row["metric"]: row["value"] for row in activity.rows("")}
            layer, shown = activity.layer, self.images
        values["silent_filters"] = values.pop("dead_filters", None)
        return layer, shown, values

    def _gallery(self, layer: LayerMaps, shown: np.ndarray) -> bytes:
        """The gallery as a PNG file."""
        count = layer.maps.shape[-1]
        filters = self.filters
        chosen = range(min(filters, count)) if isinstance(filters, int) else filters
        field = receptive_field(self.model, layer.layer_name, shown.shape[1:3])
        axes = filter_gallery(
            shown, layer.maps, field, list(chosen), top=self.top, show=["region"]
        )
        buffer = io.BytesIO()
        axes[0, 0].figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
        return buffer.getvalue()


def _check_installed() -> None:
    if find_spec("tensorboard") is None:
        raise ImportError(
            "FilterBoard writes files for TensorBoard, which is not installed: "
            "pip install 'keras_interp[tensorboard]', or pip install tensorboard."
        )


class _EventWriter:
    """Event files as TensorBoard reads them, written without any backend.

    Args:
        folder: of the run.
        step: the first that is written; what lies there of it and later ones is void.
    """

    def __init__(self, folder: Path, step: int):
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = event_pb2, summary_pb2
        self._file = EventFileWriter(str(folder))
        log = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._file.add_event(
            event_pb2.Event(wall_time=time.time(), step=step, session_log=log)
        )

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        self._add(step, tag=tag, simple_value=value)

    def add_image(self, tag: str, png: bytes, step: int) -> None:
        from PIL import Image

        with Image.open(io.BytesIO(png)) as image:
            width, height = image.size
            channels = len(image.getbands())
        self._add(
            step,
            tag=tag,
            image=self._summary.Summary.Image(
                height=height,
                width=width,
                colorspace=channels,
                encoded_image_string=png,
            ),
        )

    def _add(self, step: int, **value: Any) -> None:
        summary = self._summary.Summary(value=[self._summary.Summary.Value(**value)])
        event = self._event.Event(wall_time=time.time(), step=step, summary=summary)
        self._file.add_event(event)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

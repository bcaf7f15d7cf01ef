"""Runs a frozen network over a dataset of any size, once."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_interp.datasets._field_checks import check_choice, check_count, refused
from keras_interp.datasets._progress import announce, console
from keras_interp.datasets._safe_files import SUFFIX, folder_lock
from keras_interp.datasets.features._image_stream import (
    Identity,
    ImageBatch,
    check_source,
    count_images,
    image_batches,
)
from keras_interp.datasets.features._settings import (
    FeatureNetwork,
    InputDigest,
    check_same_settings,
    default_shard_size,
    digest_of,
    prepared,
)
from keras_interp.datasets.features.sharded_features import (
    ShardedFeatures,
    ShardRecord,
    damage_of,
    feature_files,
    load_features,
    read_manifest,
    read_record,
    write_manifest,
    write_shard,
)

_DTYPES = ("float16", "float32", "float64")


def extract_features(
    model: keras.Model,
    dataset: Any,
    out: str | Path,
    *,
    layer_name: str | None = None,
    batch_size: int = 32,
    shard_size: int | None = None,
    preprocess: Callable[[np.ndarray], Any] | None = None,
    dtype: str = "float32",
    resume: bool = True,
) -> ShardedFeatures:
    """Computes the features of all images with a frozen network, into files.

    The images are gone through once, a batch in memory at a time, so the dataset may
    be larger than memory. Features are written in shards, each of which appears when
    it is whole. Called again with the same arguments after the process was killed, it
    computes only what is missing or damaged and leaves finished shards as they are. It
    reads all images again, to see that they are the same.

    Example:

    ```python
    trunk = keras.applications.MobileNet(alpha=0.25, include_top=False)
    features = ki.datasets.extract_features(
        trunk,
        ki.datasets.load("cub", split="train", size=224),
        out="features/cub_train",
        preprocess=keras.applications.mobilenet.preprocess_input,
    )
    maps = features.array()
    ```

    Args:
        model: a built Keras model with one input. It is run in inference mode.
        dataset: a `PartsDataset`, or a set of images that are still in their files or
            not yet drawn, or a `tf.data.Dataset`, generator or list of images
            `(height, width, channels)`, batches `(B, height, width, channels)`, tuples
            that begin with one of these such as (images, labels), dictionaries with
            `"image"` or `"images"` and `"id"` or `"ids"`, or `PartsDataset`s. To go on
            after a kill, it must give the same images in the same order. Images
            without ids are numbered from 0.
        out: the folder to write; made where it is missing.
        layer_name: the layer whose output is wanted: its name, or its path where it
            lies in an inner model, such as `"backbone/conv5"`. Default: the model's
            output.
        batch_size: images in a batch.
        shard_size: images in a file. Default: as many as make 64 MiB, at most 1,024.
        preprocess: from a batch of images to the network's input. Default: the values
            as they are, as float32.
        dtype: of the features in the files: `"float16"`, which takes half the space,
            `"float32"` or `"float64"`.
        resume: whether to go on with what is in `out`. If false, features that are
            there are deleted first.

    Returns:
        A `ShardedFeatures`: ids, shape, one array or a shard at a time.

    Raises:
        ValueError: if an argument does not fit; if `out` has features of another model,
            dataset or setting; or if a feature is too large for `dtype`.
        BlockingIOError: if another process writes the same folder.
        OSError: if the disk is full. Finished shards stay.
    """
    _check_numbers(batch_size, shard_size, dtype)
    if preprocess is not None and not callable(preprocess):
        raise refused("preprocess as a function or None", preprocess=preprocess)
    check_source(dataset)
    network = FeatureNetwork(model, layer_name)
    folder = Path(out).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise refused("out as a folder", "It is a file: choose another", out=str(out))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder, "extracting features"):
        run = _Extraction(network, folder, batch_size, preprocess, dtype)
        run.over(dataset, shard_size, resume)
    return load_features(folder)


@dataclasses.dataclass
class _Extraction:
    """One run over the images."""

    network: FeatureNetwork
    folder: Path
    batch_size: int
    preprocess: Callable[[np.ndarray], Any] | None
    dtype: str

    def over(self, dataset: Any, shard_size: int | None, resume: bool) -> None:
        """Computes what is missing, shard after shard."""
        batches = image_batches(dataset, self.batch_size)
        first = next(batches, None)
        if first is None:
            raise ValueError("the dataset has no images")
        settings = self.settings(first, shard_size)
        _make_ready(self.folder, settings, resume)
        shards = itertools.groupby(
            _cut(itertools.chain([first], batches), settings["shard_size"]),
            key=lambda numbered: numbered[0],
        )
        finished = []
        with _images_bar(count_images(dataset)) as advance:
            for index, numbered in shards:
                some = (batch for _, batch in numbered)
                record = self.finish_shard(index, some, settings, advance)
                finished.append(
                    {
                        "file": record.file,
                        "pictures": len(record.ids),
                        "sha256": record.sha256,
                    }
                )
        if read_record(self.folder, len(finished)) is not None:
            raise ValueError(_OTHER_IMAGES.format(self.folder, "fewer images"))
        write_manifest(
            self.folder,
            settings,
            complete=True,
            pictures=sum(shard["pictures"] for shard in finished),
            shards=finished,
        )

    def settings(self, first: ImageBatch, shard_size: int | None) -> dict[str, Any]:
        """What the features depend on, for the manifest."""
        features = self.features(first)
        one = first.take(slice(0, 1))
        values = np.asarray(
            keras.ops.convert_to_numpy(prepared(one.images, self.preprocess))
        )
        return {
            "model": self.network.fingerprint(),
            "first_picture": digest_of(one),
            "preprocess": digest_of(ImageBatch(values, [0])),
            "shape": list(features.shape[1:]),
            "dtype": self.dtype,
            "shard_size": int(shard_size or default_shard_size(features)),
        }

    def features(self, batch: ImageBatch) -> np.ndarray:
        """Features of a batch, in the type of the files."""
        values = prepared(batch.images, self.preprocess)
        found = self.network(values)
        if isinstance(found, dict | list | tuple) or len(found) != len(batch.ids):
            raise ValueError(
                "the network must give one array with a row for each image, got "
                f"{keras.tree.map_structure(np.shape, found)} for {len(batch.ids)} "
                "images"
            )
        with np.errstate(over="ignore"):
            features = np.asarray(found).astype(self.dtype)
        rows = np.isinf(features).reshape(len(features), -1).any(axis=1)
        if rows.any() and np.isfinite(found[np.isinf(features)]).any():
            raise ValueError(
                f"a feature of image {batch.ids[int(np.argmax(rows))]!r} is too "
                f'large for {self.dtype}; pass dtype="float32"'
            )
        return features

    def finish_shard(
        self,
        index: int,
        batches: Iterable[ImageBatch],
        settings: dict[str, Any],
        advance: Callable[[int], None],
    ) -> ShardRecord:
        """Computes a shard, or sees that the one that is there fits the images."""
        record = self.finished_shard(index)
        digest, ids, start = InputDigest(), list[Identity](), 0
        features = np.empty((0,))
        for batch in batches:
            digest.add(batch)
            ids += batch.ids
            if record is None:
                some = self.features(batch)
                if not start:
                    size = settings["shard_size"]
                    features = np.empty((size, *some.shape[1:]), self.dtype)
                features[start : start + len(some)] = some
                start += len(some)
            advance(len(batch.ids))
        if record is None:
            found = features[: len(ids)]
            return write_shard(self.folder, index, found, ids, digest.hexdigest())
        if record.inputs != digest.hexdigest():
            where = f"other images or ids than {record.file} was made of"
            raise ValueError(_OTHER_IMAGES.format(self.folder, where))
        return record

    def finished_shard(self, index: int) -> ShardRecord | None:
        """The record of a shard that is there and whole."""
        try:
            record = read_record(self.folder, index)
            damage = None if record is None else damage_of(self.folder, record)
        except ValueError as error:
            damage = str(error)
        if damage is None:
            return record
        announce(f"{damage}; this shard is computed anew")
        return None


_OTHER_IMAGES = (
    "{} has features of another dataset: here are {}. Choose another folder, or pass "
    "resume=False to delete these features."
)


def _check_numbers(batch_size: int, shard_size: int | None, dtype: str) -> None:
    check_count("batch_size", batch_size)
    check_count("shard_size", shard_size, optional=True)
    check_choice("dtype", dtype, _DTYPES)


def _make_ready(folder: Path, settings: dict[str, Any], resume: bool) -> None:
    """Makes the folder hold nothing that these settings would not have written."""
    folder.mkdir(exist_ok=True)
    for path in feature_files(folder):
        if not resume or path.suffix == SUFFIX:
            path.unlink()
    earlier = read_manifest(folder)
    if earlier is not None:
        check_same_settings(folder, earlier["settings"], settings)
        return
    others = sorted(path.name for path in folder.iterdir())
    if others:
        raise ValueError(
            f"{folder} has other files, such as {others[0]!r}, and no manifest of "
            "features; choose an empty folder"
        )
    write_manifest(folder, settings, complete=False)


def _cut(
    batches: Iterable[ImageBatch], shard_size: int
) -> Iterator[tuple[int, ImageBatch]]:
    """Batches that lie in one shard each, with the number of the shard."""
    start = 0
    for batch in batches:
        while batch.ids:
            room = shard_size - start % shard_size
            part = batch.take(slice(0, room))
            yield start // shard_size, part
            start += len(part.ids)
            batch = batch.take(slice(room, None))


@contextmanager
def _images_bar(total: int | None) -> Iterator[Callable[[int], None]]:
    """Shows how many images are done."""
    from rich.progress import MofNCompleteColumn, Progress

    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console()) as progress:
        task = progress.add_task("Features", total=total)
        yield lambda count: progress.advance(task, count)

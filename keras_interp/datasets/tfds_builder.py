"""What the recipes for TensorFlow Datasets have in common.

Only the builders in `data_recipes/` import this module: it needs the package
`tensorflow-datasets`.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import hashlib
import inspect
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets._field_checks import check_size
from keras_interp.datasets._registry import find_root
from keras_interp.datasets._tfds import parts_features, to_examples
from keras_interp.datasets.readers.annotated_images import AnnotatedImages
from keras_interp.datasets.synthetic.drawn_images import DrawnImages

Examples = Iterator[tuple[Any, dict[str, Any]]]


@dataclasses.dataclass(frozen=True)
class Shard:
    """A file that is still to be written.

    Args:
        path: where it will be.
        examples: yields its keys and examples.
    """

    path: str
    examples: Callable[[], Examples]


@dataclasses.dataclass(frozen=True)
class ShardWriter:
    """Writes one shard, holding one example in memory.

    Args:
        features: the `tfds.features.FeaturesDict` of the examples.
        file_writer: the `tfds.core.ExampleWriter` of the file format.
    """

    features: Any
    file_writer: Any

    def __call__(self, shard: Shard) -> tuple[str, int, int]:
        """Returns the shard's path, the number of examples and of bytes."""
        import tensorflow_datasets as tfds

        count = 0

        def serialized() -> Iterator[tuple[Any, bytes]]:
            nonlocal count
            for key, example in shard.examples():
                yield key, self.features.serialize_example(example)
                count += 1

        path = tfds.core.Path(shard.path)
        with tfds.core.utils.incomplete_file(path) as unfinished:
            self.file_writer.write(unfinished, serialized())
        return shard.path, count, path.stat().length


def write_shards(
    shards: Sequence[Shard],
    writer: ShardWriter,
    report_path: str,
    runner: Any = None,
    options: Any = None,
) -> dict[str, tuple[int, int]]:
    """Writes shards as the tasks of a Beam pipeline.

    Args:
        shards: the files to write.
        writer: writes one of them.
        report_path: a file that all workers can write, for what they report.
        runner: a Beam runner or its name. Default: that of the options, else the local
            one.
        options: Beam's `PipelineOptions`.

    Returns:
        The number of examples and of bytes by path.

    Raises:
        ImportError: if Apache Beam is not installed and a runner or options are given.
    """
    import tensorflow_datasets as tfds

    try:
        import apache_beam as beam
    except ImportError as error:
        if runner is not None or options is not None:
            raise ImportError(
                "a Beam runner needs Apache Beam: pip install 'keras_interp[data]'"
            ) from error
        # One after the other, in this process.
        return _by_path([writer(shard) for shard in shards])
    options = options or beam.options.pipeline_options.PipelineOptions(flags=[])
    with beam.Pipeline(runner or _runner(options), options) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(shards)
            # Keeps the runner from giving all of them to one worker.
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.Map(writer)
            | "Collect" >> beam.combiners.ToList()
            | "Report" >> beam.Map(_report, report_path)
        )
    report = tfds.core.Path(report_path)
    written = json.loads(report.read_text())
    report.unlink()
    return _by_path(written)


def _runner(options: Any) -> Any:
    """The runner that the options name, else the local one of Beam's Python package."""
    from apache_beam.options.pipeline_options import StandardOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    # Beam's own default downloads another local runner from the internet.
    return options.view_as(StandardOptions).runner or FnApiRunner()


def _report(written: list[tuple[str, int, int]], path: str) -> None:
    import tensorflow_datasets as tfds

    tfds.core.Path(path).write_text(json.dumps(written))


def _by_path(written: Sequence[Sequence[Any]]) -> dict[str, tuple[int, int]]:
    return {path: (count, size) for path, count, size in written}


try:
    import tensorflow_datasets as tfds
except ImportError as error:
    raise ImportError(
        "the recipes need TensorFlow Datasets: pip install 'keras_interp[data]'"
    ) from error

Images = AnnotatedImages | DrawnImages

_BYTES_PER_PIXEL = 1.5  # what a photograph takes as PNG; the number of shards needs it
_IMAGES_AT_A_TIME = 64


@dataclasses.dataclass(eq=False)
class PartsConfig(tfds.core.BuilderConfig):
    """How the images of a recipe are prepared.

    Args:
        root: the folder of the published files. Default: the recipe looks for it.
        size: height and width of the prepared images in pixels.
        options: other options of the reader, as `ki.datasets.load` takes them.
    """

    root: str | None = None
    size: int = 224
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(eq=False)
class DrawnConfig(PartsConfig):
    """How many images of a made set are drawn, and how.

    Args:
        num_images: how many, all splits together. Default: as `ki.datasets.load`.
    """

    size: int = 64
    num_images: int | None = None

    def arguments(self) -> dict[str, Any]:
        """The arguments of the function that draws the images."""
        count = {} if self.num_images is None else {"num_images": self.num_images}
        return {"image_size": self.size, **count, **self.options}


class PartsBuilder(tfds.core.ShardBasedBuilder):
    """Prepares images with Apache Beam, a few of them in memory at a time.

    A shard is one task, which reads its images and writes them straight to its file.
    TensorFlow Datasets' own Beam writer sorts the finished images, which a local
    runner does in memory; here the rows are shuffled before an image is read.

    A recipe defines `_info`, which calls `_parts_info`, and `_open`.
    """

    builder_config_cls = PartsConfig
    # The reader's name in `ki.datasets.load`, and so of the folder with the files.
    SOURCE = ""
    # Patterns of paths; one of them is in every folder with the published files.
    SOURCE_FILES: tuple[str, ...] = ()
    # The address of the archive, where a program may download it.
    DOWNLOAD: str | None = None
    # What else a folder for manual downloads may hold.
    OTHER_FILES: tuple[str, ...] = ()

    @abc.abstractmethod
    def _open(self, dl_manager: tfds.download.DownloadManager) -> Images:
        """The images of all splits, none of them read yet."""

    def _more_fields(self, images: Images) -> dict[str, np.ndarray]:
        """Features that `PartsDataset` does not have, one row for each image."""
        return {}

    def _parts_info(
        self,
        num_landmarks: int | None,
        homepage: str | None = None,
        more: dict[str, Any] | None = None,
        **kinds: Any,
    ) -> tfds.core.DatasetInfo:
        """The info of a dataset with the features of `parts_features` and `more`."""
        size = check_size(self.builder_config.size)
        features = parts_features(size, num_landmarks, **kinds)
        texts = self.get_metadata()
        return tfds.core.DatasetInfo(
            builder=self,
            # What stands before the first heading says what the dataset is.
            description=(texts.description or "").partition("\n## ")[0],
            citation=texts.citation,
            features=tfds.features.FeaturesDict({**features, **(more or {})}),
            supervised_keys=("image", "label"),
            homepage=homepage,
            metadata=tfds.core.MetadataDict(),
        )

    def _find_source(self, dl_manager: tfds.download.DownloadManager) -> Path:
        """The folder with the published files.

        It is the one of the configuration, else that for manual downloads, else the
        one where `ki.datasets.load` looks, else a download.

        Raises:
            FileNotFoundError: if there is none and a program cannot download it.
        """
        if self.builder_config.root is not None:
            return find_root(self.SOURCE, self.builder_config.root)
        folders = self._manual_folders(dl_manager)
        for folder in folders:
            if _holds(folder, self.SOURCE_FILES):
                return folder
        named = self._download_config.manual_dir is not None
        if named and not any(_holds(folder, self.OTHER_FILES) for folder in folders):
            raise FileNotFoundError(
                f"manual_dir={self._download_config.manual_dir} holds none of "
                f"{', '.join(self.SOURCE_FILES + self.OTHER_FILES)}"
            )
        try:
            return find_root(self.SOURCE)
        except FileNotFoundError as error:
            if self.DOWNLOAD is not None:
                return Path(os.fspath(dl_manager.download_and_extract(self.DOWNLOAD)))
            raise FileNotFoundError(
                f"{error}\n{inspect.cleandoc(self.MANUAL_DOWNLOAD_INSTRUCTIONS)}"
            ) from error

    def _manual_folders(self, dl_manager: tfds.download.DownloadManager) -> list[Path]:
        folder = self._download_config.manual_dir
        if folder is None and self.MANUAL_DOWNLOAD_INSTRUCTIONS:
            try:
                folder = dl_manager.manual_dir
            except AssertionError:  # there is no such folder, or it is empty
                return []
        if folder is None:
            return []
        return [Path(os.fspath(folder)) / name for name in ("", self.SOURCE, self.name)]

    @functools.cached_property
    def _download_config(self) -> tfds.download.DownloadConfig:
        """That of the preparation under way."""
        return tfds.download.DownloadConfig()

    def _download_and_prepare(
        self,
        dl_manager: tfds.download.DownloadManager,
        download_config: tfds.download.DownloadConfig | None = None,
    ) -> None:
        if download_config is not None:
            self._download_config = download_config
        config = self._download_config
        shards = {
            split: self._shards(split, generators)
            for split, generators in self._shard_iterators_per_split(dl_manager).items()
        }
        written = write_shards(
            [shard for some in shards.values() for shard in some],
            ShardWriter(self.info.features, self._example_writer()),
            os.fspath(self.data_path / "shards.json"),
            config.beam_runner,
            config.beam_options,
        )
        infos = []
        for split, some in shards.items():
            counts, sizes = zip(*(written[shard.path] for shard in some), strict=True)
            infos.append(
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=list(counts),
                    num_bytes=sum(sizes),
                    filename_template=self._get_filename_template(split),
                )
            )
        self.info.set_splits(tfds.core.SplitDict(infos))

    def _shards(self, split: str, generators: Sequence[Any]) -> list[Shard]:
        template = self._get_filename_template(split)
        paths = [
            template.sharded_filepath(shard_index=index, num_shards=len(generators))
            for index in range(len(generators))
        ]
        return [
            Shard(os.fspath(path), generator)
            for path, generator in zip(paths, generators, strict=True)
        ]

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, list[Any]]:
        images = self._open(dl_manager)
        self.info.features["label"].names = images.class_names
        self.info.metadata["landmark_names"] = images.landmark_names
        self.info.metadata["part_names"] = images.part_names
        more = self._more_fields(images)
        return {
            split: self._generators(images, more, images.split == split)
            for split in ("train", "test")
            if split in images.split
        }

    def _generators(
        self, images: Images, more: dict[str, np.ndarray], chosen: np.ndarray
    ) -> list[Any]:
        """One function for each shard that yields its examples."""
        config = self._download_config
        rows = np.flatnonzero(chosen)
        rows = rows[_shuffled(images.ids[rows])][: config.max_examples_per_split]
        size = check_size(self.builder_config.size)
        total_bytes = int(len(rows) * size[0] * size[1] * _BYTES_PER_PIXEL)
        count = config.get_shard_config().get_number_shards(total_bytes, len(rows))
        return [
            functools.partial(
                _examples,
                images.take(some),
                {name: values[some] for name, values in more.items()},
                size,
            )
            for some in np.array_split(rows, count)
        ]


def _holds(folder: Path, patterns: Sequence[str]) -> bool:
    return any(any(folder.glob(pattern)) for pattern in patterns)


def _shuffled(ids: np.ndarray) -> np.ndarray:
    """An order without pattern that depends on the ids alone."""
    digests = [hashlib.blake2b(str(i).encode(), digest_size=8).digest() for i in ids]
    return np.argsort(np.array(digests), kind="stable")


def _examples(
    images: Images, more: dict[str, np.ndarray], size: tuple[int, int]
) -> Examples:
    row = 0
    for fields in images.chunks(size, _IMAGES_AT_A_TIME):
        for example in to_examples(fields):
            added = {name: values[row] for name, values in more.items()}
            yield example["id"], {**example, **added}
            row += 1

"""Shards are written whole or not at all, with and without Apache Beam."""

from __future__ import annotations

import errno
import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from data_recipes.cub_parts import cub_parts_dataset_builder as birds  # noqa: E402
from data_recipes.synthetic_parts import (  # noqa: E402
    synthetic_parts_dataset_builder as animals,
)
from keras_interp.datasets.tfds_builder import (  # noqa: E402
    DrawnConfig,
    PartsConfig,
    Shard,
    ShardWriter,
    write_shards,
)

tfds = pytest.importorskip("tensorflow_datasets")


def numbers(start: int, stop: int):
    for number in range(start, stop):
        yield number, {"number": number}


def refuse(start: int, stop: int):
    yield from numbers(start, stop)
    raise ValueError("image_7.jpg is damaged")


class FullDisk:
    """Writes a beginning, then finds no space."""

    def write(self, path, examples):
        for _, example in examples:
            path.write_bytes(example)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def writer() -> ShardWriter:
    features = tfds.features.FeaturesDict({"number": tfds.features.Scalar(np.int64)})
    file_format = tfds.core.FileFormat.TFRECORD
    return ShardWriter(features, tfds.core.ExampleWriter(file_format=file_format))


@pytest.fixture
def shards(tmp_path) -> list[Shard]:
    bounds = [(0, 3), (3, 4), (4, 10)]
    return [
        Shard(str(tmp_path / f"{k}.tfrecord"), functools.partial(numbers, *pair))
        for k, pair in enumerate(bounds)
    ]


def stored(shards, writer) -> list[list[int]]:
    import tensorflow as tf

    return [
        [
            int(writer.features.deserialize_example(record)["number"])
            for record in tf.data.TFRecordDataset(shard.path)
        ]
        for shard in shards
    ]


@pytest.mark.parametrize("with_beam", [True, False])
def test_every_shard_has_its_examples(shards, writer, tmp_path, with_beam, monkeypatch):
    if with_beam:
        pytest.importorskip("apache_beam")
    else:
        monkeypatch.setitem(sys.modules, "apache_beam", None)
    written = write_shards(shards, writer, str(tmp_path / "report"))
    assert stored(shards, writer) == [[0, 1, 2], [3], [4, 5, 6, 7, 8, 9]]
    assert {path: count for path, (count, _) in written.items()} == {
        shard.path: count for shard, count in zip(shards, (3, 1, 6), strict=True)
    }
    for path, (_, size) in written.items():
        assert size == os.path.getsize(path)
    assert sorted(os.listdir(tmp_path)) == [f"{k}.tfrecord" for k in range(3)]


def test_the_options_name_the_runner(shards, writer, tmp_path):
    beam = pytest.importorskip("apache_beam")
    flags = ["--runner=FnApiRunner", "--direct_num_workers=2"]
    flags.append("--direct_running_mode=multi_threading")
    options = beam.options.pipeline_options.PipelineOptions(flags)
    write_shards(shards, writer, str(tmp_path / "report"), options=options)
    assert stored(shards, writer) == [[0, 1, 2], [3], [4, 5, 6, 7, 8, 9]]


def test_an_unknown_runner_is_an_error(shards, writer, tmp_path):
    pytest.importorskip("apache_beam")
    with pytest.raises(ValueError, match="NoSuchRunner"):
        write_shards(shards, writer, str(tmp_path / "report"), "NoSuchRunner")


def test_a_runner_needs_beam(shards, writer, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(ImportError, match=r"keras_interp\[data\]"):
        write_shards(shards, writer, str(tmp_path / "report"), "DirectRunner")


def test_nothing_is_left_where_examples_fail(writer, tmp_path):
    examples = functools.partial(refuse, 0, 3)
    shard = Shard(str(tmp_path / "shard.tfrecord"), examples)
    with pytest.raises(ValueError, match="image_7.jpg is damaged"):
        write_shards([shard], writer, str(tmp_path / "report"))
    assert os.listdir(tmp_path) == []


def test_nothing_is_left_on_a_full_disk(shards, writer, tmp_path):
    full = ShardWriter(writer.features, FullDisk())
    # Beam hands errors of its workers on as RuntimeError.
    with pytest.raises((OSError, RuntimeError), match="No space left"):
        write_shards(shards, full, str(tmp_path / "report"))
    assert os.listdir(tmp_path) == []


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Prepares 40 drawn animals: `(**download)`."""
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)

    def run(builder_class=animals.Builder, config=None, folder="prepared", **download):
        config = config or DrawnConfig(name="some", size=16, num_images=40)
        builder = builder_class(data_dir=tmp_path / folder, config=config)
        settings = tfds.download.DownloadConfig(try_download_gcs=False, **download)
        builder.download_and_prepare(
            download_dir=tmp_path / "downloads", download_config=settings
        )
        return builder

    return run


def ids(builder, split: str) -> list[int]:
    examples = builder.as_dataset(split=split, shuffle_files=False)
    return [int(example["id"]) for example in tfds.as_numpy(examples)]


def test_shards_share_the_images(prepare):
    builder = prepare(num_shards=3)
    assert builder.info.splits["train"].shard_lengths == [11, 11, 10]
    assert sorted(ids(builder, "train+test")) == list(range(40))


def test_the_order_is_shuffled_and_repeatable(prepare):
    builder = prepare()
    order = ids(builder, "train")
    assert order != sorted(order)
    # One shard or several, the order is the same.
    assert ids(prepare(folder="again", num_shards=2), "train") == order
    # A tenth of a dataset is a sample of all its classes.
    assert np.abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.5


def test_few_examples_are_enough_for_a_try(prepare):
    builder = prepare(max_examples_per_split=3)
    assert builder.info.splits["train"].num_examples == 3
    assert builder.info.splits["test"].num_examples == 3


def test_more_pixels_make_more_shards(tmp_path):
    counts = {}
    for size in (64, 224):
        config = DrawnConfig(name=f"at_{size}", size=size, num_images=20_000)
        builder = animals.Builder(data_dir=tmp_path, config=config)
        counts[size] = len(builder._shard_iterators_per_split(None)["train"])
    # About 92 MiB and 1.1 GiB of images, in files of 64 MiB to 1 GiB.
    assert counts == {64: 1, 224: 16}


def test_names_are_stored_with_the_images(prepare):
    stored = tfds.builder_from_directory(prepare().data_dir)
    assert stored.info.features["label"].names[-1] == "background"
    assert stored.info.metadata["landmark_names"][0] == "head"
    assert stored.info.metadata["part_names"] == stored.info.metadata["landmark_names"]


def test_the_description_ends_at_the_first_heading(prepare):
    builder = animals.Builder()
    assert builder.info.description.startswith("# synthetic_parts")
    assert "## " not in builder.info.description
    assert builder.info.citation.startswith("@")


def test_two_preparations_at_once_leave_a_complete_folder(prepare, tmp_path):
    def attempt(_):
        try:
            return prepare()
        except OSError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(attempt, range(2)))
    done = [result for result in results if not isinstance(result, OSError)]
    assert done
    assert sorted(ids(done[0], "train+test")) == list(range(40))
    assert not list((tmp_path / "prepared").rglob("*incomplete*"))


@pytest.mark.parametrize(
    "config", [{"size": 0}, {"size": (8.5, 8)}, {"num_images": -1}]
)
def test_a_wrong_configuration_is_an_error(prepare, config):
    with pytest.raises(ValueError, match="Expected (size|num_images) as"):
        prepare(config=DrawnConfig(name="wrong", **config))


def test_an_unknown_option_is_an_error(prepare):
    config = DrawnConfig(name="wrong", options={"colour": "red"})
    with pytest.raises(TypeError, match="colour"):
        prepare(config=config)


def test_a_root_that_is_no_folder_is_an_error(prepare, tmp_path):
    config = PartsConfig(name="nowhere", root=str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        prepare(birds.Builder, config)


def test_a_manual_folder_without_the_files_is_an_error(prepare, tmp_path):
    (tmp_path / "empty").mkdir()
    config = PartsConfig(name="empty")
    with pytest.raises(FileNotFoundError, match="(?s)empty.*images.txt"):
        prepare(birds.Builder, config, manual_dir=tmp_path / "empty")

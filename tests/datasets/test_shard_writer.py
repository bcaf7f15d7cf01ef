"""Shards are written whole or not at all, with and without Apache Beam."""

from __future__ import annotations

import errno
import functools
import os
import sys

import numpy as np
import pytest

from keras_interp.datasets.shard_writer import Shard, ShardWriter, write_shards

tfds = pytest.importorskip("tensorflow_datasets")


def numbers(start: int, stop: int):
    for number in range(start, stop):
        yield number, {"number": number}


def refuse(start: int, stop: int):
    yield from numbers(start, stop)
    raise ValueError("picture_7.jpg is damaged")


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
    with pytest.raises(ValueError, match="picture_7.jpg is damaged"):
        write_shards([shard], writer, str(tmp_path / "report"))
    assert os.listdir(tmp_path) == []


def test_nothing_is_left_on_a_full_disk(shards, writer, tmp_path):
    full = ShardWriter(writer.features, FullDisk())
    # Beam hands errors of its workers on as RuntimeError.
    with pytest.raises((OSError, RuntimeError), match="No space left"):
        write_shards(shards, full, str(tmp_path / "report"))
    assert os.listdir(tmp_path) == []

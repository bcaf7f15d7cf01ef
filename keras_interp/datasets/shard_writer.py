"""Writes the shards of a dataset for TensorFlow Datasets, with Apache Beam."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

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

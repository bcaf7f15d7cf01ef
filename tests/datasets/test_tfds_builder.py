"""What all recipes do, tried on the one that needs no files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

tfds = pytest.importorskip("tensorflow_datasets")

from data_recipes.cub_parts import cub_parts_dataset_builder as birds  # noqa: E402
from data_recipes.synthetic_parts import (  # noqa: E402
    synthetic_parts_dataset_builder as animals,
)
from keras_interp.datasets.tfds_builder import DrawnConfig, PartsConfig  # noqa: E402


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


def test_shards_share_the_pictures(prepare):
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
    # About 92 MiB and 1.1 GiB of pictures, in files of 64 MiB to 1 GiB.
    assert counts == {64: 1, 224: 16}


def test_names_are_stored_with_the_pictures(prepare):
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
    with pytest.raises(ValueError, match="must be"):
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

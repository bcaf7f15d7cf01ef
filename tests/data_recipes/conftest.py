"""Prepares datasets with the recipes and compares them with the readers."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _no_data_of_the_user(monkeypatch, tmp_path):
    """A recipe that looks for files finds only those that the test gives it."""
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))


@pytest.fixture
def prepare(tmp_path):
    """Prepares a dataset in a new folder: `(builder class, config, **download)`."""
    import tensorflow_datasets as tfds

    def run(builder_class, config=None, **download):
        builder = builder_class(data_dir=tmp_path / "prepared", config=config)
        builder.download_and_prepare(
            download_dir=tmp_path / "downloads",
            download_config=tfds.download.DownloadConfig(
                try_download_gcs=False, **download
            ),
        )
        return builder

    return run


@pytest.fixture
def collect(tmp_path):
    """The prepared images of all splits, read without the builder's code."""
    import tensorflow_datasets as tfds

    from keras_interp.datasets import from_tfds

    def run(builder):
        stored = tfds.builder_from_directory(builder.data_dir)
        splits = "+".join(stored.info.splits)
        return from_tfds(stored.as_dataset(split=splits), stored.info)

    return run


@pytest.fixture
def assert_identical():
    """Checks that two datasets have the same arrays for the same ids."""

    def check(got, want):
        assert got.class_names == want.class_names
        assert got.landmark_names == want.landmark_names
        assert got.part_names == want.part_names
        assert len(got) == len(want)
        got, want = (d.subset(np.argsort(d.ids)) for d in (got, want))
        fields = ("images", "labels", "landmarks", "boxes", "ids", "split")
        optional = ("groups", "part_masks")
        for name in (*fields, *(o for o in optional if getattr(want, o) is not None)):
            a, b = getattr(got, name), getattr(want, name)
            assert a.dtype.kind == b.dtype.kind and a.dtype.itemsize <= b.dtype.itemsize
            np.testing.assert_array_equal(a, b, err_msg=name)
        assert got.captions == want.captions
        missing = [
            o
            for o in optional
            if (getattr(got, o) is None) != (getattr(want, o) is None)
        ]
        assert missing == []

    return check

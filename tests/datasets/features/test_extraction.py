"""Features of whole datasets: right, in order, and whole whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_interp.datasets import (
    PartsDataset,
    extract_features,
    load_features,
    open_synthetic_parts,
)


def network(weights_seed: int = 0) -> keras.Model:
    """A small network of the same weights every time."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="maps"),
            keras.layers.GlobalAveragePooling2D(name="means"),
        ]
    )
    rng = np.random.default_rng(weights_seed)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.05, weight.shape))
    return model


@pytest.fixture
def model() -> keras.Model:
    return network()


@pytest.fixture
def images(rng) -> np.ndarray:
    return rng.integers(0, 256, (23, 8, 8, 3), np.uint8)


@pytest.fixture
def dataset(images) -> PartsDataset:
    return PartsDataset(
        images=images,
        labels=np.zeros(len(images), int),
        class_names=["bird"],
        landmarks=np.full((len(images), 1, 2), np.nan),
        landmark_names=["head"],
        ids=np.array([f"bird/{n:03d}" for n in range(len(images))]),
    )


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "features"


def expected(model, images) -> np.ndarray:
    return model.predict(images.astype("float32"), verbose=0)


def state(folder: Path, names=("*.npy", "features-*.json")) -> dict[str, tuple]:
    """Bytes and times of files."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        for pattern in names
        for path in folder.glob(pattern)
    }


class OwnCall(keras.Model):
    """Hands other images on than its graph says."""

    def call(self, inputs, training=None, mask=None):
        return super().call(inputs / 255.0, training=training, mask=mask)


class TestWhatComesOut:
    def test_parts_dataset(self, model, dataset, out):
        found = extract_features(model, dataset, out, batch_size=4, shard_size=10)
        wanted = expected(model, dataset.images)
        np.testing.assert_allclose(found.array(), wanted, rtol=1e-5, atol=1e-5)
        assert found.shape == (23, 4) and found.dtype == np.float32 and len(found) == 23
        assert found.ids.tolist() == dataset.ids.tolist()
        assert sorted(path.name for path in out.iterdir()) == sorted(
            [f"features-0000{n}.{end}" for n in range(3) for end in ("npy", "json")]
            + ["manifest.json"]
        )
        assert {p.name for p in out.parent.iterdir()} == {"features", ".features.lock"}

    def test_shards(self, model, dataset, out):
        extract_features(model, dataset, out, batch_size=4, shard_size=10)
        shards = list(load_features(out, check=True).shards())
        assert [len(ids) for ids, _ in shards] == [10, 10, 3]
        assert [array.shape for _, array in shards] == [(10, 4), (10, 4), (3, 4)]
        assert all(isinstance(array, np.memmap) for _, array in shards)
        assert shards[2][0] == ["bird/020", "bird/021", "bird/022"]

    def test_manifest(self, model, dataset, out):
        extract_features(model, dataset, out, shard_size=16)
        manifest = json.loads((out / "manifest.json").read_text())
        assert manifest["complete"] and manifest["pictures"] == 23
        assert manifest["settings"]["shape"] == [4]
        assert manifest["settings"]["dtype"] == "float32"
        assert [s["pictures"] for s in manifest["shards"]] == [16, 7]
        assert all(len(s["sha256"]) == 64 for s in manifest["shards"])

    def test_maps_of_a_layer(self, model, dataset, out):
        found = extract_features(model, dataset, out, layer_name="maps")
        up_to = keras.Model(model.inputs, model.get_layer("maps").output)
        assert found.shape == (23, 3, 3, 4)
        wanted = expected(up_to, dataset.images)
        np.testing.assert_allclose(found.array(), wanted, rtol=1e-5, atol=1e-5)

    def test_half_precision(self, model, dataset, out):
        found = extract_features(model, dataset, out, dtype="float16")
        assert found.array().dtype == np.float16
        wanted = expected(model, dataset.images)
        np.testing.assert_allclose(found.array(), wanted, rtol=2e-3, atol=1e-2)

    def test_preprocess_may_write_into_its_argument(self, model, images, out):
        def halve(batch):
            batch /= 2
            return batch

        floats = images.astype("float32")
        found = extract_features(model, [floats], out, batch_size=5, preprocess=halve)
        wanted = expected(model, images.astype("float32") / 2)
        np.testing.assert_allclose(found.array(), wanted, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(floats, images)

    def test_default_size_of_shards(self, out):
        passing = keras.Sequential([keras.Input((64, 64, 16)), keras.layers.ReLU()])
        images = [np.zeros((2, 64, 64, 16), np.uint8)]
        found = extract_features(passing, images, out)
        # 64 * 64 * 16 * 4 bytes are 256 KiB, of which 64 MiB hold 256.
        assert found.manifest["settings"]["shard_size"] == 256
        small = extract_features(network(), [np.zeros((8, 8, 3))], out / "small")
        assert small.manifest["settings"]["shard_size"] == 1024


def as_batches(images, ids):
    return [
        {"images": images[start : start + 9], "ids": ids[start : start + 9]}
        for start in range(0, 23, 9)
    ]


SOURCES = {
    "examples as TFDS gives them": lambda images, ids: [
        {"image": image, "id": name.encode()}
        for image, name in zip(images, ids, strict=True)
    ],
    "batches": as_batches,
    "generator": lambda images, ids: (batch for batch in as_batches(images, ids)),
    "parts datasets": lambda images, ids: [
        PartsDataset(
            images=batch["images"],
            labels=np.zeros(len(batch["ids"]), int),
            class_names=["bird"],
            landmarks=np.zeros((len(batch["ids"]), 0, 2)),
            landmark_names=[],
            ids=batch["ids"],
        )
        for batch in as_batches(images, ids)
    ],
}
UNNAMED = {
    "pictures": lambda images: list(images),
    "tuples": lambda images: [(image, 0) for image in images],
    "batches and labels": lambda images: [(images[:20], 0), (images[20:], 1)],
}


class TestSources:
    @pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
    def test_with_ids(self, model, dataset, out, source):
        stream = source(dataset.images, dataset.ids)
        found = extract_features(model, stream, out, batch_size=4, shard_size=10)
        wanted = expected(model, dataset.images)
        np.testing.assert_allclose(found.array(), wanted, rtol=1e-5, atol=1e-5)
        assert found.ids.tolist() == dataset.ids.tolist()

    @pytest.mark.parametrize("source", UNNAMED.values(), ids=UNNAMED)
    def test_without_ids(self, model, images, out, source):
        found = extract_features(model, source(images), out, batch_size=4)
        np.testing.assert_allclose(
            found.array(), expected(model, images), rtol=1e-5, atol=1e-5
        )
        assert found.ids.tolist() == list(range(23))

    def test_tf_data(self, model, dataset, out):
        stream = dataset.to_tf_data(batch_size=5)
        found = extract_features(model, stream, out, batch_size=4)
        wanted = expected(model, dataset.images)
        np.testing.assert_allclose(found.array(), wanted, rtol=1e-5, atol=1e-5)

    def test_images_that_are_not_drawn_yet(self, out):
        images = open_synthetic_parts(20, image_size=16)
        trunk = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten()])
        found = extract_features(trunk, images, out, batch_size=6)
        drawn = np.concatenate([c["images"] for c in images.chunks(length=7)])
        np.testing.assert_array_equal(found.array(), drawn.reshape(20, -1))
        assert found.ids.tolist() == images.ids.tolist()


class TestBadInput:
    @pytest.mark.parametrize(
        "options, message",
        [
            (
                {"batch_size": 0},
                "batch_size as an integer >= 1. Received: batch_size=0",
            ),
            (
                {"batch_size": 2.5},
                "batch_size as an integer >= 1. Received: batch_size=2.5",
            ),
            ({"shard_size": 0}, "shard_size as .*Received: shard_size=0"),
            ({"shard_size": -3}, "shard_size as .*Received: shard_size=-3"),
            ({"dtype": "int8"}, "dtype as .*Received: dtype='int8'"),
            (
                {"preprocess": 3},
                "preprocess as a function or None. Received: preprocess=3",
            ),
            ({"layer_name": "map"}, "layer_name='map'. Choose from 'maps'"),
        ],
    )
    def test_arguments(self, model, dataset, out, options, message):
        with pytest.raises(ValueError, match=message):
            extract_features(model, dataset, out, **options)
        assert not out.exists()

    @pytest.mark.parametrize("source", [np.zeros((3, 8, 8, 3)), 7, {"images": []}])
    def test_sources(self, model, out, source):
        with pytest.raises(ValueError, match="dataset as a PartsDataset, a tf"):
            extract_features(model, source, out)

    @pytest.mark.parametrize(
        "elements, message",
        [
            ([], "the dataset has no images"),
            ([np.zeros(3)], r"float64 of shape \(3,\) after 0 images"),
            ([np.zeros((2, 8, 8, 3)), "x"], "after 2 images"),
            (
                [{"pictures": 1}],
                r"the key \"image\" or \"images\". Received: \['pictures'\]",
            ),
            ([{"images": np.zeros((2, 8, 8, 3)), "ids": ["a"]}], "1 ids for 2 imag"),
            ([{"image": np.zeros((8, 8, 3)), "id": 1.5}], "string or an integer"),
            (
                [np.zeros((8, 8, 3)), np.zeros((8, 9, 3))],
                r"from \[1\] on are float64 of shape \(8, 9, 3\), those before",
            ),
        ],
    )
    def test_elements(self, model, out, elements, message):
        with pytest.raises(ValueError, match=message):
            extract_features(model, elements, out, batch_size=1)

    def test_models(self, dataset, out, model):
        with pytest.raises(ValueError, match="model as a Keras model. Received: str"):
            extract_features("squeezenet", dataset, out)
        with pytest.raises(ValueError, match="has no weights yet"):
            extract_features(keras.Sequential([keras.layers.Dense(1)]), dataset, out)
        x = keras.Input((8, 8, 3))
        with pytest.raises(ValueError, match="one that has 2 outputs"):
            extract_features(keras.Model(x, [x, model(x)]), dataset, out)
        with pytest.raises(ValueError, match="'map'.*maps"):
            extract_features(model, dataset, out, layer_name="map")

    @pytest.mark.parametrize("name", ["maps", "inner/maps", "outer/inner/maps"])
    def test_a_layer_in_an_inner_model(self, dataset, out, model, name):
        """One name for a layer, by its path and by its short name."""
        x = keras.Input((8, 8, 3))
        inner = keras.Model(model.inputs, model.outputs[0], name="inner")
        middle = keras.Sequential([keras.Input((8, 8, 3)), inner], name="outer")
        twice = keras.Model(x, keras.layers.Add()([middle(x / 255.0), middle(x)]))
        found = extract_features(twice, dataset, out, layer_name=name).array()
        maps = keras.Model(model.inputs, model.get_layer("maps").output)
        wanted = maps.predict(dataset.images.astype("float32") / 255.0, verbose=0)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)

    def test_a_model_with_a_call_of_its_own(self, dataset, out, model):
        """Its maps are those that it computes, not those of its graph."""
        x = keras.Input((8, 8, 3))
        own = OwnCall(x, model(x))
        found = extract_features(own, dataset, out, layer_name="maps").array()
        maps = keras.Model(model.inputs, model.get_layer("maps").output)
        wanted = maps.predict(dataset.images.astype("float32") / 255.0, verbose=0)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)

    def test_preprocess_that_loses_images(self, model, dataset, out):
        with pytest.raises(ValueError, match="preprocess gave 22 images for 23"):
            extract_features(model, dataset, out, preprocess=lambda x: x[1:])

    def test_features_too_large_for_half_precision(self, dataset, out):
        trunk = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(1e4)])
        with pytest.raises(ValueError, match="'bird/000' is too large for float16"):
            extract_features(trunk, dataset, out, dtype="float16")

    def test_out(self, model, dataset, out):
        out.write_text("a file")
        with pytest.raises(ValueError, match="out as a folder. Received: out="):
            extract_features(model, dataset, out)
        out.unlink()
        out.mkdir()
        (out / "thesis.txt").write_text("years of work")
        with pytest.raises(ValueError, match="has other files, such as 'thesis.txt'"):
            extract_features(model, dataset, out, resume=False)
        assert (out / "thesis.txt").read_text() == "years of work"

    def test_load_features(self, model, dataset, out):
        with pytest.raises(FileNotFoundError, match="did not write this folder"):
            load_features(out)
        extract_features(model, dataset, out)
        (out / "manifest.json").write_text("{")
        with pytest.raises(ValueError, match="manifest.json is damaged"):
            load_features(out)
        (out / "manifest.json").write_text("{}")
        with pytest.raises(ValueError, match="was not written by extract_features"):
            load_features(out)


class TestGoingOn:
    def test_nothing_is_computed_twice(self, model, dataset, out):
        extract_features(model, dataset, out, batch_size=4, shard_size=10)
        before = state(out)
        again = extract_features(network(), dataset, out, batch_size=7, shard_size=10)
        assert state(out) == before and len(before) == 6
        assert len(again) == 23

    @pytest.mark.parametrize(
        "change, what",
        [
            ({"model": 1}, "the model or the layer"),
            ({"layer_name": "maps"}, "the model or the layer"),
            ({"preprocess": lambda x: x / 2.0}, "what preprocess makes"),
            ({"dtype": "float16"}, "is dtype"),
            ({"shard_size": 11}, "is shard_size"),
        ],
    )
    def test_other_settings_are_refused(self, model, dataset, out, change, what):
        extract_features(model, dataset, out, shard_size=10)
        before = state(out, ("*",))
        other = network(change.pop("model", 0))
        with pytest.raises(ValueError, match=f"computed differently.*{what}"):
            extract_features(other, dataset, out, **{"shard_size": 10, **change})
        assert state(out, ("*",)) == before
        found = extract_features(
            other, dataset, out, resume=False, **{"shard_size": 10, **change}
        )
        assert len(found) == 23

    @pytest.mark.parametrize("row, what", [(0, "its first image"), (15, "00001.npy")])
    def test_other_images_are_refused(self, model, images, out, row, what):
        extract_features(model, [images], out, shard_size=10)
        changed = images.copy()
        changed[row, 0, 0, 0] ^= 1
        with pytest.raises(ValueError, match=f"(?s){what}.*resume=False"):
            extract_features(model, [changed], out, shard_size=10)

    def test_fewer_and_more_images_are_refused(self, model, images, out):
        extract_features(model, [images], out, shard_size=10)
        for other in (images[:20], np.concatenate([images, images])):
            with pytest.raises(ValueError, match="features of another dataset"):
                extract_features(model, [other], out, shard_size=10)

    def test_other_ids_are_refused(self, model, images, out):
        named = [{"images": images, "ids": np.arange(23)}]
        extract_features(model, named, out)
        named[0]["ids"] = np.arange(23)[::-1]
        with pytest.raises(ValueError, match="its first image"):
            extract_features(model, named, out)

    @pytest.mark.parametrize("damage", ["changed", "cut off", "missing", "record"])
    def test_a_damaged_shard_is_named_and_computed_anew(
        self, model, dataset, out, damage, capsys
    ):
        extract_features(model, dataset, out, shard_size=10)
        before = state(out)
        path = out / ("features-00001." + ("json" if damage == "record" else "npy"))
        data = path.read_bytes()
        path.unlink()
        if damage == "changed":
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        elif damage != "missing":
            path.write_bytes(data[:-10])
        with pytest.raises(ValueError, match="features-00001"):
            load_features(out, check=True)
        capsys.readouterr()
        extract_features(model, dataset, out, shard_size=10)
        assert "features-00001" in capsys.readouterr().out.replace("\n", "")
        after = state(out)
        changed = {n for n in before if before[n] != after[n]}
        assert changed == {"features-00001.npy", "features-00001.json"}
        assert {n: s[0] for n, s in before.items()} == {
            n: s[0] for n, s in after.items()
        }

    def test_a_shard_that_is_cut_off_is_named_without_a_check(
        self, model, dataset, out
    ):
        extract_features(model, dataset, out, shard_size=10)
        os.truncate(out / "features-00002.npy", 140)
        with pytest.raises(ValueError, match="features-00002.npy is missing or damag"):
            load_features(out).array()

    def test_an_error_in_the_middle_keeps_finished_shards(self, model, images, out):
        def breaks():
            yield images[:15]
            raise OSError("the disk with the images is gone")

        with pytest.raises(OSError, match="is gone"):
            extract_features(model, breaks(), out, batch_size=5, shard_size=10)
        before = state(out)
        assert set(before) == {"features-00000.npy", "features-00000.json"}
        with pytest.raises(ValueError, match="are not complete"):
            load_features(out)
        found = extract_features(model, [images], out, batch_size=5, shard_size=10)
        assert {name: state(out)[name] for name in before} == before
        np.testing.assert_allclose(
            found.array(), expected(model, images), rtol=1e-5, atol=1e-5
        )


KILLED = """
import json, sys, time
import keras, numpy as np
from keras_interp.datasets import extract_features
out, log, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
def draw():
    for number in range(60):
        rng = np.random.default_rng(number)
        yield {"image": rng.integers(0, 256, (8, 8, 3), np.uint8), "id": f"n{number}"}
model = keras.Sequential(
    [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
for weight in model.weights:
    weight.assign(np.random.default_rng(0).normal(0, 0.1, weight.shape))
def preprocess(images):
    with open(log, "a") as file:
        file.write(f"{len(images)}\\n")
    time.sleep(seconds)
    return images / 255.0
extract_features(model, draw(), out, batch_size=3, shard_size=6, preprocess=preprocess)
"""


def run_killed(out: Path, log: Path, seconds: float) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out), str(log), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_killed_in_the_middle(tmp_path):
    """`kill -9`, then the same command again: as if nothing had happened."""
    out, log = tmp_path / "features", tmp_path / "log"
    (tmp_path / "other").mkdir()
    whole = run_killed(tmp_path / "other" / "whole", tmp_path / "other" / "log", 0)
    process = run_killed(out, log, 0.1)
    while not (out / "features-00003.json").is_file() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    finished = state(out)
    records = [name for name in finished if name.endswith(".json")]
    assert 4 <= len(records) <= 9
    assert (tmp_path / ".features.lock.json").exists()
    log.unlink()

    again = run_killed(out, log, 0)
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    after = state(out)
    assert {name: after[name] for name in finished if name in records} == {
        name: finished[name] for name in records
    }
    arrays = [name.replace(".json", ".npy") for name in records]
    assert all(after[name] == finished[name] for name in arrays)
    # The network saw the first batch and image to compare, and what was missing.
    computed = sum(int(line) for line in log.read_text().split())
    assert computed == 60 - 6 * len(records) + 3 + 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        ".features.lock",
        "features",
        "log",
        "other",
    ]
    assert not list(out.glob("*.tmp"))

    _, errors = whole.communicate()
    assert whole.returncode == 0, errors
    wanted = load_features(tmp_path / "other" / "whole", check=True)
    found = load_features(out, check=True)
    np.testing.assert_array_equal(found.array(), wanted.array())
    assert found.ids.tolist() == [f"n{number}" for number in range(60)]
    assert found.manifest == wanted.manifest


@pytest.mark.slow
def test_a_disk_that_is_full_is_named(tmp_path):
    limit = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
"""
    out = tmp_path / "features"
    done = subprocess.run(
        [sys.executable, "-c", limit + KILLED, str(out), str(tmp_path / "log"), "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "OSError: [Errno " in done.stderr
    assert f"while {out / 'features-00000.npy'} was written" in done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json"]
    assert not (tmp_path / ".features.lock.json").exists()


@pytest.mark.backends
def test_the_backends_agree(tmp_path):
    backends = [b for b in ("tensorflow", "jax", "torch") if find_spec(b)]
    processes = {
        backend: subprocess.Popen(
            [sys.executable, "-c", KILLED, backend, f"{backend}.log", "0"],
            cwd=tmp_path,
            env={
                **os.environ,
                "KERAS_BACKEND": backend,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "CUDA_VISIBLE_DEVICES": "",
                "JAX_PLATFORMS": "cpu",
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for backend in backends
    }
    arrays = {}
    for backend, process in processes.items():
        _, errors = process.communicate()
        assert process.returncode == 0, f"{backend}:\n{errors[-3000:]}"
        arrays[backend] = load_features(tmp_path / backend, check=True).array()
    assert np.abs(arrays["tensorflow"]).max() > 0.01
    for backend in backends:
        np.testing.assert_allclose(
            arrays[backend], arrays["tensorflow"], rtol=1e-4, atol=1e-5
        )

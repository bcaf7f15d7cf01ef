import logging
import tempfile

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp.layers import _part_places
from keras_interp.models.explainer import _features

LAYERS = keras.layers
Explainer = ki.models.Explainer
LABELS = np.arange(16) % 3


class Batches(keras.utils.PyDataset):
    def __init__(self, images, labels=None, weights=None):
        super().__init__()
        self.arrays = [
            array for array in (images, labels, weights) if array is not None
        ]

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(8 * index, 8 * index + 8)
        return tuple(array[rows] for array in self.arrays)


class Watch(keras.callbacks.Callback):
    """What lies in a folder while the epochs run."""

    def __init__(self, folder, stop_at=None):
        super().__init__()
        self.folder, self.stop_at, self.files = folder, stop_at, []

    def on_epoch_begin(self, epoch, logs=None):
        self.files = sorted(path.name for path in self.folder.rglob("*.raw"))
        if epoch == self.stop_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def make(performer):
    """Explainers that begin with the same weights."""

    def explainer(classes=3, end="softmax", metrics=None, **settings):
        keras.utils.set_random_seed(3)
        made = Explainer(performer(classes, end), "relu2", **settings)
        made.compile(run_eagerly=True, metrics=metrics)
        return made

    return explainer


def state_of(explainer):
    # What the log has summed up since the last reset is no state of the network.
    kept = [v for v in explainer.weights if not v.name.startswith("log_")]
    return [ops.convert_to_numpy(v) for v in kept]


def assert_same_state(one, other, tolerance=1e-5):
    for values, expected in zip(state_of(one), state_of(other), strict=True):
        np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)


def fit(explainer, x, y=None, **keywords):
    keywords = {"verbose": 0, "shuffle": False, **keywords}
    if hasattr(x, "shape") or isinstance(x, dict):
        keywords.setdefault("batch_size", 8)
    return explainer.fit(x, y, **keywords).history


def data_set(images, labels=None):
    tf = pytest.importorskip("tensorflow")
    arrays = images if labels is None else (images, labels)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(8)


def torch_loader(images, labels=None):
    torch = pytest.importorskip("torch")
    tensors = [
        torch.from_numpy(np.asarray(a)) for a in (images, labels) if a is not None
    ]
    pairs = torch.utils.data.TensorDataset(*tensors)
    return torch.utils.data.DataLoader(pairs, batch_size=8)


# All ways to the same weights ---------------------------------------------------

WAYS = {
    "data set": data_set,
    "PyDataset": Batches,
    "torch": torch_loader,
    "features": None,
    "tensor": lambda images: ops.convert_to_tensor(images),
}


@pytest.fixture(scope="module")
def from_array(make, scenes):
    """An explainer trained on an array, and its log."""
    explainer = make()
    return explainer, fit(explainer, scenes)


@pytest.mark.parametrize(
    ("way", "cached"),
    [
        ("data set", False),
        ("data set", True),
        ("PyDataset", False),
        ("PyDataset", True),
        ("torch", False),
        ("torch", True),
        ("features", False),
        ("features", True),
        ("tensor", False),
    ],
)
def test_every_way_to_the_same_weights(make, scenes, from_array, way, cached):
    expected, log = from_array
    explainer = make()
    if way == "features":
        given = explainer.performer_features(scenes, batch_size=8)
    else:
        given = WAYS[way](scenes)
    found = fit(explainer, given, cache_features=cached)
    assert_same_state(explainer, expected)
    assert set(found) == set(log)
    np.testing.assert_allclose(found["loss"], log["loss"], rtol=1e-5)


@pytest.mark.parametrize("on_disk", [False, True])
def test_cached_training_is_the_same(
    make, scenes, from_array, on_disk, monkeypatch, tmp_path
):
    if on_disk:
        monkeypatch.setattr(_features, "MOST_BYTES_IN_MEMORY", 10_000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    explainer, watch = make(), Watch(tmp_path)
    fit(explainer, scenes, cache_features=True, callbacks=[watch])
    assert_same_state(explainer, from_array[0])
    names = ["category", "rebuilt_0", "rebuilt_1", "target"]
    assert watch.files == ([f"{name}.raw" for name in names] if on_disk else [])
    # Nothing is left behind.
    assert list(tmp_path.iterdir()) == []


def test_the_balance_is_found_on_the_same_pictures(make, scenes, monkeypatch):
    expected = make(filter_loss_balance=2 / 3)
    fit(expected, scenes)
    monkeypatch.setattr(_features, "MOST_BYTES_IN_MEMORY", 10_000)
    for given, cached in ((scenes, True), (data_set(scenes), False)):
        explainer = make(filter_loss_balance=2 / 3)
        fit(explainer, given, cache_features=cached)
        assert_same_state(explainer, expected)


def test_the_folder_of_the_caller(make, scenes, monkeypatch, tmp_path):
    monkeypatch.setattr(_features, "MOST_BYTES_IN_MEMORY", 10_000)
    folder = tmp_path / "a" / "b"
    explainer, watch = make(), Watch(folder)
    (tmp_path / "kept.txt").write_text("kept")
    fit(explainer, scenes, cache_features=True, cache_folder=folder, callbacks=[watch])
    assert len(watch.files) == 4
    assert list(folder.iterdir()) == []
    assert (tmp_path / "kept.txt").read_text() == "kept"


def test_an_interrupted_training_leaves_no_files(make, scenes, monkeypatch, tmp_path):
    monkeypatch.setattr(_features, "MOST_BYTES_IN_MEMORY", 10_000)
    watch = Watch(tmp_path, stop_at=1)
    with pytest.raises(KeyboardInterrupt):
        fit(
            make(),
            scenes,
            epochs=2,
            cache_features=True,
            cache_folder=tmp_path,
            callbacks=[watch],
        )
    assert watch.files
    assert list(tmp_path.iterdir()) == []


def test_shuffled_files_train_too(make, scenes, monkeypatch):
    monkeypatch.setattr(_features, "MOST_BYTES_IN_MEMORY", 10_000)
    explainer = make(objective="classification", metrics=["accuracy"])
    log = fit(explainer, scenes, LABELS, cache_features=True, shuffle=True, epochs=3)
    assert np.isfinite(log["loss"]).all()
    # Labels stay with their pictures.
    features = explainer.performer_features(scenes)
    source = _features.FeatureBatches(features, LABELS, 4, True)
    for index in range(4):
        batch, labels = source[index]
        for place, label in zip(batch["target"], labels, strict=True):
            row = np.flatnonzero((features["target"] == place).all(axis=(1, 2, 3)))
            assert LABELS[row[0]] == label


def test_the_performer_runs_once_and_batch_by_batch(make, scenes, monkeypatch):
    explainer, sizes = make(), []
    predict = explainer._read.predict_on_batch
    monkeypatch.setattr(
        explainer._read,
        "predict_on_batch",
        lambda batch: sizes.append(len(batch)) or predict(batch),
    )
    fit(explainer, scenes, cache_features=True, epochs=3, batch_size=6)
    assert sizes == [6, 6, 4]


# Labels, validation and evaluation ----------------------------------------------


@pytest.mark.parametrize("cached", [False, True])
def test_validation(make, scenes, cached):
    explainer = make(metrics=["accuracy"])
    log = fit(
        explainer,
        scenes,
        LABELS,
        validation_data=(scenes[:6], LABELS[:6]),
        cache_features=cached,
    )
    names = {name for name in log if not name.startswith("val_")}
    assert set(log) == names | {f"val_{name}" for name in names}
    assert {"accuracy", "interpretable_ratio", "reconstruction_fc7"} < names
    features = explainer.performer_features(scenes[:6])
    missing = {
        f"reconstruction_{layer}": np.square(vectors - features[key]).sum()
        / np.square(features[key]).sum()
        for key, (layer, vectors) in zip(
            ("rebuilt_0", "rebuilt_1"),
            explainer.reconstruct(features).items(),
            strict=True,
        )
    }
    for name, value in missing.items():
        np.testing.assert_allclose(log[f"val_{name}"][-1], value, rtol=1e-4)
    ratio = log["val_interpretable_ratio"][-1]
    np.testing.assert_allclose(ratio, explainer.interpretable_ratio, rtol=1e-5)


def test_what_an_evaluation_says(make, scenes):
    explainer = make()
    fit(explainer, scenes)
    # The count of epochs moves on where one has been trained.
    explainer.reset_metrics()
    before = state_of(explainer)
    keywords = {"batch_size": 16, "verbose": 0, "return_dict": True}
    log = explainer.evaluate(scenes, **keywords)
    # The loss is that of training, the filter losses left out.
    norms = [
        float(
            ops.convert_to_numpy(explainer.get_layer(f"reconstruction_{n}").mean_norm)
        )
        for n in ("fc6", "fc7")
    ]
    features = explainer.performer_features(scenes)
    distances = [
        np.square(found - features[f"rebuilt_{number}"]).sum(axis=1).mean()
        for number, found in enumerate(explainer.reconstruct(scenes).values())
    ]
    expected = 0.5 * sum(d / n for d, n in zip(distances, norms, strict=True))
    expected -= 0.1 * np.log(explainer.interpretable_ratio)
    np.testing.assert_allclose(log["loss"], expected, rtol=1e-4)
    for values, old in zip(state_of(explainer), before, strict=True):
        np.testing.assert_array_equal(values, old)
    # With labels it tells how often the rebuilt features lead to the right class.
    explainer.compile(run_eagerly=True, metrics=["accuracy"])
    again = explainer.evaluate(scenes, LABELS, **keywords)
    chosen = explainer.predict_on_batch(scenes).argmax(axis=1)
    np.testing.assert_allclose(again["accuracy"], np.mean(chosen == LABELS), rtol=1e-6)
    np.testing.assert_allclose(again["loss"], log["loss"], rtol=1e-6)


def test_the_loss_of_training(make, scenes):
    """Reconstruction, reward for the ratio and two filter losses."""
    explainer = make(
        filter_loss_weight=0.7, ratio_reward=0.2, reconstruction_weight=2.0
    )
    log = fit(explainer, scenes, batch_size=16)
    expected = 2.0 * (log["reconstruction_fc6"][0] + log["reconstruction_fc7"][0])
    expected -= 0.2 * np.log(0.5)
    for name in ("mask_interp_1", "tracks"):
        expected += 0.7 * log[f"{name}_filter_loss"][0]
    # The ratio in the log is that before the step.
    assert log["interpretable_ratio"] == [pytest.approx(0.5)]
    np.testing.assert_allclose(log["loss"][0], expected, rtol=1e-4)


@pytest.mark.slow
def test_explainer_cls_learns_labels(make, scenes):
    explainer = make(1, "linear", objective="classification")
    accuracy = keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)
    explainer.compile(
        keras.optimizers.Adam(3e-3), metrics=[accuracy], jit_compile=False
    )
    features = explainer.performer_features(scenes)
    log = fit(explainer, features, LABELS % 2, epochs=60, batch_size=16)
    assert log["accuracy"][-1] == 1.0
    assert log["accuracy"][0] < 0.7
    assert 0 < log["loss"][-1] < 0.5 * log["loss"][0]


@pytest.mark.parametrize(
    ("classes", "end", "kind", "from_logits"),
    [
        (3, "softmax", keras.losses.SparseCategoricalCrossentropy, False),
        (3, "linear", keras.losses.SparseCategoricalCrossentropy, True),
        (1, "sigmoid", keras.losses.BinaryCrossentropy, False),
        (1, "linear", keras.losses.BinaryCrossentropy, True),
    ],
)
def test_the_loss_of_explainer_cls(make, scenes, classes, end, kind, from_logits):
    explainer = make(
        classes, end, objective="classification", filter_loss=None, ratio_reward=0.0
    )
    assert isinstance(explainer.loss, kind)
    labels = LABELS % max(classes, 2)
    log = explainer.evaluate(scenes, labels, verbose=0, return_dict=True)
    scores = explainer.predict_on_batch(scenes)
    expected = kind(from_logits=from_logits)(labels.reshape(-1, 1), scores)
    np.testing.assert_allclose(log["loss"], float(expected), rtol=1e-5)
    # An own loss is kept.
    explainer.compile("sgd", "mse")
    assert explainer.loss == "mse"


@pytest.mark.slow
def test_distillation_comes_nearer_to_the_performer(make, scenes):
    explainer = make(filter_loss_weight=0.05)
    explainer.compile(keras.optimizers.Adam(3e-3), jit_compile=False)
    log = fit(explainer, scenes, epochs=60, cache_features=True)
    for name in ("reconstruction_fc6", "reconstruction_fc7"):
        assert log[name][-1] < 0.25 * log[name][0]
    assert log["interpretable_ratio"][-1] > 0.55
    expected = explainer.performer.predict_on_batch(scenes).argmax(axis=1)
    found = explainer.predict_on_batch(scenes).argmax(axis=1)
    assert np.mean(found == expected) >= 0.7


# Traces -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch runs without a trace"
)
def test_functions_are_traced_once(make, scenes, monkeypatch):
    calls = []
    call = Explainer.call
    monkeypatch.setattr(
        Explainer, "call", lambda *args, **kw: calls.append(1) or call(*args, **kw)
    )
    explainer = make()
    explainer.compile()
    counts = []
    for _ in range(3):
        explainer.fit(scenes, batch_size=8, verbose=0)
        explainer.predict(scenes, batch_size=8, verbose=0)
        explainer.evaluate(scenes, batch_size=8, verbose=0)
        explainer.encode(scenes, batch_size=8)
        counts.append(len(calls))
    assert counts[0] > 0
    assert counts == counts[:1] * 3


# Filters of different parts ------------------------------------------------------


@pytest.mark.slow
def test_filters_are_pulled_to_places(make, scenes, monkeypatch):
    steps = {"LEAST_AGREEMENT": 0.0, "LAYOUT_FROM": 0.0, "PLACES_FROM": 1.0}
    for name, value in steps.items():
        monkeypatch.setattr(_part_places, name, value)
    parts = make(1, "sigmoid", filter_loss="parts", fraction=1.0)
    log = fit(parts, scenes, epochs=2, batch_size=16)
    assert np.isfinite(log["loss"]).all()
    first, second = (parts.get_layer(f"mask_interp_{number}") for number in (1, 2))
    assert first.pulls_to_places and second.pulls_to_places
    # The second layer takes the places of the first.
    assert first._places.search().anchor_found
    assert second._places.search().batches == 0
    # What is shown of a part has passed the ReLU.
    assert parts.encode(scenes).part_maps.min() == 0.0
    again = Explainer.from_config(parts.get_config())
    assert again.get_layer("mask_interp_2").filter_loss == "parts"


def test_places_need_a_performer_of_one_category(make, caplog):
    with caplog.at_level(logging.WARNING):
        explainer = make(3, filter_loss="parts", fraction=1.0)
    assert "images of background" in caplog.text
    assert not explainer.get_layer("mask_interp_1").pulls_to_places

import keras
import numpy as np
import pytest

from keras_interp.models.explainer import _features
from keras_interp.models.explainer._features import (
    FeatureBatches,
    cached_features,
    computed_features,
    first_images,
    is_features,
)

NAMES = ["target", "rebuilt_0", "category"]
KEYWORDS = {"folder": None, "batch_size": 4, "shuffle": False}


class Network:
    """Gives three features of pictures and counts how it is asked."""

    def __init__(self, dtype="float32"):
        self.dtype, self.sizes = dtype, []

    def predict_on_batch(self, pictures):
        self.sizes.append(len(pictures))
        pictures = np.asarray(pictures)
        category = pictures.sum(axis=(1, 2, 3)).astype("int64")
        vectors = pictures.mean(axis=(1, 2))
        return (2 * pictures).astype(self.dtype), vectors.astype(self.dtype), category


class Batches(keras.utils.PyDataset):
    def __init__(self, *arrays, size=3):
        super().__init__()
        self.arrays, self.size = arrays, size

    def __len__(self):
        return -(-len(self.arrays[0]) // self.size)

    def __getitem__(self, index):
        rows = slice(index * self.size, (index + 1) * self.size)
        return tuple(array[rows] for array in self.arrays)


@pytest.fixture
def pictures(rng):
    return rng.integers(0, 9, (10, 4, 4, 3)).astype("float32")


@pytest.fixture
def expected(pictures):
    return dict(zip(NAMES, Network().predict_on_batch(pictures), strict=True))


@pytest.fixture
def in_files(monkeypatch):
    monkeypatch.setattr(_features, "MOST_BYTES_IN_MEMORY", 1000)


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("size", [1, 4, 10, 99])
def test_features_are_computed_batch_by_batch(pictures, expected, size):
    network = Network()
    found = computed_features(network, NAMES, pictures, size)
    assert_same(found, expected)
    assert max(network.sizes) <= size
    assert sum(network.sizes) == 10
    assert found["category"].dtype == "int32"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_half_precision_stays_what_it_is(pictures, dtype):
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    found = computed_features(Network(dtype), NAMES, pictures, 4)
    kept = "float16" if dtype == "float16" else "float32"
    assert found["target"].dtype == found["rebuilt_0"].dtype == kept
    np.testing.assert_array_equal(found["target"], 2 * pictures)


def test_what_counts_as_features(expected, pictures):
    assert is_features(expected)
    for other in (
        pictures,
        {"target": pictures},
        {"images": pictures},
        [pictures],
        None,
    ):
        assert not is_features(other)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("labels", [None, np.arange(10)])
@pytest.mark.parametrize("kind", ["array", "PyDataset", "generator", "tensorflow"])
def test_cached(pictures, expected, labels, on_disk, kind, monkeypatch):
    if on_disk:
        monkeypatch.setattr(_features, "MOST_BYTES_IN_MEMORY", 1000)
    arrays = (pictures,) if labels is None else (pictures, labels)
    given, told_labels = pictures, labels
    if kind == "PyDataset":
        given, told_labels = Batches(*arrays), None
    elif kind == "generator":
        given, told_labels = (Batches(*arrays)[i] for i in range(4)), None
    elif kind == "tensorflow":
        tf = pytest.importorskip("tensorflow")
        given = tf.data.Dataset.from_tensor_slices(
            pictures if labels is None else arrays
        ).batch(3)
        told_labels = None
    network = Network()
    with cached_features(network, NAMES, given, told_labels, **KEYWORDS) as found:
        x, y, told = found
        if on_disk:
            assert isinstance(x, FeatureBatches)
            assert isinstance(x.features["target"], np.memmap)
            assert (y, told) == (None, {"shuffle": False})
            features, kept = x.features, x.labels
            assert x.batch_size == 4
        else:
            features, kept = x, y
            assert told == {"batch_size": 4, "shuffle": False}
        assert_same(features, expected)
        if labels is None:
            assert kept is None
        else:
            np.testing.assert_array_equal(kept, labels)
    # Once over the pictures, and never more of them than a batch.
    assert sum(network.sizes) == 10
    assert max(network.sizes) == (4 if kind == "array" else 3)


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (lambda pictures: pictures, 10),
        (lambda pictures: np.repeat(pictures, 5, axis=0), 32),
        (lambda pictures: Batches(pictures, size=3), 3),
    ],
    ids=["few", "many", "data set"],
)
def test_the_size_of_a_batch_where_none_is_given(pictures, given, size):
    keywords = {**KEYWORDS, "batch_size": None}
    with cached_features(Network(), NAMES, given(pictures), None, **keywords) as found:
        assert found[2]["batch_size"] == size


def test_the_folder(pictures, in_files, tmp_path):
    folder = tmp_path / "features"
    keywords = {**KEYWORDS, "folder": folder}
    with cached_features(Network(), NAMES, pictures, None, **keywords) as (x, _, _):
        (inner,) = folder.iterdir()
        sizes = {path.name: path.stat().st_size for path in inner.iterdir()}
        assert sizes == {
            "target.raw": 4 * pictures.size,
            "rebuilt_0.raw": 4 * 30,
            "category.raw": 4 * 10,
        }
        assert x.features["target"].filename == inner / "target.raw"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_failure_leaves_no_files(pictures, on_disk, monkeypatch, tmp_path):
    if on_disk:
        monkeypatch.setattr(_features, "MOST_BYTES_IN_MEMORY", 1000)
    network = Network()
    predict = network.predict_on_batch

    def fails_later(batch):
        if len(network.sizes) == 2:
            raise RuntimeError("the device is gone")
        return predict(batch)

    network.predict_on_batch = fails_later
    keywords = {**KEYWORDS, "folder": tmp_path}
    with pytest.raises(RuntimeError, match="the device is gone"):
        with cached_features(network, NAMES, pictures, None, **keywords):
            pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", [np.zeros((0, 4, 4, 3)), Batches(np.zeros((0, 4)))])
def test_nothing_to_cache(given):
    with pytest.raises(ValueError, match="at least one image"):
        with cached_features(Network(), NAMES, given, None, **KEYWORDS):
            pass


def test_other_numbers_of_labels(pictures):
    with pytest.raises(ValueError, match="10 images and 9 labels"):
        with cached_features(Network(), NAMES, pictures, np.arange(9), **KEYWORDS):
            pass


def test_labels_beside_a_data_set(pictures):
    with pytest.raises(ValueError, match="labels in the data set.*Batches"):
        with cached_features(
            Network(), NAMES, Batches(pictures), np.arange(10), **KEYWORDS
        ):
            pass


def test_batches_in_order(expected):
    batches = FeatureBatches(expected, np.arange(10), 4, shuffle=False)
    assert len(batches) == 3
    rows = [batches[i][1].tolist() for i in range(3)]
    assert rows == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    batches.on_epoch_end()
    assert [batches[i][1].tolist() for i in range(3)] == rows
    features, labels = batches[1]
    assert_same(features, {name: values[labels] for name, values in expected.items()})
    # Without labels an element is the features alone.
    (alone,) = FeatureBatches(expected, None, 4, shuffle=False)[2]
    assert_same(alone, {name: values[8:] for name, values in expected.items()})


def test_shuffled_batches(expected):
    def orders(seed):
        keras.utils.set_random_seed(seed)
        batches = FeatureBatches(expected, np.arange(10), 3, shuffle=True)
        found = []
        for _ in range(3):
            found.append([batches[i][1].tolist() for i in range(4)])
            batches.on_epoch_end()
        return found

    first = orders(1)
    for epoch in first:
        # Every picture once; within a batch in the order of the file.
        assert sorted(sum(epoch, [])) == list(range(10))
        assert all(rows == sorted(rows) for rows in epoch)
    assert first[0] != first[1] != first[2]
    assert orders(1) == first
    assert orders(2) != first


def test_first_pictures(pictures, expected):
    np.testing.assert_array_equal(first_images(pictures, 4), pictures[:4])
    np.testing.assert_array_equal(first_images(pictures), pictures)
    assert_same(first_images(expected, 4), {k: v[:4] for k, v in expected.items()})
    for batches in (Batches(pictures), Batches(pictures, np.arange(10))):
        np.testing.assert_array_equal(first_images(batches, 4), pictures[:4])
        np.testing.assert_array_equal(first_images(batches, 99), pictures)
    shuffled = FeatureBatches(expected, None, 4, shuffle=True)
    assert_same(first_images(shuffled, 4), {k: v[:4] for k, v in expected.items()})
    with pytest.raises(ValueError, match="Received: an iterator"):
        first_images(iter([pictures]))


def test_first_pictures_of_a_data_set(pictures):
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices(pictures).batch(3)
    np.testing.assert_array_equal(first_images(data, 4), pictures[:4])
    pairs = tf.data.Dataset.from_tensor_slices((pictures, np.arange(10))).batch(3)
    np.testing.assert_array_equal(first_images(pairs, 4), pictures[:4])
    # One that repeats for ever is read no further than needed.
    np.testing.assert_array_equal(first_images(data.repeat(), 12)[10:], pictures[:2])

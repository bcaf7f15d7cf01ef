"""Files of the MatConvNet model zoo, written here in their layouts."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest
import scipy.io

import keras_interp as ki
from keras_interp.models.weights._files import read_weight_file

ALEXNET_SHAPES = {
    "conv1": (11, 11, 3, 96),
    "conv2": (5, 5, 48, 256),
    "conv3": (3, 3, 256, 384),
    "conv4": (3, 3, 192, 384),
    "conv5": (3, 3, 192, 256),
}
SMALL_SHAPES = {"conv1": (3, 3, 3, 4), "conv2": (3, 3, 2, 6), "fc6": (2, 2, 6, 5)}


def random_layers(shapes, rng):
    return {
        name: (
            rng.normal(size=shape).astype("float32"),
            rng.normal(size=shape[-1]).astype("float32"),
        )
        for name, shape in shapes.items()
    }


def cell(items):
    array = np.empty((1, len(items)), object)
    array[0, :] = items
    return array


def structures(layers, layout):
    """The cell array `layers`: convolutions, each with the ReLU that follows it."""
    items = []
    for name, (filters, biases) in layers.items():
        conv = {"type": "conv", "name": name, "stride": [1.0, 1.0], "pad": [0.0]}
        if layout == "weights":
            conv["weights"] = cell([filters, biases[:, None]])
        else:
            conv |= {"filters": filters, "biases": biases[None, :]}
        items += [conv, {"type": "relu", "name": name.replace("conv", "relu")}]
        if layout == "weights":
            # Layers without weights carry the field as an empty cell.
            items[-1]["weights"] = np.empty((0, 0), object)
    return cell(items)


def save_mat5(path, layers, layout):
    meta = {"normalization": {"imageSize": [227.0, 227.0, 3.0]}}
    contents = {"layers": structures(layers, layout), "meta": meta}
    if layout == "net":
        contents = {"net": {"layers": structures(layers, "weights")}}
    scipy.io.savemat(path, contents)


def save_mat73(path, layers, layout):
    """HDF5 behind MATLAB's header of 512 bytes; axes reversed, cells by reference."""
    with h5py.File(path, "w", userblock_size=512) as file:
        pool = file.create_group("#refs#")

        def store(value):
            name = f"item{len(pool)}"
            pool[name] = value
            return pool[name].ref

        references = []
        for name, (filters, biases) in layers.items():
            group = pool.create_group(f"layer_{name}")
            group["name"] = np.array([[ord(letter)] for letter in name], "uint16")
            arrays = [np.squeeze(filters).T, biases[None, :]]
            if layout == "weights":
                links = [[store(array)] for array in arrays]
                group.create_dataset("weights", data=links, dtype=h5py.ref_dtype)
            else:
                group["filters"], group["biases"] = arrays
            references.append([group.ref])
            relu = pool.create_group(f"relu_{name}")
            relu["name"] = np.array([[ord(letter)] for letter in "relu"], "uint16")
            # MATLAB stores an empty cell as its size.
            relu["weights"] = np.zeros(2, "uint64")
            references.append([relu.ref])
        file.create_dataset("layers", data=references, dtype=h5py.ref_dtype)
    with open(path, "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def small_network():
    """Two convolutions, the second in two groups, and fc6 as MatConvNet has it."""
    inputs = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 3, name="conv1")(inputs)
    x = keras.layers.Conv2D(6, 3, groups=2, name="conv2")(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(5, name="fc6")(x), name="small")


def matconvnet_forward(images, layers):
    """The same network as MatConvNet computes it: correlations, groups by halves."""

    def correlate(maps, filters, biases):
        patches = np.lib.stride_tricks.sliding_window_view(
            maps, filters.shape[:2], axis=(1, 2)
        )
        return np.einsum("bijchw,hwco->bijo", patches, filters) + biases

    maps = correlate(images, *layers["conv1"])
    filters, biases = layers["conv2"]
    halves = [
        correlate(maps[..., part], filters[..., out], biases[out])
        for part, out in ((slice(0, 2), slice(0, 3)), (slice(2, 4), slice(3, 6)))
    ]
    maps = np.concatenate(halves, axis=-1)
    return correlate(maps, *layers["fc6"])[:, 0, 0]


@pytest.mark.parametrize("layout", ["weights", "filters", "net"])
def test_version_5_computes_the_same(layout, tmp_path, rng):
    layers = random_layers(SMALL_SHAPES, rng)
    save_mat5(tmp_path / "net.mat", layers, layout)
    check_small_network(tmp_path / "net.mat", layers, rng)


@pytest.mark.parametrize("layout", ["weights", "filters"])
def test_version_7_3_computes_the_same(layout, tmp_path, rng):
    layers = random_layers(SMALL_SHAPES, rng)
    save_mat73(tmp_path / "net.mat", layers, layout)
    check_small_network(tmp_path / "net.mat", layers, rng)


def check_small_network(path, layers, rng):
    model = small_network()
    report = ki.models.load_weights(model, path)
    assert report.loaded == ("conv1", "conv2", "fc6")
    assert (report.new, report.unused) == ((), ())
    images = rng.normal(size=(3, 6, 6, 3)).astype("float32")
    np.testing.assert_allclose(
        model.predict(images, verbose=0),
        matconvnet_forward(images, layers),
        rtol=1e-4,
        atol=1e-4,
    )


def test_single_output_keeps_its_dropped_axis(tmp_path, rng):
    layers = random_layers({"fc8": (1, 1, 4, 1)}, rng)
    for save in (save_mat5, save_mat73):
        save(tmp_path / "net.mat", layers, "weights")
        filters, biases = read_weight_file(tmp_path / "net.mat")["fc8"]
        assert filters.reshape(-1, 1).shape == (4, 1)
        np.testing.assert_array_equal(filters.ravel(), layers["fc8"][0].ravel())
        assert biases.shape == (1,)


def test_alexnet_takes_its_file_whatever_the_names(tmp_path, rng):
    layers = random_layers(ALEXNET_SHAPES, rng)
    path = tmp_path / "imagenet-caffe-alex.mat"
    save_mat5(path, layers, "weights")
    model = ki.models.AlexNet(include_top=False, weights=path)
    for name, (filters, biases) in layers.items():
        np.testing.assert_array_equal(model.get_layer(name).kernel, filters)
        np.testing.assert_array_equal(model.get_layer(name).bias, biases)
    # With the three fully connected layers the file is a chain of eight, whose order
    # says which is which.
    fully = random_layers({"full6": (1, 1, 256, 8), "f7": (1, 1, 8, 8)}, rng)
    fully |= random_layers({"f8": (1, 1, 8, 3)}, rng)
    renamed = {f"layer_{name}": arrays for name, arrays in layers.items()} | fully
    save_mat5(path, renamed, "filters")
    again = ki.models.AlexNet(include_top=False, weights=path)
    for old, new in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_interpretable_network_starts_from_the_ordinary_ones_file(tmp_path, rng):
    layers = random_layers(ALEXNET_SHAPES | {"fc6": (1, 1, 256, 4096)}, rng)
    path = tmp_path / "imagenet-caffe-alex.mat"
    save_mat5(path, layers, "weights")
    model = ki.models.AlexNet(
        input_shape=(67, 67, 3), classes=4, interpretable=True, weights=path
    )
    np.testing.assert_array_equal(model.get_layer("conv5").kernel, layers["conv5"][0])
    assert np.abs(model.get_layer("fc6").kernel).max() < 0.1  # new, not normal(0, 1)
    with pytest.raises(ValueError, match="fc7: is not in the file; fc8: is not in"):
        ki.models.AlexNet(input_shape=(67, 67, 3), weights=path)


def test_deep_network_turns_the_colours(tmp_path, rng):
    shapes = {
        layer.name: tuple(layer.kernel.shape)
        for layer in ki.models.VGG16(include_top=False).layers
        if layer.name.startswith("conv")
    }
    layers = random_layers(shapes, rng)
    save_mat5(tmp_path / "imagenet-vgg-verydeep-16.mat", layers, "weights")
    model = ki.models.VGG16(
        include_top=False, weights=tmp_path / "imagenet-vgg-verydeep-16.mat"
    )
    filters = layers["conv1_1"][0]
    np.testing.assert_array_equal(
        model.get_layer("conv1_1").kernel, filters[:, :, ::-1]
    )
    np.testing.assert_array_equal(
        model.get_layer("conv5_3").kernel, layers["conv5_3"][0]
    )


def test_layer_of_another_shape_is_named(tmp_path, rng):
    layers = random_layers(SMALL_SHAPES | {"conv2": (3, 3, 4, 6)}, rng)
    save_mat5(tmp_path / "net.mat", layers, "weights")
    model = small_network()
    before = [np.asarray(variable) for variable in model.weights]
    with pytest.raises(
        ValueError, match=r"net.mat.*conv2: expected shapes .*\(3, 3, 2, 6\).*got"
    ):
        ki.models.load_weights(model, tmp_path / "net.mat")
    for old, variable in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, variable)


def test_damaged_files_are_named(tmp_path, rng):
    layers = random_layers(SMALL_SHAPES, rng)
    for save in (save_mat5, save_mat73):
        path = tmp_path / "net.mat"
        save(path, layers, "weights")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ValueError, match="net.mat.*damaged"):
            ki.models.load_weights(small_network(), path)


def test_other_matlab_files_are_refused(tmp_path):
    scipy.io.savemat(tmp_path / "other.mat", {"params": np.zeros(3)})
    with pytest.raises(ValueError, match="other.mat.*no cell array 'layers'.*DagNN"):
        ki.models.load_weights(small_network(), tmp_path / "other.mat")

"""Published weights are found, and weight files loaded whole or in part."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki
from keras_interp.models.weights import _finding
from keras_interp.models.weights._files import read_weight_file

SMALL = {"input_shape": (67, 67, 3)}


def assert_equal_weights(first, second):
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)


def save(model, path):
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return path


@pytest.mark.parametrize("kind", [".weights.h5", ".keras"])
def test_interpretable_network_continues_from_its_own_file(kind, tmp_path, rng):
    settings = {**SMALL, "classes": 3, "interpretable": True}
    model = ki.models.SqueezeNet(**settings)
    model.compile("sgd", "sparse_categorical_crossentropy")
    images = rng.normal(size=(4, 67, 67, 3)).astype("float32")
    model.fit(images, np.arange(4) % 3, verbose=0)
    path = save(model, tmp_path / f"model{kind}")
    same = ki.models.SqueezeNet(**settings)
    same.compile("sgd", "sparse_categorical_crossentropy")
    report = ki.models.load_weights(same, path)
    assert (report.new, report.unused) == ((), ())
    # The running state of the filter losses comes along.
    assert "mask_interpretable/_statistics" in report.loaded
    assert_equal_weights(model, same)


@pytest.mark.parametrize("kind", [".weights.h5", ".keras"])
def test_new_head_on_an_old_trunk(kind, tmp_path):
    path = save(ki.models.SqueezeNet(**SMALL, classes=5), tmp_path / f"five{kind}")
    model = ki.models.SqueezeNet(**SMALL, classes=4, interpretable=True)
    report = ki.models.load_weights(
        model, path, head=("conv_final", "conv_interpretable")
    )
    assert "fire9_conv3x3_2" in report.loaded
    assert {"conv_final", "conv_interpretable"} <= set(report.new)
    assert report.unused == ("conv_final",)
    assert "new: " in str(report) and "conv_final" in str(report)
    # Through the backbone's own argument it is the same.
    with pytest.raises(ValueError, match="conv_final: expected shapes"):
        ki.models.SqueezeNet(**SMALL, weights=path)
    five = ki.models.SqueezeNet(**SMALL, classes=5, weights=path)
    assert_equal_weights(five, ki.models.SqueezeNet(**SMALL, classes=5, weights=path))


def test_published_file_under_another_head(real_data):
    old = ki.models.SqueezeNet(weights="imagenet")
    new = ki.models.SqueezeNet(
        weights="imagenet",
        classes=1,
        classifier_activation="sigmoid",
        interpretable=True,
        input_shape=(99, 131, 3),
    )
    for name in ("conv1", "fire5_conv3x3_2", "fire9_conv1x1_2"):
        np.testing.assert_array_equal(
            old.get_layer(name).kernel, new.get_layer(name).kernel
        )
    assert new.get_layer("conv_final").kernel.shape == (1, 1, 512, 1)


def test_npz_names_become_layer_names(tmp_path, rng):
    arrays = {
        "block/conv/w": rng.normal(size=(3, 3, 1, 2)),
        "block/conv/b": rng.normal(size=2),
        "plain/w": rng.normal(size=(4, 2)),
    }
    np.savez(tmp_path / "net.npz", **arrays)
    layers = read_weight_file(tmp_path / "net.npz")
    assert {name: len(found) for name, found in layers.items()} == {
        "block_conv": 2,
        "plain": 1,
    }


def test_weights_as_keras_publishes_them(tmp_path):
    """The legacy layout of keras.applications, layers by their Keras names."""
    h5py = pytest.importorskip("h5py")
    published = keras.applications.VGG16(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    path = tmp_path / "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [x.name.encode() for x in published.layers]
        for layer in published.layers:
            group = file.create_group(layer.name)
            weights = dict(
                zip(
                    (f"{layer.name}/kernel:0", f"{layer.name}/bias:0"),
                    layer.get_weights(),
                    strict=False,
                )
            )
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name, array in weights.items():
                group[name] = array
    model = ki.models.VGG16(weights=path, include_top=False, input_shape=(32, 32, 3))
    assert_equal_weights(published, model)


def test_layers_of_inner_models_are_found_by_path(tmp_path):
    def build():
        backbone = ki.models.SqueezeNet(**SMALL, include_top=False)
        x = keras.layers.GlobalAveragePooling2D()(backbone.output)
        head = keras.Model(backbone.output, keras.layers.Dense(2, name="dense")(x))
        inputs = keras.Input((67, 67, 3))
        return keras.Model(inputs, head(backbone(inputs)))

    model, other = build(), build()
    other.layers[2].name = model.layers[2].name
    model.save_weights(tmp_path / "nested.weights.h5")
    report = ki.models.load_weights(other, tmp_path / "nested.weights.h5")
    assert "squeezenet/fire2_conv1x1_1" in report.loaded
    assert_equal_weights(model, other)


@pytest.mark.parametrize("name", ["a.npz", "a.weights.h5", "a.keras", "a.mat"])
def test_damaged_files_are_named(name, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    path = tmp_path / name
    if name.endswith("npz"):
        np.savez(path, **{"dense/w": np.zeros((3, 2)), "dense/b": np.zeros(2)})
    elif name.endswith("mat"):
        path.write_bytes(b"MATLAB 5.0 MAT-file, nothing more")
    else:
        save(model, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(ValueError, match=f"{name}' is damaged"):
        ki.models.load_weights(model, path)


def test_empty_unknown_and_missing_files_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    np.savez(tmp_path / "empty.npz", other=np.zeros(2))
    with pytest.raises(ValueError, match="empty.npz' holds no layer weights"):
        ki.models.load_weights(model, tmp_path / "empty.npz")
    (tmp_path / "weights.pth").touch()
    with pytest.raises(ValueError, match="Expected a weight file of the kinds"):
        ki.models.load_weights(model, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match="which is not a file"):
        ki.models.load_weights(model, tmp_path / "nowhere.npz")


def test_file_in_the_weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path))
    file = tmp_path / "weights" / "imagenet-vgg-m.mat"
    file.parent.mkdir()
    file.touch()
    assert ki.models.find_weights("vgg_m") == file
    assert ki.models.find_weights("imagenet-vgg-m.mat") == file


@pytest.mark.parametrize(
    ("build", "file"),
    [
        (ki.models.AlexNet, "imagenet-caffe-alex.mat"),
        (ki.models.VGG_M, "imagenet-vgg-m.mat"),
        (ki.models.VGG_S, "imagenet-vgg-s.mat"),
        (ki.models.SqueezeNet, "squeezenet_v1.0_imagenet.npz"),
    ],
)
def test_missing_file_is_named(build, file, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=f"{file}, in .*Put the file into"):
        build(include_top=False, weights="imagenet")
    monkeypatch.delenv("KERAS_INTERP_DATA")
    with pytest.raises(ValueError, match=f"{file}, in .*KERAS_INTERP_DATA"):
        build(include_top=False, weights="imagenet")


def test_weights_that_were_prepared_are_found(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="Run `keras-interp data prepare squeezenet`"):
        ki.models.find_weights("squeezenet")
    file = tmp_path / "weights" / "squeezenet_v1.0_imagenet.npz"
    file.parent.mkdir()
    file.touch()
    assert ki.models.find_weights("squeezenet") == file


def test_trunk_alone_is_content_with_the_file_without_head(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path))
    small = tmp_path / "weights" / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    small.parent.mkdir()
    small.touch()
    assert _finding.imagenet_weights("vgg16", with_head=False) == small
    whole = small.with_name("imagenet-vgg-verydeep-16.mat")
    whole.touch()
    assert _finding.imagenet_weights("vgg16", with_head=True) == whole


def test_failing_download_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path))
    monkeypatch.setattr(_finding, "KERAS_URL", "http://127.0.0.1:9")
    name = "no_such_file_for_keras_interp.h5"
    monkeypatch.setitem(_finding.WEIGHT_FILES, "vgg16", (name,))
    monkeypatch.setitem(_finding.KERAS_DOWNLOADS, name, "0" * 32)
    with pytest.raises(ValueError, match=f"{name}, in .* could not download it"):
        _finding.imagenet_weights("vgg16", with_head=True)


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match="one of .*Received: name='resnet50'"):
        ki.models.find_weights("resnet50")
    with pytest.raises(ValueError, match="name of a file"):
        ki.models.find_weights("../secret.npz")


def test_mobilenet_reads_its_file(real_data):
    model = keras.applications.MobileNet(
        alpha=0.25,
        include_top=False,
        weights=str(ki.models.find_weights("mobilenet_0.25")),
        input_shape=(224, 224, 3),
    )
    assert model.output.shape == (None, 7, 7, 256)

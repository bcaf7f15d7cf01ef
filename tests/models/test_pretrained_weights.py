"""Where pretrained weights are looked for."""

from __future__ import annotations

import keras
import pytest

import keras_interp as ki
from keras_interp.models import find_weights, pretrained_weights
from keras_interp.models.pretrained_weights import imagenet_weights


def test_file_in_the_weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path))
    file = tmp_path / "weights" / "imagenet-vgg-m.mat"
    file.parent.mkdir()
    file.touch()
    assert find_weights("vgg_m") == file
    assert find_weights("imagenet-vgg-m.mat") == file


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
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=f"put {file} into"):
        build(include_top=False, weights="imagenet")
    monkeypatch.delenv("KERAS_INTERP_DATA")
    with pytest.raises(ValueError, match=f"KERAS_INTERP_DATA.*{file}"):
        build(include_top=False, weights="imagenet")


def test_trunk_alone_is_content_with_the_file_without_head(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path))
    small = tmp_path / "weights" / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    small.parent.mkdir()
    small.touch()
    assert imagenet_weights("vgg16", with_head=False) == small
    whole = small.with_name("imagenet-vgg-verydeep-16.mat")
    whole.touch()
    assert imagenet_weights("vgg16", with_head=True) == whole


def test_failing_download_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_INTERP_DATA", str(tmp_path))
    monkeypatch.setattr(pretrained_weights, "KERAS_URL", "http://127.0.0.1:9")
    name = "no_such_file_for_keras_interp.h5"
    monkeypatch.setitem(pretrained_weights.WEIGHT_FILES, "vgg16", (name,))
    monkeypatch.setitem(pretrained_weights.KERAS_DOWNLOADS, name, "0" * 32)
    with pytest.raises(ValueError, match=f"put {name} into .* could not download it"):
        imagenet_weights("vgg16", with_head=True)


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match="Expected one of .*got 'resnet50'"):
        find_weights("resnet50")
    with pytest.raises(ValueError, match="name of a file"):
        find_weights("../secret.npz")


def test_mobilenet_reads_its_file(real_data):
    model = keras.applications.MobileNet(
        alpha=0.25,
        include_top=False,
        weights=str(find_weights("mobilenet_0.25")),
        input_shape=(224, 224, 3),
    )
    assert model.output.shape == (None, 7, 7, 256)

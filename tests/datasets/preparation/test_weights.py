"""Weights from a server, decoded as their authors packed them."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from keras_interp.cli import app
from keras_interp.datasets import prepare
from keras_interp.datasets.preparation import _weights
from keras_interp.datasets.preparation._weights import (
    WEIGHTS,
    decode_squeezenet,
    prepare_weights,
)
from keras_interp.models import SqueezeNet, find_weights


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    """Packs a network as Han et al. do: at most 15 zeros before a stored weight."""
    counts, layers = [], []
    for name in (key[:-2] for key in arrays if key.endswith("/w")):
        flat = arrays[f"{name}/w"].transpose(3, 2, 0, 1).reshape(-1)
        values = np.unique(np.append(flat, np.float32(0)))
        values = np.concatenate([[0], values[values != 0]]).astype("<f4")
        values = np.pad(values, (0, 256 - len(values)))
        codes, skips, last = [], [], -1
        for place in np.flatnonzero(flat).tolist():
            while place - last > 16:
                last += 16
                codes, skips = [*codes, 0], [*skips, 15]
            codes.append(int(np.flatnonzero(values == flat[place])[0]))
            skips.append(place - last - 1)
            last = place
        pairs = np.array([*skips, 0][: len(skips) + len(skips) % 2], np.uint8)
        counts.append(len(codes))
        layers += [values.tobytes(), arrays[f"{name}/b"].astype("<f4").tobytes()]
        layers += [bytes(codes), (pairs[::2] | pairs[1::2] << 4).tobytes()]
    return np.array(counts, "<u4").tobytes() + b"".join(layers)


@pytest.fixture(scope="module")
def network() -> dict[str, np.ndarray]:
    """A sparse network of the right shapes, with few weights in each layer."""
    random, arrays = np.random.default_rng(0), {}
    for name, (
        filters,
        channels,
        height,
        width,
    ) in _weights._squeezenet_layers().items():
        kernel = np.zeros((height, width, channels, filters), np.float32)
        places = random.integers(kernel.size, size=40)
        kernel.reshape(-1)[places] = random.integers(1, 9, 40) / 8
        arrays[f"{name}/w"] = kernel
        arrays[f"{name}/b"] = random.normal(size=filters).astype(np.float32)
    return arrays


@pytest.fixture
def serve(server, monkeypatch, tmp_path):
    """Lets the server have the bytes of some weights, and `prepare` ask it for them."""

    def serve(name: str, content: bytes) -> Path:
        server.content = content
        changed = {"url": server.url}
        if WEIGHTS[name].sha256 is not None:
            changed["sha256"] = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(
            WEIGHTS, name, dataclasses.replace(WEIGHTS[name], **changed)
        )
        monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))
        monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
        return tmp_path / "home" / "weights" / WEIGHTS[name].filename

    return serve


def test_a_layer_by_hand():
    """Three stored weights of conv1: places 0, 3 and 20 with a filler between."""
    shapes = _weights._squeezenet_layers()
    empty = [(1, b"\0", b"\0")] * (len(shapes) - 1)
    first = (4, bytes([1, 2, 0, 3]), bytes([0 | 2 << 4, 15 | 0 << 4]))
    counts, body = [], b""
    for (count, codes, pairs), shape in zip(
        [first, *empty], shapes.values(), strict=True
    ):
        values = np.zeros(256, "<f4")
        values[:4] = [0, 0.5, -1, 2]
        counts.append(count)
        body += values.tobytes() + np.ones(shape[0], "<f4").tobytes() + codes + pairs
    arrays = decode_squeezenet(np.array(counts, "<u4").tobytes() + body)
    # Row by row of filter 0, channel 0: places 0, 3, 19 (a filler) and 20.
    kernel = arrays["conv1/w"][:, :, 0, 0].reshape(-1)
    assert kernel[0] == 0.5 and kernel[3] == -1 and kernel[20] == 2
    assert np.count_nonzero(arrays["conv1/w"]) == 3
    assert arrays["conv1/b"].tolist() == [1.0] * 96


def test_what_was_packed_comes_out(network):
    decoded = decode_squeezenet(packed(network))
    assert list(decoded) == list(network)
    for name, values in network.items():
        assert decoded[name].dtype == np.float32
        np.testing.assert_array_equal(decoded[name], values)


def test_the_published_network_has_660_kilobytes(real_data):
    """Its authors state "660KB" for the file that these arrays were decoded from."""
    path = real_data / "weights" / WEIGHTS["squeezenet"].filename
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    content = packed(arrays)
    assert len(content) == 675_763
    decoded = decode_squeezenet(content)
    for name, values in arrays.items():
        np.testing.assert_array_equal(decoded[name], values)


def test_the_command_downloads_and_unpacks(serve, server, network):
    path = serve("squeezenet", packed(network))
    done = CliRunner().invoke(app, ["data", "prepare", "squeezenet"])
    assert done.exit_code == 0, done.output
    assert "BSD" in done.output
    with np.load(path) as file:
        assert file["fire9/conv3x3_2/w"].shape == (3, 3, 64, 256)
        np.testing.assert_array_equal(file["conv1/w"], network["conv1/w"])
    # Nothing is left of the download, and a second time there is nothing to do.
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert prepare("squeezenet") == path
    assert len(server.asked) == 1
    listed = CliRunner().invoke(app, ["data", "list"]).output
    assert f"found in {path.parent}" in listed.replace("\n", "")


def test_the_models_find_what_was_prepared(serve, network):
    with pytest.raises(ValueError, match="`keras-interp data prepare squeezenet`"):
        serve("squeezenet", b"") and find_weights("squeezenet")
    path = serve("squeezenet", packed(network))
    prepare("squeezenet")
    assert find_weights("squeezenet") == path
    model = SqueezeNet(weights="imagenet")
    kernel = model.get_layer("conv1").kernel.numpy()
    np.testing.assert_array_equal(kernel, network["conv1/w"])


def test_a_file_of_keras_is_used_as_it_is(serve, tmp_path):
    path = serve("mobilenet", b"weights of Keras")
    assert prepare("mobilenet").read_bytes() == b"weights of Keras"
    assert prepare("mobilenet", out=tmp_path / "out").parent == tmp_path / "out"
    assert path.name == "mobilenet_2_5_224_tf_no_top.h5"


def test_a_file_that_was_downloaded_by_hand(serve, server, network, tmp_path):
    path = serve("squeezenet", b"not asked for")
    (tmp_path / "a.net").write_bytes(packed(network))
    assert prepare("squeezenet", archives=[tmp_path / "a.net"]) == path
    assert server.asked == [] and (tmp_path / "a.net").is_file()


def test_a_server_that_fails(serve, server, network):
    path = serve("squeezenet", packed(network))
    server.statuses = [404]
    with pytest.raises(ConnectionError, match="cannot download http.*--archive"):
        prepare("squeezenet")
    server.break_after = [1000]
    with pytest.raises(ConnectionError, match="cannot download http"):
        prepare("squeezenet")
    assert list(path.parent.iterdir()) == []


def test_what_the_server_has_must_be_the_published_file(serve, server):
    path = serve("mobilenet", b"weights of Keras")
    server.content = b"a page that asks for something"
    with pytest.raises(ValueError, match="Expected the published birds.bin with the"):
        prepare("mobilenet")
    assert list(path.parent.iterdir()) == []


def test_weights_have_no_root(tmp_path):
    with pytest.raises(ValueError, match="Expected no root for the weights"):
        prepare("squeezenet", root=tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        prepare("squeezenet", archives=[tmp_path / "none"], out=tmp_path)
    with pytest.raises(ValueError, match="Expected one file with the weights"):
        prepare("squeezenet", archives=[tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize("cut", [0, 3, 104, 5000])
def test_other_bytes_are_refused(network, tmp_path, cut):
    (tmp_path / "a.net").write_bytes(packed(network)[:cut])
    with pytest.raises(ValueError, match="a.net is not https.*expected [0-9,]+ bytes"):
        prepare_weights(WEIGHTS["squeezenet"], tmp_path / "out", [tmp_path / "a.net"])
    assert not (tmp_path / "out" / WEIGHTS["squeezenet"].filename).exists()

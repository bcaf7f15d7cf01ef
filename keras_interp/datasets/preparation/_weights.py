"""Published weights of the networks that `reproduce` starts from."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from keras_interp.datasets._progress import announce
from keras_interp.datasets._registry import ROOT_VARIABLE, prepared_folder
from keras_interp.datasets._safe_files import folder_lock, write_atomically

_CODES = 256  # values that the weights of a layer may have
_TIMEOUT = 60  # seconds of silence after which a download has failed


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """The weights of one network, as their authors offer them.

    Args:
        name: as `prepare` takes it.
        filename: what the prepared file is called, as `keras_interp.models` looks for
            it.
        holds: what is in it, in a few words.
        licence: the terms, in words.
        url: address of the published file.
        sha256: of the published file, where it is known.
        decode: makes the prepared file's arrays from the published bytes; None where
            the published file is used as it is.
    """

    name: str
    filename: str
    holds: str
    licence: str
    url: str
    sha256: str | None = None
    decode: Callable[[bytes], dict[str, np.ndarray]] | None = None


def prepare_weights(
    weights: PublishedWeights,
    folder: Path | None = None,
    archives: Sequence[Path] = (),
) -> Path:
    """Downloads weights, or takes a downloaded file, and writes what the models read.

    Args:
        weights: which.
        folder: to write to. Default: `prepared_folder("weights")`.
        archives: the published file, where it was downloaded by hand.

    Returns:
        The path of the prepared file.

    Raises:
        ValueError: if the file is not the published one.
        ConnectionError: if the download fails.
        FileNotFoundError: if a file handed over is missing.
        BlockingIOError: if another process prepares weights.
    """
    if len(archives) > 1:
        raise ValueError(
            f"Expected one file with the weights of {weights.name}. Received: "
            f"{len(archives)} of them, {', '.join(map(str, archives))}. Pass one."
        )
    folder = (folder or prepared_folder("weights")).expanduser().resolve()
    target = folder / weights.filename
    folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder, f"preparing the weights of {weights.name}"):
        if target.is_file() and not archives:
            announce(f"{weights.name}: {target} is prepared already")
            return target
        source = archives[0] if archives else _download(weights, folder)
        try:
            _write(weights, source, target)
        finally:
            if not archives:
                source.unlink()
    announce(f"{weights.name}: {weights.holds}, prepared in {target}")
    return target


def find_weights(weights: PublishedWeights) -> Path | None:
    """The prepared file of some weights, if there is one."""
    folders = [prepared_folder("weights")]
    if os.environ.get(ROOT_VARIABLE):
        folders.insert(0, Path(os.environ[ROOT_VARIABLE]) / "weights")
    paths = [folder / weights.filename for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def _download(weights: PublishedWeights, folder: Path) -> Path:
    """The published file under a temporary name."""
    import pooch  # type: ignore[import-untyped]
    import requests

    announce(f"Downloading {weights.url} ({weights.licence})")
    try:
        path = pooch.retrieve(
            weights.url,
            known_hash=None,  # compared below, with a message that says what to do
            fname=f".{weights.filename}.download",
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=_TIMEOUT),
        )
    except requests.exceptions.RequestException as error:
        raise ConnectionError(
            f"cannot download {weights.url}: {error}. Run the command again, or "
            "download it in a browser and pass it with --archive."
        ) from error
    return Path(path)


def _write(weights: PublishedWeights, source: Path, target: Path) -> None:
    if not source.is_file():
        raise FileNotFoundError(f"there is no file {source}")
    content = source.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if weights.sha256 is not None and found != weights.sha256:
        raise ValueError(
            f"Expected the published {weights.url.rpartition('/')[2]} with the SHA-256 "
            f"{weights.sha256}. Received: {source} with {found}. Download it again."
        )
    if weights.decode is None:
        write_atomically(target, lambda file: file.write(content))
        return
    try:
        arrays = weights.decode(content)
    except ValueError as error:
        raise ValueError(
            f"{source} is not {weights.url}: {error}. Download it again."
        ) from error
    write_atomically(target, lambda file: np.savez_compressed(file, **arrays))  # type: ignore[arg-type]


def _squeezenet_layers() -> dict[str, tuple[int, int, int, int]]:
    """The shapes (filters, channels, height, width) of the kernels, in file order."""
    layers = {"conv1": (96, 3, 7, 7)}
    channels = 96
    squeezes = (16, 16, 32, 32, 48, 48, 64, 64)
    for number, squeeze in enumerate(squeezes, start=2):
        expand = 4 * squeeze
        layers[f"fire{number}/conv1x1_1"] = (squeeze, channels, 1, 1)
        layers[f"fire{number}/conv1x1_2"] = (expand, squeeze, 1, 1)
        layers[f"fire{number}/conv3x3_2"] = (expand, squeeze, 3, 3)
        channels = 2 * expand
    return layers | {"conv_final": (1000, channels, 1, 1)}


def decode_squeezenet(content: bytes) -> dict[str, np.ndarray]:
    """Unpacks the compressed SqueezeNet v1.0 of its authors.

    The file begins with the number of stored weights of each layer. Of a layer it has
    256 values, the biases, one byte for each stored weight (which of the values it
    has) and four bits for each (how many zeros are left out before it).

    Args:
        content: the bytes of `compressed_SqueezeNet.net`.

    Returns:
        `<layer>/w` (height, width, channels, filters) and `<layer>/b` of the 26
        convolutional layers, float32.

    Raises:
        ValueError: if the bytes are something else.

    Reference:

    - Han, Mao, Dally, "Deep Compression", ICLR 2016, section 3, for the indices.
    """
    layers = _squeezenet_layers()
    position = 4 * len(layers)
    stored = np.frombuffer(content[:position].ljust(position, b"\0"), "<u4")
    wanted = position + sum(
        4 * (_CODES + shape[0]) + int(count) + (int(count) + 1) // 2
        for shape, count in zip(layers.values(), stored, strict=True)
    )
    if len(content) != wanted:
        raise ValueError(f"expected {wanted:,} bytes, got {len(content):,}")
    arrays = {}
    for (name, shape), count in zip(layers.items(), stored.tolist(), strict=True):

        def take(kind: str, length: int) -> np.ndarray:
            nonlocal position
            values = np.frombuffer(content, kind, length, position)
            position += values.nbytes
            return values

        values, biases = take("<f4", _CODES), take("<f4", shape[0])
        codes, pairs = take("u1", count), take("u1", (count + 1) // 2)
        # The lower four bits come first.
        skipped = np.stack([pairs & 15, pairs >> 4], axis=1).reshape(-1)[:count]
        places = np.cumsum(skipped.astype(np.int64) + 1) - 1
        size = int(np.prod(shape))
        if not count or places[-1] >= size:
            raise ValueError(f"{name} has {size:,} weights, but more are stored")
        weights = np.zeros(size, np.uint8)
        weights[places] = codes
        kernel = values[weights].reshape(shape).transpose(2, 3, 1, 0)
        arrays[f"{name}/w"] = np.ascontiguousarray(kernel, np.float32)
        arrays[f"{name}/b"] = biases.astype(np.float32)
    return arrays


WEIGHTS = {
    weights.name: weights
    for weights in (
        PublishedWeights(
            name="squeezenet",
            filename="squeezenet_v1.0_imagenet.npz",
            holds="SqueezeNet v1.0, ImageNet",
            licence="BSD",
            url="https://raw.githubusercontent.com/songhan/"
            "SqueezeNet-Deep-Compression/5623e3cdbe1fcd83328c61ce2ee42c34ed319aa3/"
            "compressed_SqueezeNet.net",
            decode=decode_squeezenet,
        ),
        PublishedWeights(
            name="mobilenet",
            filename="mobilenet_2_5_224_tf_no_top.h5",
            holds="MobileNet v1 0.25 of Keras, ImageNet",
            licence="Apache-2.0",
            url="https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"
            "mobilenet_2_5_224_tf_no_top.h5",
            sha256="dbdb03ee2a22fd895301636cd328b234bb3a9952358f436d82f46b81e0d5b0bf",
        ),
    )
}

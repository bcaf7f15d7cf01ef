"""Where pretrained weights are looked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import keras

from keras_interp.models._architectures import ARCHITECTURES

# Short names, and the files that hold those weights. The `.mat` files are those of the
# MatConvNet model zoo, from which Zhang, Wu, Zhu (CVPR 2018) start.
WEIGHT_FILES = {
    "mobilenet_0.25": ("mobilenet_2_5_224_tf_no_top.h5",),
    **{name: table.weight_files for name, table in ARCHITECTURES.items()},
}

# What Keras can fetch, with its MD5 sum.
KERAS_DOWNLOADS = {
    "vgg16_weights_tf_dim_ordering_tf_kernels.h5": "64373286793e3c8b2b4e3219cbf3544b",
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5": (
        "6d6bbae143d832006294945121d1f1fc"
    ),
    "vgg19_weights_tf_dim_ordering_tf_kernels.h5": "cbe5617147190e668d6c5d5026f83318",
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5": (
        "253f8cb515780f3b799900260a226db6"
    ),
}
KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications"
WITHOUT_HEAD = "_notop.h5"


# What `keras-interp data prepare` can fetch.
PREPARED = {"squeezenet": "squeezenet", "mobilenet_0.25": "mobilenet"}


def _folders() -> list[Path]:
    """Where weights may lie: the user's folder, then what was prepared."""
    from keras_interp.datasets import prepared_folder

    data = os.environ.get("KERAS_INTERP_DATA")
    own = [Path(data) / "weights"] if data else []
    return [*own, prepared_folder("weights")]


def find_weights(name: str) -> Path:
    """Find the file with the pretrained weights of a network on this machine.

    Example:

    ```python
    mobilenet = keras.applications.MobileNet(
        alpha=0.25,
        include_top=False,
        weights=str(ki.models.find_weights("mobilenet_0.25")),
    )
    ```

    Args:
        name: `"squeezenet"`, `"mobilenet_0.25"`, `"alexnet"`, `"vgg_m"`, `"vgg_s"`,
            `"vgg16"`, `"vgg19"`, or the name of a file in the folder.

    Returns:
        The path of the first of the network's files that is found in
        `$KERAS_INTERP_DATA/weights`, or where `keras-interp data prepare` put it.

    Raises:
        ValueError: if no folder holds the file; the message says which file is wanted.
    """
    known = name if isinstance(name, str) and "\0" not in name else ""
    wanted = WEIGHT_FILES.get(known, (known,) if "." in known else ())
    if not wanted or known != Path(known).name:
        raise ValueError(
            f"Expected `name` as one of {sorted(WEIGHT_FILES)} or the name of a file "
            f"in the weights folder. Received: name={name!r}. Choose one of these."
        )
    return _first_of(wanted, name)


def _first_of(files: Sequence[str], name: str) -> Path:
    folders = _folders()
    for folder in folders:
        for file in files:
            if (folder / file).is_file():
                return folder / file
    listed = " or ".join(files)
    if "KERAS_INTERP_DATA" in os.environ:
        remedy = f"Put the file into {folders[0]}"
    else:
        remedy = (
            "Set the environment variable KERAS_INTERP_DATA to a folder whose "
            "subfolder 'weights' holds it"
        )
    if name in PREPARED:
        remedy = f"Run `keras-interp data prepare {PREPARED[name]}`. Or: {remedy}"
    raise ValueError(
        f"Expected the pretrained weights of {name!r}, {listed}, in "
        f"{' or '.join(map(str, folders))}. Received: no such file there. {remedy}, "
        "or give its path as `weights=`."
    )


def imagenet_weights(backbone: str, *, with_head: bool) -> Path:
    """The file of `weights="imagenet"`: on this machine, or downloaded by Keras.

    Args:
        backbone: short name of the network.
        with_head: whether the published classifier is wanted, too. Keras has a much
            smaller file without it.

    Returns:
        The path of the file.

    Raises:
        ValueError: if it is nowhere to be had; the message names it.
    """
    files = WEIGHT_FILES[backbone]
    if with_head:
        files = tuple(file for file in files if not file.endswith(WITHOUT_HEAD))
    try:
        return _first_of(files, backbone)
    except ValueError as missing:
        reason = missing
    downloads = [file for file in files if file in KERAS_DOWNLOADS]
    if not downloads:
        raise reason
    try:
        path = keras.utils.get_file(
            downloads[-1],
            f"{KERAS_URL}/{backbone}/{downloads[-1]}",
            cache_subdir="models",
            file_hash=KERAS_DOWNLOADS[downloads[-1]],
        )
    except Exception as error:  # Keras raises a bare Exception when a URL fails
        raise ValueError(f"{reason} Keras could not download it: {error}") from error
    return Path(path)

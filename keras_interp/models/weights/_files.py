"""Read weight files of several kinds into arrays by layer name."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

LayerWeights = dict[str, list[np.ndarray]]
READABLE = ".weights.h5, .h5, .keras, .npz and .mat"
# What a layer's structure in a MatConvNet file may call its arrays.
_ARRAY_FIELDS = ("weights", "filters", "biases")
_NO_LAYERS = (
    "it holds no cell array 'layers' of a MatConvNet SimpleNN network (networks in "
    "the DagNN format are not read)"
)


def read_weight_file(path: str | os.PathLike) -> LayerWeights:
    """Read a weight file.

    Args:
        path: a Keras `.weights.h5`, `.keras` or legacy `.h5` file, an `.npz` whose
            arrays are `<layer>/w` and `<layer>/b`, or a MatConvNet `.mat` network.

    Returns:
        The arrays of every layer, in the order of the layer's own variables. Slashes
        in layer names are underscores, as Keras wants them.

    Raises:
        ValueError: if there is no such file, its kind is unknown or it is damaged; the
            message names it.
    """
    given = str(path)
    is_path = isinstance(path, str | os.PathLike) and "\0" not in os.fspath(path)
    path = Path(path if is_path else "")
    if not path.is_file():
        raise ValueError(
            f"Expected the path of a weight file ({READABLE}). Received: "
            f"{given!r}, which is not a file. Check the path."
        )
    readers = {
        ".npz": _read_npz,
        ".h5": _read_h5,
        ".hdf5": _read_h5,
        ".keras": _read_keras,
        ".mat": _read_mat,
    }
    reader = readers.get(path.suffix)
    if reader is None:
        raise ValueError(
            f"Expected a weight file of the kinds {READABLE}. Received: {str(path)!r}. "
            "Convert it to one of those."
        )
    try:
        layers = reader(path)
    except Exception as error:  # a damaged file may fail in any way at all
        raise ValueError(
            f"The weight file {str(path)!r} is damaged or not what its name says: "
            f"{error}. Fetch it again."
        ) from error
    if not layers:
        raise ValueError(
            f"The weight file {str(path)!r} holds no layer weights. Fetch it again."
        )
    return layers


def _read_npz(path: Path) -> LayerWeights:
    layers: LayerWeights = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            layer, _, kind = key.rpartition("/")
            if kind == "w":
                weights = [arrays[key]]
                if f"{layer}/b" in arrays.files:
                    weights.append(arrays[f"{layer}/b"])
                layers[layer.replace("/", "_")] = weights
    return layers


def _read_keras(path: Path) -> LayerWeights:
    with zipfile.ZipFile(path) as archive:
        with archive.open("model.weights.h5") as weights:
            return _read_h5(weights)


def _read_h5(file: Any) -> LayerWeights:
    import h5py

    with h5py.File(file, "r") as h5:
        if "layer_names" in h5.attrs or "model_weights" in h5:
            return _read_legacy_h5(h5["model_weights"] if "model_weights" in h5 else h5)
        return _read_keras3_h5(h5)


def _read_legacy_h5(h5: Any) -> LayerWeights:
    """One group a layer, as `keras.applications` publishes its weights."""
    layers: LayerWeights = {}
    for layer in h5.attrs["layer_names"]:
        layer = _text(layer)
        names = [_text(name) for name in h5[layer].attrs["weight_names"]]
        if names:
            layers[layer] = [np.asarray(h5[layer][name]) for name in names]
    return layers


def _read_keras3_h5(h5: Any) -> LayerWeights:
    """Groups `layers/.../vars`, whose attribute is the layer's name."""
    import h5py

    layers: LayerWeights = {}

    def visit(path: str, group: Any) -> None:
        if not isinstance(group, h5py.Group) or not path.endswith("/vars"):
            return
        # Random states of dropout layers are no weights.
        if not path.startswith("layers/") or "seed_generator" in path or not len(group):
            return
        layers[_layer_name(h5, path)] = [
            np.asarray(group[key]) for key in sorted(group, key=int)
        ]

    h5.visititems(visit)
    return layers


def _layer_name(h5: Any, path: str) -> str:
    """The layer of a group `layers/conv2d_1/vars`, by the names of the layers.

    Lists of layers are stored by class and number, with the name as an attribute;
    other parts of the path are attributes of layers.
    """
    parts = path.split("/")[:-1]
    names = []
    for index, part in enumerate(parts):
        if part == "layers":
            continue
        if parts[index - 1] == "layers":
            own = h5["/".join([*parts[: index + 1], "vars"])]
            part = _text(own.attrs.get("name", part))
        names.append(part)
    return "/".join(names)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _read_mat(path: Path) -> LayerWeights:
    """Convolutions of a MatConvNet SimpleNN file, MATLAB v5 or v7.3, in its order.

    The cell array `layers`, or that of the structure `net`, holds structures with
    `name` and either `weights = {filters, biases}` or, in older files, two fields.
    Filters are height x width x in x out; fully connected layers are convolutions
    whose filter covers the whole map.
    """
    import h5py

    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            fields = [_hdf5_fields(file, layer) for layer in _hdf5_layers(file)]
    else:
        fields = [_struct_fields(layer) for layer in _mat5_layers(path)]
    layers = {}
    for number, layer in enumerate(fields):
        arrays = _arrays(layer)
        if arrays:
            name = layer.get("name") or f"layer{number + 1}"
            layers[name.replace("/", "_")] = arrays
    return layers


def _arrays(fields: dict[str, Any]) -> list[np.ndarray]:
    """Filters and biases of one layer, or nothing for a layer without weights."""
    arrays = fields.get("weights")
    if not arrays:
        arrays = [fields[key] for key in ("filters", "biases") if key in fields]
    arrays = [np.asarray(array, "float32") for array in arrays if np.size(array)]
    if not arrays:
        return []
    # MATLAB drops trailing axes of length one.
    filters = arrays[0].reshape(arrays[0].shape + (1,) * (4 - arrays[0].ndim))
    return [filters, *(array.ravel() for array in arrays[1:])]


def _mat5_layers(path: Path) -> list[Any]:
    # A damaged file can end the process in which SciPy reads it.
    from keras_interp.datasets.readers._matlab import load_matlab

    contents = load_matlab(path, ["layers", "net"])
    layers = contents.get("layers")
    if layers is None and "net" in contents:
        layers = contents["net"][0, 0]["layers"]
    if layers is None:
        raise ValueError(_NO_LAYERS)
    return list(layers.ravel())


def _struct_fields(layer: Any) -> dict[str, Any]:
    """The fields of one MATLAB structure that matter here."""
    layer = layer[0, 0]
    names = layer.dtype.names or ()
    fields = {key: layer[key] for key in _ARRAY_FIELDS if key in names}
    if "weights" in fields:
        fields["weights"] = list(fields["weights"].ravel())
    if "name" in names and layer["name"].size:
        fields["name"] = str(layer["name"].ravel()[0])
    return fields


def _hdf5_layers(file: Any) -> list[Any]:
    holder = file["net"] if "layers" not in file and "net" in file else file
    if "layers" not in holder:
        raise ValueError(_NO_LAYERS)
    return [file[reference] for reference in np.ravel(holder["layers"])]


def _hdf5_fields(file: Any, layer: Any) -> dict[str, Any]:
    """The same fields from MATLAB v7.3, which stores arrays with axes reversed."""
    fields: dict[str, Any] = {}
    for key in _ARRAY_FIELDS:
        if key not in layer:
            continue
        values = layer[key]
        if key == "weights":
            references = np.ravel(values) if values.dtype.kind == "O" else ()
            fields[key] = [np.asarray(file[item]).T for item in references]
        else:
            fields[key] = np.asarray(values).T
    if "name" in layer and layer["name"].dtype.kind in "iu":
        fields["name"] = "".join(map(chr, np.ravel(layer["name"])))
    return fields

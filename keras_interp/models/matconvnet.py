"""Read the networks of the MatConvNet model zoo.

A SimpleNN file holds the cell array `layers` of structures with `type`, `name` and, in
convolutions, either `weights = {filters, biases}` or, in older files, the two fields
`filters` and `biases`. Filters are height x width x in x out; fully connected layers
are convolutions whose filter covers the whole map.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# What a layer's structure may call its arrays.
ARRAY_FIELDS = ("weights", "filters", "biases")


def read_matconvnet(path: Path) -> dict[str, list[np.ndarray]]:
    """Read the convolutions of a MatConvNet SimpleNN file, MATLAB v5 or v7.3.

    Args:
        path: the `.mat` file; a variable `layers`, or a structure `net` with it.

    Returns:
        For every layer with weights, in the network's order, the filters
        `(height, width, in, out)` and the biases `(out,)`.

    Raises:
        ValueError: if the file holds no such layers.
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


def name_by_order(
    layers: dict[str, list[np.ndarray]], names: Sequence[str]
) -> dict[str, list[np.ndarray]]:
    """Give the layers of a chain the wanted names, if their own are others.

    Files of one network differ in what they call a layer, never in the order.
    """
    if set(names) <= set(layers) or len(names) != len(layers):
        return layers
    return dict(zip(names, layers.values(), strict=True))


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
    from scipy.io import loadmat

    contents = loadmat(path, variable_names=["layers", "net"])
    layers = contents.get("layers")
    if layers is None and "net" in contents:
        layers = contents["net"][0, 0]["layers"]
    if layers is None:
        raise ValueError(NO_LAYERS)
    return list(layers.ravel())


def _struct_fields(layer: Any) -> dict[str, Any]:
    """The fields of one MATLAB structure that matter here."""
    layer = layer[0, 0]
    names = layer.dtype.names or ()
    fields = {key: layer[key] for key in ARRAY_FIELDS if key in names}
    if "weights" in fields:
        fields["weights"] = list(fields["weights"].ravel())
    if "name" in names and layer["name"].size:
        fields["name"] = str(layer["name"].ravel()[0])
    return fields


def _hdf5_layers(file: Any) -> list[Any]:
    holder = file["net"] if "layers" not in file and "net" in file else file
    if "layers" not in holder:
        raise ValueError(NO_LAYERS)
    return [file[reference] for reference in np.ravel(holder["layers"])]


def _hdf5_fields(file: Any, layer: Any) -> dict[str, Any]:
    """The same fields from MATLAB v7.3, which stores arrays with axes reversed."""
    fields: dict[str, Any] = {}
    for key in ARRAY_FIELDS:
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


NO_LAYERS = (
    "it holds no cell array 'layers' of a MatConvNet SimpleNN network (networks in "
    "the DagNN format are not read)"
)

"""Graphs and half-learnt graphs as npz files with JSON inside, without pickles."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets._safe_files import write_atomically
from keras_interp.graphs.explanatory._gaussian_product import SEARCH
from keras_interp.graphs.explanatory._graph_layers import GraphLayer
from keras_interp.graphs.explanatory._learning import LayerState
from keras_interp.graphs.explanatory._votes import Nodes
from keras_interp.receptive_fields import ReceptiveField

FORMAT = "keras_interp.graphs.ExplanatoryGraph"
_ARRAYS = ("filters", "scales", "means", "sigmas", "parents", "rest", "strengths")


def write_arrays(path: Path, about: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Writes arrays and a JSON text into one npz file; the file is whole or absent."""
    text = np.frombuffer(json.dumps(about).encode("utf-8"), "uint8")
    content = io.BytesIO()
    np.savez_compressed(content, about=text, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(content.getvalue()))


def read_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON text and the arrays of a file that `write_arrays` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is another kind of file, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No file {path}: give the path that was saved to.")
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        about = json.loads(arrays.pop("about").tobytes().decode("utf-8"))
        if about["format"] != FORMAT:
            raise KeyError("format")
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Expected a file that ExplanatoryGraph.save wrote. Received: {path}, "
            f"which cannot be read ({type(error).__name__}). Save the graph again."
        ) from None
    return about, arrays


def layers_as_arrays(
    layers: list[GraphLayer],
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """What JSON holds of each layer, and the arrays of all of them."""
    about, arrays = [], {}
    for place, layer in enumerate(layers):
        field = layer.field
        about.append(
            {
                "name": layer.name,
                "map_size": list(layer.map_size),
                "top_search": layer.top_search,
                "field": [
                    np.ravel(np.asarray(value, "float64")).tolist()
                    for value in (field.size, field.stride, field.start)
                ],
            }
        )
        values = (
            layer.filters,
            layer.scales,
            layer.nodes.means,
            layer.nodes.sigmas,
            layer.parents,
            layer.rest,
            layer.mean_strengths,
        )
        for name, value in zip(_ARRAYS, values, strict=True):
            arrays[f"layer_{place}_{name}"] = value
    return about, arrays


def layers_from_arrays(
    about: list[dict[str, Any]], arrays: dict[str, np.ndarray]
) -> list[GraphLayer]:
    """The layers that `layers_as_arrays` took apart."""
    layers = []
    for place, one in enumerate(about):
        found = {name: arrays[f"layer_{place}_{name}"] for name in _ARRAYS}
        size, stride, start = (
            tuple(value) if len(value) == 2 else value[0] for value in one["field"]
        )
        layers.append(
            GraphLayer(
                one["name"],
                ReceptiveField(size, stride, start),
                tuple(one["map_size"]),
                found["filters"],
                found["scales"],
                Nodes(found["means"], found["sigmas"]),
                found["parents"],
                found["rest"],
                found["strengths"],
                # Files of graphs before the argument hold none.
                one.get("top_search", SEARCH),
            )
        )
    return layers


def fingerprint(
    params: dict[str, Any], layers: list[str], maps: Mapping[str, np.ndarray]
) -> str:
    """What a half-learnt graph must share with the run that goes on with it."""
    known = hashlib.sha256(json.dumps([params, layers], sort_keys=True).encode())
    for name in layers:
        known.update(str(maps[name].shape).encode())
        known.update(np.ascontiguousarray(maps[name].sum(axis=(1, 2))).tobytes())
    return known.hexdigest()


def write_checkpoint(
    path: Path, mark: str, done: list[GraphLayer], state: LayerState | None
) -> None:
    """Writes what is learnt so far: whole layers, and the state of the next one."""
    about, arrays = layers_as_arrays(done)
    whole: dict[str, Any] = {"format": FORMAT, "fingerprint": mark, "layers": about}
    if state is not None:
        whole["iteration"] = state.iteration
        whole["log_likelihoods"] = state.log_likelihoods
        arrays |= {
            "state_means": state.nodes.means,
            "state_sigmas": state.nodes.sigmas,
            "state_parents": state.parents,
        }
    write_arrays(path, whole, arrays)


def read_checkpoint(
    path: Path, mark: str
) -> tuple[list[GraphLayer], LayerState | None]:
    """Layers that are done and the state of the next one; refused if of other data."""
    about, arrays = read_arrays(path)
    if about.get("fingerprint") != mark:
        raise ValueError(
            "Expected a checkpoint of the same settings, layers and images. Received: "
            f"checkpoint={str(path)!r}, which is of others. Name another file, or "
            "delete this one to begin anew."
        )
    state = None
    if "iteration" in about:
        state = LayerState(
            Nodes(arrays["state_means"], arrays["state_sigmas"]),
            arrays["state_parents"],
            about["iteration"],
            about["log_likelihoods"],
        )
    return layers_from_arrays(about["layers"], arrays), state

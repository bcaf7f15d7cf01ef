"""A decision tree as a graph, as text and as a file."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import networkx
import numpy as np

from keras_interp.datasets._safe_files import write_atomically
from keras_interp.graphs._mode_vectors import FilterScaling
from keras_interp.graphs._parse_tree import NO_PART, membership
from keras_interp.graphs._tree_structure import TreeStructure

FORMAT = "keras_interp decision tree 1"


def part_shares(
    structure: TreeStructure,
    filter_parts: np.ndarray | None,
    part_names: Sequence[str],
) -> tuple[tuple[str, ...], np.ndarray]:
    """Share `(nodes, parts + 1)` of each part in the size of a node's weights."""
    if filter_parts is None:
        return (), np.zeros((len(structure), 0))
    sizes = np.abs(structure.weights) @ membership(filter_parts, len(part_names))
    total = np.maximum(sizes.sum(axis=1, keepdims=True), 1e-12)
    return (*part_names, NO_PART), sizes / total


def to_networkx(
    structure: TreeStructure,
    filter_parts: np.ndarray | None,
    part_names: Sequence[str],
) -> networkx.DiGraph:
    """Nodes by their numbers, edges from parent to child."""
    graph = networkx.DiGraph()
    names, shares = part_shares(structure, filter_parts, part_names)
    depth = structure.depth()
    for node in range(len(structure) - 1, -1, -1):
        graph.add_node(
            node,
            count=int(structure.count[node]),
            depth=int(depth[node]),
            bias=float(structure.bias[node]),
            gain=float(structure.gain[node]),
            image=int(structure.image[node]),
            filters=int(structure.selected[node].sum()),
        )
        if names:
            row = (float(value) for value in shares[node])
            graph.nodes[node]["parts"] = dict(zip(names, row, strict=True))
        if structure.parent[node] >= 0:
            graph.add_edge(int(structure.parent[node]), node)
    return graph


def to_graphviz(
    structure: TreeStructure,
    filter_parts: np.ndarray | None,
    part_names: Sequence[str],
    depth: int | None,
) -> str:
    """A `digraph`; nodes say their images, filters and greatest parts."""
    names, shares = part_shares(structure, filter_parts, part_names)
    depths = structure.depth()
    lines = ["digraph decision_tree {", "  node [shape=box];"]
    for node in range(len(structure) - 1, -1, -1):
        if depth is not None and depths[node] > depth:
            continue
        words = [f"{structure.count[node]} images"]
        words.append(f"{int(structure.selected[node].sum())} filters")
        for place in np.argsort(-shares[node], kind="stable")[:3]:
            if shares[node, place] > 0.0:
                words.append(f"{names[place]} {shares[node, place]:.0%}")
        label = "\\n".join(_quoted(word) for word in words)
        lines.append(f'  {node} [label="{label}"];')
        if structure.parent[node] >= 0:
            lines.append(f"  {structure.parent[node]} -> {node};")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')


def to_json(settings: dict[str, Any], arrays: dict[str, Any]) -> str:
    """All of the tree as one object; numbers that are not known are null."""
    found: dict[str, Any] = {"format": FORMAT, "settings": settings}
    for name, value in arrays.items():
        if dataclasses.is_dataclass(value):
            value = {
                field.name: _plain(getattr(value, field.name))
                for field in dataclasses.fields(value)
            }
        found[name.rstrip("_")] = _plain(value)
    return json.dumps(found, allow_nan=False)


def _plain(value: Any) -> Any:
    """Numbers and lists in place of NumPy's."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value


def save(path: Path, settings: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Arrays, and the rest as JSON, in one `.npz`."""
    if path.suffix != ".npz":
        raise ValueError(
            f"Expected a path that ends in .npz. Received: {path.name!r}. "
            "Pass 'tree.npz', say; to_json gives JSON."
        )
    known: dict[str, Any] = {}
    plain: dict[str, Any] = {"format": FORMAT, "settings": _settings(settings)}
    for name, value in arrays.items():
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                known[f"{name}/{field.name}"] = np.asarray(getattr(value, field.name))
        elif isinstance(value, np.ndarray):
            known[name] = value
        else:
            plain[name] = _plain(value)
    known["plain"] = np.array(json.dumps(plain))
    write_atomically(path, lambda file: np.savez_compressed(file, **known))


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in settings.items()}


def load_arrays(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and arrays that `save` wrote."""
    try:
        with np.load(path, allow_pickle=False) as file:
            known = dict(file)
        plain = json.loads(str(known.pop("plain")))
        if plain.pop("format") != FORMAT:
            raise KeyError("format")
        settings = plain.pop("settings")
        found: dict[str, Any] = dict(plain)
        for name, kind in (("structure_", TreeStructure), ("scaling_", FilterScaling)):
            fields = {
                field.name: known.pop(f"{name}/{field.name}")
                for field in dataclasses.fields(kind)
            }
            # Single numbers were written as arrays without an axis.
            found[name] = kind(**{k: v if v.ndim else v[()] for k, v in fields.items()})
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError, TypeError) as error:
        raise ValueError(
            f"Expected a file that DecisionTree.save wrote. Received: {str(path)!r}, "
            f"which cannot be read as one ({error}). Save the tree again."
        ) from None
    if "part_names_" in found:
        found["part_names_"] = tuple(found["part_names_"])
    return settings, found | known

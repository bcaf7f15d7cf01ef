"""Settings of a tree, the images that it is grown on, and those of the class."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from keras_interp.graphs._filter_selection import SELECTIONS
from keras_interp.graphs._mode_vectors import POOLINGS, ModeVectors
from keras_interp.metrics._peaks import to_numpy


def positives(
    labels: Any, count: int, outputs: int, class_index: int
) -> np.ndarray | None:
    """Which images are of the class.

    Args:
        labels: `(N,)` or one-hot `(N, outputs)`; `None` where they are not known.
        count: number of images.
        outputs: outputs of the network.
        class_index: the class.

    Returns:
        bool `(N,)`, or `None`.

    Raises:
        ValueError: if there is no label for each image.
    """
    if labels is None:
        return None
    known = to_numpy(labels)
    if known.ndim == 2 and known.shape[1] == 1:
        known = known[:, 0]
    if known.ndim == 2 and known.shape[1] == outputs:
        known = known.argmax(axis=1)
    if known.shape != (count,):
        raise ValueError(
            f"Expected a label for each of {count} images. Received: labels of shape "
            f"{known.shape}. Pass labels of the same images."
        )
    if not np.isfinite(known.astype("float64")).all():
        raise ValueError(
            "Expected labels without NaN. Received: "
            f"{int(np.isnan(known.astype('float64')).sum())} that are not known. Leave "
            "out the images that they belong to."
        )
    if outputs == 1 or known.dtype == bool:
        return known > 0
    return known == class_index


def chosen_rows(
    known: ModeVectors, positive: np.ndarray, most: int, seed: int
) -> np.ndarray:
    """Rows of the images that a tree is grown on, those of the class first.

    Raises:
        ValueError: if fewer than two images of the class are left, or their mean score
            is not above 0.
    """
    usable = known.lengths > 0.0
    if not usable.any():
        raise ValueError(
            "Expected a score that depends on the filters. Received: gradients that "
            "are all zero. Choose a layer on the way to the score, and a network that "
            "is trained."
        )
    if not usable.all():
        warnings.warn(
            f"{int((~usable).sum())} of {len(usable)} images are left out: their "
            "scores depend on no filter of the layer.",
            stacklevel=5,
        )
    rows = np.flatnonzero(usable & positive)
    if len(rows) < 2:
        raise ValueError(
            f"Expected at least two images of the class. Received: {len(rows)} of "
            f"{len(positive)}. Pass more images, or labels that name the class."
        )
    if len(rows) > most:
        warnings.warn(
            f"The tree is grown on {most:,} of {len(rows):,} images of the class. "
            "Raise max_positives for more.",
            stacklevel=5,
        )
        chosen = np.random.default_rng(seed).permutation(len(rows))[:most]
        rows = rows[np.sort(chosen)]
    mean = float(known.targets[rows].mean())
    if mean <= 0.0:
        raise ValueError(
            "Expected images of the class to have a score above 0 on average, which is "
            f"the unit of the likelihood. Received: {mean:.3g}. Train the network "
            "first, or check labels and class_index."
        )
    return np.concatenate([rows, np.flatnonzero(usable & ~positive)])


def check_depth(depth: Any, nodes: Any, *, both: bool = False) -> None:
    """Refuses what is no depth or number of nodes, and one beside the other."""
    if depth is not None and nodes is not None and not both:
        raise ValueError(
            "Expected a depth or a number of nodes. Received: "
            f"depth={depth!r} and nodes={nodes!r}. Pass one of them."
        )
    for name, value, least in (("depth", depth, 0), ("nodes", nodes, 1)):
        if value is not None and not _is_whole(value, least):
            raise ValueError(
                f"Expected {name} as an integer from {least} on. Received: "
                f"{name}={value!r}. Leave it out to go down to the ends."
            )


def check_settings(settings: dict[str, Any]) -> None:
    """Refuses settings of a tree before anything is computed."""
    for name, choices in (("pooling", POOLINGS), ("selection", SELECTIONS)):
        if settings[name] not in choices:
            raise ValueError(
                f"Expected {name} out of {choices}. Received: "
                f"{name}={settings[name]!r}. Choose one of these."
            )
    for name, least in (("min_nodes", 1), ("max_positives", 2)):
        if not _is_whole(settings[name], least):
            raise ValueError(
                f"Expected {name} as an integer from {least} on. Received: "
                f"{name}={settings[name]!r}. Leave it out to take the usual number."
            )
    for name in ("beta", "penalty"):
        value = settings[name]
        number = isinstance(value, (int, float, np.number))
        if not number or not np.isfinite(value) or value < 0:
            raise ValueError(
                f"Expected {name} as a number from 0 on. Received: "
                f"{name}={value!r}. Leave it out to take the usual number."
            )


def _is_whole(value: Any, least: int) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and value >= least

"""The 312 attributes of CUB-200-2011, which people saw in each picture."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_interp.datasets.text_tables import read_names, read_text

_COLUMNS = ("image id", "attribute id", "is present", "certainty")


@dataclasses.dataclass(frozen=True, eq=False)
class CubAttributes:
    """What workers said about each picture.

    `present` bool `(N, A)` says whether the bird has the attribute, in the opinion of
    one worker; `certainties` uint8 `(N, A)` is 1 (the part is not visible), 2
    (guessing), 3 (probably) or 4 (definitely), and 0 where no answer is listed.
    `names` are such as `"has_bill_shape::curved_(up_or_down)"`.
    """

    names: list[str]
    present: np.ndarray
    certainties: np.ndarray


def read_cub_attributes(
    folder: Path, image_ids: Sequence[int], origin: str
) -> CubAttributes | None:
    """Reads `attributes/image_attribute_labels.txt`.

    Some lines of the published file have more columns than its README says; the first
    four of each line are read.

    Args:
        folder: the one with `images.txt`. The names of the attributes are in
            `attributes.txt` in it, in its folder `attributes` or beside it, where the
            archive has them.
        image_ids: the N ids wanted, in order.
        origin: where a user gets the files.

    Returns:
        The attributes, or None where there is no file of them.

    Raises:
        FileNotFoundError: if their names are missing.
        ValueError: if a file is damaged; the message names it, and the line.
    """
    path = folder / "attributes" / "image_attribute_labels.txt"
    if not path.is_file():
        return None
    places = [folder / "attributes", folder, folder.parent]
    found = [place for place in places if (place / "attributes.txt").is_file()]
    names = read_names((found or places)[0] / "attributes.txt", origin)
    columns = _read_columns(path, origin)
    rows, known = _positions(columns[:, 0], list(image_ids))
    attributes, listed = _positions(columns[:, 1], list(names))
    if not listed.all():
        wrong = columns[np.argmin(listed), 1]
        raise ValueError(f"{path}: the attribute id {wrong} is not in attributes.txt")
    if not ((columns[:, 2] == 0) | (columns[:, 2] == 1)).all():
        raise ValueError(f"{path}: the third column, is present, must be 0 or 1")
    if columns[:, 3].min(initial=0) < 0 or columns[:, 3].max(initial=0) > 4:
        raise ValueError(f"{path}: the fourth column, certainty, must be 0 to 4")
    present = np.zeros((len(image_ids), len(names)), bool)
    certainties = np.zeros(present.shape, np.uint8)
    places_of = rows[known], attributes[known]
    present[places_of] = columns[known, 2] == 1
    certainties[places_of] = columns[known, 3]
    return CubAttributes(list(names.values()), present, certainties)


def _positions(keys: np.ndarray, wanted: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Where each key is in `wanted`, and whether it is there at all."""
    values = np.array(wanted, np.int64)
    order = np.argsort(values, kind="stable")
    rank = np.searchsorted(values[order], keys).clip(max=len(values) - 1)
    positions = order[rank]
    return positions, values[positions] == keys


def _read_columns(path: Path, origin: str) -> np.ndarray:
    """The first four columns of millions of lines, as integers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an empty file
            columns = np.loadtxt(
                path,
                np.int64,
                comments=None,
                usecols=range(4),
                ndmin=2,
                encoding="utf-8-sig",
            )
    except (ValueError, OverflowError) as error:
        _check_lines(path, origin)
        raise ValueError(f"{path} is damaged: {error}") from error
    return columns.reshape(-1, 4)


def _check_lines(path: Path, origin: str) -> None:
    """Names the line that is wrong."""
    for row, line in enumerate(read_text(path, origin).split("\n"), start=1):
        fields = line.split()
        if fields and len(fields) < 4:
            raise ValueError(
                f"{path}, line {row}: expected {len(_COLUMNS)} columns "
                f"({', '.join(_COLUMNS)}), got {len(fields)}: {line.strip()!r}"
            )
        try:
            for field in fields[:4]:
                int(field)
        except ValueError as error:
            raise ValueError(f"{path}, line {row}: {error}") from error

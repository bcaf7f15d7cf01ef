"""What `keras-interp data list` says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keras_interp.datasets.preparation.catalogue import catalogue
from keras_interp.datasets.preparation.dataset_entry import DatasetEntry
from keras_interp.datasets.registry import find_root

if TYPE_CHECKING:
    from rich.table import Table


def dataset_table() -> Table:
    """What each dataset holds, its size and its licence."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Datasets of keras_interp", show_lines=True)
    table.add_column("name", no_wrap=True)
    for column in ("what it holds", "size", "licence"):
        table.add_column(column, overflow="fold")
    for entry in catalogue().values():
        size = f"{entry.pictures}; {entry.size}"
        cells = (entry.name, entry.holds, size, entry.licence)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def whereabouts(entry: DatasetEntry) -> str:
    """Where a dataset was found on this machine, or how to get it."""
    if entry.is_drawn:
        return "here: drawn when it is loaded"
    folder = find_dataset(entry)
    if folder is not None:
        missing = [
            f"without {file.holds}"
            for file in entry.files
            if file.optional and not file.is_in(folder)
        ]
        return "; ".join([f"found in {folder}", *missing])
    command = f"keras-interp data prepare {entry.name}"
    if all(file.urls for file in entry.files if not file.optional):
        return f"run {command}"
    return f"must be downloaded by hand: {command} says how"


def find_dataset(entry: DatasetEntry) -> Path | None:
    """The folder that `load` would read, if there is one."""
    try:
        return find_root(entry.name)
    except FileNotFoundError:
        return None

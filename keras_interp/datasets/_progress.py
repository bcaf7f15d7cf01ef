"""What a long run tells the person who waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Advance = Callable[[int], None]


@contextmanager
def bytes_bar(description: str, total: int | None, done: int = 0) -> Iterator[Advance]:
    """Shows a bar while bytes are read or written.

    Args:
        description: of what happens.
        total: number of bytes, where it is known.
        done: bytes that were there before.

    Yields:
        A function to call with the number of further bytes.
    """
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console()) as progress:
        task = progress.add_task(description, total=total, completed=done)
        yield lambda count: progress.advance(task, count)


def announce(text: str) -> None:
    """Prints a line, whatever brackets the names of files have."""
    console().print(text, markup=False, highlight=False, soft_wrap=True)


def console() -> Console:
    """Where a run's bars and lines are printed.

    In a notebook Rich draws by ipywidgets and, without them, puts a warning into the
    cell; plain lines are printed there.
    """
    from rich.console import Console

    return Console(force_jupyter=None if find_spec("ipywidgets") else False)

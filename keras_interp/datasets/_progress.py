"""What a long run tells the person who waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
    with Progress(*columns) as progress:
        task = progress.add_task(description, total=total, completed=done)
        yield lambda count: progress.advance(task, count)


def announce(text: str) -> None:
    """Prints a line, whatever brackets the names of files have."""
    from rich.console import Console

    Console().print(text, markup=False, highlight=False, soft_wrap=True)

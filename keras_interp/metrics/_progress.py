"""Images a batch at a time, with word of what is going on from the first second."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import keras


def announce(words: str, verbose: int) -> None:
    """Prints what begins now, where progress was asked for."""
    if verbose:
        print(words, flush=True)


def batches(count: int, batch_size: int, verbose: int, words: str) -> Iterator[slice]:
    """Places of the images, a batch at a time.

    Args:
        count: number of images.
        batch_size: images at a time.
        verbose: 1 prints `words` and a progress bar, 0 nothing.
        words: what is done with the images.

    Raises:
        ValueError: if `batch_size` is less than 1.
    """
    if batch_size < 1:
        raise ValueError(
            "Expected batch_size as a positive number of images. Received: "
            f"batch_size={batch_size!r}. Pass 32, or less where memory is short."
        )
    announce(words, verbose)
    starts = range(0, count, batch_size)
    bar = keras.utils.Progbar(len(starts), unit_name="batch") if verbose else None
    if bar is not None:
        # The first batch compiles the model, which can take longer than all others.
        bar.update(0)
    for done, start in enumerate(starts, 1):
        yield slice(start, min(start + batch_size, count))
        if bar is not None:
            bar.update(done)


@contextlib.contextmanager
def progress(
    count: int, verbose: int, words: str
) -> Iterator[Callable[[int], None] | None]:
    """What is to be called after each batch with the number of its images.

    Args:
        count: number of images.
        verbose: 1 prints `words` and a progress bar, 0 nothing.
        words: what is done with the images.
    """
    announce(words, verbose)
    if not verbose:
        yield None
        return
    bar = keras.utils.Progbar(count, unit_name="image")
    bar.update(0)
    yield lambda size: bar.add(size)

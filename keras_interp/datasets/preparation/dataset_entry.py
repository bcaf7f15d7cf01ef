"""What the catalogue says about a dataset and the archives it is published in."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """One archive of a dataset, as its publishers offer it.

    Args:
        filename: name of the archive.
        holds: what is in it, in a few words.
        fills: names or patterns of what it fills at the top of the prepared folder.
        members: (pattern, replacement) pairs of regular expressions; a member whose
            whole name fits a pattern is extracted to the replacement, the others are
            left out.
        urls: addresses of the same bytes, tried in this order; none where the archive
            must be downloaded by hand.
        size: in bytes, where the publishers state it.
        sha256: where the publishers state it.
        instructions: how to download it by hand.
        optional: whether the dataset can be read without it.
    """

    filename: str
    holds: str
    fills: tuple[str, ...]
    members: tuple[tuple[str, str], ...]
    urls: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    instructions: str = ""
    optional: bool = False

    def place(self, member: str) -> str | None:
        """Where a member of the archive belongs in the prepared folder, if it does."""
        for pattern, replacement in self.members:
            match = re.fullmatch(pattern, member)
            if match:
                return match.expand(replacement)
        return None

    def is_in(self, folder: Path) -> bool:
        """Whether a folder has all that this archive fills."""
        return all(any(folder.glob(pattern)) for pattern in self.fills)


@dataclasses.dataclass(frozen=True)
class DatasetEntry:
    """One dataset of the catalogue.

    Args:
        name: as `keras_interp.datasets.load` takes it.
        holds: what it shows and what is annotated.
        pictures: how many, in words.
        size: of the download, in words.
        licence: the terms, in words.
        homepage: where the publishers describe it.
        files: the archives; none for a set that is drawn by this package.
        recipes: names of the TFDS recipes that build it.
        check_options: options of `load` that read a small share of every part of it.
    """

    name: str
    holds: str
    pictures: str
    size: str
    licence: str
    homepage: str = ""
    files: tuple[PublishedFile, ...] = ()
    recipes: tuple[str, ...] = ()
    check_options: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_drawn(self) -> bool:
        """Whether this package draws the pictures, so that no file is needed."""
        return not self.files

"""Reader of the sentences about CUB-200-2011 (Reed et al., 2016)."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path

from keras_interp.datasets.data_home import prepared_folder
from keras_interp.datasets.pictures import in_threads
from keras_interp.datasets.text_tables import read_text

ORIGIN = (
    "the archive cvpr2016_cub.tar.gz of https://github.com/reedscot/cvpr2016, folder "
    "text_c10"
)
FOLDER = "text_c10"
# The archive has this sign for spaces that were lost, most often two for one space.
_LOST = re.compile("\ufffd+")


@dataclasses.dataclass(frozen=True)
class CubCaptions:
    """Sentences by the id of their picture, and what did not join.

    `sentences` has the ids that were asked for and have a file, in the order asked
    for. `without_sentences` are the other ids, `without_picture` the files (their paths
    in `folder`, without the suffix) whose picture is not in the list.
    """

    folder: Path
    sentences: dict[str, list[str]]
    without_sentences: list[str]
    without_picture: list[str]

    @property
    def summary(self) -> str:
        """One sentence about what was joined and what was left out."""
        return (
            f"{self.folder}: sentences for {len(self.sentences)} pictures; left out "
            f"{len(self.without_sentences)} pictures without sentences and "
            f"{len(self.without_picture)} files of sentences without a picture"
        )


def read_cub_captions(
    folder: Path | str, ids: Sequence[str], known_ids: Sequence[str] | None = None
) -> CubCaptions:
    """Reads the sentences of pictures from `<folder>/<class>/<picture>.txt`.

    Pictures without a file, and files without a picture, are counted and left out: the
    archive is often handed on in part. A damaged file is an error.

    Args:
        folder: the folder `text_c10` of the published archive.
        ids: names of the pictures wanted, such as
            `"004.Groove_billed_Ani/Groove_Billed_Ani_0002_1670"`.
        known_ids: names of all pictures that there are. Default: `ids`.

    Returns:
        The sentences, one for each line that is not blank.

    Raises:
        FileNotFoundError: if the folder is missing.
        ValueError: if a file is empty or not UTF-8 text, or if no picture has
            sentences; the message names the file or folder.

    Reference:

    - Reed, Akata, Lee, Schiele, "Learning Deep Representations of Fine-Grained Visual
      Descriptions", CVPR 2016.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; it comes with {ORIGIN}")
    files = {
        f"{path.parent.name}/{path.stem}": path
        for path in sorted(folder.glob("*/*.txt"))
    }
    found = [name for name in map(str, ids) if name in files]
    if not found:
        raise ValueError(
            f"{folder} has no sentences for any of the {len(ids)} pictures; it should "
            f"hold <class>/<picture>.txt from {ORIGIN}"
        )
    lines = in_threads(read_sentences, [files[name] for name in found])
    joined = dict(zip(found, lines, strict=True))
    known = set(map(str, ids if known_ids is None else known_ids))
    return CubCaptions(
        folder=folder,
        sentences=joined,
        without_sentences=[name for name in map(str, ids) if name not in files],
        without_picture=[name for name in files if name not in known],
    )


def read_sentences(path: Path) -> list[str]:
    """The sentences of one file, one a line.

    Raises:
        ValueError: if the file is empty or not UTF-8 text.
    """
    text = _LOST.sub(" ", read_text(path, ORIGIN))
    sentences = [line.strip() for line in text.split("\n") if line.strip()]
    if not sentences:
        raise ValueError(
            f"{path} is empty: expected one sentence a line, from {ORIGIN}"
        )
    return sentences


def find_captions_folder(
    published: Path, captions_root: Path | str | None = None
) -> Path:
    """The folder of sentences: as given, near the pictures, or prepared.

    Args:
        published: the folder `CUB_200_2011`.
        captions_root: the folder `text_c10` or one that holds it.

    Raises:
        FileNotFoundError: if there is none; the message says where it was looked for.
    """
    if captions_root is not None:
        places = [Path(captions_root)]
    else:
        places = [published, published.parent, published.parent.parent]
        places += [place / "cub_captions" for place in places[1:]]
        places.append(prepared_folder("cub_captions"))
        if os.environ.get("KERAS_INTERP_DATA"):
            places.append(Path(os.environ["KERAS_INTERP_DATA"]) / "cub_captions")
    for place in places:
        for folder in (place / FOLDER, place / "cvpr2016_cub" / FOLDER):
            if folder.is_dir():
                return folder
    if captions_root is not None and places[0].is_dir():
        return places[0]
    raise FileNotFoundError(
        f"no folder {FOLDER} in {', '.join(map(str, places))}; give captions_root=, "
        f"the folder with the sentences, from {ORIGIN}"
    )

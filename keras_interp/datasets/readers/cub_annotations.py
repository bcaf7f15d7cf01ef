"""The text files of CUB-200-2011: annotations, attributes and sentences."""

from __future__ import annotations

import dataclasses
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from keras_interp.datasets._images import in_threads
from keras_interp.datasets._registry import prepared_folder
from keras_interp.datasets.readers._text_tables import (
    find_repeated,
    finite_number,
    read_names,
    read_rows,
    read_table,
    read_text,
    whole_number,
    zero_or_one,
)

_COLUMNS = ("image id", "attribute id", "is present", "certainty")


@dataclasses.dataclass(frozen=True, eq=False)
class CubAttributes:
    """What workers said about each image.

    `present` bool `(N, A)` says whether the bird has the attribute, in the opinion of
    one worker; `certainties` uint8 `(N, A)` is 1 (the part is not visible), 2
    (guessing), 3 (probably) or 4 (definitely), or 0 for no answer.
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
    listed = np.zeros((len(image_ids), len(names)), bool)
    listed[rows[known], attributes[known]] = True
    _check_complete(path, listed, image_ids, list(names), "attribute")
    present = np.zeros(listed.shape, bool)
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


def _check_complete(
    path: Path,
    listed: np.ndarray,
    image_ids: Sequence[int],
    ids: Sequence[int],
    what: str,
) -> None:
    """Refuses a file that was cut off: a part that nobody saw has its line, too.

    Args:
        path: the file.
        listed: bool `(images, parts)`, which pairs have a line.
        image_ids: the ids of the images.
        ids: the ids of the parts or attributes.
        what: the word for one of them.
    """
    if listed.all():
        return
    row, column = np.argwhere(~listed)[0]
    raise ValueError(
        f"Expected a line for every image and {what} in {path}. Received: "
        f"{listed.sum():,} of {listed.size:,}, the first one missing is that of image "
        f"{image_ids[row]} and {what} {ids[column]}. The file is cut off or of another "
        f"version; extract {ORIGIN} again."
    )


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
                whole_number(field)
        except ValueError as error:
            raise ValueError(f"{path}, line {row}: {error}") from error


ORIGIN = "CUB_200_2011.tgz from https://www.vision.caltech.edu/datasets/cub_200_2011/"


@dataclasses.dataclass(frozen=True, eq=False)
class CubAnnotations:
    """The text files of CUB-200-2011, one row for each image.

    `boxes` are (x0, y0, x1, y1) and `landmarks` (x, y) pixels of the stored image,
    NaN where a part is not visible; `class_ids` start at 1 as in `classes.txt`;
    `image_ids` and `names` are those of `images.txt`, and `ids` the names without
    their suffix. `attributes` is None unless asked for.
    """

    folder: Path
    image_ids: np.ndarray
    names: np.ndarray
    ids: np.ndarray
    class_ids: np.ndarray
    class_names: dict[int, str]
    is_train: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray
    landmark_names: list[str]
    attributes: CubAttributes | None = None

    def __len__(self) -> int:
        return len(self.names)


def read_cub_annotations(root: Path | str, attributes: bool = False) -> CubAnnotations:
    """Reads the text files alone, without opening an image.

    Args:
        root: the folder `CUB_200_2011` or the one that holds it.
        attributes: whether to read the 312 attributes too, which takes seconds. They
            stay None where `attributes/image_attribute_labels.txt` is not there.

    Returns:
        One row for each line of `images.txt`, in its order.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is damaged: a line short of a column, a value that is no
            number, text that is not UTF-8, an id that is listed twice or in one file
            alone. The message names the file, and the line where there is one.
    """
    folder = published_folder(Path(root))
    images = read_names(folder / "images.txt", ORIGIN)
    image_ids = list(images)
    ids = _ids_of(folder / "images.txt", list(images.values()))
    class_names = read_names(folder / "classes.txt", ORIGIN)
    parts = read_names(folder / "parts" / "parts.txt", ORIGIN)
    labels_path = folder / "image_class_labels.txt"
    labels = read_rows(labels_path, (whole_number, whole_number), image_ids, ORIGIN)
    class_ids = labels[:, 0].astype(np.int64)
    unknown = sorted(set(class_ids.tolist()) - class_names.keys())
    if unknown:
        raise ValueError(
            f"{labels_path}: the class ids {unknown[:5]} are not in "
            f"{folder / 'classes.txt'}"
        )
    sides = folder / "train_test_split.txt"
    is_train = read_rows(sides, (whole_number, zero_or_one), image_ids, ORIGIN)
    boxes = read_rows(
        folder / "bounding_boxes.txt",
        (whole_number, *[finite_number] * 4),
        image_ids,
        ORIGIN,
    )
    boxes[:, 2:] += boxes[:, :2]
    return CubAnnotations(
        folder=folder,
        image_ids=np.array(image_ids, np.int64),
        names=np.array(list(images.values()), dtype=str),
        ids=np.array(ids, dtype=str),
        class_ids=class_ids,
        class_names=class_names,
        is_train=is_train[:, 0] == 1,
        boxes=boxes,
        landmarks=_read_landmarks(folder, image_ids, list(parts)),
        landmark_names=list(parts.values()),
        attributes=read_cub_attributes(folder, image_ids, ORIGIN)
        if attributes
        else None,
    )


def published_folder(root: Path) -> Path:
    """The folder with `images.txt`: `root` or the `CUB_200_2011` in it."""
    for folder in (root, root / "CUB_200_2011"):
        if (folder / "images.txt").is_file():
            return folder
    raise FileNotFoundError(
        f"{root} has no images.txt and no CUB_200_2011/images.txt; root must be the "
        f"extracted folder CUB_200_2011 or the one that holds it, from {ORIGIN}"
    )


def _ids_of(path: Path, names: list[str]) -> list[str]:
    """The names of images without their suffix, checked."""
    for name in names:
        place = PurePosixPath(name)
        if not place.name or "\0" in name:
            raise ValueError(f"{path}: {name!r} is no name of an image")
        if place.is_absolute() or ".." in place.parts or "\\" in name:
            raise ValueError(f"{path}: {name!r} leads out of the folder of images")
    ids = [str(PurePosixPath(name).with_suffix("")) for name in names]
    repeated = find_repeated(ids)
    if repeated is not None:
        raise ValueError(f"{path}: {repeated!r} is listed twice")
    return ids


def _read_landmarks(
    folder: Path, image_ids: list[int], part_ids: list[int]
) -> np.ndarray:
    path = folder / "parts" / "part_locs.txt"
    kinds = (whole_number, whole_number, finite_number, finite_number, zero_or_one)
    columns = read_table(path, kinds, ORIGIN)
    image_row = {image_id: row for row, image_id in enumerate(image_ids)}
    part_row = {part_id: row for row, part_id in enumerate(part_ids)}
    unknown = set(columns[0]) - image_row.keys() or set(columns[1]) - part_row.keys()
    if unknown:
        raise ValueError(
            f"{path}: the ids {sorted(unknown)[:5]} are in neither images.txt nor "
            "parts.txt"
        )
    repeated = find_repeated(list(zip(columns[0], columns[1], strict=True)))
    if repeated is not None:
        raise ValueError(
            f"{path}: part {repeated[1]} of image {repeated[0]} is listed twice"
        )
    rows = [image_row[key] for key in columns[0]]
    parts = [part_row[key] for key in columns[1]]
    listed = np.zeros((len(image_ids), len(part_ids)), bool)
    listed[rows, parts] = True
    _check_complete(path, listed, image_ids, part_ids, "part")
    visible = np.array(columns[4], bool).reshape(-1, 1)
    points = np.array(columns[2:4], np.float64).T.reshape(-1, 2)
    landmarks = np.full((len(image_ids), len(part_ids), 2), np.nan)
    landmarks[rows, parts] = np.where(visible, points, np.nan)
    return landmarks


CAPTIONS_ORIGIN = (
    "the archive cvpr2016_cub.tar.gz of https://github.com/reedscot/cvpr2016, folder "
    "text_c10"
)
CAPTIONS_FOLDER = "text_c10"
# The archive has this sign for spaces that were lost, most often two for one space.
_LOST = re.compile("\ufffd+")


@dataclasses.dataclass(frozen=True)
class CubCaptions:
    """Sentences by the id of their image, and what did not join.

    `sentences` has the ids that were asked for and have a file, in the order asked
    for. `without_sentences` are the other ids, `without_image` the files (their paths
    in `folder`, without the suffix) whose image is not in the list.
    """

    folder: Path
    sentences: dict[str, list[str]]
    without_sentences: list[str]
    without_image: list[str]

    @property
    def summary(self) -> str:
        """One sentence about what was joined and what was left out."""
        return (
            f"{self.folder}: sentences for {len(self.sentences)} images; left out "
            f"{len(self.without_sentences)} images without sentences and "
            f"{len(self.without_image)} files of sentences without an image"
        )


def read_cub_captions(
    folder: Path | str, ids: Sequence[str], known_ids: Sequence[str] | None = None
) -> CubCaptions:
    """Reads the sentences of images from `<folder>/<class>/<image>.txt`.

    Images without a file, and files without an image, are counted and left out: the
    archive is often handed on in part. A damaged file is an error.

    Args:
        folder: the folder `text_c10` of the published archive.
        ids: names of the images wanted, such as
            `"004.Groove_billed_Ani/Groove_Billed_Ani_0002_1670"`.
        known_ids: names of all images that there are. Default: `ids`.

    Returns:
        The sentences, one for each line that is not blank.

    Raises:
        FileNotFoundError: if the folder is missing.
        ValueError: if a file is empty or not UTF-8 text, or if no image has
            sentences; the message names the file or folder.

    Reference:

    - Reed, Akata, Lee, Schiele, "Learning Deep Representations of Fine-Grained Visual
      Descriptions", CVPR 2016.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is not a folder; it comes with {CAPTIONS_ORIGIN}"
        )
    files = {
        f"{path.parent.name}/{path.stem}": path
        for path in sorted(folder.glob("*/*.txt"))
    }
    found = [name for name in map(str, ids) if name in files]
    if not found:
        raise ValueError(
            f"{folder} has no sentences for any of the {len(ids)} images; it should "
            f"hold <class>/<image>.txt from {CAPTIONS_ORIGIN}"
        )
    lines = in_threads(read_sentences, [files[name] for name in found])
    joined = dict(zip(found, lines, strict=True))
    known = set(map(str, ids if known_ids is None else known_ids))
    return CubCaptions(
        folder=folder,
        sentences=joined,
        without_sentences=[name for name in map(str, ids) if name not in files],
        without_image=[name for name in files if name not in known],
    )


def read_sentences(path: Path) -> list[str]:
    """The sentences of one file, one a line.

    Raises:
        ValueError: if the file is empty or not UTF-8 text.
    """
    text = _LOST.sub(" ", read_text(path, CAPTIONS_ORIGIN))
    sentences = [line.strip() for line in text.split("\n") if line.strip()]
    if not sentences:
        raise ValueError(
            f"{path} is empty: expected one sentence a line, from {CAPTIONS_ORIGIN}"
        )
    return sentences


def find_captions_folder(
    published: Path, captions_root: Path | str | None = None
) -> Path:
    """The folder of sentences: as given, near the images, or prepared.

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
        for folder in (
            place / CAPTIONS_FOLDER,
            place / "cvpr2016_cub" / CAPTIONS_FOLDER,
        ):
            if folder.is_dir():
                return folder
    if captions_root is not None and places[0].is_dir():
        return places[0]
    raise FileNotFoundError(
        f"no folder {CAPTIONS_FOLDER} in {', '.join(map(str, places))}; give "
        f"captions_root=, the folder with the sentences, from {CAPTIONS_ORIGIN}"
    )

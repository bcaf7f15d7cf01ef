"""The datasets that the package knows, with the publishers' own figures."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_interp.datasets._registry import find_root


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
        images: how many, in words.
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
        """Whether this package draws the images, so that no file is needed."""
        return not self.files


_CUB = PublishedFile(
    filename="CUB_200_2011.tgz",
    holds="photographs, boxes, part points, attributes, official split",
    fills=("CUB_200_2011",),
    members=(
        (r"(CUB_200_2011/.+)", r"\1"),
        # It lies beside the folder; in it, the two are not parted.
        (r"attributes\.txt", r"CUB_200_2011/attributes.txt"),
    ),
    urls=(
        "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz?download=1",
    ),
    size=1_150_585_339,
    # As the checksum file of tensorflow-datasets (caltech_birds2011) states it.
    sha256="0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
)
_CUB_SENTENCES = PublishedFile(
    filename="cvpr2016_cub.tar.gz",
    holds="ten English sentences an image (Reed et al., CVPR 2016)",
    fills=("text_c10",),
    members=((r"(?:.*/)?(text_c10/[^/]+/[^/]+\.txt)", r"\1"),),
    instructions="Open https://github.com/reedscot/cvpr2016 in a browser, follow the "
    "link to the birds' captions on Google Drive and confirm the download of "
    "cvpr2016_cub.tar.gz. Google Drive asks for that confirmation, so no program can "
    "fetch it for you.",
    optional=True,
)
_ANIMAL_IMAGES = PublishedFile(
    filename="detanimalpart-master.zip",
    holds="photographs and object boxes",
    fills=("n*_obj",),
    members=((r"(?:.*/)?(n\d{8}_obj/.+)", r"\1"),),
    instructions="Open https://github.com/zqs1022/detanimalpart in a browser, press "
    '"Code" and "Download ZIP". It has about 0.6 GB.',
)
_ANIMAL_TRUTH = PublishedFile(
    filename="interpretableCNN-master.zip",
    holds="boxes of heads and front legs, photographs without animals",
    fills=("annotations", "neg"),
    members=(
        (
            r"(?:.*/)?code/data_input/data_input_DET-2015-subset-ILSVRC2013train/"
            r"(n\d{8}/truth_part\d+\.mat)",
            r"annotations/\1",
        ),
        (r"(?:.*/)?code/data/(neg/[^/]+)", r"\1"),
    ),
    instructions="Open https://github.com/zqs1022/interpretableCNN in a browser, "
    'press "Code" and "Download ZIP".',
)
_PASCAL_PARTS = PublishedFile(
    filename="trainval.tar.gz",
    holds="masks of the parts",
    fills=("Annotations_Part",),
    members=((r"(?:.*/)?(Annotations_Part/[^/]+\.mat)", r"\1"),),
    urls=("https://roozbehm.info/pascal-parts/trainval.tar.gz",),
)
_VOC_2010 = PublishedFile(
    filename="VOCtrainval_03-May-2010.tar",
    holds="photographs of VOC 2010",
    fills=("VOCdevkit",),
    members=(
        (r"(?:\./)?(VOCdevkit/VOC2010/(?:JPEGImages|ImageSets/Main)/[^/]+)", r"\1"),
    ),
    urls=(
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar",
    ),
)

_ENTRIES = (
    DatasetEntry(
        name="synthetic_parts",
        holds="drawn animals of six kinds on textured grounds; landmarks, boxes and "
        "masks of the parts",
        pictures="as many images as asked for",
        size="nothing to download",
        licence="Apache-2.0, like the package that draws them",
        recipes=("synthetic_parts",),
    ),
    DatasetEntry(
        name="synthetic_birds",
        holds="drawn birds of similar species; landmarks, masks of the parts and ten "
        "sentences an image",
        pictures="as many images as asked for",
        size="nothing to download",
        licence="Apache-2.0, like the package that draws them",
        recipes=("synthetic_birds",),
    ),
    DatasetEntry(
        name="planted_parts",
        holds="drawn images whose class scores are a known sum over five known parts",
        pictures="as many images as asked for",
        size="nothing to download",
        licence="Apache-2.0, like the package that draws them",
    ),
    DatasetEntry(
        name="cub",
        holds="CUB-200-2011: birds of 200 species; 15 part points, boxes, attributes; "
        "ten sentences an image where text_c10 is there",
        pictures="11,788 images",
        size="1.15 GB",
        licence="non-commercial research and education; the photographs belong to "
        "their photographers",
        homepage="https://www.vision.caltech.edu/datasets/cub_200_2011/",
        files=(_CUB, _CUB_SENTENCES),
        recipes=("cub_parts", "cub_captions"),
        check_options={"max_images_per_category": 1},
    ),
    DatasetEntry(
        name="animal_part",
        holds="ILSVRC 2013 DET Animal-Part: animals of 30 kinds; boxes of heads and "
        "front legs, photographs without animals",
        pictures="15,067 images and 1,000 without an animal",
        size="about 0.8 GB",
        licence="repositories MIT; the photographs are ImageNet's: non-commercial "
        "research and education",
        homepage="https://github.com/zqs1022/detanimalpart",
        files=(_ANIMAL_IMAGES, _ANIMAL_TRUTH),
        recipes=("animal_part",),
        check_options={"max_images_per_category": 1},
    ),
    DatasetEntry(
        name="pascal_part",
        holds="PASCAL-Part: VOC 2010 photographs with a mask for every part of an "
        "object",
        pictures="10,103 images",
        size="about 1.4 GB",
        licence="that of the flickr photographs in PASCAL VOC: research and education",
        homepage="https://roozbehm.info/pascal-parts/pascal-parts.html",
        files=(_PASCAL_PARTS, _VOC_2010),
        recipes=("pascal_part",),
        check_options={"max_images_per_category": 1},
    ),
)


def catalogue() -> dict[str, DatasetEntry]:
    """The datasets that `load` and `prepare` know, by name.

    Example:

    >>> from keras_interp import datasets
    >>> datasets.catalogue()["cub"].pictures
    '11,788 images'

    Returns:
        A `DatasetEntry` for each name: what the dataset holds, its size, licence,
        archives with their addresses and, where the publishers state them, sizes and
        checksums (`None` where they do not), and the names of its TFDS recipes.
    """
    return {entry.name: entry for entry in _ENTRIES}


def find_entry(name: str) -> DatasetEntry:
    """The entry of a dataset.

    Raises:
        ValueError: if there is none of that name; the message lists the names.
    """
    known = catalogue()
    if name in known:
        return known[name]
    hint = ""
    for entry in known.values():
        if name in entry.recipes:
            hint = (
                f". {name!r} is a recipe for TensorFlow Datasets: prepare "
                f"{entry.name!r}, or add --tfds"
            )
    raise ValueError(
        f"unknown dataset {name!r}; known: {', '.join(known)}, and the weights "
        f"squeezenet and mobilenet{hint}"
    )


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

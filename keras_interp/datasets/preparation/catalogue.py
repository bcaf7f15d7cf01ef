"""The datasets that the package knows, with the publishers' own figures."""

from __future__ import annotations

from keras_interp.datasets.preparation.dataset_entry import DatasetEntry, PublishedFile

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
    holds="ten English sentences a picture (Reed et al., CVPR 2016)",
    fills=("text_c10",),
    members=((r"(?:.*/)?(text_c10/[^/]+/[^/]+\.txt)", r"\1"),),
    instructions="Open https://github.com/reedscot/cvpr2016 in a browser, follow the "
    "link to the birds' captions on Google Drive and confirm the download of "
    "cvpr2016_cub.tar.gz. Google Drive asks for that confirmation, so no program can "
    "fetch it for you.",
    optional=True,
)
_ANIMAL_PICTURES = PublishedFile(
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
        pictures="as many pictures as asked for",
        size="nothing to download",
        licence="Apache-2.0, like the package that draws them",
        recipes=("synthetic_parts",),
    ),
    DatasetEntry(
        name="synthetic_birds",
        holds="drawn birds of similar species; landmarks, masks of the parts and ten "
        "sentences a picture",
        pictures="as many pictures as asked for",
        size="nothing to download",
        licence="Apache-2.0, like the package that draws them",
        recipes=("synthetic_birds",),
    ),
    DatasetEntry(
        name="cub",
        holds="CUB-200-2011: birds of 200 species; 15 part points, boxes, attributes; "
        "ten sentences a picture where text_c10 is there",
        pictures="11,788 pictures",
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
        pictures="15,067 pictures and 1,000 without an animal",
        size="about 0.8 GB",
        licence="repositories MIT; the photographs are ImageNet's: non-commercial "
        "research and education",
        homepage="https://github.com/zqs1022/detanimalpart",
        files=(_ANIMAL_PICTURES, _ANIMAL_TRUTH),
        recipes=("animal_part",),
        check_options={"max_images_per_category": 1},
    ),
    DatasetEntry(
        name="pascal_part",
        holds="PASCAL-Part: VOC 2010 photographs with a mask for every part of an "
        "object",
        pictures="10,103 pictures",
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
    '11,788 pictures'

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
    raise ValueError(f"unknown dataset {name!r}; known: {', '.join(known)}{hint}")

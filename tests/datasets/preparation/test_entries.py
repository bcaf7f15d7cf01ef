"""What the catalogue says of the datasets."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from keras_interp.datasets import catalogue, load
from keras_interp.datasets.preparation.entries import find_entry

FILES = [file for entry in catalogue().values() for file in entry.files]


def test_every_dataset_of_load_is_there():
    with pytest.raises(ValueError) as caught:
        load("none of them")
    known = str(caught.value).partition("one of ")[2].split(". ")[0].split(", ")
    assert set(known) <= set(catalogue())
    assert {"cub", "animal_part", "pascal_part"} <= set(catalogue())


def test_unknown_names():
    with pytest.raises(ValueError, match="'cubs'; known: synthetic_parts, .*cub"):
        find_entry("cubs")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.filename)
def test_files_have_an_address_or_instructions(file):
    assert bool(file.urls) != bool(file.instructions)
    assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
    assert all(url.startswith(("https://", "http://host.robots")) for url in file.urls)


def test_cub_is_what_tensorflow_datasets_states():
    # Found without importing the package, which takes seconds.
    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None or spec.origin is None:
        pytest.skip("tensorflow-datasets is not installed")
    path = Path(spec.origin).parent / "url_checksums" / "caltech_birds2011.txt"
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    stated = {url: (int(size), sha256) for url, size, sha256, _ in lines}
    file = catalogue()["cub"].files[0]
    assert stated[file.urls[0]] == (file.size, file.sha256)


PLACES = {
    "CUB_200_2011.tgz": {
        "CUB_200_2011/images.txt": "CUB_200_2011/images.txt",
        "CUB_200_2011/parts/part_locs.txt": "CUB_200_2011/parts/part_locs.txt",
        "attributes.txt": "CUB_200_2011/attributes.txt",
        "other.txt": None,
    },
    "cvpr2016_cub.tar.gz": {
        "cvpr2016_cub/text_c10/001.Albatross/a_1.txt": "text_c10/001.Albatross/a_1.txt",
        "text_c10/001.Albatross/a_1.txt": "text_c10/001.Albatross/a_1.txt",
        "cvpr2016_cub/text_c10/001.Albatross.t7": None,
        "cvpr2016_cub/images/001.Albatross.t7": None,
    },
    "detanimalpart-master.zip": {
        "detanimalpart-master/n02084071_obj/img/data.mat": "n02084071_obj/img/data.mat",
        "detanimalpart-master/README.md": None,
    },
    "interpretableCNN-master.zip": {
        "interpretableCNN-master/code/data_input/data_input_DET-2015-subset-"
        "ILSVRC2013train/n02084071/truth_part01.mat": (
            "annotations/n02084071/truth_part01.mat"
        ),
        "interpretableCNN-master/code/data/neg/00001.JPEG": "neg/00001.JPEG",
        "interpretableCNN-master/code/data_input/data_input_VOC/cat/truth_part01.mat": (
            None
        ),
    },
    "trainval.tar.gz": {
        "Annotations_Part/2008_000008.mat": "Annotations_Part/2008_000008.mat",
        "demo.m": None,
    },
    "VOCtrainval_03-May-2010.tar": {
        "VOCdevkit/VOC2010/JPEGImages/2008_000008.jpg": (
            "VOCdevkit/VOC2010/JPEGImages/2008_000008.jpg"
        ),
        "VOCdevkit/VOC2010/SegmentationClass/2008_000008.png": None,
    },
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.filename)
def test_where_the_members_go(file):
    for member, wanted in PLACES[file.filename].items():
        assert file.place(member) == wanted

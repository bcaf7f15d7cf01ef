"""Text files with any damage: a dataset, or an error that names a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_interp.datasets import load_cub, load_pascal_part
from keras_interp.datasets.cub_annotations import read_cub_annotations

TABLES = [
    "images.txt",
    "classes.txt",
    "image_class_labels.txt",
    "train_test_split.txt",
    "bounding_boxes.txt",
    "parts/parts.txt",
    "parts/part_locs.txt",
]
# What a careless edit, another program or another country's computer puts in.
PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"",
            b" ",
            b"\n",
            b"\r\n",
            b"\t",
            b"\0",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"nan",
            b"-1",
            b"1e400",
            b"9" * 400,
            b"12",
            b"../",
            b"/",
            b".",
            b"0 0 0 0 0 0\n",
            "\u2028".encode(),
            "\u0663".encode(),
        ]
    ),
)
CUTS = st.tuples(st.integers(0, 160), st.integers(0, 60), PIECES)
# The folder is the same for all examples; only the damaged file is written again.
many = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def damage(content: bytes, cut: tuple[int, int, bytes]) -> bytes:
    """Puts a piece in the place of some bytes."""
    start, length, piece = cut
    start = min(start, len(content))
    return content[:start] + piece + content[start + length :]


def reads_or_names_a_file(read, names: list[str]) -> None:
    try:
        read()
    except (ValueError, FileNotFoundError) as error:
        assert any(name in str(error) for name in names), str(error)


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_cub(cub_root, name):
    path = cub_root / name
    content = path.read_bytes()
    files = [Path(table).name for table in TABLES] + [".jpg"]

    @many
    @given(cut=CUTS)
    def check(cut):
        path.write_bytes(damage(content, cut))
        reads_or_names_a_file(lambda: load_cub(cub_root, size=4), files)

    check()


def test_attributes_of_cub(cub_root):
    (cub_root / "attributes").mkdir()
    names = cub_root / "attributes" / "attributes.txt"
    labels = cub_root / "attributes" / "image_attribute_labels.txt"
    contents = {names: b"1 blue\n2 red\n", labels: b"10 1 1 4 2.5\n11 2 0 1 3.25\n"}
    files = [path.name for path in contents]

    @many
    @given(cut=CUTS, damaged=st.sampled_from(list(contents)))
    def check(cut, damaged):
        for path, content in contents.items():
            path.write_bytes(damage(content, cut) if path == damaged else content)
        reads_or_names_a_file(lambda: read_cub_annotations(cub_root, True), files)

    check()


def test_sentences(cub_root):
    path = cub_root / "text_c10" / "001.Gull" / "a.txt"
    path.parent.mkdir(parents=True)

    @many
    @given(content=st.binary(max_size=60))
    def check(content):
        path.write_bytes(content)
        reads_or_names_a_file(
            lambda: load_cub(cub_root, size=4, captions=True), ["a.txt"]
        )

    check()


def test_lists_of_pascal_voc(pascal_root):
    lists = pascal_root / "VOCdevkit" / "VOC2010" / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("2008_a\n")

    @settings(many, max_examples=25)
    @given(cut=CUTS)
    def check(cut):
        (lists / "train.txt").write_bytes(damage(b"2008_c\n2008_d\n", cut))
        reads_or_names_a_file(
            lambda: load_pascal_part(
                pascal_root, size=4, split_by="voc", part_masks=False
            ),
            ["train.txt"],
        )

    check()

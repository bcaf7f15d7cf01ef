"""The table of the parts of PASCAL-Part, and the merges of the papers."""

from __future__ import annotations

import pytest

from keras_interp.datasets.mirror_images import mirror_order
from keras_interp.datasets.pascal_part_names import (
    MERGED_LANDMARKS,
    MERGED_NAMES,
    MERGED_PARTS,
    PARTS,
    named_parts,
    part_code,
)

# The indices that the authors of the interpretable CNN merge, from their released code,
# in the numbering of the published annotations: muzzle of dogs 20, hooves from 30 on.
AUTHORS = {
    "bird": [range(1, 5), range(5, 9), range(9, 13), [13]],
    "cat": [range(1, 7), [7, 8], range(9, 13), range(13, 17), [17]],
    "cow": [range(1, 9), [9, 10], range(11, 15), range(15, 19)],
    "dog": [[*range(1, 7), 20], [7, 8], range(9, 13), range(13, 17), [17]],
    "horse": [range(1, 7), [9, 10], [*range(11, 15), 30, 31], [*range(15, 19), 32, 33]],
    "sheep": [range(1, 9), [9, 10], range(11, 15), range(15, 19)],
}


def indices(category: str) -> dict[str, int]:
    """The published number of each part of an animal."""
    codes = list(PARTS["cow" if category == "horse" else category])
    numbers = {code: number for number, code in enumerate(codes, start=1)}
    special = {"dog": {"muzzle": 20}}.get(category, {})
    if category == "horse":
        special = {"lfho": 30, "rfho": 31, "lbho": 32, "rbho": 33}
    return numbers | special


@pytest.mark.parametrize("category", list(AUTHORS))
def test_merges_are_those_of_the_authors(category):
    number = indices(category)
    merged = [
        sorted(number[code] for code in codes)
        for codes in MERGED_PARTS[category].values()
    ]
    assert merged == [list(numbers) for numbers in AUTHORS[category]]


def test_merged_parts_have_names_and_codes_that_exist():
    assert list(MERGED_PARTS) == ["bird", "cat", "cow", "dog", "horse", "sheep"]
    for category, merged in MERGED_PARTS.items():
        assert list(merged) == [name for name in MERGED_NAMES if name in merged]
        codes = [code for some in merged.values() for code in some]
        assert set(codes) <= set(PARTS[category]) and len(set(codes)) == len(codes)
    assert set(MERGED_NAMES) | {"neck"} == set(MERGED_LANDMARKS)


def test_there_are_twenty_classes_in_the_order_of_voc():
    assert len(PARTS) == 20 and list(PARTS) == sorted(PARTS)
    assert [name for name, parts in PARTS.items() if not parts] == [
        "boat",
        "chair",
        "diningtable",
        "sofa",
    ]
    # "107 object landmarks in six animal categories", say the papers.
    assert sum(len(PARTS[name]) for name in MERGED_PARTS) == 107


@pytest.mark.parametrize("category", list(PARTS))
def test_left_and_right_come_in_pairs(category):
    names = list(named_parts(category))
    order = mirror_order(names)
    for row, name in enumerate(names):
        assert (order[row] != row) == ("left" in name or "right" in name)


def test_numbered_parts_have_one_code():
    assert part_code("car", "wheel_1") == part_code("car", "wheel_12") == "wheel_"
    assert part_code("train", "cleftside_3") == "cleftside_"
    assert part_code("dog", "lfpa") == "lfpa"
    for category, name in [("dog", "lhorn"), ("dog", "wheel_1"), ("car", "wheel_x")]:
        with pytest.raises(
            ValueError, match=f"{category} has no part '{name}'; it has"
        ):
            part_code(category, name)

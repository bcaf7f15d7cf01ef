"""Spots and names of filters on one image."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.plotting import parts_on_image
from keras_interp.plotting._parts_on_image import _LINE_HEIGHT, axes_with_room

NAMES = ["head", "tail", "head"]


def spots(ax):
    """Places and colours of the spots that are drawn, grey ones first."""
    return [
        (group.get_offsets().tolist(), group.get_facecolor()[0].tolist())
        for group in ax.collections
        if len(group.get_offsets())
    ]


def test_spots_lie_at_the_peaks_in_the_colour_of_the_part(images, maps, field):
    ax = parts_on_image(images[1], maps[1], field, names=NAMES)
    # Row 1, column 1 and row 2, column 3, cells 8 apart from 3.5; filter 2 is silent.
    (head, red), (tail, blue) = spots(ax)
    assert head == [[11.5, 11.5]]
    assert tail == [[27.5, 19.5]]
    assert red != blue
    assert [text.get_text() for text in ax.texts] == ["head", "tail"]
    assert ax.get_xlim() == (-0.5, 31.5)
    again = parts_on_image(
        images[1], maps[1], field, names=NAMES, order=["wing", "tail", "head"]
    )
    assert spots(again)[0][1] == blue  # the second of the order as of the names


def test_filters_of_one_name_have_one_label_with_their_number(images, maps, field):
    maps[1, 3, 0, 2] = 9.0
    ax = parts_on_image(images[1], maps[1], field, names=NAMES)
    assert [text.get_text() for text in ax.texts] == ["head (2)", "tail"]
    # The line leads to the strongest of them.
    assert ax.texts[0].xy == (3.5, 27.5)


def test_filters_without_a_name_are_grey_and_have_no_label(images, maps, field):
    ax = parts_on_image(images[0], maps[0], field, names=["", "front_legs", ""])
    (nameless, grey), (_, color) = spots(ax)
    assert nameless == [[11.5, 3.5]]
    assert len(set(grey[:3])) == 1 < len(set(color[:3]))
    assert [text.get_text() for text in ax.texts] == ["front legs"]
    none = parts_on_image(images[0], maps[0], field, names=["", "", ""], title="none")
    assert not none.texts
    assert none.get_title() == "none"


def test_without_names_filters_go_by_number(images, maps, field):
    ax = parts_on_image(images[0], maps[0], field)
    assert [text.get_text() for text in ax.texts] == ["filter 0", "filter 1"]


def test_labels_do_not_lie_upon_one_another(images, field):
    maps = np.zeros((4, 4, 12))
    maps[3, 0] = 1.0  # all twelve at one place, at the bottom
    names = [f"part {k:02}" for k in range(12)]
    (ax,) = np.atleast_1d(parts_on_image(images[0], maps, field, names=names))
    columns = {}
    for text in ax.texts:
        columns.setdefault(text.get_position()[0], []).append(text.get_position()[1])
    for rows in columns.values():
        assert (np.diff(sorted(rows)) > 0.99 * _LINE_HEIGHT).all()
        assert min(rows) >= 0


def test_labels_are_inside_a_figure_of_its_own(images, maps, field):
    ax = parts_on_image(images[1], maps[1], field, names=["belly/breast"] * 3)
    figure = ax.figure
    figure.canvas.draw()
    for text in ax.texts:
        box = text.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width
    assert len(axes_with_room(2)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": np.zeros((2, 4, 4, 3))}, "Expected maps of shape"),
        ({"names": ["head"]}, "one name for each of the 3 filters"),
        ({"order": ["head"]}, r"which lacks \['tail'\]"),
        ({"image": np.zeros(3)}, "Expected image of shape"),
        ({"maps": np.full((4, 4, 3), np.nan)}, "without NaN"),
    ],
)
def test_bad_input_is_refused(change, message, images, maps, field):
    arguments = {"image": images[0], "maps": maps[0], "names": NAMES, **change}
    image, given = arguments.pop("image"), arguments.pop("maps")
    with pytest.raises(ValueError, match=message):
        parts_on_image(image, given, field, **arguments)

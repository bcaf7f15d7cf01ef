"""What birds look like when they are drawn, and where their parts are."""

from __future__ import annotations

import numpy as np
import pytest

from keras_interp.datasets import synthetic_bird_species
from keras_interp.datasets.synthetic._bird_body import LANDMARKS, SHAPE_NAMES, index
from keras_interp.datasets.synthetic._bird_scene import Plumage
from keras_interp.datasets.synthetic._drawing import Shapes
from keras_interp.datasets.synthetic.bird_species import COLORS, PALETTE, PARTS

SPECIES = synthetic_bird_species()
NAMES = [species.name for species in SPECIES]
ALL = np.arange(480) % 48


@pytest.fixture(scope="module")
def easy(draw_species):
    return draw_species(ALL, difficulty=0)


@pytest.fixture(scope="module")
def usual(draw_species):
    return draw_species(ALL, difficulty=0.5)


def part(name):
    return LANDMARKS.index(name)


def seen(drawn, name):
    return ~np.isnan(drawn.drawing.landmarks[:, part(name), 0])


def test_everything_is_float32(easy):
    """One float64 array would make all images twice as slow to draw."""
    for name, value in vars(easy.scene).items():
        arrays = [value]
        if isinstance(value, Shapes):
            arrays = [value.centers, value.axes]
        elif isinstance(value, Plumage):
            arrays = list(vars(value).values())
        kinds = {array.dtype for array in arrays}
        assert kinds <= {np.dtype(np.float32), np.dtype(bool)}, name


def test_parts_have_the_colors_of_the_table(easy):
    """The median colour of what is seen of a plain part is nearest to its own."""
    palette = np.array(list(PALETTE.values()))
    right = total = 0
    for name in ("crown", "nape", "throat", "breast", "belly", "back", "tail"):
        column = PARTS.index(name)
        plain = easy.birds.patterns[:, column] == 0
        for row in np.flatnonzero(plain & seen(easy, name)):
            mask = easy.drawing.part_masks[row, part(name)]
            color = np.median(easy.drawing.images[row][mask], axis=0) / 255
            nearest = np.abs(palette - color).sum(axis=1).argmin()
            right += nearest == easy.birds.colors[row, column]
            total += 1
    assert total > 2500 and right / total > 0.97


def test_patterns_can_be_seen(easy):
    """Brightness varies more over a patterned part than over a plain one."""
    column = PARTS.index("wing")
    wings = easy.drawing.part_masks[:, [part("left wing"), part("right wing")]]
    deviations = np.array(
        [
            image[mask].mean(axis=1).std()
            for image, mask in zip(easy.drawing.images, wings.any(axis=1), strict=True)
        ]
    )
    plain = easy.birds.patterns[:, column] == 0
    assert np.quantile(deviations[plain], 0.95) < np.quantile(deviations[~plain], 0.05)


@pytest.mark.parametrize(
    "name",
    [
        "Black-capped Marshfinch",
        "White-bellied Stonethrush",
        "Orange-throated Honeysipper",
        "White-naped Pinejay",
        "Green-breasted Riverking",
        "Blue-winged Thornwarbler",
        "White-backed Skyswallow",
    ],
)
def test_near_neighbors_differ_where_the_part_is(name, draw_species):
    """Images of the same number are the same but for the part that differs."""
    other = NAMES.index(name)
    common = other - other % 4
    (column,) = [
        k
        for k, part in enumerate(PARTS)
        if SPECIES[common].looks[part] != SPECIES[other].looks[part]
    ]
    one, two = (draw_species([which] * 40, difficulty=0) for which in (common, other))
    own = {"crown": ("crown", "forehead"), "wing": ("left wing", "right wing")}
    parts = [part(k) for k in own.get(PARTS[column], (PARTS[column],))]
    mask = one.drawing.part_masks[:, parts].any(axis=1)
    near = mask.copy()
    for shift in (-2, -1, 1, 2):
        for axis in (1, 2):
            near |= np.roll(mask, shift, axis)
    change = np.abs(one.drawing.images.astype(int) - two.drawing.images).max(axis=3)
    visible = mask.any(axis=(1, 2)) & ~one.birds.drab[:, column]
    typical = (change * mask).max(axis=(1, 2))[visible]
    assert visible.sum() > 25 and (typical > 60).mean() > 0.95
    # The cheek has the colour of the nape, and the eye stands out against it.
    if PARTS[column] != "nape":
        assert (change[~near] > 8).sum() < 0.1 * (change[near] > 8).sum()


def test_long_tails_are_long_and_forked_ones_have_two_ends(easy):
    shape = easy.birds.shapes[:, PARTS.index("tail")]
    axes = easy.scene.body.axes[:, index("upper_tail"), :, 0]
    rump = easy.scene.body.axes[:, index("rump"), :, 0]
    length = np.linalg.norm(axes, axis=1) / np.linalg.norm(rump, axis=1)
    short, long, forked = (length[shape == k] for k in range(3))
    assert short.max() < forked.min() and forked.mean() < long.mean()
    ends = easy.scene.body.centers[:, [index("upper_tail"), index("lower_tail")]]
    gap = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1) / np.linalg.norm(axes, axis=1)
    assert gap[shape == 2].min() > gap[shape == 1].max()


def test_landmarks_lie_on_what_is_seen_of_their_part(usual):
    points, masks = usual.drawing.landmarks, usual.drawing.part_masks
    rows, parts = np.nonzero(~np.isnan(points[..., 0]))
    x, y = points[rows, parts].astype(int).T
    assert masks[rows, parts, y, x].all()
    assert len(rows) > 0.6 * points[..., 0].size


def test_parts_do_not_overlap_and_lie_in_the_box(usual):
    masks = usual.drawing.part_masks
    assert (masks.sum(axis=1) > 1).mean() < 2e-3
    boxes = usual.drawing.boxes
    assert (boxes >= 0).all() and (boxes <= 64).all()
    y, x = np.mgrid[:64, :64]
    inside = (
        (x + 1 >= boxes[:, 0, None, None])
        & (x <= boxes[:, 2, None, None])
        & (y + 1 >= boxes[:, 1, None, None])
        & (y <= boxes[:, 3, None, None])
    )
    visible = masks.any(axis=1)
    assert (visible & ~inside).sum() < 0.002 * visible.sum()  # soft tips
    points = usual.drawing.landmarks.copy()
    points[np.isnan(points)] = 32
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    out = ((points < low - 1) | (points > high + 1)).any(axis=2)
    assert out[~np.isnan(usual.drawing.landmarks[..., 0])].mean() < 1e-3


def test_a_bird_shows_the_side_it_does_not_turn_away(usual):
    """One that looks right shows its right eye, and its left one from in front."""
    looks_right = ~usual.scene.mirrored
    skull, rump = (usual.scene.body.centers[:, index(k), 0] for k in ("skull", "rump"))
    assert (looks_right == (skull > rump)).mean() > 0.98
    profile = ~usual.birds.facing
    for side, near in (("right", looks_right), ("left", ~looks_right)):
        shown = seen(usual, f"{side} eye")
        assert not shown[profile & ~near].any() and shown[profile & near].mean() > 0.7
    both = seen(usual, "left eye") & seen(usual, "right eye")
    assert both[~profile].mean() > 0.4 and not both[profile].any()
    wings = seen(usual, "left wing") & seen(usual, "right wing")
    assert 0.05 < wings.mean() < 0.25


def test_sitting_birds_hide_their_legs(usual):
    legs = seen(usual, "left leg") | seen(usual, "right leg")
    sits = ~usual.scene.body.present[:, index("near_shank")]
    assert not legs[sits].any() and legs[~sits].mean() > 0.9


def test_leaves_hide_parts(easy, usual):
    """At difficulty 0 everything on the near side is seen; then less and less."""
    always = ["back", "beak", "belly", "breast", "crown", "nape", "tail", "throat"]
    for name in always:
        assert seen(easy, name).mean() > 0.99
        assert 0.7 < seen(usual, name).mean() < 0.98
    assert not easy.scene.occluders.present.any()


def test_hidden_parts_have_no_landmark(draw_species):
    """An image that is all leaf shows nothing."""
    drawn = draw_species(np.arange(48), difficulty=1)
    share = drawn.drawing.part_masks.mean(axis=(2, 3))
    hidden = np.isnan(drawn.drawing.landmarks[..., 0])
    assert hidden[share == 0].all() and (share == 0).any()


def test_birds_fit_into_the_image(usual):
    bounds = usual.scene.body.bounds()
    inside = np.clip(bounds, 0, 64)
    shown = np.prod(inside[:, 2:] - inside[:, :2], axis=1)
    whole = np.prod(bounds[:, 2:] - bounds[:, :2], axis=1)
    assert (shown / whole).min() > 0.8


def test_landmarks_scale_with_the_image(draw_species):
    small, large = (draw_species(np.arange(96) % 48, size=size) for size in (64, 128))
    one, other = small.drawing.landmarks * 2, large.drawing.landmarks
    both = ~np.isnan(one[..., 0]) & ~np.isnan(other[..., 0])
    agree = np.isnan(one[..., 0]) == np.isnan(other[..., 0])
    assert agree.mean() > 0.99
    distance = np.linalg.norm(one - other, axis=2)[both]
    assert np.median(distance) < 1 and np.quantile(distance, 0.99) < 6


def test_shape_names_are_unique():
    assert len(set(SHAPE_NAMES)) == len(SHAPE_NAMES)
    assert COLORS == tuple(PALETTE)

"""The parts of PASCAL-Part: what its codes mean, and how the papers merge them.

A code that ends in `_` stands for several parts with numbers, `wheel_1`, `wheel_2` and
so on, which are one part here.
"""

from __future__ import annotations

_QUADRUPED_HEAD = {
    "head": "head",
    "leye": "left_eye",
    "reye": "right_eye",
    "lear": "left_ear",
    "rear": "right_ear",
}
_CAT = {
    **_QUADRUPED_HEAD,
    "nose": "nose",
    "torso": "torso",
    "neck": "neck",
    "lfleg": "left_front_leg",
    "lfpa": "left_front_paw",
    "rfleg": "right_front_leg",
    "rfpa": "right_front_paw",
    "lbleg": "left_back_leg",
    "lbpa": "left_back_paw",
    "rbleg": "right_back_leg",
    "rbpa": "right_back_paw",
    "tail": "tail",
}
_HORNS = {"lhorn": "left_horn", "rhorn": "right_horn"}
_UNGULATE_BODY = {
    "torso": "torso",
    "neck": "neck",
    "lfuleg": "left_front_upper_leg",
    "lflleg": "left_front_lower_leg",
    "rfuleg": "right_front_upper_leg",
    "rflleg": "right_front_lower_leg",
    "lbuleg": "left_back_upper_leg",
    "lblleg": "left_back_lower_leg",
    "rbuleg": "right_back_upper_leg",
    "rblleg": "right_back_lower_leg",
    "tail": "tail",
}
_COW = {**_QUADRUPED_HEAD, "muzzle": "muzzle", **_HORNS, **_UNGULATE_BODY}
_CAR = {
    "frontside": "front_side",
    "leftside": "left_side",
    "rightside": "right_side",
    "backside": "back_side",
    "roofside": "roof_side",
    "leftmirror": "left_mirror",
    "rightmirror": "right_mirror",
    "fliplate": "front_license_plate",
    "bliplate": "back_license_plate",
    "door_": "door",
    "wheel_": "wheel",
    "headlight_": "headlight",
    "window_": "window",
}

# The 20 classes of PASCAL VOC in their order, with the parts of each in the order of
# their indices in the published `part2ind.m`. Some classes have silhouettes alone.
PARTS: dict[str, dict[str, str]] = {
    "aeroplane": {
        "body": "body",
        "stern": "stern",
        "lwing": "left_wing",
        "rwing": "right_wing",
        "tail": "tail",
        "engine_": "engine",
        "wheel_": "wheel",
    },
    "bicycle": {
        "fwheel": "front_wheel",
        "bwheel": "back_wheel",
        "saddle": "saddle",
        "handlebar": "handlebar",
        "chainwheel": "chain_wheel",
        "headlight_": "headlight",
    },
    "bird": {
        "head": "head",
        "leye": "left_eye",
        "reye": "right_eye",
        "beak": "beak",
        "torso": "torso",
        "neck": "neck",
        "lwing": "left_wing",
        "rwing": "right_wing",
        "lleg": "left_leg",
        "lfoot": "left_foot",
        "rleg": "right_leg",
        "rfoot": "right_foot",
        "tail": "tail",
    },
    "boat": {},
    "bottle": {"cap": "cap", "body": "body"},
    "bus": _CAR,
    "car": _CAR,
    "cat": _CAT,
    "chair": {},
    "cow": _COW,
    "diningtable": {},
    "dog": {**_CAT, "muzzle": "muzzle"},
    "horse": {
        **_QUADRUPED_HEAD,
        "muzzle": "muzzle",
        **_UNGULATE_BODY,
        "lfho": "left_front_hoof",
        "rfho": "right_front_hoof",
        "lbho": "left_back_hoof",
        "rbho": "right_back_hoof",
    },
    "motorbike": {
        "fwheel": "front_wheel",
        "bwheel": "back_wheel",
        "handlebar": "handlebar",
        "saddle": "saddle",
        "headlight_": "headlight",
    },
    "person": {
        **_QUADRUPED_HEAD,
        "lebrow": "left_eyebrow",
        "rebrow": "right_eyebrow",
        "nose": "nose",
        "mouth": "mouth",
        "hair": "hair",
        "torso": "torso",
        "neck": "neck",
        "llarm": "left_lower_arm",
        "luarm": "left_upper_arm",
        "lhand": "left_hand",
        "rlarm": "right_lower_arm",
        "ruarm": "right_upper_arm",
        "rhand": "right_hand",
        "llleg": "left_lower_leg",
        "luleg": "left_upper_leg",
        "lfoot": "left_foot",
        "rlleg": "right_lower_leg",
        "ruleg": "right_upper_leg",
        "rfoot": "right_foot",
    },
    "pottedplant": {"pot": "pot", "plant": "plant"},
    "sheep": _COW,
    "sofa": {},
    "train": {
        "head": "head",
        "hfrontside": "head_front_side",
        "hleftside": "head_left_side",
        "hrightside": "head_right_side",
        "hbackside": "head_back_side",
        "hroofside": "head_roof_side",
        "headlight_": "headlight",
        "coach_": "coach",
        "cfrontside_": "coach_front_side",
        "cleftside_": "coach_left_side",
        "crightside_": "coach_right_side",
        "cbackside_": "coach_back_side",
        "croofside_": "coach_roof_side",
    },
    "tvmonitor": {"screen": "screen"},
}
# The published files call this class by a name of their own.
CLASS_ALIASES = {"table": "diningtable"}

_FOUR_LEGS = {
    "front_legs": "lfleg lfpa rfleg rfpa".split(),
    "back_legs": "lbleg lbpa rbleg rbpa".split(),
}
_FOUR_LONG_LEGS = {
    "front_legs": "lfuleg lflleg rfuleg rflleg".split(),
    "back_legs": "lbuleg lblleg rbuleg rblleg".split(),
}
_CATTLE = {
    "head": "head leye reye lear rear muzzle lhorn rhorn".split(),
    "torso": ["torso", "neck"],
    **_FOUR_LONG_LEGS,
}
# Zhang, Wu, Zhu, "Interpretable Convolutional Neural Networks", CVPR 2018, 5.2.1.
MERGED_PARTS: dict[str, dict[str, list[str]]] = {
    "bird": {
        "head": "head leye reye beak".split(),
        "torso": "torso neck lwing rwing".split(),
        "legs": "lleg lfoot rleg rfoot".split(),
        "tail": ["tail"],
    },
    "cat": {
        "head": "head leye reye lear rear nose".split(),
        "torso": ["torso", "neck"],
        **_FOUR_LEGS,
        "tail": ["tail"],
    },
    "cow": _CATTLE,
    "dog": {
        "head": "head leye reye lear rear nose muzzle".split(),
        "torso": ["torso", "neck"],
        **_FOUR_LEGS,
        "tail": ["tail"],
    },
    "horse": {
        "head": "head leye reye lear rear muzzle".split(),
        "torso": ["torso", "neck"],
        "front_legs": [*_FOUR_LONG_LEGS["front_legs"], "lfho", "rfho"],
        "back_legs": [*_FOUR_LONG_LEGS["back_legs"], "lbho", "rbho"],
    },
    "sheep": _CATTLE,
}
# The order of the merged parts; no category has all of them.
MERGED_NAMES = ["head", "torso", "legs", "front_legs", "back_legs", "tail"]
# The centres that the papers measure location instability by, then the others.
MERGED_LANDMARKS = ["head", "neck", "torso", "legs", "front_legs", "back_legs", "tail"]


def part_code(category: str, published: str) -> str:
    """The key in `PARTS` of a part name of the published files.

    Raises:
        ValueError: if the category has no such part.
    """
    stem, underscore, digits = published.partition("_")
    code = stem + underscore if digits.isdecimal() else published
    if code not in PARTS[category]:
        raise ValueError(
            f"{category} has no part {published!r}; it has {list(PARTS[category])}"
        )
    return code


def named_parts(category: str) -> dict[str, list[str]]:
    """The codes of every part of a category under its name in words."""
    return {name: [code] for code, name in PARTS[category].items()}

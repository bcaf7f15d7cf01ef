"""The MATLAB files of PASCAL-Part (Chen et al., 2014), one for each image."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets._images import (
    image_sizes,
    in_threads,
    resize_patches,
    same_image_groups,
)
from keras_interp.datasets.readers._matlab import load_matlab
from keras_interp.datasets.readers._pascal_part_names import (
    CLASS_ALIASES,
    MERGED_PARTS,
    PARTS,
    named_parts,
    part_code,
)
from keras_interp.datasets.readers._splits import split_as_authors, split_by_groups
from keras_interp.datasets.readers._text_tables import read_table
from keras_interp.datasets.readers.annotated_images import object_array

ORIGIN = (
    "trainval.tar.gz from http://roozbehm.info/pascal-parts/pascal-parts.html "
    "(annotations) and VOCtrainval_03-May-2010.tar from "
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2010/ (images)"
)


@dataclasses.dataclass(frozen=True, eq=False)
class PartPixels:
    """The pixels of one part: a bool `mask` whose upper left pixel is (`x`, `y`)."""

    code: str
    x: int
    y: int
    mask: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class PascalObject:
    """One object of an image.

    `category` is a class of PASCAL VOC; `box` (x0, y0, x1, y1) surrounds the pixels of
    the object, in pixels of the image, and is NaN where it has none; `parts` holds
    those that have pixels, several with the same code where there are several wheels.
    """

    category: str
    box: np.ndarray
    parts: list[PartPixels]


@dataclasses.dataclass(frozen=True, eq=False)
class PascalImage:
    """What one file says: the name and (width, height) of an image, and its objects.

    `size` is (0, 0) where the file lists no object.
    """

    name: str
    size: tuple[int, int]
    objects: list[PascalObject]


def read_pascal_part_annotations(root: Path | str) -> Iterator[PascalImage]:
    """Reads one MATLAB file after another, without opening an image.

    Args:
        root: the folder with `Annotations_Part`, or one with `.mat` files and images
            side by side.

    Yields:
        The images in the order of their names.

    Raises:
        FileNotFoundError: if there are no files.
        ValueError: if one is damaged; the message names it.
    """
    yield from map(read_pascal_image, find_annotation_files(Path(root)))


def find_annotation_files(root: Path) -> list[Path]:
    """The `.mat` files in the order of their names.

    Raises:
        FileNotFoundError: if there are none.
    """
    places = (root / "Annotations_Part", root / "trainval" / "Annotations_Part", root)
    for folder in places:
        files = sorted(folder.glob("*.mat")) if folder.is_dir() else []
        if files:
            return files
    raise FileNotFoundError(
        f"{root} holds no Annotations_Part/*.mat and no *.mat; get {ORIGIN}"
    )


def read_pascal_image(path: Path) -> PascalImage:
    """Reads one `.mat` file; the last few that were read are remembered.

    Raises:
        FileNotFoundError: if it is missing.
        ValueError: if it is damaged, of another MATLAB version or has another
            structure; the message names it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it comes from {ORIGIN}")
    status = path.stat()
    return _read(path, status.st_mtime_ns, status.st_size)


# Objects of one image are read one after another; a file that changed is read anew.
@functools.lru_cache(maxsize=8)
def _read(path: Path, modified: int, length: int) -> PascalImage:
    import h5py

    if h5py.is_hdf5(path):
        raise ValueError(
            f"{path} is of MATLAB v7.3; the published files are v5, get them again "
            f"from {ORIGIN}"
        )
    try:
        content = load_matlab(path, ["anno"])
        annotation = content["anno"].flat[0]
        objects = [_object(node) for node in annotation["objects"].flat]
        shapes = {node["mask"].shape for node in annotation["objects"].flat}
        if len(shapes) > 1:
            raise ValueError(f"the masks have different sizes {sorted(shapes)}")
        height, width = shapes.pop() if shapes else (0, 0)
        name = str(annotation["imname"].item())
    except Exception as error:
        # The library raises a dozen kinds of errors on damaged files.
        raise ValueError(
            f"{path} is damaged or has another structure than published "
            f"({type(error).__name__}: {error}); get it again from {ORIGIN}"
        ) from error
    if name != path.stem:
        raise ValueError(f"{path} describes another image, {name!r}")
    return PascalImage(name, (width, height), objects)


def _object(node: Any) -> PascalObject:
    published = str(node["class"].item())
    category = CLASS_ALIASES.get(published, published)
    if category not in PARTS:
        raise ValueError(f"unknown class {published!r}; known: {list(PARTS)}")
    whole = _cut_out("", node["mask"])
    parts = []
    for part in node["parts"].flat:
        if part["mask"].shape != node["mask"].shape:
            raise ValueError(
                f"the mask of {part['part_name'].item()} is {part['mask'].shape} and "
                f"that of its object {node['mask'].shape}"
            )
        code = part_code(category, str(part["part_name"].item()))
        pixels = _cut_out(code, part["mask"])
        if pixels is not None:
            parts.append(pixels)
    box = np.full(4, np.nan)
    if whole is not None:
        height, width = whole.mask.shape
        box = np.array([whole.x, whole.y, whole.x + width, whole.y + height], float)
    return PascalObject(category, box, parts)


def _cut_out(code: str, mask: np.ndarray) -> PartPixels | None:
    """The smallest rectangle with all pixels of a mask; None for an empty one."""
    if mask.ndim != 2:
        raise ValueError(f"a mask has the shape {mask.shape}, expected (height, width)")
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    pixels = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] != 0
    return PartPixels(code, int(columns[0]), int(rows[0]), pixels)


def unite(parts: Sequence[PartPixels]) -> PartPixels | None:
    """All pixels of some parts as one; None where there are none."""
    if not parts:
        return None
    left, top = min(part.x for part in parts), min(part.y for part in parts)
    width = max(part.x + part.mask.shape[1] for part in parts) - left
    height = max(part.y + part.mask.shape[0] for part in parts) - top
    united = np.zeros((height, width), bool)
    for part in parts:
        rows, columns = part.mask.shape
        y, x = part.y - top, part.x - left
        united[y : y + rows, x : x + columns] |= part.mask
    return PartPixels(parts[0].code, left, top, united)


def centre_of(part: PartPixels | None) -> tuple[float, float]:
    """The mean (x, y) of the pixels of a part; NaN where it has none."""
    if part is None:
        return np.nan, np.nan
    rows, columns = np.nonzero(part.mask)
    return part.x + columns.mean() + 0.5, part.y + rows.mean() + 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class PascalMasks:
    """The masks of one object.

    `number` is its position in the file `path`, and `codes` has the codes of the
    published parts that each of the P masks unites.
    """

    path: Path
    number: int
    codes: Sequence[Sequence[str]]

    def draw(self, frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bool masks `(P, height, width)` of what `frame` shows, see `PartMasks`.

        Resized masks are true where the part covers at least half of a pixel, so very
        small parts vanish in small images.
        """
        masks = np.zeros((len(self.codes), *size), bool)
        parts = read_pascal_image(self.path).objects[self.number].parts
        left, top, right, bottom = (int(edge) for edge in frame)
        united = [
            unite([part for part in parts if part.code in codes])
            for codes in self.codes
        ]
        present = [row for row, part in enumerate(united) if part is not None]
        patches = [
            (part.x - left, part.y - top, part.mask)
            for part in united
            if part is not None
        ]
        masks[present] = resize_patches(patches, (bottom - top, right - left), size)
        return masks


_IMAGE_FOLDERS = (
    "JPEGImages",
    "VOCdevkit/VOC2010/JPEGImages",
    "VOC2010/JPEGImages",
    ".",
)

_FIELDS = ("category", "annotation", "number", "path", "size", "box", "landmarks")


def read_pascal_objects(root: Path, parts: str) -> dict[str, np.ndarray]:
    """Reads all MATLAB files and keeps what fits into memory: no pixels.

    Args:
        root: the folder with the annotations and the images.
        parts: `"merged"` or `"original"`, whose centres are wanted.

    Returns:
        Arrays of one row for each object: `category`; `annotation`, the file, and
        `number`, the position in it; `path` of the image; `size`, the (width,
        height) that it should have; `box`; `landmarks`, a dict of the centres by name.

    Raises:
        FileNotFoundError: if there are no annotations or images.
        ValueError: if a file is damaged; the message names it.
    """
    files = find_annotation_files(root)
    folder = _image_folder(root, files)
    tables = in_threads(lambda file: _objects(file, folder, parts), files)
    rows = [row for table in tables for row in table]
    return {name: object_array([row[name] for row in rows]) for name in _FIELDS}


def _objects(file: Path, folder: Path, parts: str) -> list[dict[str, Any]]:
    """What is kept of one MATLAB file: no pixels."""
    image = read_pascal_image(file)
    return [
        {
            "category": shown.category,
            "annotation": file,
            "number": number,
            "path": folder / f"{image.name}.jpg",
            "size": image.size,
            "box": shown.box,
            "landmarks": _centres(shown, parts),
        }
        for number, shown in enumerate(image.objects)
    ]


def _centres(shown: PascalObject, parts: str) -> dict[str, tuple[float, float]]:
    """The centre of each part of one object that has one."""
    if parts == "original":
        codes = named_parts(shown.category)
    elif shown.category in MERGED_PARTS:
        whole = {"neck": ["neck"], "torso": ["torso"]}
        codes = MERGED_PARTS[shown.category] | whole
    else:
        return {}
    centres = {}
    for name, wanted in codes.items():
        pixels = [part for part in shown.parts if part.code in wanted]
        if parts == "merged" or len(pixels) == 1:
            centres[name] = centre_of(unite(pixels))
    return centres


def add_split(
    objects: dict[str, np.ndarray], split_by: str, test_fraction: float
) -> dict[str, np.ndarray]:
    """Adds `group` and `split`, which do not depend on the categories chosen later.

    Args:
        objects: what `read_pascal_objects` returns.
        split_by: `"photo"`, `"authors"` or `"voc"`, see `load_pascal_part`.
        test_fraction: share of the photographs in the split `"test"`.

    Raises:
        FileNotFoundError: if a list of PASCAL VOC is missing.
    """
    paths, position = np.unique(objects["path"], return_inverse=True)
    group = same_image_groups(paths.tolist())[position.reshape(-1)]
    order = {name: label for label, name in enumerate(PARTS)}
    labels = np.array([order[name] for name in objects["category"]], np.int64)
    if split_by == "photo":
        split = split_by_groups(group, labels, test_fraction)
    elif split_by == "authors":
        split = np.full(len(labels), "train")
        for label in np.unique(labels):
            rows = labels == label
            split[rows] = split_as_authors(int(rows.sum()))
    else:
        split = _published_split(objects["path"])
    return objects | {"group": group, "split": split}


def _published_split(paths: np.ndarray) -> np.ndarray:
    """`"train"` and `"test"` of the lists of PASCAL VOC; "" for what is in neither."""
    lists = paths[0].parent.parent / "ImageSets" / "Main"
    split = np.full(len(paths), "", "<U5")
    stems = np.array([path.stem for path in paths], str)
    for name, file in (("train", "train.txt"), ("test", "val.txt")):
        (listed,) = read_table(lists / file, (str.strip,), ORIGIN)
        split[np.isin(stems, listed)] = name
    return split


def _image_folder(root: Path, files: Sequence[Path]) -> Path:
    """The folder with the image of the first annotation file."""
    parents = dict.fromkeys([root, files[0].parent, root.parent])
    folders = [parent / name for parent in parents for name in _IMAGE_FOLDERS]
    for folder in folders:
        if (folder / f"{files[0].stem}.jpg").is_file():
            return folder
    raise FileNotFoundError(
        f"no image {files[0].stem}.jpg of {files[0]} in {root} or its folders "
        f"{', '.join(_IMAGE_FOLDERS[:2])}; get the images of {ORIGIN}"
    )


def check_images(objects: dict[str, np.ndarray]) -> None:
    """Checks that all images are there and as large as their masks.

    Raises:
        ValueError: if one is not; the message names it.
    """
    paths, first = np.unique(objects["path"], return_index=True)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ValueError(
            f"{len(missing)} annotated images are missing, the first is "
            f"{missing[0]}; get {ORIGIN}"
        )
    sizes = image_sizes(paths.tolist())
    for path, size, row in zip(paths, sizes.tolist(), first, strict=True):
        if tuple(size) != objects["size"][row]:
            raise ValueError(
                f"{path} is {size[0]}x{size[1]} pixels, but the masks of "
                f"{objects['annotation'][row]} are {objects['size'][row]}"
            )

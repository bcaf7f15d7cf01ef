"""Small copies of the published layouts, written by the tests themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

# A part of an object as the MATLAB files have it: rows and columns of the centres,
# heights and widths, and the (xmin, ymin, xmax, ymax) of the object. None: no part.
Part = tuple[Sequence[Sequence[float]], Sequence[Sequence[float]], Sequence[float]]
EDGES = ("xmin", "ymin", "xmax", "ymax")


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Writes an image with a bright dot: `(path, width, height, dot=(x, y))`."""

    def write(path, width, height, dot=None, mode="RGB", seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 40, (height, width, 3))
        pixels = noise.astype(np.uint8)
        if dot is not None:
            x, y = dot
            pixels[y - 4 : y + 4, x - 4 : x + 4] = 255
        Image.fromarray(pixels).convert(mode).save(path, quality=95)
        return path

    return write


def _text(file, parent, value: str):
    codes = np.array([[ord(letter)] for letter in value], np.uint16)
    return parent.create_dataset(f"t{len(parent)}", data=codes)


def _empty(refs):
    dataset = refs.create_dataset(f"e{len(refs)}", data=np.zeros(2, np.uint64))
    dataset.attrs["MATLAB_empty"] = np.uint8(1)
    return dataset.ref


def _matlab_file(path: Path) -> h5py.File:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = h5py.File(path, "w", userblock_size=512)
    file.create_group("#refs#")
    return file


def _references(group, name, values) -> None:
    data = group.create_dataset(name, (len(values), 1), dtype=h5py.ref_dtype)
    for row, value in enumerate(values):
        data[row, 0] = value


@pytest.fixture
def write_truth_7_3() -> Callable[[Path, Sequence[Part | None]], Path]:
    """Writes a `truth_partNN.mat` of MATLAB v7.3, transposed as HDF5 has it."""

    def box_group(refs, parent, box):
        for edge, value in zip(EDGES, box, strict=True):
            codes = np.array([[ord(letter)] for letter in str(int(value))], np.uint16)
            parent.create_dataset(edge, data=codes)

    def write(path, parts):
        with _matlab_file(path) as file:
            refs, truth = file["#refs#"], file.create_group("truth")
            fields: dict[str, list] = {"pHW_center": [], "pHW_scale": [], "obj": []}
            for number, part in enumerate(parts):
                if part is None:
                    for values in fields.values():
                        values.append(_empty(refs))
                    continue
                centers, scales, box = part
                for name, value in (("pHW_center", centers), ("pHW_scale", scales)):
                    data = refs.create_dataset(f"{name}{number}", data=value)
                    fields[name].append(data.ref)
                node = refs.create_group(f"o{number}")
                if len(centers) == 1:
                    box_group(refs, node.create_group("bndbox"), box)
                else:
                    copies = [
                        refs.create_group(f"b{number}_{k}") for k in range(len(centers))
                    ]
                    for copy in copies:
                        box_group(refs, copy, box)
                    _references(node, "bndbox", [copy.ref for copy in copies])
                fields["obj"].append(node.ref)
            for name, values in fields.items():
                _references(truth, name, values)
        return path

    return write


@pytest.fixture
def write_truth_5() -> Callable[[Path, Sequence[Part | None]], Path]:
    """Writes a `truth_partNN.mat` of MATLAB v5."""

    def write(path, parts):
        truth = np.zeros(
            (1, len(parts)),
            [("pHW_center", object), ("pHW_scale", object), ("obj", object)],
        )
        for number, part in enumerate(parts):
            if part is None:
                for name in truth.dtype.names:
                    truth[0, number][name] = np.zeros((0, 0))
                continue
            centers, scales, box = part
            bndbox = np.zeros((1, 1), [(edge, object) for edge in EDGES])
            for edge, value in zip(EDGES, box, strict=True):
                bndbox[0, 0][edge] = str(int(value))
            entries = np.zeros((1, len(centers)), [("bndbox", object), ("ID", object)])
            for entry in entries[0]:
                entry["bndbox"], entry["ID"] = bndbox, float(number + 1)
            truth[0, number]["pHW_center"] = np.array(centers, float).T
            truth[0, number]["pHW_scale"] = np.array(scales, float).T
            truth[0, number]["obj"] = entries
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(path, {"truth": truth})
        return path

    return write


@pytest.fixture
def write_object_boxes() -> Callable[[Path, Sequence[Sequence[float]]], Path]:
    """Writes a `data.mat` of MATLAB v7.3."""

    def write(path, boxes):
        with _matlab_file(path) as file:
            refs, samples = file["#refs#"], file.create_group("samples")
            nodes = []
            for number, box in enumerate(boxes):
                group = refs.create_group(f"o{number}").create_group("bndbox")
                for edge, value in zip(EDGES, box, strict=True):
                    group.create_dataset(edge, data=[[float(value)]])
                nodes.append(group.parent.ref)
            _references(samples, "obj", nodes)
        return path

    return write


@pytest.fixture
def cub_root(tmp_path, write_image) -> Path:
    """Three birds of two classes in images of 100x80, two parts, boxes 40x20."""
    root = tmp_path / "CUB_200_2011"
    (root / "parts").mkdir(parents=True)
    names = ["001.Gull/a.jpg", "001.Gull/b.jpg", "003.Wren/c.jpg"]
    for seed, name in enumerate(names):
        write_image(root / "images" / name, 100, 80, dot=(30, 30), seed=seed)
    texts = {
        "images.txt": "".join(f"{10 + k} {n}\n" for k, n in enumerate(names)),
        "classes.txt": "1 001.Gull\n2 002.Owl\n3 003.Wren\n",
        "image_class_labels.txt": "10 1\n11 1\n12 3\n",
        "train_test_split.txt": "10 1\n11 0\n12 1\n",
        "bounding_boxes.txt": "".join(
            f"{k} 10.0 20.0 40.0 20.0\n" for k in (10, 11, 12)
        ),
        "parts/parts.txt": "1 beak\n2 left eye\n",
        "parts/part_locs.txt": (
            "10 1 30.0 30.0 1\n10 2 0.0 0.0 0\n"
            "11 1 30.0 30.0 1\n11 2 20.0 25.0 1\n"
            "12 1 30.0 30.0 1\n12 2 90.0 70.0 1\n"
        ),
    }
    for name, text in texts.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def write_pascal() -> Callable[..., Path]:
    """Writes a PASCAL-Part `.mat`: `(path, objects)`.

    An object is (class, mask, {part name: mask}).
    """

    def write(path, objects, imname=None):
        kinds = [("class", object), ("class_ind", object)]
        kinds += [("mask", object), ("parts", object)]
        nodes = np.zeros((1, len(objects)), kinds)
        for node, (category, mask, parts) in zip(nodes[0], objects, strict=True):
            entries = np.zeros(
                (1, len(parts)), [("part_name", object), ("mask", object)]
            )
            for entry, (name, pixels) in zip(entries[0], parts.items(), strict=True):
                entry["part_name"], entry["mask"] = name, pixels.astype(np.uint8)
            node["class"], node["class_ind"] = category, 1
            node["mask"] = mask.astype(np.uint8)
            node["parts"] = entries if len(parts) else np.zeros((0, 0))
        annotation = np.zeros((1, 1), [("imname", object), ("objects", object)])
        annotation[0, 0]["imname"] = imname or path.stem
        annotation[0, 0]["objects"] = nodes
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(path, {"anno": annotation}, do_compression=True)
        return path

    return write


def rectangle(
    left: int, top: int, right: int, bottom: int, size: tuple[int, int] = (80, 120)
) -> np.ndarray:
    """A bool mask `size` (height, width) that is true in a rectangle."""
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.fixture
def pascal_root(tmp_path, write_image, write_pascal) -> Path:
    """Four photographs of 120x80: two dogs in one, a copy of it, a cow and a car.

    The first dog is 60x60 from (20, 10) on; its head is at the left, and its left ear
    is above the right ear.
    """
    root = tmp_path / "pascal_part"
    dog = (
        "dog",
        rectangle(20, 10, 80, 70),
        {
            "head": rectangle(20, 10, 40, 40),
            "lear": rectangle(20, 10, 24, 14),
            "rear": rectangle(20, 36, 24, 42),
            "torso": rectangle(50, 10, 80, 40),
            "neck": rectangle(40, 10, 50, 40),
            "lfpa": rectangle(50, 60, 54, 70),
            "tail": rectangle(76, 40, 80, 44),
        },
    )
    small = ("dog", rectangle(90, 10, 110, 30), {"torso": rectangle(90, 10, 110, 30)})
    cow = (
        "cow",
        rectangle(0, 0, 120, 80),
        {
            "torso": rectangle(0, 0, 120, 60),
            "rhorn": rectangle(0, 60, 10, 70),
            "tail": rectangle(100, 60, 120, 80),
        },
    )
    wheels = {
        "wheel_1": rectangle(10, 50, 20, 60),
        "wheel_2": rectangle(80, 50, 90, 60),
        "door_1": rectangle(40, 20, 60, 60),
    }
    car = ("car", rectangle(10, 10, 90, 60), wheels)
    table = ("table", rectangle(10, 10, 90, 60), {})
    annotations = root / "Annotations_Part"
    images = root / "VOCdevkit" / "VOC2010" / "JPEGImages"
    contents = {"a": [dog, small], "b": [dog], "c": [cow], "d": [car, table]}
    for seed, (name, objects) in zip((1, 1, 2, 3), contents.items(), strict=True):
        write_pascal(annotations / f"2008_{name}.mat", objects)
        write_image(images / f"2008_{name}.jpg", 120, 80, dot=(30, 30), seed=seed)
    return root

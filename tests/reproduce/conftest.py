"""What the tests of the reproductions share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_interp.reproduce.explainer import _task

CUB_PARTS = ("back", "forehead", "tail")


class SmallTrunk:
    """As much of a `FrozenTrunk` as reading the images needs."""

    image_size = 32

    def __init__(self):
        self.seen = []

    def features(self, images):
        self.seen.append(len(images))
        return images[:, ::8, ::8].astype("float16")


@pytest.fixture
def small_trunk():
    return SmallTrunk()


@pytest.fixture
def drawn_task(monkeypatch):
    """The explainer's task on forty drawn images."""
    monkeypatch.setattr(_task, "SYNTHETIC_IMAGES", 40)
    return _task.synthetic_task(quick=True, development=False, seed=0)


@pytest.fixture
def cub_of_three(tmp_path, monkeypatch) -> Path:
    """Twelve birds of three species in the layout of CUB, and nothing else at hand."""
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path / "home"))
    root = tmp_path / "cub"
    (root / "parts").mkdir(parents=True)
    species = ("001.Gull", "002.Owl", "003.Wren")
    birds = range(1, 13)
    names = {bird: f"{species[bird % 3]}/{bird}.jpg" for bird in birds}
    for bird, name in names.items():
        write_image(root / "images" / name, bird)
    lines = {
        "classes.txt": [f"{1 + k} {name}" for k, name in enumerate(species)],
        "images.txt": [f"{bird} {name}" for bird, name in names.items()],
        "image_class_labels.txt": [f"{bird} {1 + bird % 3}" for bird in birds],
        "train_test_split.txt": [f"{bird} {bird % 2}" for bird in birds],
        "bounding_boxes.txt": [f"{bird} 2.0 2.0 40.0 40.0" for bird in birds],
        "parts/parts.txt": [f"{1 + k} {name}" for k, name in enumerate(CUB_PARTS)],
        "parts/part_locs.txt": [
            f"{bird} {part} {10.0 + part} {12.0 + bird} 1"
            for bird in birds
            for part in range(1, 4)
        ],
    }
    for name, text in lines.items():
        (root / name).write_text("\n".join(text) + "\n", encoding="utf-8")
    return root


@pytest.fixture
def negatives(tmp_path) -> Path:
    """Four photographs without birds."""
    for number in range(4):
        write_image(tmp_path / "no_birds" / f"{number}.jpg", 100 + number)
    return tmp_path / "no_birds"


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 48, 3), "uint8")
    Image.fromarray(pixels).save(path)

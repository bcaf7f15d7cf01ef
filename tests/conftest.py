"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import keras
import numpy as np
import pytest

# The first call of a graph takes long on a busy machine; that is no failure.
hypothesis.settings.register_profile("keras_interp", deadline=None)
hypothesis.settings.load_profile("keras_interp")


@pytest.fixture(autouse=True)
def _same_seed_for_every_test():
    """Each test starts from the same random state, whatever ran before it."""
    keras.utils.set_random_seed(0)
    yield
    # Without the search for garbage, which takes a fifth of a second a test.
    keras.utils.clear_session(free_memory=False)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real datasets, or a skip that says how to name it."""
    folder = os.environ.get("KERAS_INTERP_DATA")
    if not folder:
        pytest.skip("needs real data: set KERAS_INTERP_DATA to the folder of datasets")
    path = Path(folder).resolve()
    if not path.is_dir():
        pytest.skip(f"needs real data: KERAS_INTERP_DATA={folder} is not a folder")
    return path


@pytest.fixture(scope="session")
def arrays_of_backends(tmp_path_factory) -> Callable:
    """A function that runs a script with each backend that is installed.

    The script is given the path of an .npz file to write. The function gives the arrays
    of each backend, and what each printed.
    """

    def run(script: Path) -> tuple[dict[str, dict], dict[str, str]]:
        folder = tmp_path_factory.mktemp(script.stem)
        processes = {}
        for backend in filter(find_spec, ("tensorflow", "jax", "torch")):
            environment = {
                **os.environ,
                "KERAS_BACKEND": backend,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "CUDA_VISIBLE_DEVICES": "",
                "JAX_PLATFORMS": "cpu",
                # Each script runs a step a few times: compiling well takes longer.
                "XLA_FLAGS": "--xla_backend_optimization_level=0 "
                "--xla_llvm_disable_expensive_passes=true",
            }
            processes[backend] = subprocess.Popen(
                [sys.executable, str(script), str(folder / f"{backend}.npz")],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        found, printed = {}, {}
        for backend, process in processes.items():
            printed[backend], errors = process.communicate()
            assert process.returncode == 0, f"{backend}:\n{errors[-3000:]}"
            with np.load(folder / f"{backend}.npz") as arrays:
                found[backend] = dict(arrays)
        return found, printed

    return run


@pytest.fixture
def few_real_birds(real_data, tmp_path) -> Path:
    """A copy of CUB's folder that lists six species: their pictures are linked to."""
    whole = real_data / "cub" / "CUB_200_2011"
    folder = tmp_path / "CUB_200_2011"
    (folder / "parts").mkdir(parents=True)
    (folder / "images").symlink_to(whole / "images")
    for name in ("classes.txt", "parts/parts.txt"):
        (folder / name).symlink_to(whole / name)
    lines = (whole / "images.txt").read_text().splitlines()
    species = sorted({line.split()[1].split("/")[0] for line in lines})[:6]
    kept = {
        line.split()[0] for line in lines if line.split()[1].split("/")[0] in species
    }
    for name in (
        "images.txt",
        "image_class_labels.txt",
        "train_test_split.txt",
        "bounding_boxes.txt",
        "parts/part_locs.txt",
    ):
        lines = (whole / name).read_text().splitlines()
        rows = [line for line in lines if line.split()[0] in kept]
        (folder / name).write_text("\n".join(rows) + "\n")
    return folder


def _seeded(model: keras.Model, seed: int = 0) -> keras.Model:
    """Weights that do not depend on the backend; every channel has some activation."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        values = rng.normal(
            0, 1 / np.sqrt(max(np.prod(weight.shape[:-1]), 1)), weight.shape
        )
        small = 0.1 * rng.normal(size=weight.shape)
        if weight.path.endswith(("gamma", "moving_variance")):
            values = np.exp(3 * small)
        elif len(weight.shape) == 1:
            values = small
        weight.assign(values)
    return model


@pytest.fixture(scope="session")
def seeded():
    return _seeded


@pytest.fixture(scope="session")
def scenes() -> np.ndarray:
    """Sixteen pictures of 32 x 32 in which blocks of colour stand out."""
    rng = np.random.default_rng(0)
    blocks = rng.uniform(0, 1, (16, 8, 8, 3)) * (rng.uniform(size=(16, 8, 8, 1)) < 0.4)
    return np.kron(blocks, np.ones((1, 4, 4, 1))).astype("float32")

"""TensorFlow, JAX and torch give the same tree."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.backends

BACKENDS = ("tensorflow", "jax", "torch")
SCRIPT = Path(__file__).with_name("tree_values.py")


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    """Arrays of each backend that is installed, from a process of each."""
    folder = tmp_path_factory.mktemp("trees")
    processes = {}
    for backend in BACKENDS:
        if find_spec(backend) is None:
            continue
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "CUDA_VISIBLE_DEVICES": "",
            "JAX_PLATFORMS": "cpu",
        }
        processes[backend] = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder / f"{backend}.npz")],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    found = {}
    for backend, process in processes.items():
        _, errors = process.communicate()
        assert process.returncode == 0, f"{backend}:\n{errors[-3000:]}"
        with np.load(folder / f"{backend}.npz") as arrays:
            found[backend] = dict(arrays)
    return found


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_trees_agree(values, backend):
    for name in ("tensorflow", backend):
        if name not in values:
            pytest.skip(f"{name} is not installed")
    assert set(values[backend]) == set(values["tensorflow"])
    for name, expected in values["tensorflow"].items():
        scale = np.abs(expected).max()
        assert scale > 0, name
        np.testing.assert_allclose(
            values[backend][name] / scale, expected / scale, atol=1e-4, err_msg=name
        )

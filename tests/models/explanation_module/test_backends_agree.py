"""TensorFlow, JAX and torch learn and draw the same."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.backends

BACKENDS = ("tensorflow", "jax", "torch")
SCRIPT = Path(__file__).with_name("backend_values.py")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Arrays of each backend that is installed, from a process of each."""
    folder = tmp_path_factory.mktemp("explanation_module")
    processes = {}
    for backend in filter(find_spec, BACKENDS):
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
def test_they_agree(results, backend):
    if not {backend, "tensorflow"} <= set(results):
        pytest.skip(f"{backend} is not installed")
    for name, expected in results["tensorflow"].items():
        assert np.isfinite(expected).all(), name
        scale = np.abs(expected).max()
        assert scale > 0, name
        np.testing.assert_allclose(
            results[backend][name] / scale,
            expected / scale,
            rtol=1e-3,
            atol=1e-3,
            err_msg=name,
        )

"""TensorFlow, JAX and torch lead to the same graph."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("backend_graph.py")


@pytest.mark.backends
def test_the_same_graph_on_every_backend(tmp_path):
    names = [name for name in ("tensorflow", "jax", "torch") if find_spec(name)]
    if len(names) < 2:
        pytest.skip("one backend is installed, there is nothing to compare")
    processes = []
    for name in names:
        environment = {
            **os.environ,
            "KERAS_BACKEND": name,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "CUDA_VISIBLE_DEVICES": "",
            "JAX_PLATFORMS": "cpu",
        }
        processes.append(
            subprocess.Popen(
                [sys.executable, str(SCRIPT), str(tmp_path / f"{name}.npz")],
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        )
    for name, process in zip(names, processes, strict=True):
        _, errors = process.communicate()
        assert process.returncode == 0, f"{name}:\n{errors[-3000:]}"
    first, *others = (np.load(tmp_path / f"{name}.npz") for name in names)
    for other in others:
        for key in first.files:
            np.testing.assert_allclose(
                other[key], first[key], rtol=1e-3, atol=1e-2, err_msg=key
            )

"""TensorFlow, JAX and torch give the same tree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.backends

SCRIPT = Path(__file__).with_name("tree_values.py")


@pytest.fixture(scope="module")
def values(arrays_of_backends):
    return arrays_of_backends(SCRIPT)[0]


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

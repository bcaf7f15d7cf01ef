"""TensorFlow, JAX and torch give the same maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.backends

SCRIPT = Path(__file__).with_name("backend_maps.py")


@pytest.fixture(scope="module")
def maps(arrays_of_backends):
    return arrays_of_backends(SCRIPT)[0]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_maps_agree(maps, backend):
    for name in ("tensorflow", backend):
        if name not in maps:
            pytest.skip(f"{name} is not installed")
    assert set(maps[backend]) == set(maps["tensorflow"])
    for name, expected in maps["tensorflow"].items():
        scale = np.abs(expected).max()
        assert scale > 0, name
        np.testing.assert_allclose(
            maps[backend][name] / scale, expected / scale, atol=1e-4, err_msg=name
        )

"""TensorFlow, JAX and torch learn and draw the same."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.backends

SCRIPT = Path(__file__).with_name("backend_values.py")


@pytest.fixture(scope="module")
def results(arrays_of_backends):
    return arrays_of_backends(SCRIPT)[0]


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

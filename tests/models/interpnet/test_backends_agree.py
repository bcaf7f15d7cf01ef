"""TensorFlow, JAX and torch take the same step, and say the same."""

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
        found = results[backend][name]
        if expected.dtype.kind == "i":
            assert len(np.unique(expected)) > 2, name
            np.testing.assert_array_equal(found, expected, err_msg=name)
        else:
            np.testing.assert_allclose(
                found, expected, rtol=2e-3, atol=2e-3, err_msg=name
            )

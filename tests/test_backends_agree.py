"""TensorFlow, JAX and torch give the same losses, gradients and trainings."""

import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.backends

BACKENDS = ("tensorflow", "jax", "torch")
SCRIPT = Path(__file__).with_name("backend_values.py")
LOG = {"loss", "parts_filter_loss"}


@pytest.fixture(scope="module")
def results(arrays_of_backends):
    """Arrays and logs of each backend that is installed."""
    found, printed = arrays_of_backends(SCRIPT)
    return {
        backend: (arrays, json.loads(printed[backend].splitlines()[-1]))
        for backend, arrays in found.items()
    }


def of_backend(results, backend):
    if backend not in results:
        pytest.skip(f"{backend} is not installed")
    return results[backend]


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_masks_losses_gradients_and_states(results, backend):
    expected, _ = of_backend(results, "tensorflow")
    arrays, report = of_backend(results, backend)
    assert report["backend"] == backend
    assert set(arrays) == set(expected)
    for name, values in expected.items():
        if name.startswith(("explainer", "parts")):
            continue
        assert np.isfinite(values).all(), name
        # Relative to the largest entry: an entry may be a difference of large ones.
        scale = np.abs(values).max()
        assert scale > 0, name
        np.testing.assert_allclose(
            arrays[name] / scale, values / scale, rtol=1e-5, atol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_filters_that_are_pulled_to_different_parts(results, backend):
    """Losses of seven steps, and the weights and the running state after."""
    expected, _ = of_backend(results, "tensorflow")
    arrays, _ = of_backend(results, backend)
    # From the third step on filters are pulled to places: a loss of another size.
    assert expected["parts_losses"][1] < 1 < expected["parts_losses"][2]
    for name in ("parts_losses", "parts_weights", "parts_centres"):
        assert np.isfinite(expected[name]).all(), name
        np.testing.assert_allclose(
            arrays[name], expected[name], rtol=1e-3, atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_explainers(results, backend):
    """Outputs, losses and weights of an explainer after a few steps."""
    expected, _ = of_backend(results, "tensorflow")
    arrays, _ = of_backend(results, backend)
    names = [name for name in expected if name.startswith("explainer")]
    assert len(names) == 3 * 10
    for name in names:
        values = expected[name]
        assert np.isfinite(values).all(), name
        np.testing.assert_allclose(
            arrays[name], values, rtol=1e-4, atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_names_in_the_log(results, backend):
    _, report = of_backend(results, backend)
    both = LOG | {f"val_{name}" for name in LOG}
    assert set(report["logs"]["with_labels"]) == both | {"epoch"}
    # Without labels an evaluation measures no filter loss.
    assert set(report["logs"]["plain"]) == LOG | {"val_loss", "epoch"}


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("model", ["plain", "with_labels"])
def test_trainings_agree(results, backend, model):
    _, expected = of_backend(results, "tensorflow")
    _, report = of_backend(results, backend)
    for name, values in report["logs"][model].items():
        np.testing.assert_allclose(
            values, expected["logs"][model][name], rtol=1e-3, atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_gives_all_its_weights(results, backend):
    """The running state inside a layer comes along, however a backend holds layers."""
    _, report = of_backend(results, backend)
    weights = report["weights"]
    assert {"parts", "classes", "parts/interpretable_mask/_statistics"} <= set(
        weights["loaded"]
    )
    assert weights["new"] == weights["unused"] == []

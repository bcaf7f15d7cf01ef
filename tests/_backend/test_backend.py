import contextlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_interp._backend import (
    ArraySpec,
    batches_of_arrays,
    compiled,
    gradient,
    used_inputs,
    value_and_gradient,
    with_backward_rule,
)

TORCH_CHECKS = Path(__file__).with_name("torch_memory_checks.py")


def test_gradient_of_a_square():
    values = np.arange(6.0, dtype="float32").reshape(2, 3)
    slope = gradient(lambda x: ops.sum(x**2), values)
    assert isinstance(slope, np.ndarray)
    np.testing.assert_allclose(slope, 2 * values)


def double_precision():
    """JAX computes in it where it is told to alone, the others always can."""
    if keras.backend.backend() != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


def test_gradient_keeps_double_precision(rng):
    values = rng.normal(size=(4, 3))
    with double_precision():
        slope = gradient(lambda x: ops.sum(ops.exp(x)), values)
    assert slope.dtype == "float64"
    np.testing.assert_allclose(slope, np.exp(values), rtol=1e-12)


def test_gradient_is_single_precision_on_jax_by_default(rng):
    if keras.backend.backend() != "jax":
        pytest.skip("the other backends always have double precision")
    values = rng.normal(size=(4, 3))
    slope = gradient(lambda x: ops.sum(ops.exp(x)), values)
    assert slope.dtype == "float32"
    np.testing.assert_allclose(slope, np.exp(values), rtol=1e-5)


def test_gradient_of_a_tensor_of_the_backend():
    slope = gradient(lambda x: ops.sum(3.0 * x), ops.ones((2, 2)))
    np.testing.assert_array_equal(slope, 3 * np.ones((2, 2)))


def test_gradient_is_zero_where_the_function_does_not_look():
    slope = gradient(
        lambda x: ops.sum(ops.stop_gradient(x)), np.ones((2, 2), "float32")
    )
    np.testing.assert_array_equal(slope, 0)


def test_inputs_that_a_result_depends_on():
    variable = keras.Variable(np.ones((3,), "float32"))
    specs = [ArraySpec((None, 3), "float32"), *[ArraySpec((), "float32")] * 3]

    def function(rows, scale, forgotten, shift):
        unused = rows * forgotten
        assert unused.shape == rows.shape
        return [ops.sum(ops.relu(rows * variable)), ops.exp(shift)]

    used = used_inputs(function, specs, lambda: [variable])
    assert used == [True, False, False, True]
    used = used_inputs(lambda *tensors: tensors[1:3], specs, list)
    assert used == [False, True, True, False]


def test_batches_hold_every_picture_once():
    images = np.arange(10, dtype="uint8").reshape(10, 1, 1, 1)
    labels = np.arange(10) * 2
    batches = list(
        batches_of_arrays(images, labels, batch_size=4, shuffle=True, seed=1)
    )
    assert [len(pictures) for pictures, _ in batches] == [4, 4, 2]
    seen = np.concatenate([np.ravel(pictures) for pictures, _ in batches])
    assert seen.dtype == "float32"
    assert sorted(seen) == list(range(10))
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), seen * 2)


def test_batches_are_shuffled_by_seed_and_only_when_asked():
    images = np.zeros((20, 1, 1, 1), "uint8")
    labels = np.arange(20)

    def order(**options):
        options = {"batch_size": 20, "shuffle": True, "seed": 3, **options}
        ((_, batch),) = batches_of_arrays(images, labels, **options)
        return np.asarray(batch).tolist()

    assert order() == order()
    assert order() != order(seed=4)
    assert order(shuffle=False) == list(range(20))


def test_a_rule_of_the_signal_alone():
    def doubled(inputs, output, upstream):
        return [2 * upstream]

    def function(tensor):
        square = with_backward_rule(ops.square, doubled, signal_alone=True)
        value, _, slope = value_and_gradient(
            lambda x: (ops.sum(3.0 * square(x)), ()), tensor
        )
        return [value, slope]

    run = compiled(function, [ArraySpec((None,), "float32")], list)
    value, slope = run([np.arange(4, dtype="float32")])
    assert value == 3 * (1 + 4 + 9)
    np.testing.assert_array_equal(slope, [6.0] * 4)


@pytest.mark.backends
def test_memory_of_torch():
    """What torch is spared: tensors of a rule, and more bytes at once than pay."""
    if find_spec("torch") is None:
        pytest.skip("torch is not installed")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "torch",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(
        [sys.executable, str(TORCH_CHECKS)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["size", "rule"]

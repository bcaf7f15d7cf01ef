"""Training on two devices, which a process of its own has to set up first."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

MODEL = """
import json

import keras
import numpy as np

import keras_interp as ki


def train(mode="exact", epochs=2, scale="peak", monitor=True, share=12):
    keras.utils.set_random_seed(0)
    model = ki.models.InterpretableSequential(
        [
            keras.Input((8, 8, 3)),
            ki.InterpretableConv(
                4,
                3,
                name="parts",
                filter_loss=mode,
                scale=scale,
                monitor=monitor,
                learn_beta=mode == "authors",
                filter_loss_weight=1.0,
            ),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).random((12, 8, 8, 3), dtype="float32")
    labels = np.arange(12) % 3
    history = model.fit(
        images,
        labels,
        batch_size=share,
        epochs=epochs,
        shuffle=False,
        verbose=0,
    )
    layer = model.get_layer("parts")
    return {
        "history": history.history,
        "epoch": float(np.asarray(layer.interpretable_mask.epoch)),
        "categories": layer.filter_categories.tolist(),
        "weights": [np.asarray(w).tolist() for w in model.weights],
    }
"""

MIRRORED = """
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
found = []
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
# Batches of eight and four: of uneven shares Keras itself takes the mean of means.
settings = [
    {"mode": "posterior", "monitor": False, "share": 8},
    {"mode": "exact"},
    {"mode": "running", "monitor": "full"},
    {"mode": "authors"},
]
for each in settings:
    with strategy.scope():
        two = train(epochs=5, **each)
    found.append([each, two, train(epochs=5, **each)])
print(json.dumps(found))
"""

DATA_PARALLEL = """
import jax

assert len(jax.devices()) == 2
keras.distribution.set_distribution(keras.distribution.DataParallel())
two = train()
keras.distribution.set_distribution(None)
print(json.dumps([two, train()]))
"""


def run(script, backend, **environment):
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        **environment,
    }
    result = subprocess.run(
        [sys.executable, "-c", MODEL + script],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


def check_trained(outcome):
    assert all(np.isfinite(values).all() for values in outcome["history"].values())
    assert "parts_filter_loss" in outcome["history"]
    assert outcome["epoch"] == 2
    assert set(outcome["categories"]) <= {0, 1, 2}
    for weight in outcome["weights"]:
        assert np.isfinite(weight).all()


@pytest.mark.slow
@pytest.mark.backends
def test_mirrored_strategy():
    """Weights, state and log of five epochs are those of one device."""
    for settings, two, one in run(MIRRORED, "tensorflow"):
        assert two["categories"] == one["categories"], settings
        assert two["epoch"] == one["epoch"] == 5
        assert set(two["history"]) == set(one["history"])
        for name, values in one["history"].items():
            np.testing.assert_allclose(
                two["history"][name], values, atol=1e-4, err_msg=f"{settings} {name}"
            )
        for here, there in zip(two["weights"], one["weights"], strict=True):
            np.testing.assert_allclose(
                here, there, rtol=1e-4, atol=1e-4, err_msg=str(settings)
            )


@pytest.mark.backends
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_data_parallel():
    two, one = run(
        DATA_PARALLEL, "jax", XLA_FLAGS="--xla_force_host_platform_device_count=2"
    )
    check_trained(two)
    # The devices share one batch, whose statistics are those of a single device.
    assert two["categories"] == one["categories"]
    for one_weight, other in zip(two["weights"], one["weights"], strict=True):
        np.testing.assert_allclose(one_weight, other, rtol=1e-3, atol=1e-5)

"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import keras
import numpy as np
import pytest

# The first call of a graph takes long on a busy machine; that is no failure.
hypothesis.settings.register_profile("keras_interp", deadline=None)
hypothesis.settings.load_profile("keras_interp")


@pytest.fixture(autouse=True)
def _same_seed_for_every_test():
    """Each test starts from the same random state, whatever ran before it."""
    keras.utils.set_random_seed(0)
    yield
    # Without the search for garbage, which takes a fifth of a second a test.
    keras.utils.clear_session(free_memory=False)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real datasets, or a skip that says how to name it."""
    folder = os.environ.get("KERAS_INTERP_DATA")
    if not folder:
        pytest.skip("needs real data: set KERAS_INTERP_DATA to the folder of datasets")
    path = Path(folder).resolve()
    if not path.is_dir():
        pytest.skip(f"needs real data: KERAS_INTERP_DATA={folder} is not a folder")
    return path


def _seeded(model: keras.Model, seed: int = 0) -> keras.Model:
    """Weights that do not depend on the backend; every channel has some activation."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        values = rng.normal(
            0, 1 / np.sqrt(max(np.prod(weight.shape[:-1]), 1)), weight.shape
        )
        small = 0.1 * rng.normal(size=weight.shape)
        if weight.path.endswith(("gamma", "moving_variance")):
            values = np.exp(3 * small)
        elif len(weight.shape) == 1:
            values = small
        weight.assign(values)
    return model


@pytest.fixture(scope="session")
def seeded():
    return _seeded


@pytest.fixture(scope="session")
def scenes() -> np.ndarray:
    """Sixteen pictures of 32 x 32 in which blocks of colour stand out."""
    rng = np.random.default_rng(0)
    blocks = rng.uniform(0, 1, (16, 8, 8, 3)) * (rng.uniform(size=(16, 8, 8, 1)) < 0.4)
    return np.kron(blocks, np.ones((1, 4, 4, 1))).astype("float32")

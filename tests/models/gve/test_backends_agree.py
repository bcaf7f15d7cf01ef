"""TensorFlow, JAX and torch draw the same sentences and learn the same from them."""

from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("backend_values.py")


@pytest.mark.backends
def test_the_same_sentences_rewards_and_weights(arrays_of_backends):
    found, _ = arrays_of_backends(SCRIPT)
    first, *others = found.values()
    assert {"said", "reward", "weights", "states"} <= set(first)
    for other in others:
        assert other["said"].tolist() == first["said"].tolist()
        for name in set(first) - {"said"}:
            np.testing.assert_allclose(
                other[name], first[name], rtol=1e-3, atol=1e-4, err_msg=name
            )

"""Local response normalisation."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_interp.models import LocalResponseNormalization


def test_one_active_channel():
    """Only channels within depth // 2 feel the energy of channel 3."""
    maps = np.full((1, 1, 1, 8), 1e-3, "float32")
    maps[..., 3] = 3.0
    layer = LocalResponseNormalization(depth=5, offset=2.0, alpha=0.5, beta=0.75)
    scale = keras.ops.convert_to_numpy(layer(maps)).ravel() / maps.ravel()
    loud, quiet = (2.0 + 0.5 * 9.0) ** -0.75, 2.0**-0.75
    expected = [quiet, loud, loud, loud, loud, loud, quiet, quiet]
    np.testing.assert_allclose(scale, expected, rtol=1e-5)


def test_is_tensorflows(rng):
    tensorflow = pytest.importorskip("tensorflow")
    maps = rng.normal(size=(2, 3, 4, 10)).astype("float32")
    layer = LocalResponseNormalization(depth=5, offset=1.0, alpha=2e-2, beta=0.75)
    expected = tensorflow.nn.local_response_normalization(
        maps, depth_radius=2, bias=1.0, alpha=2e-2, beta=0.75
    )
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer(maps)), expected, rtol=1e-5
    )


def test_keras_own_checks(rng):
    layer = LocalResponseNormalization(depth=3, alpha=1e-2)
    again = LocalResponseNormalization.from_config(layer.get_config())
    maps = rng.normal(size=(2, 3, 3, 6)).astype("float32")
    np.testing.assert_array_equal(layer(maps), again(maps))
    assert layer.compute_output_shape((None, 3, 3, 6)) == (None, 3, 3, 6)
    symbolic = layer(keras.KerasTensor((None, 3, 3, 6)))
    assert symbolic.shape == (None, 3, 3, 6)


def test_large_activations_in_half_precision():
    layer = LocalResponseNormalization(dtype="mixed_float16")
    result = layer(np.full((1, 1, 1, 6), 1000.0, "float16"))
    assert keras.backend.standardize_dtype(result.dtype) == "float16"
    expected = 1000.0 * (2.0 + 1e-4 * 5e6) ** -0.75
    np.testing.assert_allclose(np.asarray(result)[0, 0, 0, 2], expected, rtol=2e-3)


@pytest.mark.parametrize(
    "arguments", [{"depth": 4}, {"depth": 5.0}, {"depth": -1}, {"offset": 0.0}]
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="Expected"):
        LocalResponseNormalization(**arguments)

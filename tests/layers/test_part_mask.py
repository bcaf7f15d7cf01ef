import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki
from keras_interp._backend import gradient

PartMask = ki.layers.PartMask


@pytest.mark.parametrize(
    "arguments",
    [{}, {"beta": 2.0, "norm": "l2"}, {"peak": "centroid"}],
)
def test_keras_layer_checks(arguments):
    TestCase().run_layer_test(
        PartMask,
        init_kwargs=arguments,
        input_shape=(2, 5, 6, 3),
        expected_output_shape=(2, 5, 6, 3),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=0,
        expected_num_losses=0,
    )


def test_mask_by_hand():
    maps = np.ones((1, 1, 4, 1), "float32")
    maps[0, 0, 1] = 2.0
    # 1 - 4 * distance / 4 is 0 one cell away from the peak.
    masked = ops.convert_to_numpy(PartMask()(maps))[0, 0, :, 0]
    np.testing.assert_array_equal(masked, [0, 2, 0, 0])
    masked = ops.convert_to_numpy(PartMask(beta=2.0)(maps))[0, 0, :, 0]
    np.testing.assert_array_equal(masked, [0.5, 2, 0.5, 0])


def test_round_mask_reaches_further_on_the_diagonal():
    maps = np.ones((1, 5, 5, 1), "float32")
    maps[0, 2, 2] = 2.0
    diamond = ops.convert_to_numpy(PartMask(beta=2.0)(maps))[0, :, :, 0]
    disc = ops.convert_to_numpy(PartMask(beta=2.0, norm="l2")(maps))[0, :, :, 0]
    np.testing.assert_allclose(diamond[1, 1], 1 - 2 * 2 / 5, rtol=1e-6)
    np.testing.assert_allclose(disc[1, 1], 1 - 2 * np.sqrt(2) / 5, rtol=1e-6)


@pytest.mark.parametrize("peak", ["argmax", "centroid"])
def test_moving_the_blob_moves_the_mask(peak):
    maps = np.zeros((1, 8, 10, 1), "float32")
    maps[0, 1:4, 2:5, 0] = [[1, 2, 1], [2, 5, 2], [1, 2, 1]]
    here = ops.convert_to_numpy(PartMask(peak=peak)(maps))
    moved = np.roll(maps, (3, 4), axis=(1, 2))
    there = ops.convert_to_numpy(PartMask(peak=peak)(moved))
    np.testing.assert_allclose(there, np.roll(here, (3, 4), axis=(1, 2)), rtol=1e-6)
    assert here.max() == 5


def test_gradient_is_the_mask_itself(maps):
    layer = PartMask(beta=2.0)
    mask = np.divide(
        ops.convert_to_numpy(layer(maps)), maps, out=np.zeros_like(maps), where=maps > 0
    )
    slope = gradient(lambda x: ops.sum(layer(x)), maps)
    np.testing.assert_allclose(np.where(maps > 0, slope, 0), mask, rtol=1e-5)


def test_centroid_and_argmax_differ_where_two_blobs_are():
    maps = np.zeros((1, 1, 9, 1), "float32")
    maps[0, 0, [0, 8], 0] = [1.1, 1.0]
    strongest = ops.convert_to_numpy(PartMask()(maps))[0, 0, :, 0]
    np.testing.assert_allclose(strongest, [1.1] + 8 * [0], rtol=1e-6)
    # The centre of both is 4 cells from either: nothing is left.
    centre = ops.convert_to_numpy(PartMask(peak="centroid")(maps))
    np.testing.assert_array_equal(centre, 0)


def test_silent_maps_stay_silent():
    silent = np.zeros((2, 3, 3, 2), "float32")
    for peak in ("argmax", "centroid"):
        masked = PartMask(peak=peak)(silent)
        np.testing.assert_array_equal(ops.convert_to_numpy(masked), 0)


def test_a_batch_without_images():
    assert PartMask()(np.zeros((0, 3, 3, 2), "float32")).shape == (0, 3, 3, 2)


def test_sizes_known_only_at_run_time(maps):
    images = keras.Input((None, None, 4))
    model = keras.Model(images, PartMask()(images))
    expected = ops.convert_to_numpy(PartMask()(maps))
    np.testing.assert_allclose(model.predict(maps, verbose=0), expected, rtol=1e-6)


def test_half_precision_finds_peaks_of_large_maps():
    maps = np.zeros((1, 70, 70, 1), "float16")
    maps[0, 69, 68] = 1.0
    masked = PartMask(dtype="float16")(maps)
    assert keras.backend.standardize_dtype(masked.dtype) == "float16"
    np.testing.assert_array_equal(
        np.argwhere(ops.convert_to_numpy(masked) > 0)[0, 1:3], [69, 68]
    )


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5, 6)])
def test_wrong_rank_is_refused(shape):
    with pytest.raises(ValueError, match=r"feature maps of shape \(batch.*'m'"):
        PartMask(name="m")(np.zeros(shape, "float32"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": 0.0}, "`beta`.*positive number.*beta=0.0"),
        ({"beta": float("nan")}, "`beta`.*positive number"),
        ({"beta": "4"}, "`beta`.*positive number"),
        ({"norm": "l3"}, "`norm` must be one of.*norm='l3'"),
        ({"peak": "middle"}, "`peak` must be one of.*peak='middle'"),
    ],
)
def test_unknown_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PartMask(**arguments)

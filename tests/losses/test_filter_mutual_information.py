import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from keras import ops

import keras_interp as ki
from keras_interp._backend import gradient


def loss_of(maps, **arguments):
    return ops.convert_to_numpy(ki.losses.filter_mutual_information(maps, **arguments))


def total(maps):
    return ops.sum(ki.losses.filter_mutual_information(maps))


def small_maps():
    maps = np.zeros((2, 2, 2, 1))
    maps[0, 0, 0] = 1
    return maps


def middle_maps():
    maps = np.zeros((3, 3, 3, 1))
    maps[0, 1, 1] = 10
    maps[1, 0, 0] = 10
    return maps


def test_two_by_two_check_value():
    np.testing.assert_allclose(loss_of(small_maps()), [-0.0012478548926309666])


def test_two_by_two_gradient():
    slope = gradient(total, small_maps())[..., 0].reshape(2, 4)
    expected = [-0.00249143, 0.0006214, 0.0006214, 0.0006214]
    np.testing.assert_allclose(slope[0], expected, atol=5e-9)
    np.testing.assert_allclose(slope[1], -slope[0], atol=1e-15)


def test_three_by_three_check_value():
    np.testing.assert_allclose(loss_of(middle_maps()), [-0.028249724625915254])


def test_three_by_three_gradient():
    slope = gradient(total, middle_maps())[..., 0]
    np.testing.assert_allclose(slope[0, 1, 1], -0.00267991, atol=5e-9)
    np.testing.assert_allclose(slope[0, 0, 0], 0.00146199, atol=5e-9)
    np.testing.assert_allclose(slope[1, 0, 0], -0.00285596, atol=5e-9)


def ideal_maps(side, height, single_cell=False):
    templates = np.maximum(ki.losses.part_templates(side, side)[:-1], 0)
    if single_cell:
        templates = (templates == 1).astype("float64")
    silent = np.zeros((1, side, side))
    return height * np.concatenate([templates, silent])[..., None]


@pytest.mark.parametrize(
    "side, height, expected, single_cell",
    [
        (6, 1, -7.81e-5, False),
        (6, 10, -8.74e-3, False),
        (6, 100, -1.2969, False),
        (6, 1e3, -3.6108, False),
        (14, 10, -3.64e-3, False),
        (14, 1, -3.39e-5, False),
        (14, 100, -0.5586, False),
        (14, 1e3, -4.1363, False),
        (14, 1e4, -5.2767, False),
        (14, 1e4, -5.2623, True),
        (6, 1e4, -3.6109, False),
        (14, 1e3, -1.3622, True),
    ],
)
def test_ideal_filters(side, height, expected, single_cell):
    loss = loss_of(ideal_maps(side, height, single_cell))
    np.testing.assert_allclose(loss, [expected], rtol=2e-3)


def test_a_filter_that_always_peaks_at_one_cell_is_capped():
    centre = ki.losses.part_templates(14, 14)[7 * 14 + 7]
    maps = np.concatenate([np.tile(np.maximum(centre, 0), (196, 1, 1)) * 1e3,
                           np.zeros((196, 14, 14))])[..., None]  # fmt: skip
    np.testing.assert_allclose(loss_of(maps), [-0.2994], rtol=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    maps=npst.arrays(
        "float64",
        st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.just(2)),
        elements=st.floats(0, 50),
    ),
    norm=st.sampled_from(["l1", "l2"]),
)
def test_range_permutation_and_decomposition(maps, norm):
    loss = loss_of(maps, norm=norm)
    cells = maps.shape[1] * maps.shape[2]
    bound = min(math.log(cells + 1), math.log(len(maps)))
    assert (loss <= 1e-9).all() and (loss >= -bound - 1e-9).all()
    np.testing.assert_allclose(loss_of(maps[::-1], norm=norm), loss, atol=1e-9)
    entropies = ki.losses.filter_entropies(maps, norm=norm)
    information, inter_category, spatial = map(ops.convert_to_numpy, entropies)
    np.testing.assert_allclose(information, -loss, atol=1e-9)
    np.testing.assert_allclose(
        information + inter_category + spatial, math.log(cells + 1), atol=1e-9
    )
    assert (inter_category >= -1e-9).all() and (spatial >= -1e-9).all()


def test_gradient_agrees_with_finite_differences(rng):
    maps = rng.uniform(0, 20, (3, 3, 4, 2))
    slope = gradient(total, maps)
    step = 1e-5
    for _ in range(10):
        direction = rng.normal(size=maps.shape)
        above = loss_of(maps + step * direction).sum()
        below = loss_of(maps - step * direction).sum()
        np.testing.assert_allclose(
            (slope * direction).sum(), (above - below) / (2 * step), rtol=1e-6
        )


def test_silent_maps_have_no_loss_and_no_gradient():
    silent = np.zeros((4, 5, 5, 3))
    np.testing.assert_allclose(loss_of(silent), 0, atol=1e-12)
    np.testing.assert_allclose(gradient(total, silent), 0, atol=1e-12)


def test_half_precision_is_computed_in_float32(rng):
    maps = rng.uniform(0, 5, (4, 6, 6, 3)).astype("float16")
    result = ki.losses.filter_mutual_information(maps)
    assert ops.convert_to_numpy(result).dtype == np.float32
    np.testing.assert_allclose(
        ops.convert_to_numpy(result), loss_of(maps.astype("float32"))
    )


def test_a_nan_map_shows():
    maps = np.zeros((3, 4, 4, 2))
    maps[1, 0, 0, 1] = np.nan
    loss = loss_of(maps)
    assert np.isfinite(loss[0]) and np.isnan(loss[1])


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4), (2, 4, 4, 3, 1)])
def test_wrong_rank_is_refused(shape):
    with pytest.raises(ValueError, match="batch, height, width, filters"):
        ki.losses.filter_mutual_information(np.zeros(shape))


@pytest.mark.parametrize("strength", [0.3, 1.0, 30.0])
def test_single_precision_is_enough_for_weak_and_for_strong_maps(rng, strength):
    maps = strength * rng.random((8, 14, 14, 3))

    def loss(values):
        return ki.losses.filter_mutual_information(values)

    single = maps.astype("float32")
    np.testing.assert_allclose(loss(single), loss(maps), rtol=1e-5)
    slope = gradient(lambda x: ops.sum(loss(x)), maps)
    rounded = gradient(lambda x: ops.sum(loss(x)), single)
    np.testing.assert_allclose(rounded, slope, atol=1e-5 * np.abs(slope).max())

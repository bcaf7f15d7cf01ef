"""Every constant that a docstring states, pinned by what follows from it.

A test of this file fails when a constant moves, whichever way.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.datasets import PartsDataset
from keras_interp.metrics._peaks import candidate_cells

FIELD = ki.ReceptiveField(size=50, stride=10, start=4.5)


@pytest.mark.parametrize(
    ("function", "defaults"),
    [
        (ki.metrics.location_instability, {"top": 100, "ddof": 1, "assign": "min"}),
        (ki.metrics.LocationInstability, {"top": 100, "ddof": 1, "assign": "min"}),
        (ki.metrics.instability_baselines, {"top": 100, "ddof": 1, "seed": 0}),
        (ki.metrics.hit_gain, {"radius": 0.1, "choose_on": None}),
        (ki.metrics.overlap, {"radius": 0.1}),
        (ki.metrics.density, {"fraction": 0.01}),
        (ki.metrics.dead_filters, {"least": 0.05}),
        (ki.metrics.activation_thresholds, {"quantile": 0.005}),
        (
            ki.metrics.ActivationThreshold,
            {"quantile": 0.005, "accuracy": 0.01, "smallest": 1e-6, "largest": 1e6},
        ),
        (ki.metrics.network_dissection, {"quantile": 0.005, "iou": 0.04}),
        (ki.metrics.NetworkDissection, {"iou": 0.04}),
        (ki.metrics.part_interpretability, {"iou": 0.2}),
        (ki.metrics.PartInterpretability, {"iou": 0.2}),
        (
            ki.metrics.is_part_detector,
            {"least_tracking": 0.2, "least_hit_gain": 0.1},
        ),
        (ki.metrics.nearest_landmarks, {"top": 100}),
        (
            ki.metrics.is_hit_part_detector,
            {"least_tracking": 0.2, "least_hit_gain": 0.1},
        ),
        (ki.metrics.tracking_summary, {"resamples": 500, "confidence": 0.95}),
        (
            ki.metrics.name_filters,
            {"radius": 0.1, "least_confidence": 0.1, "least_images": 5},
        ),
        (
            ki.metrics.empirical_receptive_field,
            {"images_per_filter": 10, "strongest": 4, "batch_size": 64},
        ),
        (ki.metrics.ablation, {"batch_size": 32, "verbose": 0}),
        (ki.metrics.measure_filters, {"batch_size": 64, "verbose": 0}),
    ],
)
def test_defaults(function, defaults):
    parameters = inspect.signature(function).parameters
    assert {name: parameters[name].default for name in defaults} == defaults


def test_density_counts_cells_above_a_hundredth_of_the_maps_own_peak():
    maps = np.zeros((1, 10, 10, 1))
    maps[0, 0, :3, 0] = 100.0, 1.01, 0.99
    assert ki.metrics.density(maps).value == 0.02
    # Each filter and each image by its own peak: not by the first one's.
    maps = np.zeros((2, 10, 10, 2))
    maps[0, 0, :2, 0] = 100.0, 50.0
    maps[1, 0, :4, 1] = 0.4, 0.3, 0.2, 0.1
    maps[0, 0, :1, 1] = 1000.0
    np.testing.assert_allclose(ki.metrics.density(maps).per_filter, [0.02, 0.025])


def test_a_filter_that_fires_in_one_image_of_twenty_is_alive():
    scores = np.zeros((100, 2))
    scores[:5, 0] = scores[:4, 1] = 1.0
    assert ki.metrics.dead_filters(scores).per_filter.tolist() == [0.0, 1.0]


def test_a_tenth_of_the_diagonal_is_close():
    # The diagonal of 60 x 80 pixels is 100.
    positions = np.array([[[0.0, 0.0], [9.9, 0.0], [0.0, 20.1]]])
    assert ki.metrics.overlap(positions, (60, 80)).per_filter.tolist() == [0.5, 0.5, 0]
    landmarks = np.array([[[0.0, 0.0]], [[40.0, 40.0]]])
    near = landmarks + np.array([9.9, 0.0])
    far = landmarks + np.array([10.1, 0.0])
    for positions, hits in ((near, 1.0), (far, 0.0)):
        found = ki.metrics.hit_gain(positions, np.ones((2, 1)), landmarks, (60, 80))
        assert found.hits.tolist() == [hits]


def test_a_uniform_peak_spreads_0_29_of_the_diagonal():
    place = np.arange(1000) / 1000
    x, y = np.meshgrid(place, place)
    positions = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
    spread = ki.metrics.position_spread(positions, 1.0).value
    assert round(spread, 2) == 0.29


def test_constant_cells_are_a_grid_of_16_the_middle_and_256_places():
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 160, (400, 1, 2))
    cells = candidate_cells(positions, np.ones((400, 1), bool), 160)
    assert len(cells) == 1 + 16 * 16 + 256
    assert cells[0].tolist() == [79.5, 79.5]
    assert cells[1].tolist() == [4.5, 4.5] and cells[256].tolist() == [154.5, 154.5]


def test_the_random_baseline_is_the_mean_of_32_filters():
    landmarks = np.array([[[10.0, 10.0]], [[50.0, 20.0]], [[20.0, 60.0]]])
    found = ki.metrics.instability_baselines(landmarks, 64, seed=3)
    generator = np.random.default_rng(3)
    x = (np.arange(16) + 0.5) * 4 - 0.5
    cells = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    places = cells[generator.integers(256, size=(3, 32))]
    distances = np.linalg.norm(places - landmarks, axis=-1)
    figures = distances.std(axis=0, ddof=1) / np.hypot(64, 64)
    assert found.random == pytest.approx(figures.mean())


def test_discs_have_a_radius_of_0_18_of_the_receptive_field():
    maps = np.zeros((1, 6, 6, 1))
    maps[0, 2, 2, 0] = 1.0
    regions = ki.metrics.filter_regions(maps, [0.5], FIELD, 60)
    # 0.18 of 50 pixels are 9; 256 pixels lie within 9 of the centre (24.5, 24.5).
    assert regions.sum() == 256
    assert regions[0, 0, 24, 33] and not regions[0, 0, 24, 34]


def test_units_weigh_one_and_a_half_times_their_share_up_to_one():
    shapes = np.zeros((1, 59, 59), "float32")
    shapes[0, 29, 29] = 1.0
    maps = np.zeros((1, 3, 3, 1))
    field = ki.ReceptiveField(size=10, stride=10, start=4)
    # 1.5 times 0.335 is above a half, 1.5 times 0.33 is not.
    maps[0, 0, :3, 0] = 1.0, 0.335, 0.33
    regions = ki.metrics.empirical_regions(maps, [0.1], field, shapes)
    assert np.argwhere(regions[0, 0]).tolist() == [[4, 4], [4, 14]]


def test_an_empirical_field_has_the_pixels_above_half_of_its_maximum():
    shapes = np.zeros((1, 9, 9))
    shapes[0, 4, 3:7] = 1.0, 0.5, 0.5, 0.49
    assert ki.metrics.empirical_size(shapes).tolist() == [np.sqrt(3)]


@pytest.mark.parametrize(("side", "patch", "step"), [(224, 33, 9), (448, 66, 18)])
def test_the_occluder_is_33_of_224_pixels_and_moves_by_9(side, patch, step):
    image = np.zeros((1, side, side, 1), "float32")
    image[0, 0, 0, 0] = 1.0
    covered = []

    def predict(images):
        covered.extend((images != image).sum(axis=(1, 2, 3)))
        return images.mean(axis=(1, 2), keepdims=True)

    ki.metrics.discrepancy_maps(predict, image, batch_size=256)
    assert max(covered) == patch**2
    places = -(-(side - patch) // step) + 1
    assert len(covered) == 1 + places**2


def test_the_empirical_field_is_smoothed_by_30_of_224_pixels():
    side = 56
    images = np.random.default_rng(0).random((1, side, side, 1)).astype("float32")
    images[0, 20, 20] = 5.0

    def predict(batch):
        return np.maximum(batch[:, 20:21, 20:21], 0)

    field = ki.ReceptiveField(size=1, stride=1, start=20)
    default, given, other = (
        ki.metrics.empirical_receptive_field(predict, images, field, **options)
        for options in ({}, {"smoothing": 7.5}, {"smoothing": 8.0})
    )
    np.testing.assert_array_equal(default, given)
    assert np.abs(default - other).max() > 1e-3


def test_part_density_spreads_by_the_stride():
    maps = np.zeros((1, 6, 6, 1))
    maps[0, 2, 2, 0] = 1.0
    default, given = (
        ki.metrics.part_density(maps, FIELD, (60, 60), sigma=sigma)
        for sigma in (None, 10.0)
    )
    np.testing.assert_array_equal(default, given)
    # exp(-1/2) one standard deviation from the peak, at (24.5, 24.5).
    assert default[0, 24, 34] / default[0, 24, 24] == pytest.approx(
        np.exp(-0.5 * (9.5**2 - 0.5**2) / 100), rel=1e-5
    )


def test_four_images_with_landmarks_are_enough_and_three_are_not():
    import keras

    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1)])
    rng = np.random.default_rng(0)

    def dataset(images):
        return PartsDataset(
            images=rng.integers(0, 255, (images, 8, 8, 3), dtype=np.uint8),
            labels=np.zeros(images, int),
            class_names=["bird"],
            landmarks=rng.uniform(0, 8, (images, 1, 2)).astype("float32"),
            landmark_names=["beak"],
        )

    assert len(ki.metrics.measure_filters(model, dataset(4)).images) == 4
    with pytest.raises(ValueError, match="Received: 3 such images"):
        ki.metrics.measure_filters(model, dataset(3))


def test_public_names_are_where_documentation_and_pickles_say():
    import pickle

    for package in (ki.metrics, ki.plotting, ki.reporting):
        assert dir(package) == sorted(package.__all__)
        for name in package.__all__:
            value = getattr(package, name)
            home = value.__module__
            assert home in ("keras_interp.metrics", package.__name__)
            assert pickle.loads(pickle.dumps(value)) is value

"""Constants that the plotting functions state, pinned by what they draw."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.plotting._attribution_scale import AttributionScale
from keras_interp.plotting._filter_gallery import disc_radius


@pytest.mark.parametrize(
    ("function", "defaults"),
    [
        (
            ki.plotting.attribution_overlay,
            {"percentile": 99.0, "opacity": 0.9, "channels": "sum"},
        ),
        (
            ki.plotting.attribution_grid,
            {"percentile": 99.0, "opacity": 0.9, "scale": "map"},
        ),
        (ki.plotting.overlay, {"cmap": "inferno", "opacity": 0.75}),
        (ki.plotting.part_heatmap, {"cmap": "inferno"}),
        (ki.plotting.filter_gallery, {"top": 5, "quantile": 0.003}),
        (ki.plotting.dataset_mosaic, {"index": 10, "columns": 5}),
        (ki.plotting.input_shift, {"cmap": "magma"}),
        (ki.plotting.receptive_field_shapes, {"cmap": "inferno", "average": True}),
        (ki.plotting.parameter_randomization, {"measure": "rank_correlation"}),
        (ki.reporting.report, {"batch_size": 64, "verbose": 1}),
    ],
)
def test_defaults(function, defaults):
    parameters = inspect.signature(function).parameters
    assert {name: parameters[name].default for name in defaults} == defaults


def test_a_thousandth_of_the_greatest_value_is_no_negative():
    for least, signed in ((-0.0009, False), (-0.0011, True)):
        assert AttributionScale.of(np.array([1.0, least]), 99.0).signed is signed


def test_colour_maps_of_one_and_of_two_signs():
    assert AttributionScale.of(np.array([1.0, 0.0]), 99.0).cmap == "inferno"
    assert AttributionScale.of(np.array([1.0, -1.0]), 99.0).cmap == "RdBu_r"


@pytest.mark.parametrize(
    # 0.18 of a large field, or one and a half cells of a small one.
    ("size", "stride", "radius"),
    [(100, 10, 18.0), (100, 12, 18.0), (100, 13, 19.5), (10, 8, 12.0)],
)
def test_discs_show_in_small_networks_too(size, stride, radius):
    field = ki.ReceptiveField(size=size, stride=stride, start=0)
    assert disc_radius(field) == pytest.approx(radius)


def test_the_scale_of_shifted_maps_ends_at_the_99_5th_percentile():
    from types import SimpleNamespace

    maps = np.arange(1000.0).reshape(1, 2, 20, 25)
    report = SimpleNamespace(
        methods=["saliency"],
        maps=maps,
        image=np.zeros((20, 25, 3)),
        invariant=[True],
        differences=[np.zeros(1)],
    )
    axes = ki.plotting.input_shift(report)
    assert axes[0, 1].images[0].get_clim() == (0, pytest.approx(994.005))


@pytest.mark.parametrize("cmap", ["viridis", "object"])
def test_matplotlibs_colour_maps_by_name_and_as_objects(cmap):
    from matplotlib import colormaps

    chosen = colormaps["viridis"] if cmap == "object" else cmap
    image, heat = np.zeros((8, 8)), np.arange(64.0).reshape(8, 8)
    field = ki.ReceptiveField(size=4, stride=2, start=1)
    drawn = [
        ki.plotting.overlay(image, heat, cmap=chosen),
        ki.plotting.attribution_overlay(image, heat, cmap=chosen),
        ki.plotting.attribution_grid(image[None], {"a": heat[None]}, cmap=chosen)[0, 1],
        ki.plotting.part_heatmap(image, heat[::2, ::2, None], field, cmap=chosen),
        ki.plotting.filter_gallery(
            image[None],
            heat[None, ::2, ::2, None],
            field,
            top=1,
            show=["feature_map"],
            cmap=chosen,
        )[0, 0],
        ki.plotting.receptive_field_shapes(
            np.ones((1, 15, 15)), field, average=False, cmap=chosen
        )[0],
    ]
    assert {ax.images[-1].get_cmap().name for ax in drawn} == {"viridis"}

"""Reward, and filter loss on the mixture of both tracks."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp._backend import gradient
from keras_interp.layers._labels import label_scope
from keras_interp.layers.track_mixture import RATIO_STEP, BalancedMask

Mixture = ki.layers.TrackMixture
FILTER_LOSS = {"fraction": 0.5, "filter_loss": "exact", "filter_loss_weight": 2.0}
LEARNING_RATE = 0.01


def means(maps):
    return maps.astype("float64").mean(axis=(0, 1, 2))


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def added_losses(layer, tracks, **keywords):
    layer(tracks, training=True, **keywords)
    return [float(loss) for loss in layer.losses]


def mixed_by(layer, maps, others):
    """The maps that a layer puts its filter loss on."""
    tensors = ops.convert_to_tensor(maps), ops.convert_to_tensor(others)
    return layer.mixed_maps(*tensors)


@pytest.mark.parametrize("reward", [0.0, 0.1, 3.0])
def test_reward_for_a_large_ratio(reward, tracks):
    layer = Mixture(reward=reward, initial_ratio=0.3)
    (loss,) = added_losses(layer, tracks)
    assert loss == pytest.approx(-reward * np.log(0.3))


def mixed_by_hand(tracks, ratio, on_mixture, count=2):
    """Maps that the filter loss is put on, in double precision."""
    pooled, pooled_other, maps, other_maps = tracks
    parts = maps / means(pooled)
    mixed = ratio * parts + (1 - ratio) * other_maps / means(pooled_other)
    return (mixed if on_mixture else parts)[..., :count]


@pytest.mark.parametrize("on_mixture", [True, False])
def test_filter_loss_is_that_of_the_mixed_maps(on_mixture, tracks):
    layer = Mixture(
        filter_loss=FILTER_LOSS, on_mixture=on_mixture, initial_ratio=0.3, reward=0.2
    )
    mixed = mixed_by_hand(tracks, 0.3, on_mixture)
    alone = ki.layers.InterpretableMask(**{**FILTER_LOSS, "fraction": 1.0})
    alone(mixed, training=True)
    losses = added_losses(layer, tracks)
    np.testing.assert_allclose(
        sorted(losses), sorted([-0.2 * np.log(0.3), float(alone.losses[0])]), rtol=1e-4
    )
    np.testing.assert_allclose(
        numbers(mixed_by(layer, *tracks[2:])), mixed, rtol=1e-4, atol=1e-6
    )


def test_filter_loss_flows_into_the_parts_and_not_into_the_ordinary_track(tracks):
    layer = Mixture(filter_loss=FILTER_LOSS, initial_ratio=0.3)
    layer(tracks, training=True)
    part_maps, other_maps = tracks[2:]

    def loss(maps, others):
        return layer.mask.weighted_filter_loss(mixed_by(layer, maps, others))

    slope = gradient(lambda x: loss(part_maps, x), other_maps)
    np.testing.assert_array_equal(slope, 0)
    slope = gradient(lambda x: loss(x, other_maps), part_maps)
    np.testing.assert_array_equal(slope[..., 2:], 0)
    mixed = mixed_by_hand(tracks, 0.3, True).astype("float32")
    at_mixture = gradient(layer.mask.weighted_filter_loss, mixed)
    expected = at_mixture * 0.3 / means(tracks[0])[:2]
    np.testing.assert_allclose(slope[..., :2], expected, rtol=1e-3, atol=1e-7)
    assert np.abs(slope[..., :2]).max() > 0


def trained_step(mixed_model, images, jit_compile, **keywords):
    """How far each weight moves in one step; there is no other loss."""
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch is not compiled")
    model = mixed_model(**keywords)
    before = {w.path: numbers(w).copy() for w in model.trainable_weights}
    model.compile(keras.optimizers.SGD(LEARNING_RATE), jit_compile=jit_compile)
    model.fit(images, batch_size=len(images), verbose=0)
    return {w.path: numbers(w) - before[w.path] for w in model.trainable_weights}


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_training_step_on_the_filter_loss(mixed_model, rng, jit_compile):
    images = rng.random((6, 6, 6, 3), dtype="float32")
    moved = trained_step(
        mixed_model,
        images,
        jit_compile,
        reward=0.0,
        filter_loss=FILTER_LOSS,
        initial_ratio=0.3,
    )
    for name in ("conv_ordinary/kernel", "conv_ordinary/bias"):
        np.testing.assert_array_equal(moved[name], 0)
    # The two filters with a loss move, the others do not.
    kernel = np.abs(moved["conv_parts/kernel"]).max(axis=(0, 1, 2))
    assert (kernel[:2] > 0).all()
    np.testing.assert_array_equal(kernel[2:], 0)
    assert moved["tracks/ratio_logit"] != 0


def test_the_ratio_learns_from_the_filter_loss(mixed_model, rng):
    images = rng.random((6, 6, 6, 3), dtype="float32")
    arguments = {"reward": 0.0, "filter_loss": FILTER_LOSS, "initial_ratio": 0.3}
    keras.utils.set_random_seed(1)
    model = mixed_model(**arguments)
    tracks = keras.Model(model.inputs, model.get_layer("tracks").input)(images)
    tracks = [numbers(maps) for maps in tracks]
    parts, others = (
        ops.convert_to_tensor(mixed_by_hand(tracks, ratio, True), "float32")
        for ratio in (1.0, 0.0)
    )
    mask = ki.layers.InterpretableMask(**{**FILTER_LOSS, "fraction": 1.0})
    mask.build(tuple(parts.shape))

    def loss(ratio):
        with keras.StatelessScope(collect_losses=True) as scope:
            mask(ratio * parts + (1.0 - ratio) * others, training=True)
        (total,) = scope.losses
        return total

    slope = gradient(loss, np.float32(0.3))
    keras.utils.set_random_seed(1)
    moved = trained_step(mixed_model, images, False, **arguments)
    # The derivative of a sigmoid, and the step of the ratio.
    expected = -LEARNING_RATE * slope * 0.3 * 0.7 * RATIO_STEP
    np.testing.assert_allclose(moved["tracks/ratio_logit"], expected, rtol=1e-3)


@pytest.mark.parametrize("mode", ["exact", "running"])
def test_a_diffuse_ordinary_track_drives_the_ratio_up(mode):
    yy, xx = np.mgrid[:8, :8]
    rows, columns = np.random.default_rng(0).integers(1, 7, (2, 12, 1, 1))
    blobs = np.exp(-((yy - rows) ** 2) - (xx - columns) ** 2)[..., None]
    diffuse = np.random.default_rng(1).uniform(0.5, 1.0, (12, 8, 8, 1))
    peaked, flat = (
        np.repeat(maps, 4, -1).astype("float32") for maps in (blobs, diffuse)
    )
    layer = Mixture(filter_loss={"filter_loss": mode})
    layer([peaked, flat, peaked, flat], training=True)
    losses = []
    for ratio in (0.2, 0.5, 0.8, 0.95):
        layer.ratio_logit.assign(np.log(ratio / (1 - ratio)) / RATIO_STEP)
        mixed = mixed_by(layer, peaked, flat)
        losses.append(float(layer.mask.weighted_filter_loss(mixed)))
    assert (np.diff(losses) < 0).all()


def test_a_training_step_on_the_reward(mixed_model, rng):
    images = rng.random((6, 6, 6, 3), dtype="float32")
    moved = trained_step(mixed_model, images, False, reward=0.2, initial_ratio=0.3)
    logit = moved.pop("tracks/ratio_logit")
    # d/dv of -eta log sigmoid(c v).
    expected = LEARNING_RATE * 0.2 * RATIO_STEP * (1 - 0.3)
    np.testing.assert_allclose(logit, expected, rtol=1e-4)
    for difference in moved.values():
        np.testing.assert_array_equal(difference, 0)


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_fraction_of_the_filters_has_a_filter_loss(fraction, tracks):
    layer = Mixture(filter_loss={**FILTER_LOSS, "fraction": fraction}, reward=0.0)
    losses = added_losses(layer, tracks)
    assert mixed_by(layer, *tracks[2:]).shape[-1] == 4 * fraction
    assert (sum(losses) != 0) == (fraction > 0)
    assert np.isfinite(losses).all()


def test_labels_reach_the_filter_loss(tracks):
    arguments = {"filter_loss": "approx", "num_categories": 3}
    layer = Mixture(filter_loss=arguments)
    layer(tracks)
    with pytest.raises(ValueError, match="Expected labels"):
        layer(tracks, training=True)
    losses = added_losses(layer, tracks, labels=np.arange(6) % 3)
    assert len(losses) == 2
    assert (layer.mask.filter_categories >= 0).all()


@pytest.mark.parametrize("balanced", [False, True])
def test_weight_that_a_callback_sets(balanced, tracks):
    layer = Mixture(filter_loss=FILTER_LOSS, balanced=balanced, reward=0.0)
    assert isinstance(layer.mask, BalancedMask) == balanced
    losses = added_losses(layer, tracks)
    assert (sum(losses) == 0) == balanced


def test_a_scope_is_told_ratio_and_filter_loss(tracks):
    layer = Mixture(filter_loss=FILTER_LOSS, initial_ratio=0.3)
    layer(tracks)
    with label_scope(None) as scope:
        layer(tracks, training=False)
    assert float(scope.findings[layer]["interpretable_ratio"]) == pytest.approx(0.3)
    assert np.isfinite(
        float(layer.mask.filter_log.means()[f"{layer.name}_filter_loss"])
    )

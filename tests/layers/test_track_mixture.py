import inspect

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki
from keras_interp.layers.track_mixture import RATIO_STEP

Mixture = ki.layers.TrackMixture
FILTER_LOSS = {"fraction": 0.5, "filter_loss": "exact", "filter_loss_weight": 2.0}
NOT_DEFAULT = {
    "reward": 0.7,
    "on_mixture": False,
    "initial_ratio": 0.3,
    "momentum": 0.5,
    "floor": 0.2,
    "filter_loss": FILTER_LOSS,
    "balanced": True,
    "restore": "channel",
}


def means(maps):
    return maps.astype("float64").mean(axis=(0, 1, 2))


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def values_of(layer):
    return [numbers(variable) for variable in layer.variables]


@pytest.mark.parametrize("ratio", [0.5, 0.3, 0.95])
def test_weighted_sum_of_the_normalised_tracks(ratio, tracks):
    layer = Mixture(initial_ratio=ratio)
    parts, textures, *_ = tracks
    expected = ratio * parts / means(parts) + (1 - ratio) * textures / means(textures)
    found = numbers(layer(tracks, training=True))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert layer.interpretable_ratio == pytest.approx(ratio)
    # The size of a track does not count: p is the share of each.
    larger = Mixture(initial_ratio=ratio)(
        [1000 * tracks[0], *tracks[1:]], training=True
    )
    np.testing.assert_allclose(numbers(larger), expected, rtol=1e-4, atol=1e-6)


def test_the_ratio_is_a_sigmoid_of_its_logit(tracks):
    layer = Mixture()
    layer(tracks)
    for logit in (-2.0, 0.0, 3.0):
        layer.ratio_logit.assign(logit / RATIO_STEP)
        expected = 1 / (1 + np.exp(-logit))
        assert layer.interpretable_ratio == pytest.approx(expected)


def test_inference_adds_no_loss_and_changes_no_state(tracks):
    layer = Mixture(filter_loss=FILTER_LOSS, restore="channel")
    # Before the first training step both tracks pass unchanged.
    found = numbers(layer(tracks))
    np.testing.assert_allclose(found, 0.5 * tracks[0] + 0.5 * tracks[1], rtol=1e-6)
    layer(tracks, training=True)
    before = values_of(layer)
    layer([3 * maps for maps in tracks], training=False)
    assert layer.losses == []
    for value, old in zip(values_of(layer), before, strict=True):
        np.testing.assert_array_equal(value, old)


@pytest.mark.parametrize("restore", [None, "scalar", "channel"])
def test_restored_magnitude(restore, tracks):
    layer = Mixture(restore=restore, initial_ratio=0.25)
    parts, textures, *_ = tracks
    alpha = means(textures)
    factor = {None: 1.0, "scalar": alpha.mean(), "channel": alpha}[restore]
    normalised = 0.25 * parts / means(parts) + 0.75 * textures / alpha
    np.testing.assert_allclose(
        numbers(layer(tracks, training=True)), factor * normalised, rtol=1e-4, atol=1e-6
    )
    # It is set once: what training does to the norm afterwards does not count.
    larger = [maps * 50 for maps in tracks]
    layer(larger, training=True)
    now = [numbers(n.alpha) for n in (layer.norm_interpretable, layer.norm_ordinary)]
    normalised = 0.25 * parts / now[0] + 0.75 * textures / now[1]
    np.testing.assert_allclose(
        numbers(layer(tracks)), factor * normalised, rtol=1e-4, atol=1e-6
    )


def test_a_channel_that_is_silent_at_first_is_not_switched_off(tracks):
    tracks[1][..., 2] = 0.0
    layer = Mixture(restore="channel", floor=0.1)
    found = numbers(layer(tracks, training=True))
    floor = 0.1 * means(tracks[1]).mean()
    expected = 0.5 * tracks[0][..., 2] / means(tracks[0])[2] * floor
    np.testing.assert_allclose(found[..., 2], expected, rtol=1e-4)


@pytest.mark.parametrize("restore", ["scalar", "channel"])
def test_magnitude_comes_from_the_first_batch_that_has_the_category(restore, tracks):
    layer = Mixture(restore=restore)
    layer(tracks, training=True, weights=np.zeros(6))
    np.testing.assert_array_equal(numbers(layer.magnitude), 0)
    picked = np.array([0, 1, 1, 0, 0, 0])
    layer(tracks, training=True, weights=picked)
    alpha = means(tracks[1][picked == 1])
    expected = alpha if restore == "channel" else np.full(4, alpha.mean())
    np.testing.assert_allclose(numbers(layer.magnitude), expected, rtol=1e-5)
    np.testing.assert_allclose(
        numbers(layer.norm_interpretable.alpha),
        means(tracks[0][picked == 1]),
        rtol=1e-5,
    )


@pytest.mark.parametrize("restore", [None, "scalar", "channel"])
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_contributions_sum_to_the_output(restore, dtype, tracks):
    layer = Mixture(restore=restore, initial_ratio=0.3, dtype=dtype)
    tracks = [ops.cast(maps, layer.compute_dtype) for maps in tracks]
    layer(tracks, training=True)
    parts, textures = (
        numbers(ops.cast(term, "float32")) for term in layer.contributions(*tracks[:2])
    )
    found = numbers(ops.cast(layer(tracks), "float32"))
    tolerance = {"float32": 1e-6, "mixed_float16": 4e-3, "mixed_bfloat16": 3e-2}[dtype]
    scale = np.abs(found).max()
    np.testing.assert_allclose(
        (parts + textures) / scale, found / scale, atol=tolerance
    )
    # With the same mean of both tracks, p is the share of the interpretable one.
    share = parts.sum() / (parts + textures).sum()
    assert share == pytest.approx(0.3, rel=0.2 if restore == "channel" else 0.02)


def test_silent_tracks(tracks):
    layer = Mixture(filter_loss=FILTER_LOSS, restore="channel")
    silent = [0 * maps for maps in tracks]
    for _ in range(2):
        np.testing.assert_array_equal(numbers(layer(silent, training=True)), 0)
        assert all(np.isfinite(float(loss)) for loss in layer.losses)
    for value in values_of(layer):
        assert np.isfinite(value).all()


def test_a_nan_batch_does_not_spoil_the_state(tracks):
    layer = Mixture(filter_loss=FILTER_LOSS, restore="scalar")
    broken = [maps.copy() for maps in tracks]
    for maps in broken:
        maps[0] = np.nan
    for batch in (broken, tracks, broken):
        layer(batch, training=True)
    for variable in layer.variables:
        # The log shows what came in.
        if "log_totals" not in variable.path:
            assert np.isfinite(numbers(variable)).all(), variable.path


@pytest.mark.parametrize(
    ("arguments", "states"),
    [
        # alpha of each norm and the magnitude; with a filter loss, its ten states.
        ({}, 3),
        ({"restore": "channel", "reward": 0.0}, 3),
        ({"filter_loss": {"fraction": 0.5}}, 13),
        ({"filter_loss": {"filter_loss": "exact"}, "balanced": True}, 14),
    ],
)
def test_keras_layer_checks(arguments, states):
    TestCase().run_layer_test(
        Mixture,
        init_kwargs=arguments,
        input_shape=((2, 3, 3, 4), (2, 3, 3, 4), (2, 6, 6, 4), (2, 6, 6, 4)),
        expected_output_shape=(2, 3, 3, 4),
        expected_num_trainable_weights=1,
        expected_num_non_trainable_weights=states,
        expected_num_losses=0,
    )


def test_config_is_complete():
    defaults = inspect.signature(Mixture.__init__).parameters
    assert set(NOT_DEFAULT) == set(defaults) - {"self", "kwargs"}
    restored = Mixture.from_config(Mixture(**NOT_DEFAULT).get_config())
    for name, value in NOT_DEFAULT.items():
        assert defaults[name].default != value == getattr(restored, name)


def test_saved_and_reloaded(mixed_model, rng, reloaded):
    images = rng.random((6, 6, 6, 3), dtype="float32")
    arguments = {**NOT_DEFAULT, "initial_ratio": 0.4}
    model = mixed_model(**arguments)
    model(images, training=True)
    model.get_layer("tracks").ratio_logit.assign(0.05)
    model.get_layer("tracks").mask.balance.assign(0.7)
    again = reloaded(model)
    found, expected = again(2 * images), model(2 * images)
    np.testing.assert_array_equal(numbers(found), numbers(expected))
    tracks = again.get_layer("tracks")
    assert float(tracks.mask.balance) == np.float32(0.7)
    assert tracks.interpretable_ratio == model.get_layer("tracks").interpretable_ratio
    assert tracks.filter_loss == FILTER_LOSS
    for one, other in zip(model.variables, again.variables, strict=True):
        np.testing.assert_array_equal(numbers(one), numbers(other))


class Subclassed(keras.Model):
    """A model that builds its layers in its first training step."""

    def __init__(self):
        super().__init__()
        self.tracks = Mixture(filter_loss=FILTER_LOSS, initial_ratio=0.3)

    def call(self, inputs, training=False):
        return self.tracks(list(inputs), training=training)


def test_built_inside_a_training_step(tracks):
    model = Subclassed()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(tuple(tracks), tracks[0], verbose=0)
    assert model.tracks.interpretable_ratio == pytest.approx(0.3)
    assert (numbers(model.tracks.norm_ordinary.alpha) > 0).all()


def test_half_precision(tracks):
    layer = Mixture(filter_loss=FILTER_LOSS, dtype="mixed_bfloat16")
    found = layer(tracks, training=True)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    for loss in layer.losses:
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    for variable in layer.variables:
        if "seed" not in variable.path:
            assert keras.backend.standardize_dtype(variable.dtype) == "float32"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reward": -0.1}, "`reward` of 0 or more.*reward=-0.1"),
        ({"initial_ratio": 0.0}, "`initial_ratio` between 0 and 1.*initial_ratio=0.0"),
        ({"initial_ratio": 1.0}, "`initial_ratio`.*initial_ratio=1.0"),
        ({"restore": "filter"}, "`restore` to be one of.*restore='filter'"),
        ({"momentum": 1.0}, "`momentum` from 0 to below 1"),
        ({"floor": -1.0}, "`floor` of 0 or more"),
        ({"filter_loss": "exact"}, "`filter_loss` to be keywords.*'exact'"),
        ({"filter_loss": {"filter_loss": "best"}}, "to be one of.*'best'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mixture(**arguments)

import inspect

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki
from keras_interp._backend import gradient
from keras_interp.layers.interpretable_mask import MASK_ARGUMENTS
from keras_interp.losses import FILTER_LOSSES, filter_mutual_information

Mask = ki.layers.InterpretableMask
LABELS = np.array([0, 1, 2, 0, 1, 1])
NOT_DEFAULT = {
    "parts": 3,
    "fraction": 0.75,
    "beta": 2.0,
    "norm": "l2",
    "peak": "centroid",
    "filter_loss": "authors",
    "filter_loss_weight": 0.2,
    "scale": "paper",
    "mask": False,
    "num_categories": 3,
    "weight_schedule": "constant",
    "mask_warmup_epochs": 2,
    "learn_beta": True,
    "monitor": False,
}
# A loss that goes by labels, as that of the learnt slope, has no other targets.
OTHER_TARGETS = {"targets": "response"}


def run_keras_checks(arguments, states, **options):
    TestCase().run_layer_test(
        Mask,
        init_kwargs=arguments,
        input_shape=(2, 5, 6, 4),
        expected_output_shape=(2, 5, 6, 4),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=states,
        expected_num_losses=0,
        **options,
    )


@pytest.mark.parametrize(
    ("arguments", "states"),
    [
        # three of the epoch, log and its batches, mean peak, four of the levels.
        ({}, 10),
        ({"fraction": 1.0, "norm": "l2", "peak": "centroid"}, 10),
        ({"fraction": 0.0}, 10),
        ({"filter_loss": None}, 10),
        ({"mask": False, "filter_loss": "exact"}, 10),
        ({"filter_loss": "exact", "scale": "paper", "num_categories": 3}, 13),
        ({"filter_loss": "running", "mask_warmup_epochs": 2}, 12),
    ],
)
def test_keras_layer_checks(arguments, states):
    run_keras_checks(arguments, states)


@pytest.mark.parametrize(
    ("arguments", "states"),
    [
        ({"filter_loss": "approx", "num_categories": 3}, 15),
        ({"filter_loss": "authors", "num_categories": 1, "learn_beta": True}, 14),
    ],
)
def test_keras_layer_checks_of_modes_that_need_labels(arguments, states):
    run_keras_checks(arguments, states, run_training_check=False)


def test_config_is_complete():
    assert set(NOT_DEFAULT) | set(OTHER_TARGETS) == set(MASK_ARGUMENTS)
    defaults = inspect.signature(Mask.__init__).parameters
    for arguments in (NOT_DEFAULT, OTHER_TARGETS):
        restored = Mask.from_config(Mask(**arguments).get_config())
        for name, value in arguments.items():
            assert defaults[name].default != value == getattr(restored, name)


def test_mask_is_a_constant_in_the_backward_pass(maps):
    layer = Mask(fraction=0.5, beta=2.0, filter_loss=None)
    masked = ops.convert_to_numpy(layer(maps))
    np.testing.assert_array_equal(masked[..., 2:], maps[..., 2:])
    mask = ops.convert_to_numpy(ki.layers.PartMask(beta=2.0)(maps + 1e-3)) / (
        maps + 1e-3
    )
    slope = gradient(lambda x: ops.sum(layer(x)), maps)
    firing = maps[..., :2] > 0
    np.testing.assert_allclose(
        slope[..., :2][firing], mask[..., :2][firing], rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(slope[..., 2:], 1)


@pytest.mark.parametrize(
    ("fraction", "count"), [(0.0, 0), (0.25, 1), (0.5, 2), (0.9, 4), (1.0, 4)]
)
def test_fraction(maps, fraction, count, loss_of):
    layer = Mask(fraction=fraction)
    masked = ops.convert_to_numpy(layer(maps))
    assert layer.interpretable_filters == count
    assert layer.filter_categories.tolist() == [-1] * count
    part_masked = ops.convert_to_numpy(ki.layers.PartMask()(maps))
    np.testing.assert_allclose(masked[..., :count], part_masked[..., :count])
    np.testing.assert_array_equal(masked[..., count:], maps[..., count:])
    assert (loss_of(layer, maps) > 0) == (count > 0)


def test_moving_the_blobs_moves_the_masks():
    maps = np.zeros((2, 9, 11, 2), "float32")
    maps[:, 2:4, 3:5] = [[[1], [4]], [[2], [1]]]
    here = ops.convert_to_numpy(Mask(fraction=1.0)(maps))
    there = ops.convert_to_numpy(Mask(fraction=1.0)(np.roll(maps, (4, -2), (1, 2))))
    np.testing.assert_allclose(there, np.roll(here, (4, -2), (1, 2)))


def test_negative_inputs_of_interpretable_filters_are_silent():
    inputs = -np.ones((1, 3, 3, 2), "float32")
    masked = ops.convert_to_numpy(Mask(fraction=0.5)(inputs))
    np.testing.assert_array_equal(masked[..., 0], 0)
    np.testing.assert_array_equal(masked[..., 1], -1)


def test_without_mask_the_maps_pass_and_the_loss_stays(maps, loss_of):
    layer = Mask(fraction=1.0, mask=False)
    np.testing.assert_array_equal(layer(maps), maps)
    assert loss_of(layer, maps) == loss_of(Mask(fraction=1.0), maps)


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_every_mode_has_a_finite_loss_in_training_only(mode, maps, loss_of):
    layer = Mask(fraction=1.0, filter_loss=mode, num_categories=3)
    layer(maps, training=False)
    assert layer.losses == []
    assert np.isfinite(loss_of(layer, maps, LABELS))
    assert len(layer.losses) == 1
    assert keras.backend.standardize_dtype(layer.losses[0].dtype) == "float32"


def test_paper_scale_is_the_papers_loss_times_its_weight(maps, loss_of):
    layer = Mask(
        fraction=1.0, filter_loss="exact", scale="paper", filter_loss_weight=2.0
    )
    paper = ops.convert_to_numpy(filter_mutual_information(maps)).sum()
    # On the first batch the running mean peak is the mean over its targets.
    mean_peak = 0.0
    peaks = maps.max(axis=(1, 2))
    for column in peaks.T:
        middle = column.mean()
        mean_peak += column[column > middle].mean() / 4
    np.testing.assert_allclose(loss_of(layer, maps), 2.0 * paper * mean_peak, rtol=1e-5)
    layer.epoch.assign(4.0)
    np.testing.assert_allclose(
        loss_of(layer, maps), 2.0 * paper * mean_peak / 4, rtol=1e-5
    )


@pytest.mark.parametrize("mode", ["posterior", "exact", "running"])
def test_peak_scale_does_not_change_when_all_activations_grow(mode, maps, loss_of):
    def loss(factor):
        layer = Mask(fraction=1.0, filter_loss=mode)
        return loss_of(layer, maps * np.float32(factor))

    np.testing.assert_allclose(loss(100.0), loss(1.0), rtol=1e-4)


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_loss_under_mixed_precision_is_that_of_the_same_maps(mode, maps, loss_of):
    maps = maps.astype("float16")

    def loss(dtype):
        layer = Mask(fraction=1.0, filter_loss=mode, num_categories=3, dtype=dtype)
        return loss_of(layer, maps, LABELS), layer

    half, layer = loss("mixed_float16")
    np.testing.assert_allclose(half, loss("float32")[0], rtol=1e-6)
    assert keras.backend.standardize_dtype(layer.losses[0].dtype) == "float32"
    assert keras.backend.standardize_dtype(layer(maps).dtype) == "float16"


@pytest.mark.parametrize("mode", FILTER_LOSSES)
@pytest.mark.parametrize("scale", ["peak", "paper"])
def test_silent_maps(mode, scale, loss_of):
    silent = np.zeros((6, 4, 4, 2), "float32")
    layer = Mask(fraction=1.0, filter_loss=mode, scale=scale, num_categories=3)
    for _ in range(2):
        assert abs(loss_of(layer, silent, LABELS)) < 1e-6
    slope = gradient(lambda x: layer.weighted_filter_loss(x, LABELS), silent)
    assert np.isfinite(slope).all()
    for variable in layer.variables:
        assert np.isfinite(ops.convert_to_numpy(variable)).all()


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_nan_maps_show_in_the_loss_and_not_in_the_state(mode, maps, loss_of):
    layer = Mask(
        fraction=1.0,
        filter_loss=mode,
        num_categories=3,
        learn_beta=mode == "authors",
        monitor=False,
    )
    broken = maps.copy()
    broken[0, :, :, 1] = np.nan
    for batch in (broken, maps, broken):
        loss = loss_of(layer, batch, LABELS)
        assert np.isnan(loss) == (batch is broken)
    for variable in layer.variables:
        assert np.isfinite(ops.convert_to_numpy(variable)).all(), variable.path


def test_nan_maps_show_in_the_training_log(maps):
    inputs = keras.Input(maps.shape[1:])
    pooled = keras.layers.GlobalMaxPooling2D()(Mask(name="parts")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(pooled))
    model.compile("sgd", "mse")
    history = model.fit(np.full_like(maps, np.nan), np.zeros(6), verbose=0).history
    assert np.isnan(history["loss"][0])
    assert np.isnan(history["parts_filter_loss"][0])


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_a_batch_without_images(mode, maps, loss_of):
    empty = np.zeros((0, 5, 7, 4), "float32")
    disturbed = Mask(fraction=1.0, filter_loss=mode, num_categories=3)
    undisturbed = Mask(fraction=1.0, filter_loss=mode, num_categories=3)
    assert loss_of(disturbed, empty, LABELS[:0]) == 0
    assert tuple(disturbed(empty).shape) == empty.shape
    for _ in range(2):
        after = loss_of(disturbed, maps, LABELS)
        expected = loss_of(undisturbed, maps, LABELS)
    np.testing.assert_allclose(after, expected, rtol=1e-6)


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_one_image_only(mode, maps, loss_of):
    layer = Mask(fraction=1.0, filter_loss=mode, num_categories=3)
    for _ in range(3):
        assert np.isfinite(loss_of(layer, maps[:1], LABELS[:1]))
    for variable in layer.variables:
        assert np.isfinite(ops.convert_to_numpy(variable)).all()


@pytest.mark.parametrize("mode", FILTER_LOSSES)
def test_one_interpretable_filter_on_a_single_column(mode, rng, loss_of):
    maps = rng.random((6, 9, 1, 1), dtype="float32")
    layer = Mask(fraction=1.0, filter_loss=mode, num_categories=3)
    assert np.isfinite(loss_of(layer, maps, LABELS))
    assert layer.interpretable_filters == 1


@pytest.mark.parametrize("mode", ["posterior", "exact"])
def test_sizes_known_only_at_run_time(mode, rng):
    def model(side):
        inputs = keras.Input((side, side, 3))
        mask = Mask(filter_loss=mode, name="parts")
        conv = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
        pooled = keras.layers.GlobalMaxPooling2D()(mask(conv))
        result = keras.Model(inputs, keras.layers.Dense(1, name="dense")(pooled))
        result.compile("sgd", "mse")
        return result

    images = rng.random((4, 9, 9, 3), dtype="float32")
    fixed, free = model(9), model(None)
    free.set_weights(fixed.get_weights())
    for trained in (fixed, free):
        trained.fit(images, np.zeros(4), epochs=2, verbose=0, shuffle=False)
    for one, other in zip(fixed.get_weights(), free.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    free.fit(images[:, :7], np.zeros(4), verbose=0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"filter_loss": "running"},
        {"filter_loss": "approx"},
        {"filter_loss": "authors", "learn_beta": True},
    ],
)
def test_state_for_each_cell_needs_a_known_size(arguments):
    with pytest.raises(ValueError, match="known size.*'parts' with.*None x None"):
        Mask(name="parts", **arguments)(keras.Input((None, None, 4)))


def test_mask_warmup_blends_the_mask_in(maps):
    layer = Mask(fraction=1.0, mask_warmup_epochs=2, filter_loss=None)
    full = ops.convert_to_numpy(Mask(fraction=1.0, filter_loss=None)(maps))
    for epoch, share in [(1, 0.0), (2, 0.5), (3, 1.0), (4, 1.0)]:
        layer(maps)
        layer.epoch.assign(epoch)
        expected = (1 - share) * maps + share * full
        np.testing.assert_allclose(layer(maps), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "shares"),
    [
        ({}, [1, 1, 1]),
        ({"weight_schedule": "constant", "scale": "paper"}, [1, 1, 1]),
        ({"weight_schedule": "inverse_epoch"}, [1, 1 / 2, 1 / 3]),
        ({"scale": "paper"}, [1, 1 / 2, 1 / 3]),
    ],
)
def test_weight_schedule(maps, arguments, shares):
    layer = Mask(fraction=1.0, **arguments)
    layer(maps, training=True)
    losses = []
    for epoch in (1, 2, 3):
        layer.epoch.assign(epoch)
        losses.append(float(layer.weighted_filter_loss(maps)))
    np.testing.assert_allclose(np.array(losses) / losses[0], shares, rtol=1e-5)


def test_weighted_filter_loss_is_what_training_adds(maps, loss_of):
    layer = Mask(fraction=0.5, filter_loss_weight=0.7)
    added = loss_of(layer, maps)
    before = [ops.convert_to_numpy(v) for v in layer.variables]
    # The state has moved a little since, towards the same batch.
    again = float(layer.weighted_filter_loss(maps[..., :2]))
    np.testing.assert_allclose(again, added, rtol=0.05)
    for variable, old in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), old)


def test_learnt_slopes_follow_the_spread_of_the_activation(loss_of):
    narrow, wide = np.zeros((2, 4, 9, 9, 1), "float32")
    narrow[:, 4, 4] = 1.0
    wide[:] = 0.1
    wide[:, 4, 4] = 1.0
    maps = np.concatenate([narrow, wide], axis=-1)
    layer = Mask(fraction=1.0, filter_loss="authors", learn_beta=True, num_categories=1)
    for _ in range(100):
        loss_of(layer, maps, np.ones(4))
    slopes = ops.convert_to_numpy(layer._statistics.slope)
    np.testing.assert_allclose(slopes, [3.0, 1.5], atol=0.05)
    # A wider template lets more of the surroundings through.
    masked = ops.convert_to_numpy(layer(np.ones_like(maps)))
    assert masked[..., 1].sum() > masked[..., 0].sum()


def test_a_nan_batch_does_not_move_the_slopes(loss_of):
    layer = Mask(fraction=1.0, filter_loss="authors", learn_beta=True, num_categories=1)
    maps = np.full((2, 5, 5, 1), np.nan, "float32")
    loss_of(layer, maps, np.ones(2))
    assert 1.5 <= ops.convert_to_numpy(layer._statistics.slope)[0] <= 3.0


def test_the_labels_choose_the_targets(rng, loss_of):
    maps = rng.random((6, 5, 5, 2), dtype="float32")
    maps[LABELS == 1, :, :, 0] += 1
    maps[LABELS == 2, :, :, 1] += 1
    layer = Mask(fraction=1.0, num_categories=3)
    loss_of(layer, maps, LABELS)
    np.testing.assert_array_equal(layer.filter_categories, [1, 2])


@pytest.mark.parametrize("mode", ["approx", "authors"])
def test_labels_that_are_needed_and_not_there(mode, maps):
    layer = Mask(filter_loss=mode, name="parts")
    layer(maps, training=False)
    with pytest.raises(ValueError, match="labels.*'parts'.*InterpretableModel"):
        layer(maps, training=True)


def test_labels_without_a_number_of_categories(maps):
    with pytest.raises(ValueError, match="Pass `num_categories=`"):
        Mask()(maps, training=True, labels=LABELS)


def test_labels_of_another_width(maps):
    with pytest.raises(ValueError, match="num_categories=3.*Received: shape=.6, 2"):
        Mask(num_categories=3)(maps, training=True, labels=np.zeros((6, 2)))


def test_another_number_of_categories_is_refused(maps):
    layer = Mask(num_categories=3, name="parts")
    with pytest.raises(ValueError, match="3 categories.*num_categories=5"):
        layer.set_num_categories(5)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5, 6)])
def test_wrong_rank_is_refused(shape):
    with pytest.raises(ValueError, match=r"feature maps of shape \(batch.*'m'"):
        Mask(name="m")(np.zeros(shape, "float32"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": -0.1}, "`fraction`.*from 0.0 to 1.0.*fraction=-0.1"),
        ({"fraction": 1.5}, "`fraction`.*from 0.0 to 1.0"),
        ({"fraction": float("nan")}, "`fraction`"),
        ({"fraction": True}, "`fraction`"),
        ({"fraction": "half"}, "`fraction`.*'half'"),
        ({"beta": -1.0}, "`beta`.*positive number.*beta=-1.0"),
        ({"norm": "max"}, "`norm` must be one of.*norm='max'"),
        ({"peak": "mean"}, "`peak` must be one of.*peak='mean'"),
        ({"filter_loss": "best"}, "`filter_loss` to be one of.*'best'"),
        ({"filter_loss_weight": -1}, "`filter_loss_weight`.*>= 0"),
        ({"filter_loss_weight": float("inf")}, "`filter_loss_weight`"),
        ({"scale": "log"}, "`scale` to be one of.*'log'"),
        ({"weight_schedule": "linear"}, "`weight_schedule` to be one of.*'linear'"),
        ({"mask_warmup_epochs": -1}, "`mask_warmup_epochs`.*>= 0"),
        ({"num_categories": 0}, "`num_categories` to be None or a whole number"),
        ({"num_categories": 2.5}, "`num_categories` to be None or a whole number"),
        ({"learn_beta": True}, "`learn_beta=True`.*'posterior'"),
        ({"mask": "no"}, "`mask` to be True or False.*'no'"),
        ({"monitor": None}, "`monitor` to be True or False or 'full'"),
    ],
)
def test_unknown_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mask(**arguments)


def test_numbers_of_numpy_are_numbers():
    layer = Mask(
        fraction=np.float32(0.5), beta=np.float32(4), num_categories=np.int64(3)
    )
    assert layer.fraction == 0.5


def effective(**keywords):
    return ki.layers.InterpretableMask(**keywords).effective_filter_loss_weight


def test_labels_say_which_images_are_targets_unless_the_response_does(rng):
    maps = rng.random((24, 6, 6, 4), dtype="float32")
    labels = np.arange(24) % 12
    by_default, by_label, by_response = (
        ki.layers.InterpretableMask(
            num_categories=12, filter_loss_weight=1.0, **keywords
        )
        for keywords in ({}, {"targets": "labels"}, {"targets": "response"})
    )
    losses = []
    for layer in (by_default, by_label, by_response):
        layer(maps, training=True, labels=labels)
        losses.append(float(layer.losses[0]))
        # Labels still say which category a filter has.
        assert (layer.filter_categories >= 0).all()
    assert losses[0] == losses[1] != losses[2]


def test_default_weight_follows_the_targets():
    assert effective(num_categories=1) == 0.1
    assert effective(num_categories=6) == 0.15
    assert effective(num_categories=12) == 0.15
    assert effective(num_categories=12, targets="response") == 0.1
    assert effective(num_categories=12, filter_loss="authors") == 0.03


def test_response_cannot_serve_a_loss_that_needs_labels():
    with pytest.raises(ValueError, match="posterior"):
        ki.layers.InterpretableMask(filter_loss="approx", targets="response")

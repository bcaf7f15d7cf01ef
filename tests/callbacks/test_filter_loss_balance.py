import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp._backend import gradient

Balance = ki.callbacks.FilterLossBalance
RATIO = 0.6


@pytest.fixture
def images(rng):
    return rng.random((4, 8, 8, 3), dtype="float32")


def performer(classes=3):
    """Two dense layers without a ReLU: what is rebuilt is linear in the maps."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv1"),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv2"),
            layers.AveragePooling2D(2, name="pool"),
            layers.Flatten(),
            layers.Dense(6, name="fc6"),
            layers.Dense(5, name="fc7"),
            layers.Dense(classes, activation="softmax" if classes > 1 else "sigmoid"),
        ],
        name="performer",
    )


def make_explainer(classes=3, **keywords):
    keywords = {"filter_loss_balance": RATIO, "filter_loss": "exact", **keywords}
    return ki.models.Explainer(performer(classes), "conv1", **keywords)


def with_state(explainer, images):
    """One training pass, so that norms and mean peaks are those of the pictures."""
    if explainer.output.shape[-1] == 1:
        # Half of the pictures show the only category.
        bias = explainer.performer.layers[-1].bias
        probability = explainer.performer.predict(images, verbose=0)
        bias.assign([-np.median(np.log(probability / (1 - probability)))])
    explainer(images, training=True)
    explainer.get_layer("tracks").ratio_logit.assign(0.02)
    return explainer


def started(explainer, images, ratio=RATIO):
    callback = Balance(ratio, images)
    callback.set_model(explainer)
    callback.on_train_begin()
    return callback


def balances(explainer):
    masks = explainer.get_layer("mask_interp_1"), explainer.get_layer("tracks").mask
    return [float(mask.balance) for mask in masks]


def numbers(tensor):
    return ops.convert_to_numpy(tensor).astype("float64")


def mean_length(slope):
    """Mean over pictures and filters of the length over the positions."""
    return np.sqrt((slope**2).sum(axis=(1, 2))).mean()


def first_maps(explainer, images):
    """Maps of the first interpretable convolution's filters that have a mask."""
    target = explainer.performer_features(images)["target"]
    return ops.convert_to_numpy(explainer.get_layer("conv_interp_1")(target))


def second_maps(explainer, first):
    masked = explainer.get_layer("mask_interp_1")(first)
    return explainer.get_layer("conv_interp_2")(masked)


def filter_losses(explainer, images):
    """Both filter losses with their weights, as functions of the masked maps."""
    tracks = explainer.get_layer("tracks")
    features = explainer.performer_features(images)
    ordinary = explainer.get_layer("conv_ordinary")(features["target"])

    def first(maps):
        mask = explainer.get_layer("mask_interp_1")
        return mask.weighted_filter_loss(maps, features["category"])

    def second(maps):
        mixed = tracks.mixed_maps(maps, ordinary)
        return tracks.mask.weighted_filter_loss(mixed, features["category"])

    return first, second


def reconstruction_from(explainer, images, part_maps):
    """The reconstruction loss from maps of conv-interp-2, layer by layer."""
    features = explainer.performer_features(images)
    get = explainer.get_layer
    ordinary = get("conv_ordinary")(features["target"])
    pooled = keras.layers.AveragePooling2D(2)
    encoded = get("tracks")(
        [pooled(get("mask_interp_2")(part_maps)), pooled(ordinary), part_maps, ordinary]
    )
    vector, total = ops.reshape(encoded, (len(images), -1)), 0.0
    for number in (1, 2):
        vector = get(f"fc_dec_{number}")(vector)
        wanted = features[f"rebuilt_{number - 1}"]
        difference = ops.subtract(vector, ops.convert_to_tensor(wanted))
        squares = ops.mean(ops.sum(difference**2, axis=1))
        total = total + 0.5 * squares / (wanted**2).sum(axis=1).mean()
    return total


def reconstruction_slope_by_hand(explainer, images):
    """Its gradient at the interpretable maps of conv-interp-2 in closed form."""
    features = explainer.performer_features(images)
    rebuilt = list(explainer.reconstruct(images).values())
    pull = []
    for number, vector in enumerate(rebuilt):
        wanted = features[f"rebuilt_{number}"].astype("float64")
        mean_norm = (wanted**2).sum(axis=1).mean()
        pull.append((vector - wanted) / len(images) / mean_norm)
    kernels = [numbers(explainer.get_layer(f"fc_dec_{n}").kernel) for n in (1, 2)]
    at_encoded = (pull[0] + pull[1] @ kernels[1].T) @ kernels[0].T
    tracks = explainer.get_layer("tracks")
    factor = numbers(tracks.magnitude) * tracks.interpretable_ratio
    at_pooled = at_encoded.reshape(-1, 4, 4, 4) * factor
    at_pooled = at_pooled / numbers(tracks.norm_interpretable.divisors())
    at_masked = np.repeat(np.repeat(at_pooled, 2, axis=1), 2, axis=2) / 4
    maps = numbers(second_maps(explainer, first_maps(explainer, images)))
    count = explainer.interpretable_filters
    maps, at_masked = maps[..., :count], at_masked[..., :count]
    masked = numbers(ki.layers.PartMask()(maps.astype("float32")))
    return at_masked * np.divide(masked, maps, out=0 * maps, where=maps > 0)


@pytest.mark.parametrize(
    ("epoch", "classes", "keywords"),
    [
        (0, 3, {}),
        (3, 3, {"filter_loss": "posterior", "on_mixture": False, "fraction": 1.0}),
        (1, 1, {"filter_loss": "approx", "scale": "paper"}),
    ],
)
def test_gradients_are_in_the_promised_ratio(images, epoch, classes, keywords):
    explainer = with_state(make_explainer(classes, **keywords), images)
    started(explainer, images).on_epoch_begin(epoch)
    count = explainer.interpretable_filters
    first = first_maps(explainer, images)
    second = ops.convert_to_numpy(second_maps(explainer, first))

    def reconstruction(maps):
        return reconstruction_from(explainer, images, second_maps(explainer, maps))

    pulls = (
        gradient(reconstruction, first)[..., :count],
        reconstruction_slope_by_hand(explainer, images),
    )
    at = first[..., :count], second[..., :count]
    losses = filter_losses(explainer, images)
    for pull, maps, loss in zip(pulls, at, losses, strict=True):
        against = mean_length(gradient(loss, maps) * (maps > 0))
        expected = RATIO / (epoch + 1) * mean_length(pull * (maps > 0))
        assert expected > 0
        assert against == pytest.approx(expected, rel=1e-3)


def test_weights_are_the_ratio_of_both_pulls(images):
    """Pulls in double precision: closed form, and differences of the loss."""
    explainer = with_state(make_explainer(restore="channel"), images)
    started(explainer, images).on_epoch_begin(0)
    tracks = explainer.get_layer("tracks")
    features = explainer.performer_features(images)
    maps = numbers(second_maps(explainer, first_maps(explainer, images)))[..., :2]
    others = numbers(explainer.get_layer("conv_ordinary")(features["target"]))
    others = others[..., :2]
    ratio = tracks.interpretable_ratio
    others = (1 - ratio) * others / numbers(tracks.norm_ordinary.divisors())[:2]
    scale = ratio / numbers(tracks.norm_interpretable.divisors())[:2]
    mixed = ops.cast(maps * scale + others, "float32")
    categories = tracks.mask._categories(features["category"])
    mean_peak = numbers(tracks.mask._loss_inputs(mixed, categories, False).mean_peak)
    templates = ki.losses.part_templates(8, 8)

    def mutual_information(values):
        values = (values * scale + others) / mean_peak
        scores = 0.3 * np.einsum("thw,bhwf->btf", templates, values)
        likelihood = np.exp(scores) / np.exp(scores).sum(axis=0)
        share = likelihood / likelihood.mean(axis=1, keepdims=True)
        return (likelihood * np.log(share)).sum(axis=(0, 1)).mean() / len(templates)

    slope = np.zeros_like(maps)
    for index in np.ndindex(maps.shape):
        shift = np.zeros_like(maps)
        shift[index] = 1e-4
        both = mutual_information(maps + shift), mutual_information(maps - shift)
        slope[index] = (both[1] - both[0]) / 2e-4
    pull = mean_length(reconstruction_slope_by_hand(explainer, images) * (maps > 0))
    expected = RATIO * pull / mean_length(slope * (maps > 0))
    assert balances(explainer)[1] == pytest.approx(expected, rel=1e-2)


def test_weights_fall_with_the_epoch_and_grow_with_the_ratio(images):
    explainer = with_state(make_explainer(), images)
    callback = started(explainer, images)
    found = []
    for epoch in range(3):
        callback.on_epoch_begin(epoch)
        found.append(balances(explainer))
    found = np.array(found)
    np.testing.assert_allclose(found, found[0] / [[1], [2], [3]], rtol=1e-5)
    started(explainer, images, ratio=2 * RATIO).on_epoch_begin(0)
    np.testing.assert_allclose(balances(explainer), 2 * found[0], rtol=1e-5)
    started(explainer, images, ratio=0.0).on_epoch_begin(0)
    assert balances(explainer) == [0.0, 0.0]


def test_nothing_else_is_touched(images):
    explainer = with_state(make_explainer(), images)
    explainer.compile()
    before = {v.path: ops.convert_to_numpy(v).copy() for v in explainer.variables}
    metrics = [ops.convert_to_numpy(v).copy() for v in explainer.metrics_variables]
    old = balances(explainer)
    started(explainer, images).on_epoch_begin(0)
    assert not set(balances(explainer)) & set(old)
    for variable in explainer.variables:
        if not variable.path.endswith("balance"):
            np.testing.assert_array_equal(
                ops.convert_to_numpy(variable), before[variable.path], variable.path
            )
    for variable, value in zip(explainer.metrics_variables, metrics, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), value)
    for name in ("mask_interp_1", "mask_interp_2"):
        assert explainer.get_layer(name).map_probe is None


def test_features_stand_for_their_pictures(images):
    explainer = with_state(make_explainer(), images)
    started(explainer, images).on_epoch_begin(0)
    expected = balances(explainer)
    features = explainer.performer_features(images)
    started(explainer, features).on_epoch_begin(0)
    np.testing.assert_allclose(balances(explainer), expected, rtol=1e-5)


def test_an_explainer_with_a_balance_adds_the_callback_itself(images):
    explainer = make_explainer()
    explainer.compile()
    explainer.fit(images, verbose=0)
    expected = balances(explainer)
    assert min(expected) > 0
    # In place of it, one of the caller's own.
    explainer.fit(images, verbose=0, callbacks=[Balance(0.0, images)])
    assert balances(explainer) == [0.0, 0.0]


def test_silent_maps_have_no_filter_loss(images):
    explainer = make_explainer()
    for name in ("conv_interp_1", "conv_interp_2", "conv_ordinary"):
        layer = explainer.get_layer(name)
        layer.set_weights([0 * weight - 1.0 for weight in layer.get_weights()])
    explainer(images, training=True)
    started(explainer, images).on_epoch_begin(0)
    assert balances(explainer) == [0.0, 0.0]


def test_a_filter_loss_that_does_not_pull(images):
    """One picture has no mutual information with the templates."""
    explainer = with_state(make_explainer(), images)
    started(explainer, images[:1]).on_epoch_begin(0)
    assert balances(explainer) == [0.0, 0.0]


def test_no_interpretable_filter(images):
    explainer = with_state(make_explainer(fraction=0.0), images)
    started(explainer, images).on_epoch_begin(0)
    assert balances(explainer) == [0.0, 0.0]


def test_negative_ratio_is_refused(images):
    with pytest.raises(ValueError, match="`ratio` of 0 or more.*ratio=-1"):
        Balance(-1, images)


@pytest.mark.parametrize("filter_loss", ["exact", None])
def test_a_constant_weight_is_refused(images, filter_loss):
    explainer = make_explainer(filter_loss_balance=None, filter_loss=filter_loss)
    with pytest.raises(ValueError, match=r"constant weight.*filter_loss_balance=2 / 3"):
        started(explainer, images)


def test_another_model_is_refused(images):
    with pytest.raises(ValueError, match="mask_interp_1"):
        started(performer(), images)

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki

LAYERS = keras.layers
Explainer = ki.models.Explainer


def weights_of(model, name):
    return [np.array(values) for values in model.get_layer(name).get_weights()]


def maps_of(model, name, pictures):
    view = keras.Model(model.inputs, model.get_layer(name).output)
    return view.predict_on_batch(pictures)


def ordinary_alone(explainer):
    """With p = 0 a new explainer is the performer, if the ordinary track copies it."""
    explainer.get_layer("tracks").ratio_logit.assign(-10.0)
    return explainer


def assert_explains_by_copy(explainer, pictures):
    expected = explainer.performer.predict_on_batch(pictures)
    size = np.abs(expected).max()
    # It says of every picture something else.
    assert np.ptp(expected, axis=0).max() > 0.02 * size
    found = ordinary_alone(explainer).predict_on_batch(pictures)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * size)


# The paper's performers --------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "side", "target", "convolution", "groups"),
    [
        (ki.models.AlexNet, 67, "relu4", "conv5", 2),
        (ki.models.VGG_M, 59, "relu4", "conv5", 1),
        (ki.models.VGG_S, 67, "relu4", "conv5", 1),
        (ki.models.VGG16, 32, "relu5_2", "conv5_3", 1),
    ],
)
def test_the_papers_performers(make, side, target, convolution, groups, rng):
    model = make((side, side, 3), classes=2, classifier_activation=None)
    copied = model.get_layer(convolution)
    # The published nets begin with biases of 0.
    copied.bias.assign(rng.normal(0, 0.1, copied.bias.shape))
    explainer = Explainer(model, target)
    assert explainer.target_layer == target
    assert explainer.rebuilt_layers == ["fc6", "fc7"]
    kernel, bias = weights_of(explainer, "conv_interp_1")
    own = copied.get_weights()[0]
    half = own.shape[-1] // groups
    for number in range(groups):
        rows = slice(number * own.shape[2], (number + 1) * own.shape[2])
        columns = slice(number * half, (number + 1) * half)
        np.testing.assert_array_equal(kernel[:, :, rows, columns], own[..., columns])
    # Outside of the groups there is nothing.
    assert np.count_nonzero(kernel) == np.count_nonzero(own)
    np.testing.assert_array_equal(bias, copied.get_weights()[1])
    for number, layer in enumerate(("fc6", "fc7"), 1):
        for found, expected in zip(
            weights_of(explainer, f"fc_dec_{number}"),
            weights_of(model, layer),
            strict=True,
        ):
            np.testing.assert_array_equal(found, expected)
    pictures = rng.uniform(-100, 100, (2, side, side, 3)).astype("float32")
    assert_explains_by_copy(explainer, pictures)


def test_poolings_are_copies_of_the_performers():
    model = ki.models.VGG_S((67, 67, 3), classes=2)
    explainer = Explainer(model, "relu4")
    for track in ("interpretable", "ordinary"):
        for name in ("pad_pool5", "pool5"):
            copy = explainer.get_layer(f"{name}_{track}")
            own = model.get_layer(name)
            assert copy is not own
            left_out = {"name", "dtype"}
            configs = [
                {
                    key: value
                    for key, value in one.get_config().items()
                    if key not in left_out
                }
                for one in (copy, own)
            ]
            assert configs[0] == configs[1]


# Any classifier ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "activation"),
    [(3, "softmax"), (3, "linear"), (1, "sigmoid"), (1, "linear"), (3, "sigmoid")],
)
def test_batch_norms_are_folded_exactly(performer, scenes, classes, activation):
    model = performer(classes, activation)
    explainer = Explainer(model, "relu2")
    expected = maps_of(model, "relu3", scenes)
    assert expected.std() > 0.05
    for name in ("conv_ordinary", "conv_interp_1"):
        np.testing.assert_allclose(
            maps_of(explainer, name, scenes), expected, rtol=1e-5, atol=1e-6
        )
    assert_explains_by_copy(explainer, scenes)


def small(head, seeded, size=(16, 16, 3)):
    """A classifier whose maps `conv1` are of 5 channels."""
    x = inputs = keras.Input(size)
    x = LAYERS.Conv2D(5, 3, strides=2, activation="relu", name="conv1")(x)
    return seeded(keras.Model(inputs, head(x)))


def dense_top(x, classes=3):
    x = LAYERS.Flatten()(LAYERS.MaxPooling2D(2)(x))
    x = LAYERS.Dense(6, activation="relu", name="hidden")(x)
    return LAYERS.Dense(classes, activation="softmax", name="scores")(x)


@pytest.fixture
def tiles(rng):
    return rng.uniform(-1, 1, (4, 16, 16, 3)).astype("float32")


CONVOLUTIONS = {
    "plain": lambda x: LAYERS.Conv2D(4, 3, padding="same", activation="relu")(x),
    "no bias": lambda x: LAYERS.ReLU()(
        LAYERS.Conv2D(4, 3, padding="same", use_bias=False)(x)
    ),
    "norm": lambda x: LAYERS.ReLU()(
        LAYERS.BatchNormalization()(LAYERS.Conv2D(4, 3, padding="same")(x))
    ),
    "norm without scale and bias": lambda x: ops.relu(
        LAYERS.BatchNormalization(scale=False, center=False, epsilon=0.1)(
            LAYERS.Conv2D(4, 3, padding="same", use_bias=False)(x)
        )
    ),
    "norm of an own name": lambda x: LAYERS.ReLU()(
        LAYERS.BatchNormalization(name="conv1_norm")(
            LAYERS.Conv2D(4, 3, padding="same")(x)
        )
    ),
    "groups": lambda x: LAYERS.Conv2D(
        10, 3, padding="same", groups=5, activation="relu"
    )(x),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_the_convolution_above_is_copied(kind, seeded, tiles):
    model = small(lambda x: dense_top(CONVOLUTIONS[kind](x)), seeded)
    assert_explains_by_copy(Explainer(model, "conv1"), tiles)


def test_a_norm_behind_the_activation_is_not_folded(seeded):
    def head(x):
        x = LAYERS.Conv2D(4, 3, padding="same", activation="relu", name="conv2")(x)
        return dense_top(LAYERS.BatchNormalization()(x))

    model = small(head, seeded)
    explainer = Explainer(model, "conv1")
    for found, own in zip(
        weights_of(explainer, "conv_interp_1"), weights_of(model, "conv2"), strict=True
    ):
        np.testing.assert_array_equal(found, own)


def test_a_norm_with_another_taker_is_not_folded(seeded):
    def head(x):
        x = LAYERS.Conv2D(4, 3, padding="same", name="conv2")(x)
        y = LAYERS.BatchNormalization()(x)
        return dense_top(LAYERS.ReLU()(x + y))

    model = small(head, seeded)
    explainer = Explainer(model, "conv1")
    np.testing.assert_array_equal(
        weights_of(explainer, "conv_ordinary")[0], weights_of(model, "conv2")[0]
    )


def normed_dense(x):
    x = LAYERS.Flatten()(LAYERS.MaxPooling2D(2)(CONVOLUTIONS["plain"](x)))
    x = LAYERS.Dense(6, use_bias=False, name="hidden1")(x)
    x = LAYERS.ReLU()(LAYERS.BatchNormalization(name="norm1")(x))
    x = LAYERS.Dense(5, name="hidden2")(x)
    x = LAYERS.LeakyReLU()(LAYERS.BatchNormalization(name="norm2")(x))
    return LAYERS.Dense(3, name="scores")(LAYERS.Dropout(0.5)(x))


def test_norms_of_dense_layers_are_folded(seeded, tiles):
    explainer = Explainer(small(normed_dense, seeded), "conv1")
    assert explainer.rebuilt_layers == ["hidden1", "hidden2"]
    assert_explains_by_copy(explainer, tiles)


HEADS = {
    "pooled": lambda x: LAYERS.Dense(3)(LAYERS.GlobalAveragePooling2D()(x)),
    "highest": lambda x: LAYERS.Dense(3)(LAYERS.GlobalMaxPooling2D()(x)),
    "kept cell": lambda x: LAYERS.Flatten()(
        LAYERS.Conv2D(3, 1)(LAYERS.GlobalAveragePooling2D(keepdims=True)(x))
    ),
    "function": lambda x: LAYERS.Dense(3)(ops.mean(x, axis=(1, 2))),
    "class maps": lambda x: LAYERS.Softmax()(
        LAYERS.GlobalAveragePooling2D()(LAYERS.Conv2D(3, 1, name="top")(x))
    ),
    "padded class maps": lambda x: LAYERS.GlobalAveragePooling2D()(
        LAYERS.Conv2D(3, 1, name="top")(LAYERS.ZeroPadding2D(2)(x))
    ),
    "flat": lambda x: LAYERS.Dense(3)(LAYERS.Flatten()(LAYERS.MaxPooling2D(3)(x))),
}


@pytest.mark.parametrize("head", HEADS)
def test_heads_without_a_hidden_layer(head, seeded, tiles):
    model = small(lambda x: HEADS[head](CONVOLUTIONS["plain"](x)), seeded)
    assert_explains_by_copy(Explainer(model, "conv1"), tiles)


def test_squeezenet(rng):
    model = ki.models.SqueezeNet((35, 35, 3), classes=5, classifier_activation=None)
    explainer = Explainer(model, "fire9")
    assert explainer.get_layer("conv_interp_2").filters == 512
    # Nothing but pooling follows: all three convolutions start as the identity.
    explainer.get_layer("conv_ordinary").set_weights(_identity(512))
    assert_explains_by_copy(explainer, rng.uniform(-100, 100, (3, 35, 35, 3)))


def _identity(channels):
    kernel = np.zeros((3, 3, channels, channels), "float32")
    kernel[1, 1] = np.eye(channels)
    return [kernel, np.zeros(channels)]


# What is not copied ------------------------------------------------------------


def test_identity_and_its_noise(performer):
    explainer = Explainer(performer(), "relu2")
    kernel, bias = weights_of(explainer, "conv_interp_2")
    noise = kernel - _identity(8)[0]
    # A twentieth of Glorot's largest value: filters alike must be able to part.
    assert 0 < np.abs(noise).max() <= 0.05 * np.sqrt(6 / (9 * 16))
    assert noise.std() > 0
    np.testing.assert_array_equal(bias, 0)


def test_the_papers_initialization(performer):
    model = performer()
    explainer = Explainer(model, "relu2", initialization="paper")
    first, second, other = (
        weights_of(explainer, name)[0]
        for name in ("conv_interp_1", "conv_interp_2", "conv_ordinary")
    )
    copied = weights_of(Explainer(model, "relu2"), "conv_interp_1")[0]
    np.testing.assert_array_equal(first, copied)
    for kernel in (second, other):
        # Random, as Keras makes it.
        largest = np.sqrt(6 / (9 * (kernel.shape[2] + 8)))
        assert 0.9 * largest < np.abs(kernel).max() < 1.001 * largest
    np.testing.assert_array_equal(
        weights_of(explainer, "fc_dec_2")[0], weights_of(model, "fc7")[0]
    )


@pytest.mark.parametrize(
    "above",
    [
        lambda x: x,
        lambda x: LAYERS.Conv2D(5, 1, activation="relu")(x),
        lambda x: LAYERS.Conv2D(5, 3, dilation_rate=2, padding="same")(x),
        lambda x: LAYERS.Conv2D(5, 3, strides=2, padding="same")(x),
        lambda x: LAYERS.SeparableConv2D(5, 3, padding="same")(x),
    ],
    ids=["none", "1x1", "dilated", "strided", "separable"],
)
def test_without_a_convolution_to_copy_all_is_the_identity(above, seeded):
    model = small(lambda x: HEADS["pooled"](above(x)), seeded)
    explainer = Explainer(model, "conv1")
    for name in ("conv_interp_1", "conv_interp_2", "conv_ordinary"):
        kernel, bias = weights_of(explainer, name)
        np.testing.assert_allclose(kernel[1, 1], np.eye(5), atol=0.05)
        np.testing.assert_array_equal(bias, 0)


def test_other_numbers_of_filters(performer, scenes):
    model = performer()
    explainer = Explainer(model, "relu2", filters=5)
    shapes = [w.shape for w in weights_of(explainer, "conv_interp_1")]
    assert shapes == [(3, 3, 6, 5), (5,)]
    assert weights_of(explainer, "fc_dec_1")[0].shape == (9 * 5, 12)
    np.testing.assert_array_equal(
        weights_of(explainer, "fc_dec_2")[0], weights_of(model, "fc7")[0]
    )
    assert np.isfinite(explainer.predict_on_batch(scenes)).all()


def test_a_single_rebuilt_layer(performer, scenes):
    model = performer()
    explainer = Explainer(model, "relu2", rebuilt_layers=["relu6"])
    np.testing.assert_array_equal(
        weights_of(explainer, "fc_dec_1")[0], weights_of(model, "fc6")[0]
    )
    assert_explains_by_copy(explainer, scenes)
    explainer = Explainer(model, "relu2", rebuilt_layers=["fc8"])
    assert explainer.output_shape == (None, 3)
    assert list(explainer.reconstruct(scenes)) == ["fc8"]


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_a_quantised_performer_is_copied_with_its_scales(performer, scenes):
    """The numbers of a kernel in int8 mean nothing without their scale."""
    model = performer()
    kernels = [
        keras.ops.convert_to_numpy(model.get_layer(name).kernel)
        for name in ("fc6", "fc7")
    ]
    biases = [
        keras.ops.convert_to_numpy(model.get_layer(name).bias)
        for name in ("fc6", "fc7")
    ]
    model.quantize("int8")
    explainer = Explainer(model, "relu2")
    for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True), 1):
        copied = explainer.get_layer(f"fc_dec_{number}")
        # A step of eight bits is a share of 1 / 127 of a column's greatest weight.
        step = np.abs(kernel).max() / 127
        np.testing.assert_allclose(copied.kernel, kernel, atol=0.51 * step)
        np.testing.assert_array_equal(copied.bias, bias)
    rebuilt = explainer.reconstruct(scenes)
    assert all(np.isfinite(values).all() for values in rebuilt.values())


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_other_quantisations_are_refused(performer):
    model = performer()
    model.get_layer("fc6").quantize("int4")
    with pytest.raises(ValueError, match="'fc6' quantised to 'int4'.*afterwards"):
        Explainer(model, "relu2")

"""Receptive fields: published tables, real occlusion, joins and bad input."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

import keras_interp as ki
from keras_interp.receptive_fields import ReceptiveField, receptive_field


def conv(kernel, stride=1, padding="same", **options):
    return layers.Conv2D(1, kernel, strides=stride, padding=padding, **options)


def pool(size, stride, padding="valid"):
    return layers.MaxPooling2D(size, stride, padding)


def named(layer, name):
    """Names a layer that was just made."""
    layer.name = name
    return layer


def pad(before, after=None):
    after = before if after is None else after
    return layers.ZeroPadding2D(((before, after), (before, after)))


# The released nets: pads in front and behind as the layer lists have them.
def vgg16():
    stack = []
    for block, depth in enumerate((2, 2, 3, 3, 3)):
        stack += [conv(3) for _ in range(depth)]
        if block < 4:
            stack.append(pool(2, 2))
    return 224, [*stack[:-1], named(conv(3), "conv5")], [pool(2, 2)]


def alexnet():
    stack = [conv(11, 4, "valid"), pool(3, 2), pad(2), conv(5, padding="valid")]
    return 227, [*stack, pool(3, 2), conv(3), conv(3), named(conv(3), "conv5")], []


def vgg_m():
    stack = [conv(7, 2, "valid"), pad(0, 1), pool(3, 2)]
    stack += [pad(1), conv(5, 2, "valid"), pad(0, 1), pool(3, 2)]
    return 224, [*stack, conv(3), conv(3), named(conv(3), "conv5")], []


def vgg_s():
    stack = [conv(7, 2, "valid"), pad(0, 2), pool(3, 3), conv(5, padding="valid")]
    stack += [pad(0, 1), pool(2, 2), conv(3), conv(3), named(conv(3), "conv5")]
    return 224, stack, []


@pytest.mark.parametrize(
    ("net", "stride", "size", "size_of_new", "start"),
    [
        (vgg16, 16, 196, 228, 7.5),
        (alexnet, 16, 163, 195, 17),
        (vgg_m, 16, 139, 171, 17),
        (vgg_s, 12, 113, 137, 20),
    ],
)
def test_networks_of_the_paper(net, stride, size, size_of_new, start):
    side, stack, _ = net()
    model = keras.Sequential(
        [keras.Input((side, side, 3)), *stack, named(conv(3), "new")]
    )
    assert receptive_field(model, "conv5") == ReceptiveField(size, stride, start)
    assert receptive_field(model, "new") == ReceptiveField(size_of_new, stride, start)


def test_vgg16_pool_after_the_new_convolution():
    side, stack, after = vgg16()
    model = keras.Sequential([keras.Input((side, side, 3)), *stack, conv(3), *after])
    found = receptive_field(model, model.layers[-1].name)
    assert (found.size, found.stride, found.start) == (244, 32, 15.5)


@pytest.mark.parametrize(
    ("application", "layer", "size"),
    [
        # Table of Araujo, Norris and Sim, Distill 2019.
        ("VGG16", "block5_pool", 212),
        ("MobileNet", "conv_pw_13_relu", 315),
        ("ResNet50", "conv5_block3_out", 483),
        ("InceptionV3", "mixed10", 1311),
    ],
)
def test_keras_applications_agree_with_published_sizes(application, layer, size):
    make = getattr(keras.applications, application)
    model = make(weights=None, include_top=False, input_shape=(224, 224, 3))
    assert receptive_field(model, layer).size == size


@pytest.mark.parametrize("application", ["EfficientNetB0", "MobileNetV3Small"])
def test_gates_of_squeeze_and_excitation_do_not_count(application):
    make = getattr(keras.applications, application)
    model = make(weights=None, include_top=False, input_shape=(224, 224, 3))
    found = receptive_field(model, model.layers[-1].name)
    assert found.stride == 32
    assert found.size < 1000


def inception(x):
    return layers.Concatenate()(
        [
            arm(x)
            for arm in (conv(1), conv(5), pool(3, 1, "same"), conv(3, dilation_rate=2))
        ]
    )


def residual(x):
    y = conv(3, activation="relu")(layers.BatchNormalization()(x))
    return layers.Add()([x, conv(3)(y)])


def strided_residual(x):
    # Even lengths: the two arms have different centres.
    return layers.Add()([conv(1, 2)(x), conv(4, 2)(x)])


def u_net(x):
    y = layers.UpSampling2D()(conv(3)(layers.AveragePooling2D(2)(x)))
    return layers.Concatenate()([x, y])


def gate(x):
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Multiply()([conv(3)(x), layers.Dense(1, "sigmoid")(y)])


def broadcast_branch(x):
    y = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Concatenate()([conv(3)(x), layers.UpSampling2D(20)(y)])


def operations(x):
    return keras.ops.relu(conv(3)(x) * 2.0 + 1.0)


CHAINS = {
    "same, even length": (20, [conv(3, 2), conv(4, 2), conv(3)]),
    "same, odd length": (21, [conv(3, 2), conv(4, 2), conv(3)]),
    "same, even kernel": (20, [conv(4), conv(2)]),
    "valid": (21, [conv(5, 2, "valid"), conv(3, padding="valid")]),
    "dilated": (20, [conv(3, dilation_rate=3), conv(2, dilation_rate=2)]),
    "rectangle": (20, [conv((1, 5)), conv((3, 1), (2, 1))]),
    "max pooling": (20, [conv(3), pool(3, 2), conv(2)]),
    "average pooling": (20, [layers.AveragePooling2D(3, 2, "same"), conv(3)]),
    "padding and cropping": (
        20,
        [pad(3, 1), conv(3, 2, "valid"), layers.Cropping2D(((1, 0), (0, 2)))],
    ),
    "depthwise": (20, [layers.DepthwiseConv2D(3, 2), layers.SeparableConv2D(1, 3)]),
    "pointwise": (
        20,
        [conv(3), layers.BatchNormalization(), layers.ReLU(), layers.Dense(1)],
    ),
    "nearest": (12, [conv(3, 2), layers.UpSampling2D(3), conv(3)]),
    "bilinear by 2": (12, [layers.UpSampling2D(2, interpolation="bilinear")]),
    "bilinear by 3": (12, [layers.UpSampling2D(3, interpolation="bilinear"), conv(3)]),
    "bicubic": (12, [layers.UpSampling2D(2, interpolation="bicubic")]),
    "transposed, same": (12, [conv(3), layers.Conv2DTranspose(1, 3, 2, "same")]),
    "transposed, even": (12, [layers.Conv2DTranspose(1, 4, 2, "same"), conv(3)]),
    "transposed, valid": (12, [layers.Conv2DTranspose(1, 5, 3, "valid")]),
    "transposed, wide stride": (12, [layers.Conv2DTranspose(1, 2, 3, "valid")]),
    "transposed, output padding": (
        12,
        [layers.Conv2DTranspose(1, 3, 2, "same", output_padding=1)],
    ),
    "resizing": (12, [conv(3), layers.Resizing(18, 18)]),
    "inception": (20, [inception, conv(3)]),
    "residual": (20, [residual, residual]),
    "strided residual": (20, [strided_residual, conv(3)]),
    "u-net": (20, [u_net]),
    "operations": (20, [operations]),
}


def build(side, stack):
    x = inputs = keras.Input((side, side, 1))
    for step in stack:
        x = step(x)
    return keras.Model(inputs, layers.Identity(name="target")(x))


def support(model, side):
    """Whether pixel (y, x) moves unit (row, column): `(rows, columns, y, x)`.

    All weights are positive and every pixel is raised by far, so that nothing cancels
    and every maximum gives way.
    """
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if "kernel" in variable.path:
            variable.assign(rng.uniform(0.5, 1.0, variable.shape))
    pictures = np.ones((side * side + 1, side, side, 1), dtype="float32")
    pictures[1:] += 1000.0 * np.eye(side * side).reshape(-1, side, side, 1)
    maps = keras.ops.convert_to_numpy(model(pictures, training=False))
    moved = np.abs(maps[1:] - maps[:1]).max(axis=-1) > 1e-3 * maps[0].max()
    return moved.reshape(side, side, *moved.shape[1:]).transpose(2, 3, 0, 1)


@pytest.mark.parametrize("chain", CHAINS)
def test_field_is_what_occlusion_shows(chain):
    """No unit sees beyond its field, and some unit sees up to an end of it."""
    side, stack = CHAINS[chain]
    model = build(side, stack)
    found = receptive_field(model, "target")
    seen = support(model, side)
    for axis, reach in ((2, seen.any(axis=(1, 3))), (1, seen.any(axis=(0, 2)))):
        number = 2 - axis
        size, stride, start = (
            np.broadcast_to(part, 2)[number] for part in dataclasses.astuple(found)
        )
        center = start + stride * np.arange(len(reach))
        low, high = center - (size - 1) / 2, center + (size - 1) / 2
        pixels = np.arange(side)
        first = np.where(reach, pixels, side).min(axis=1)
        last = np.where(reach, pixels, -1).max(axis=1)
        assert np.all(first >= low - 1e-6)
        assert np.all(last <= high + 1e-6)
        assert np.isclose(first, low).any() or np.isclose(last, high).any()


@pytest.mark.parametrize("join", [gate, broadcast_branch])
def test_what_is_the_same_at_all_places_does_not_count(join):
    assert receptive_field(build(20, [join]), "target") == ReceptiveField(3, 1, 0)


def test_units_in_the_middle_see_exactly_their_field():
    model = build(24, [conv(3), pool(2, 2), conv(3)])
    found = receptive_field(model, "target")
    assert found == ReceptiveField(8, 2, 0.5)
    seen = support(model, 24)[6, 5]
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (9, 16, 7, 14)
    x, y = found.centers(12, 12)[6, 5]
    assert (x, y) == (10.5, 12.5)


def test_branches_of_different_strides_are_covered_at_every_unit():
    inputs = keras.Input((10, 10, 1))
    coarse = conv(1, 3)(inputs)  # centres 0, 3, 6, 9
    fine = conv(4, 2, "valid")(inputs)  # centres 1.5, 3.5, 5.5, 7.5
    model = keras.Model(inputs, layers.Add(name="sum")([coarse, fine]))
    found = receptive_field(model, "sum")
    # Stride and centre of the wider arm; at the ends the other is 1.5 pixels away.
    assert found == ReceptiveField(4, 2, 1.5)


def test_differs_by_axis():
    model = keras.Sequential([keras.Input((16, 20, 1)), conv((3, 5), (2, 1), "valid")])
    found = receptive_field(model, model.layers[-1].name)
    assert found == ReceptiveField(size=(3, 5), stride=(2, 1), start=(1, 2))
    assert found.centers(7, 16).shape == (7, 16, 2)
    assert found.centers(7, 16)[3, 4].tolist() == [6.0, 7.0]


def nested():
    backbone = keras.Sequential(
        [keras.Input((32, 32, 1)), conv(3, 2, name="stem"), conv(3, name="top")],
        name="backbone",
    )
    inputs = keras.Input((32, 32, 3))
    x = conv(5, 2)(layers.UpSampling2D(2)(inputs))
    return keras.Model(inputs, conv(3, name="top")(backbone(x)))


def test_layer_inside_a_nested_model():
    model = nested()
    inner = receptive_field(model, "stem")
    assert receptive_field(model, "backbone/stem") == inner
    assert inner.stride == 2
    inside = receptive_field(model, "backbone/top")
    outside = receptive_field(model, "top")
    assert outside.size == inside.size + 2 * inside.stride
    assert receptive_field(model, "backbone") == inside


def test_nested_in_nested():
    inner = keras.Sequential([keras.Input((16, 16, 1)), conv(3, name="deep")])
    middle = keras.Sequential([keras.Input((16, 16, 1)), inner, pool(2, 2)], name="mid")
    model = keras.Sequential([keras.Input((16, 16, 1)), conv(3), middle])
    assert receptive_field(model, "deep") == ReceptiveField(5, 1, 0)
    assert receptive_field(model, f"mid/{inner.name}/deep").size == 5


def test_input_layer_sees_itself():
    model = keras.Sequential([keras.Input((8, 8, 1), name="picture"), conv(3)])
    assert receptive_field(model, "picture") == ReceptiveField(1, 1, 0)


def test_shared_layer_is_taken_where_it_is_used_first():
    inputs = keras.Input((8, 8, 1))
    shared = conv(3, name="shared")
    model = keras.Model(inputs, shared(shared(inputs)))
    assert receptive_field(model, "shared").size == 3


def test_open_size_needs_the_size_only_where_padding_depends_on_it():
    model = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            conv(3, name="plain"),
            conv(3, 2, name="strided"),
        ]
    )
    assert receptive_field(model, "plain") == ReceptiveField(3, 1, 0)
    with pytest.raises(ValueError, match="'strided'.*pass image_size"):
        receptive_field(model, "strided")
    assert receptive_field(model, "strided", 20).start == 1
    assert receptive_field(model, "strided", (21, 21)).start == 0
    assert receptive_field(model, "strided", (20, 21)).start == (1, 0)


class Scaled(layers.Layer):
    """A pointwise layer of somebody's own."""

    def call(self, inputs):
        return 2 * inputs


class Block(layers.Layer):
    """Hides a convolution."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = conv(3)

    def call(self, inputs):
        return self.inner(inputs)


class OwnConv(layers.Conv2D):
    """A convolution of somebody's own."""


class Windowed(layers.Layer):
    """A convolution of somebody's own that is no Conv2D."""

    kernel_size, strides, padding = (3, 3), (2, 2), "valid"

    def call(self, inputs):
        return keras.ops.max_pool(inputs, 3, 2, "valid")


def test_layers_of_ones_own():
    model = keras.Sequential(
        [
            keras.Input((17, 17, 1)),
            OwnConv(1, 3, padding="same", name="own"),
            Scaled(name="scaled"),
            Windowed(name="windowed"),
            Block(name="block"),
        ]
    )
    assert receptive_field(model, "own").size == 3
    assert receptive_field(model, "scaled").size == 3
    assert receptive_field(model, "windowed") == ReceptiveField(5, 2, 1)
    with pytest.raises(ValueError, match="layer 'block' \\(Block\\) is of a kind"):
        receptive_field(model, "block")


def test_interpretable_layers():
    inputs = keras.Input((16, 16, 3))
    x = ki.InterpretableConv(4, 3, padding="same", name="conv")(pool(2, 2)(inputs))
    x = ki.layers.PartMask(name="part")(ki.layers.InterpretableMask(name="mask")(x))
    model = keras.Model(inputs, x)
    for name in ("conv", "mask", "part"):
        assert receptive_field(model, name) == ReceptiveField(6, 2, 0.5)


def test_unknown_layer_is_named_only_where_it_matters():
    inputs = keras.Input((8, 8, 4))
    x = conv(3, name="before")(inputs)
    y = layers.MultiHeadAttention(1, 4, name="attention")(x, x)
    model = keras.Model(inputs, conv(3, name="after")(y))
    assert receptive_field(model, "before").size == 3
    with pytest.raises(ValueError, match="'after', whose field .*: layer 'attention'"):
        receptive_field(model, "after")


@pytest.mark.parametrize(
    "layer",
    [
        layers.Flatten(),
        layers.GlobalMaxPooling2D(),
        layers.Reshape((64, 1)),
        layers.Permute((2, 1, 3)),
    ],
)
def test_whole_picture_is_refused(layer):
    layer.name = "merging"
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), conv(3), layer, layers.Dense(2, name="dense")]
    )
    with pytest.raises(
        ValueError, match="'dense', which has no receptive field.*'merging'"
    ):
        receptive_field(model, "dense")


def test_map_laid_out_from_a_vector_is_refused_in_a_join():
    inputs = keras.Input((8, 8, 1))
    y = layers.Reshape((8, 8, 1))(layers.Dense(64)(layers.Flatten()(inputs)))
    model = keras.Model(inputs, layers.Add(name="sum")([conv(3)(inputs), y]))
    with pytest.raises(ValueError, match="'sum' \\(Add\\) joins maps with units"):
        receptive_field(model, "sum")


def test_refusals():
    model = keras.Sequential([keras.Input((8, 8, 1)), conv(3, name="conv")])
    with pytest.raises(ValueError, match="layer_name='con'. Choose from 'conv'"):
        receptive_field(model, "con")
    with pytest.raises(ValueError, match="as the model takes images, \\(8, 8\\)"):
        receptive_field(model, "conv", 9)
    with pytest.raises(ValueError, match="image_size as a positive"):
        receptive_field(model, "conv", (8, 8, 1))
    with pytest.raises(ValueError, match="not built"):
        receptive_field(keras.Sequential([conv(3)]), "conv")
    with pytest.raises(ValueError, match="functional or Sequential"):
        receptive_field(Block(), "inner")
    vectors = keras.Sequential([keras.Input((8,)), layers.Dense(2, name="dense")])
    with pytest.raises(ValueError, match="no image"):
        receptive_field(vectors, "dense")
    first = keras.Sequential(
        [keras.Input((1, 8, 8)), conv(3, data_format="channels_first", name="first")]
    )
    with pytest.raises(ValueError, match="'first' .*channels_first"):
        receptive_field(first, "first")


def test_pixels_keeps_nan_and_fractions():
    field = ReceptiveField(size=8, stride=4, start=1.5)
    assert field.pixels([1, 2]).tolist() == [9.5, 5.5]
    assert field.pixels([[0.5, 0.0]]).tolist() == [[1.5, 3.5]]
    assert np.isnan(field.pixels([np.nan, 0]))[1]
    with pytest.raises(ValueError, match="row, column"):
        field.pixels([1, 2, 3])


@pytest.mark.parametrize(
    "wrong", [{"size": 0}, {"stride": -1}, {"start": np.inf}, {"size": (1, 2, 3)}]
)
def test_field_by_hand_is_checked(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ReceptiveField(**{"size": 3, "stride": 1, "start": 0, **wrong})


def test_public_name_is_the_function():
    assert ki.receptive_field is receptive_field

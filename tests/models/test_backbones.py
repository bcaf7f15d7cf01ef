"""AlexNet, VGG-M, VGG-S, VGG-16, VGG-19 and SqueezeNet: layers, sizes, arguments."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_interp as ki

BACKBONES = {
    "AlexNet": ki.models.AlexNet,
    "VGG_M": ki.models.VGG_M,
    "VGG_S": ki.models.VGG_S,
    "VGG16": ki.models.VGG16,
    "VGG19": ki.models.VGG19,
    "SqueezeNet": ki.models.SqueezeNet,
}
SMALLEST = {
    "AlexNet": 67,
    "VGG_M": 59,
    "VGG_S": 43,
    "VGG16": 32,
    "VGG19": 32,
    "SqueezeNet": 35,
}
# Last convolution: its maps at the published input size, the size of the last map
# before the classifier, and receptive field size, stride and centre of unit 0.
TOP = {
    "AlexNet": ("relu5", 13, 256, "pool5", 6, (163, 16, 17)),
    "VGG_M": ("relu5", 13, 512, "pool5", 6, (139, 16, 17)),
    "VGG_S": ("relu5", 17, 512, "pool5", 6, (113, 12, 20)),
    "VGG16": ("relu5_3", 14, 512, "pool5", 7, (196, 16, 7.5)),
    "VGG19": ("relu5_4", 14, 512, "pool5", 7, None),
    "SqueezeNet": ("fire9", 13, 512, "fire9", 13, None),
}
CNN_LAYERS = (
    "conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2 conv3 relu3 conv4 relu4 conv5 "
    "relu5 pool5 flatten fc6 relu6 dropout6 fc7 relu7 dropout7 fc8 predictions"
)


def names(model, without=("pad", "images")):
    return [x.name for x in model.layers if not x.name.startswith(without)]


@pytest.mark.parametrize("name", BACKBONES)
def test_maps_of_the_published_input(name):
    top, side, filters, last, last_side, field = TOP[name]
    model = BACKBONES[name](include_top=False)
    assert model.get_layer(top).output.shape == (None, side, side, filters)
    assert model.output.shape == (None, last_side, last_side, filters)
    assert model.layers[-1].name == last
    if field:
        found = ki.receptive_field(model, top)
        assert (found.size, found.stride, found.start) == field


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("VGG16", (228, 16, 7.5)),
        ("AlexNet", (195, 16, 17)),
        ("VGG_M", (171, 16, 17)),
        ("VGG_S", (137, 12, 20)),
    ],
)
def test_receptive_field_of_the_new_convolution(name, field):
    model = BACKBONES[name](include_top=False, interpretable=True)
    found = ki.receptive_field(model, "conv_interpretable")
    assert (found.size, found.stride, found.start) == field


def test_layer_lists_of_the_papers():
    small = {"input_shape": (67, 67, 3), "classes": 2}
    assert names(ki.models.AlexNet(**small)) == CNN_LAYERS.split()
    assert names(ki.models.VGG_M(**small)) == CNN_LAYERS.split()
    # CNN-S normalises after its first convolution alone.
    one_norm = CNN_LAYERS.replace("norm2 ", "")
    assert names(ki.models.VGG_S(**small)) == one_norm.split()


@pytest.mark.parametrize(
    ("name", "counts"), [("VGG16", (2, 2, 3, 3, 3)), ("VGG19", (2, 2, 4, 4, 4))]
)
def test_layers_of_the_deep_networks_are_those_of_keras(name, counts):
    model = BACKBONES[name](input_shape=(32, 32, 3), classes=10)
    convolutions = [n for n in names(model) if n.startswith("conv")]
    assert convolutions == [
        f"conv{block}_{number}"
        for block, count in enumerate(counts, 1)
        for number in range(1, count + 1)
    ]
    published = getattr(keras.applications, name)(
        weights=None, input_shape=(32, 32, 3), classes=10
    )
    assert [v.shape for v in model.weights] == [v.shape for v in published.weights]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("AlexNet", 2_334_080), ("VGG_M", 6_528_640), ("SqueezeNet", 735_424)],
)
def test_number_of_parameters_of_the_convolutions(name, parameters):
    assert BACKBONES[name](include_top=False).count_params() == parameters


def test_published_classifiers_have_their_known_sizes():
    # 1,248,424 parameters: Iandola et al., 4.8 MB of float32.
    assert ki.models.SqueezeNet().count_params() == 1_248_424


@pytest.mark.parametrize("name", BACKBONES)
def test_smallest_input(name):
    build, side = BACKBONES[name], SMALLEST[name]
    model = build(input_shape=(side, side + 3, 3), include_top=False)
    assert min(model.output.shape[1:3]) == 1
    with pytest.raises(ValueError, match=rf"smallest input is \({side}, {side}, 3\)"):
        build(input_shape=(side - 1, side, 3))


@pytest.mark.parametrize("name", ["AlexNet", "SqueezeNet"])
def test_interpretable_network_trains(name, rng):
    side = 99
    model = BACKBONES[name](
        input_shape=(side, side, 3),
        classes=1,
        interpretable=True,
        classifier_activation="sigmoid",
    )
    assert isinstance(model, ki.models.InterpretableModel)
    top = TOP[name][0]
    order = names(model)
    start = order.index(top)
    assert order[start + 1 : start + 3] == ["mask_interpretable", "conv_interpretable"]
    conv = model.get_layer("conv_interpretable")
    assert conv.filters == TOP[name][2]
    assert conv.kernel_size == (3, 3)
    # The paper makes all filters interpretable.
    assert conv.interpretable_mask.fraction == 1.0
    assert model.get_layer("mask_interpretable").fraction == 1.0
    images = rng.normal(size=(4, side, side, 3)).astype("float32")
    model.compile("sgd", "binary_crossentropy")
    history = model.fit(images, np.array([0, 1, 0, 1]), verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_interpretable_keywords_reach_both_layers():
    model = ki.models.SqueezeNet(
        input_shape=(67, 67, 3),
        interpretable=True,
        include_top=False,
        fraction=0.25,
        filter_loss="exact",
        kernel_initializer="he_normal",
    )
    conv = model.get_layer("conv_interpretable")
    for mask in (conv.interpretable_mask, model.get_layer("mask_interpretable")):
        assert (mask.fraction, mask.filter_loss) == (0.25, "exact")
    assert isinstance(conv.kernel_initializer, keras.initializers.HeNormal)


def test_new_head_can_say_no(rng):
    """A ReLU before a sigmoid could never give less than one half."""
    model = ki.models.SqueezeNet(
        input_shape=(67, 67, 3), classes=1, classifier_activation="sigmoid"
    )
    images = rng.normal(size=(8, 67, 67, 3)).astype("float32") * 50
    model.get_layer("conv_final").bias.assign([-5.0])
    assert model.predict(images, verbose=0).max() < 0.5
    assert "relu_final" not in names(model)
    assert "relu_final" in names(ki.models.SqueezeNet())


@pytest.mark.parametrize("name", BACKBONES)
def test_network_survives_saving(name, rng, tmp_path):
    side = SMALLEST[name] + 4
    model = BACKBONES[name](input_shape=(side, side, 3), include_top=False)
    images = rng.normal(size=(2, side, side, 3)).astype("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (224, 224)}, "as \\(height, width, channels\\)"),
        ({"input_shape": (None, None, 3)}, "Give three integers"),
        ({"input_shape": (224, 224, 0)}, "Give positive sizes"),
        ({"classes": 0}, "Received: classes=0"),
        ({"classes": 2.5}, "Received: classes=2.5"),
        ({"classes": 1}, "Choose 'sigmoid'"),
        ({"fraction": 0.5}, "Expected `interpretable=True`"),
        ({"weights": "nowhere.mat"}, "'nowhere.mat', which is not a file"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    arguments = {"input_shape": (67, 67, 3), **arguments}
    for build in (ki.models.VGG_S, ki.models.SqueezeNet):
        with pytest.raises(ValueError, match=message):
            build(**arguments, include_top=False)


def test_channels_first_setting_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="set_image_data_format"):
            ki.models.VGG16(include_top=False)
    finally:
        keras.config.set_image_data_format("channels_last")


def read_images(folder):
    """Shorter side to 256, then the 227x227 in the middle."""
    from PIL import Image

    pictures = []
    for path in sorted(folder.glob("*.jpeg")):
        picture = Image.open(path).convert("RGB")
        scale = 256 / min(picture.size)
        size = [round(side * scale) for side in picture.size]
        picture = picture.resize(size, Image.Resampling.BILINEAR)
        left, top = ((side - 227) // 2 for side in size)
        pictures.append(np.asarray(picture.crop((left, top, left + 227, top + 227))))
    return np.stack(pictures)


def test_published_weights_name_14_of_20_pictures(real_data):
    images = read_images(real_data / "imagenet_sanity")
    model = ki.models.SqueezeNet(weights="imagenet")
    probabilities = model.predict(
        ki.models.preprocess_input(images, backbone="squeezenet"), verbose=0
    )
    labels = np.arange(20)
    best = np.argsort(-probabilities, axis=1)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert np.sum(best[:, 0] == labels) == 14
    assert np.sum(best[:, :5] == labels[:, None]) == 17

"""Image classifiers of KerasHub, small and of random weights, through the library."""

import keras
import numpy as np
import pytest

import keras_interp as ki
from keras_interp._network.layer_names import layer_places
from keras_interp.reporting._saved_model import load_saved_model

# Its networks take long to build and compile.
pytestmark = pytest.mark.slow
hub = pytest.importorskip(
    "keras_hub", reason="needs KerasHub: pip install 'keras_interp[hub]'"
)
models = hub.models


def resnet():
    backbone = models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(32, 32, 3),
    )
    return models.ResNetImageClassifier(backbone, num_classes=3)


def efficient_net():
    backbone = models.EfficientNetBackbone(
        width_coefficient=0.25,
        depth_coefficient=1.0,
        stackwise_kernel_sizes=[3, 3],
        stackwise_num_repeats=[1, 1],
        stackwise_input_filters=[32, 16],
        stackwise_output_filters=[16, 24],
        stackwise_expansion_ratios=[1, 4],
        stackwise_strides=[1, 2],
        stackwise_squeeze_and_excite_ratios=[0.25, 0.25],
        stackwise_block_types=["v1", "v1"],
        input_shape=(32, 32, 3),
    )
    return models.EfficientNetImageClassifier(backbone, num_classes=3)


def mobile_net():
    backbone = models.MobileNetBackbone(
        stackwise_expansion=[[8, 8], [16, 16]],
        stackwise_num_blocks=[2, 2],
        stackwise_num_filters=[[8, 8], [16, 16]],
        stackwise_kernel_size=[[3, 3], [3, 3]],
        stackwise_num_strides=[[2, 1], [1, 1]],
        stackwise_se_ratio=[[None, None], [0.25, 0.25]],
        stackwise_activation=[["relu6", "relu6"], ["hard_swish", "hard_swish"]],
        stackwise_padding=[[1, 1], [1, 1]],
        output_num_filters=24,
        depthwise_filters=8,
        depthwise_stride=1,
        depthwise_residual=True,
        last_layer_filter=24,
        squeeze_and_excite=0.5,
        input_num_filters=8,
        image_shape=(32, 32, 3),
    )
    return models.MobileNetImageClassifier(backbone, num_classes=3)


def vision_transformer():
    backbone = models.ViTBackbone(
        image_shape=(32, 32, 3),
        patch_size=8,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
    )
    return models.ViTImageClassifier(backbone, num_classes=3)


# A layer of maps to look at, its receptive field and its stride.
CONVOLUTIONAL = [
    # Convolution and pooling of 3 and stride 2, then two blocks of two of 3:
    # 3, +2x2, +2x4, +2x4, +2x4 and +2x8.
    pytest.param(resnet, None, 47, 8, id="resnet"),
    # Three convolutions of 3, of which the first and the last have stride 2.
    pytest.param(efficient_net, None, 11, 4, id="efficient_net"),
    pytest.param(mobile_net, "input_conv", 3, 2, id="mobile_net"),
]


@pytest.fixture
def images(rng):
    return rng.uniform(size=(2, 32, 32, 3)).astype("float32")


def last_convolution(model):
    kinds = keras.layers.Conv2D
    return [p.path for p in layer_places(model) if isinstance(p.layer, kinds)][-1]


@pytest.mark.parametrize(
    ("build", "methods"),
    [
        (resnet, ["saliency", "guided_backprop", "grad_cam", "excitation_backprop"]),
        (efficient_net, ["saliency", "grad_cam", "excitation_backprop"]),
        (mobile_net, ["saliency", "guided_backprop", "grad_cam"]),
        (vision_transformer, ["saliency", "gradient_times_input", "grad_cam"]),
    ],
)
def test_attribution(build, methods, images, seeded):
    model = seeded(build())
    for method in methods:
        maps = getattr(ki.attribution, method)(model, images, 0)
        assert maps.shape[:3] == images.shape[:3]
        assert np.isfinite(maps).all() and np.abs(maps).max() > 0, method


def test_what_does_not_apply_is_said(images):
    transformer = vision_transformer()
    with pytest.raises(ValueError, match="with ReLUs"):
        ki.attribution.guided_backprop(transformer, images, 1)
    with pytest.raises(ValueError, match="LayerNormalization"):
        ki.attribution.excitation_backprop(transformer, images, 1)
    assert ki.feature_maps(transformer, images, "patch_embedding").shape[1:3] == (4, 4)
    with pytest.raises(ValueError, match="can be made interpretable"):
        ki.models.to_interpretable(transformer, "vit_encoder")
    why = ki.explain(transformer, images[0], methods=["saliency", "guided_backprop"])
    assert list(why.maps) == ["saliency"] and len(why.left_out) == 2
    blocks = mobile_net()
    with pytest.raises(ValueError, match="such as x \\+ y on tensors"):
        ki.attribution.excitation_backprop(blocks, images, 1)
    with pytest.raises(ValueError, match="receptive field is not known"):
        ki.receptive_field(blocks, "block_1_0")


@pytest.mark.parametrize(("build", "layer", "size", "stride"), CONVOLUTIONAL)
def test_maps_and_receptive_field(build, layer, size, stride, images):
    model = build()
    layer = layer or last_convolution(model)
    field = ki.receptive_field(model, layer)
    assert (field.size, field.stride) == (size, stride)
    maps = ki.feature_maps(model, images, layer)
    inner = model.backbone
    part = keras.Model(inner.input, inner.get_layer(layer.split("/")[-1]).output)
    np.testing.assert_allclose(maps, part.predict(images, verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    ("build", "layer"),
    [(resnet, None), (efficient_net, None), (mobile_net, "block_1_1")],
)
def test_conversion_and_explainer(build, layer, images):
    model = build()
    layer = layer or last_convolution(model)
    converted = ki.models.to_interpretable(model, layer)
    converted.compile("sgd", "sparse_categorical_crossentropy")
    converted.fit(images, np.array([0, 2]), verbose=0)
    assert np.isfinite(converted.predict(images, verbose=0)).all()
    explainer = ki.models.Explainer(model, layer)
    rebuilt = explainer.reconstruct(images)
    assert all(np.isfinite(values).all() for values in rebuilt.values())


def test_a_saved_classifier_is_read(images, tmp_path):
    model = resnet()
    model.save(tmp_path / "model.keras")
    again = load_saved_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
    )

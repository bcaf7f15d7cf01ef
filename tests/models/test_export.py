"""Interpretable models leave Keras as they are: ONNX and LiteRT give equal outputs."""

import warnings

import keras
import numpy as np
import pytest

import keras_interp as ki

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow",
        reason="exported here from TensorFlow, the default backend",
    ),
]


def branches():
    """An interpretable layer of each kind, one after another, in a graph."""
    inputs = keras.Input((12, 12, 3), name="images")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    kinds = (
        {"peak": "argmax"},
        {"peak": "centroid", "norm": "l2"},
        {"filter_loss": "parts", "fraction": 1.0},
    )
    for kind in kinds:
        layer = ki.InterpretableConv(4, 3, padding="same", activation="relu", **kind)
        x = keras.layers.Add()([layer(x), keras.layers.Conv2D(4, 1)(x)])
    x = ki.layers.PartMask()(keras.layers.ReLU()(x))
    outputs = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))
    return ki.models.InterpretableModel(inputs, keras.layers.Softmax()(outputs))


def converted():
    """A trained network whose last convolution was made interpretable."""
    layers = [
        keras.Input((12, 12, 3)),
        keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
        keras.layers.Flatten(),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
    return ki.models.to_interpretable(keras.Sequential(layers), "conv", fraction=1.0)


@pytest.fixture
def images(rng):
    return rng.uniform(0, 255, (3, 12, 12, 3)).astype("float32")


def trained(model, images):
    """A step of training, so that every statistic has moved."""
    loss = "mse" if model.output_shape[-1] == 1 else "sparse_categorical_crossentropy"
    model.compile("sgd", loss)
    model.fit(images, np.array([0, 1, 0]), verbose=0)
    return model


@pytest.mark.parametrize("build", [branches, converted])
def test_onnx_gives_the_same(build, images, tmp_path):
    runtime = pytest.importorskip(
        "onnxruntime", reason="needs pip install 'keras_interp[export]'"
    )
    pytest.importorskip("tf2onnx", reason="needs pip install 'keras_interp[export]'")
    model = trained(build(), images / 255)
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {session.get_inputs()[0].name: images})
    wanted = model.predict(images, verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_litert_gives_the_same(images, tmp_path):
    lite = pytest.importorskip("tensorflow").lite
    model = trained(branches(), images / 255)
    model.export(tmp_path / "model.tflite", format="litert", verbose=False)
    with warnings.catch_warnings():
        # TensorFlow announces that its interpreter moves to a package of its own.
        warnings.simplefilter("ignore", UserWarning)
        interpreter = lite.Interpreter(str(tmp_path / "model.tflite"))
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, images)
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    wanted = model.predict(images, verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)

import json

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp._network.opened_graph import OpenedGraph

LAYERS = keras.layers
SIZE = (12, 12, 3)


@pytest.fixture
def small_scenes(rng):
    return rng.uniform(-1, 1, (3, *SIZE)).astype("float32")


def conv_block(name, size=SIZE):
    """An inner model of a convolution, a batch norm and a ReLU."""
    x = inputs = keras.Input(size)
    x = LAYERS.Conv2D(4, 3, padding="same", name="conv")(x)
    x = LAYERS.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, LAYERS.ReLU(name="relu")(x), name=name)


def sequential():
    layers = [
        keras.Input(SIZE),
        LAYERS.Conv2D(4, 3, activation="relu", name="conv"),
        LAYERS.Flatten(name="flat"),
        LAYERS.Dense(2, name="dense"),
    ]
    return keras.Sequential(layers)


def unbuilt_sequential():
    """Keras knows its layers as a graph from the first call on."""
    model = keras.Sequential(
        [
            LAYERS.Conv2D(4, 3, name="conv"),
            LAYERS.GlobalAveragePooling2D(name="pool"),
            LAYERS.Dense(2, name="dense"),
        ]
    )
    model(np.zeros((1, *SIZE), "float32"))
    return model


def nested():
    """Two inner models with layers of the same names; one holds a third."""
    x = inputs = keras.Input(SIZE)
    x = conv_block("backbone")(x)
    head = keras.Sequential(
        [
            keras.Input((12, 12, 4)),
            conv_block("inner", (12, 12, 4)),
            LAYERS.GlobalMaxPooling2D(name="pool"),
            LAYERS.Dense(2, activation="softmax", name="dense"),
        ],
        name="head",
    )
    return keras.Model(inputs, head(x))


def shared():
    """A layer and an inner model that are called twice each."""
    x = inputs = keras.Input(SIZE)
    conv = LAYERS.Conv2D(3, 3, padding="same", name="conv")
    block = conv_block("block")
    x = LAYERS.ReLU(name="first")(conv(x))
    x = LAYERS.ReLU(name="second")(conv(x))
    x = LAYERS.Concatenate(name="both")([block(x), block(inputs)])
    x = LAYERS.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, LAYERS.Dense(2, name="dense")(x))


def functions():
    """Operations that are no layers, with arguments and several outputs."""
    x = inputs = keras.Input(SIZE)
    x = LAYERS.Conv2D(4, 3, padding="same", name="conv")(x)
    low, high = ops.split(ops.relu(x), 2, axis=-1)
    x = ops.concatenate([high, 2.0 * low], axis=-1) + x
    x = LAYERS.MultiHeadAttention(1, 2, name="attention")(x, value=x)
    return keras.Model(inputs, ops.sigmoid(ops.mean(x, axis=(1, 2))))


def gated():
    """Squeeze and excitation, and a branch around two convolutions."""
    x = inputs = keras.Input(SIZE)
    x = LAYERS.Conv2D(4, 3, padding="same", name="stem")(x)
    gate = LAYERS.GlobalAveragePooling2D(name="squeeze")(x)
    gate = LAYERS.Dense(4, activation="sigmoid", name="excite")(gate)
    x = x * LAYERS.Reshape((1, 1, 4), name="gate")(gate)
    y = LAYERS.Conv2D(4, 3, padding="same", activation="relu", name="branch")(x)
    x = LAYERS.Add(name="add")([x, y])
    x = LAYERS.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, LAYERS.Dense(2, name="dense")(x))


MODELS = (sequential, unbuilt_sequential, nested, shared, functions, gated)


@pytest.mark.parametrize("make", MODELS)
def test_it_computes_what_the_model_does(make, seeded, small_scenes):
    model = seeded(make())
    graph = OpenedGraph(model)
    again = keras.Model(graph.inputs, graph.outputs)
    np.testing.assert_allclose(
        again.predict_on_batch(small_scenes),
        model.predict_on_batch(small_scenes),
        rtol=1e-6,
        atol=1e-7,
    )
    # The same layers, not copies.
    assert {id(v) for v in again.variables} == {id(v) for v in model.variables}


@pytest.mark.parametrize("make", MODELS)
def test_the_model_stays_as_it_is(make, seeded, small_scenes):
    model = seeded(make())
    before = [np.array(weight) for weight in model.get_weights()]
    config = json.dumps(model.get_config(), default=str)
    outputs = model.predict_on_batch(small_scenes)
    OpenedGraph(model)
    assert json.dumps(model.get_config(), default=str) == config
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    np.testing.assert_array_equal(model.predict_on_batch(small_scenes), outputs)


def test_the_model_is_saved_as_before(seeded, small_scenes, tmp_path):
    model = seeded(nested())
    OpenedGraph(model)
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path)
    np.testing.assert_array_equal(
        again.predict_on_batch(small_scenes), model.predict_on_batch(small_scenes)
    )


def test_paths():
    names = ("conv", "norm", "relu")
    expected = [f"backbone/{name}" for name in names]
    expected += ["backbone", *(f"head/inner/{name}" for name in names)]
    expected += ["head/inner", "head/pool", "head/dense", "head"]
    inputs = keras.layers.InputLayer
    graph = OpenedGraph(nested())
    entries = {c.path for c in graph.calls if isinstance(c.operation, inputs)}
    assert [path for path in graph.paths() if path not in entries] == expected


def test_finds_by_name_and_by_path():
    model = nested()
    graph = OpenedGraph(model)
    inner = model.get_layer("head").get_layer("inner")
    assert graph.find("head/inner/conv").operation is inner.get_layer("conv")
    assert graph.find("inner/conv").operation is inner.get_layer("conv")
    assert graph.find("pool").path == "head/pool"
    assert graph.find("backbone").shape == (None, 12, 12, 4)


def test_a_name_of_several_layers():
    with pytest.raises(ValueError, match="backbone/conv.*head/inner/conv"):
        OpenedGraph(nested()).find("conv")


@pytest.mark.parametrize("name", ["conv9", "", "head/conv", "back", "ense"])
def test_a_missing_name_lists_the_layers(name):
    with pytest.raises(ValueError, match=f"layer_name='{name}'. Choose from '"):
        OpenedGraph(nested()).find(name)


def test_a_shared_layer_is_found_where_it_is_called_first():
    model = shared()
    graph = OpenedGraph(model)
    calls = [call for call in graph.calls if call.path == "conv"]
    assert len(calls) == 2
    assert graph.find("conv") is calls[0]
    assert calls[0].inputs[0] is graph.inputs[0]
    assert len([call for call in graph.calls if call.path == "block/relu"]) == 2


def test_finished_follows_normalisation_and_activation():
    graph = OpenedGraph(nested())
    finished = graph.finished(graph.find("head/inner/conv"))
    assert finished.path == "head/inner/relu"
    # What has its activation in it is finished.
    assert graph.finished(finished) is finished
    dense = graph.find("head/dense")
    assert graph.finished(dense) is dense


def test_finished_is_of_the_call_and_not_of_an_earlier_one():
    graph = OpenedGraph(shared())
    first, second = (c for c in graph.calls if c.path == "block/conv")
    relus = [c for c in graph.calls if c.path == "block/relu"]
    assert graph.finished(first) is relus[0]
    assert graph.finished(second) is relus[1]


def test_producer():
    graph = OpenedGraph(nested())
    conv = graph.find("head/inner/conv")
    # What an inner model is given has been made outside.
    assert graph.producer(conv.inputs[0]).path == "backbone/relu"
    assert graph.producer(graph.outputs[0]).path == "head/dense"
    assert graph.producer(keras.KerasTensor((1,))) is None


def test_after():
    graph = OpenedGraph(gated())
    above = graph.after(graph.find("branch").outputs)
    assert [call.path for call in above] == ["add", "pool", "dense"]
    paths = {call.path for call in graph.after(graph.find("stem").outputs)}
    assert {"squeeze", "excite", "gate", "branch"} <= paths
    assert graph.after(graph.outputs) == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("squeeze", False),
        ("excite", False),
        ("branch", False),
        ("add", True),
        ("pool", True),
        ("dense", True),
    ],
)
def test_what_everything_goes_through(path, expected):
    graph = OpenedGraph(gated())
    assert graph.carries_all(graph.find(path), graph.find("stem")) is expected


def test_everything_goes_through_the_layers_of_an_inner_model():
    graph = OpenedGraph(nested())
    below = graph.find("backbone/relu")
    for path in ("head/inner/norm", "head/pool", "head/dense"):
        assert graph.carries_all(graph.find(path), below)


def test_a_published_network_with_branches(scenes):
    model = ki.models.SqueezeNet((35, 35, 3), classes=4)
    graph = OpenedGraph(model)
    pictures = np.pad(scenes[:2], ((0, 0), (0, 3), (0, 3), (0, 0)))
    np.testing.assert_allclose(
        keras.Model(graph.inputs, graph.outputs).predict_on_batch(pictures),
        model.predict_on_batch(pictures),
        rtol=1e-6,
    )
    below = graph.find("fire8")
    carried = [
        c.path for c in graph.after(below.outputs) if graph.carries_all(c, below)
    ]
    assert "fire9" in carried
    assert "fire9_conv1x1_2" not in carried

import keras
import pytest
from keras import ops

import keras_interp as ki
from keras_interp.models.explainer._network import decision_threshold, output_activation
from keras_interp.models.explainer._plan import plan_performer

LAYERS = keras.layers
SIZE = (16, 16, 3)


def planned(model, target, rebuilt=None):
    return plan_performer(model, target, rebuilt)


def dense_paths(plan):
    return [None if call is None else call.path for call in plan.dense]


def pooling_names(plan):
    return [layer.name for layer in plan.poolings]


def convolutions(inputs):
    x = LAYERS.Conv2D(6, 3, padding="same", activation="relu", name="conv1")(inputs)
    return LAYERS.Conv2D(5, 3, padding="same", activation="relu", name="conv2")(x)


def classifier(head, size=SIZE):
    """Two convolutions and what `head` makes of their maps."""
    inputs = keras.Input(size)
    return keras.Model(inputs, head(convolutions(inputs)), name="classifier")


def pooled(x):
    return LAYERS.GlobalAveragePooling2D(name="mean")(x)


def flattened(x):
    return LAYERS.Flatten(name="flat")(LAYERS.MaxPooling2D(name="pool")(x))


def scored(x, activation="softmax", classes=4):
    return LAYERS.Dense(classes, activation=activation, name="scores")(x)


def dense_top(x, *widths):
    for number, width in enumerate(widths, 1):
        x = LAYERS.Dense(width, activation="relu", name=f"hidden{number}")(x)
    return scored(x)


# Published networks ------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "side", "target", "poolings", "last"),
    [
        (ki.models.AlexNet, 67, "relu4", ["pool5"], "relu5"),
        (ki.models.VGG_M, 59, "relu4", ["pool5"], "relu5"),
        (ki.models.VGG_S, 67, "relu4", ["pad_pool5", "pool5"], "relu5"),
        (ki.models.VGG16, 32, "relu5_2", ["pool5"], "relu5_3"),
    ],
)
def test_the_papers_performers(make, side, target, poolings, last):
    model = make((side, side, 3), classes=2)
    plan = planned(model, target)
    assert plan.target.path == target
    assert plan.names == ("fc6", "fc7")
    # Features are those after the activation.
    assert [call.path for call in plan.rebuilt] == ["relu6", "relu7"]
    assert dense_paths(plan) == ["fc6", "fc7"]
    assert pooling_names(plan) == poolings
    assert plan.poolings[-1] is model.get_layer("pool5")
    assert plan.graph.producer(plan.top_maps).path == last
    assert not plan.rebuilds_pooled_maps
    # The convolution's name is as good as its activation's.
    assert planned(model, target.replace("relu", "conv")).target.path == target


@pytest.mark.parametrize(
    ("make", "target", "vector", "width"),
    [
        ("ResNet50", "conv5_block2_out", "avg_pool", 2048),
        ("MobileNet", "conv_pw_12_relu", "global_average_pooling2d", 1024),
        ("MobileNetV3Small", "expanded_conv_9_add", "global_average_pooling2d", 576),
        ("EfficientNetB0", "block7a_project_bn", "avg_pool", 1280),
        ("DenseNet121", "pool4_pool", "avg_pool", 1024),
    ],
)
def test_pooled_maps_are_rebuilt_where_there_is_no_hidden_dense_layer(
    make, target, vector, width
):
    keras.backend.clear_session(free_memory=False)
    network = getattr(keras.applications, make)
    model = network(input_shape=(64, 64, 3), weights=None, classes=5)
    plan = planned(model, target)
    # Neither a gate's vector nor a branch's pooling is taken for it.
    assert plan.names == (vector,)
    assert pooling_names(plan) == [vector]
    assert plan.rebuilt[0].shape[-1] == plan.top_maps.shape[-1] == width
    assert plan.rebuilds_pooled_maps
    assert output_activation(plan) == "softmax"


@pytest.mark.parametrize("classes", [1, 5, 1000])
def test_class_scores_are_rebuilt_where_they_are_pooled(classes):
    model = ki.models.SqueezeNet(
        (67, 67, 3),
        classes=classes,
        classifier_activation="sigmoid" if classes == 1 else "softmax",
    )
    plan = planned(model, "fire8")
    assert plan.names == ("mean_final",)
    assert plan.rebuilt[0].shape == (None, classes)
    assert dense_paths(plan) == ["conv_final"]
    # Filters for the maps below the classes' own.
    assert plan.top_maps.shape == (None, 3, 3, 512)
    assert pooling_names(plan) == ["pool8", "mean_final"]
    assert not plan.rebuilds_pooled_maps


def test_a_backbone_without_its_top():
    inputs = keras.Input((67, 67, 3))
    backbone = ki.models.SqueezeNet((67, 67, 3), include_top=False, name="backbone")
    model = keras.Model(inputs, scored(pooled(backbone(inputs))))
    plan = planned(model, "backbone/fire8")
    assert plan.names == ("mean",)
    assert pooling_names(plan) == ["pool8", "mean"]
    assert plan.top_maps.shape[-1] == 512


# What is rebuilt ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (lambda x: dense_top(flattened(x), 7, 6), ("hidden1", "hidden2")),
        (lambda x: dense_top(flattened(x), 9, 7, 6), ("hidden2", "hidden3")),
        (lambda x: dense_top(flattened(x), 7), ("hidden1",)),
        (lambda x: dense_top(pooled(x), 7), ("hidden1",)),
        # A hidden layer that is as wide as the scores.
        (lambda x: dense_top(pooled(x), 4), ("hidden1",)),
        (lambda x: scored(flattened(x)), ("flat",)),
        (lambda x: scored(pooled(x)), ("mean",)),
        (lambda x: scored(LAYERS.GlobalMaxPooling2D(name="max")(x)), ("max",)),
        (
            lambda x: scored(LAYERS.LayerNormalization(name="norm")(pooled(x))),
            ("mean",),
        ),
        # No dense layer at all: the maps of the classes are pooled.
        (
            lambda x: LAYERS.Softmax()(pooled(LAYERS.Conv2D(4, 1, name="top")(x))),
            ("mean",),
        ),
        (lambda x: scored(pooled(x), None), ("mean",)),
    ],
)
def test_what_is_rebuilt(head, names):
    assert planned(classifier(head), "conv1").names == names


def test_a_dense_branch_is_not_rebuilt():
    """What only a part of the features goes through does not stand for them."""

    def head(x):
        x = LAYERS.Dense(6, activation="relu", name="hidden")(pooled(x))
        side = LAYERS.Dense(6, activation="relu", name="side")(x)
        return scored(LAYERS.Add(name="sum")([x, side]))

    assert planned(classifier(head), "conv1").names == ("hidden",)


ENDS = {
    "built in": lambda x: scored(x),
    "layer": lambda x: LAYERS.Activation("softmax")(scored(x, None)),
    "softmax layer": lambda x: LAYERS.Softmax()(scored(x, None)),
    "function": lambda x: ops.softmax(scored(x, None)),
    "single precision": lambda x: LAYERS.Activation("linear", dtype="float32")(
        scored(x)
    ),
    "reshaped": lambda x: LAYERS.Reshape((4,))(ops.softmax(scored(x, None))),
    "batch norm": lambda x: ops.softmax(LAYERS.BatchNormalization()(scored(x, None))),
    "dropout": lambda x: LAYERS.Softmax()(LAYERS.Dropout(0.1)(scored(x, None))),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_classifying_layer_is_not_rebuilt(end):
    model = classifier(lambda x: ENDS[end](LAYERS.Dense(5, name="hidden")(pooled(x))))
    plan = planned(model, "conv1")
    assert plan.names == ("hidden",)
    assert output_activation(plan) == "softmax"


@pytest.mark.parametrize("activation", [None, "linear", "tanh"])
def test_logits(activation):
    def head(x):
        x = LAYERS.Dense(4, name="scores")(LAYERS.Dense(5, name="hidden")(pooled(x)))
        return x if activation is None else LAYERS.Activation(activation)(x)

    plan = planned(classifier(head), "conv1")
    assert plan.names == ("hidden",)
    assert output_activation(plan) == "linear"


@pytest.mark.parametrize(
    ("end", "threshold"),
    [
        (lambda x: scored(x, "sigmoid", 1), 0.5),
        (lambda x: LAYERS.Activation("sigmoid")(scored(x, None, 1)), 0.5),
        (lambda x: ops.sigmoid(scored(x, None, 1)), 0.5),
        (lambda x: LAYERS.Reshape((1,))(ops.sigmoid(scored(x, None, 1))), 0.5),
        (lambda x: scored(x, None, 1), 0.0),
        (lambda x: scored(x, "tanh", 1), 0.0),
        # The sigmoid of a hidden layer says nothing of the scores.
        (
            lambda x: scored(LAYERS.Dense(3, activation="sigmoid")(x), None, 1),
            0.0,
        ),
    ],
)
def test_where_a_single_output_says_yes(end, threshold):
    plan = planned(classifier(lambda x: end(pooled(x))), "conv1")
    assert decision_threshold(plan) == threshold


# Named by the caller -----------------------------------------------------------


def test_layers_by_name(performer):
    plan = planned(performer(), "relu2", ["fc7"])
    assert plan.names == ("fc7",)
    assert dense_paths(plan) == ["fc7"]
    assert not plan.rebuilds_pooled_maps
    # An activation's name serves as well as that of its dense layer.
    plan = planned(performer(), "relu2", ["relu6", "relu7"])
    assert plan.names == ("relu6", "relu7")
    assert dense_paths(plan) == ["fc6", "fc7"]
    plan = planned(performer(), "relu2", ["fc8"])
    assert [call.path for call in plan.rebuilt] == ["prob"]


def test_layers_by_path():
    head = keras.Sequential(
        [
            keras.Input((16, 16, 5)),
            LAYERS.GlobalAveragePooling2D(name="mean"),
            LAYERS.Dense(6, name="hidden"),
            LAYERS.ReLU(name="relu"),
            LAYERS.Dense(4, activation="softmax", name="scores"),
        ],
        name="head",
    )
    inputs = keras.Input(SIZE)
    backbone = keras.Model(inputs, convolutions(inputs), name="backbone")
    x = pictures = keras.Input(SIZE)
    model = keras.Model(pictures, head(backbone(x)))
    plan = planned(model, "backbone/conv1", ["head/hidden"])
    assert plan.names == ("head/hidden",)
    assert plan.names == planned(model, "conv1").names
    assert plan.rebuilt[0].path == "head/relu"
    assert pooling_names(plan) == ["mean"]
    # The whole inner model may be named for its last layer.
    assert planned(model, "backbone").target.shape == (None, 16, 16, 5)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fc9", "layer_name='fc9'.*'fc6'"),
        ("relu1", r"output \(batch, features\).*'fc6'"),
        ("relu3", r"output \(batch, features\).*'fc6'"),
    ],
)
def test_wrong_rebuilt_layers(performer, name, reason):
    with pytest.raises(ValueError, match=reason):
        planned(performer(), "relu2", ["fc6", name])


# Poolings ----------------------------------------------------------------------


def test_poolings_between_are_taken_in_order():
    def head(x):
        x = LAYERS.AveragePooling2D(2, name="pool1")(x)
        x = LAYERS.ZeroPadding2D(1, name="of_conv")(x)
        x = LAYERS.Conv2D(5, 3, name="conv3")(x)
        x = LAYERS.ZeroPadding2D(((0, 1), (0, 1)), name="of_pool")(x)
        x = LAYERS.MaxPooling2D(3, name="pool2")(x)
        return dense_top(LAYERS.Flatten(name="flat")(x), 6)

    plan = planned(classifier(head), "conv2")
    # Zeros around a convolution are that convolution's affair.
    assert pooling_names(plan) == ["pool1", "of_pool", "pool2"]
    assert plan.graph.producer(plan.top_maps).path == "conv3"


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lambda x: ops.mean(x, axis=(1, 2)), "Mean"),
        (lambda x: ops.max(x, axis=(1, 2)), "Max"),
        (LAYERS.Lambda(lambda x: x[:, 0, 0], output_shape=(5,)), "Lambda"),
        (lambda x: LAYERS.Flatten()(ops.max_pool(x, 4)), "MaxPool"),
        (lambda x: LAYERS.Reshape((80,))(ops.average_pool(x, 4)), "AveragePool"),
    ],
)
def test_poolings_that_are_functions(function, kind):
    plan = planned(classifier(lambda x: dense_top(function(x), 6)), "conv1")
    assert [type(one).__name__ for one in plan.poolings] == [kind]
    assert plan.graph.producer(plan.top_maps).path == "conv2"


def test_the_pooling_of_a_branch_is_left_out():
    def head(x):
        side = LAYERS.MaxPooling2D(3, strides=1, padding="same", name="side")(x)
        x = LAYERS.Concatenate(name="both")([x, side])
        return dense_top(flattened(x), 6)

    plan = planned(classifier(head), "conv1")
    assert pooling_names(plan) == ["pool"]
    assert plan.top_maps.shape[-1] == 10


# What does not fit -------------------------------------------------------------


def test_a_missing_target_lists_the_layers(performer):
    with pytest.raises(ValueError, match="'conv9'.*'conv1', 'conv2'"):
        planned(performer(), "conv9")


@pytest.mark.parametrize("name", ["fc6", "flat", "prob"])
def test_a_target_that_is_no_map(performer, name):
    with pytest.raises(ValueError, match=r"maps \(batch, height.*'relu2'"):
        planned(performer(), name)


def test_a_target_of_open_size():
    model = classifier(lambda x: dense_top(pooled(x), 5), size=(None, None, 3))
    with pytest.raises(ValueError, match="of a known size"):
        planned(model, "conv1")


def test_maps_that_go_several_ways():
    """Neither of two vectors stands for all of the maps: the scores do."""

    def head(x):
        left = LAYERS.GlobalAveragePooling2D(name="left")(x)
        return left * LAYERS.GlobalMaxPooling2D(name="right")(x)

    plan = planned(classifier(head), "conv1")
    assert plan.poolings == ()
    assert plan.rebuilt[0].outputs[0] is plan.graph.outputs[0]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = LAYERS.Dense(2)

    def call(self, inputs):
        return self.dense(LAYERS.Flatten()(inputs))


@pytest.mark.parametrize(
    "model",
    [
        None,
        "alexnet",
        LAYERS.Dense(3),
        Subclassed(),
        keras.Sequential([LAYERS.Conv2D(3, 3), LAYERS.Flatten(), LAYERS.Dense(2)]),
    ],
    ids=["none", "name", "layer", "subclassed", "unbuilt"],
)
def test_a_performer_without_a_graph(model):
    with pytest.raises(ValueError, match="functional or Sequential.*Received"):
        planned(model, "conv2d")


def test_several_outputs_or_inputs():
    inputs, other = keras.Input(SIZE), keras.Input((5,))
    vector = pooled(convolutions(inputs))
    with pytest.raises(ValueError, match="2 outputs"):
        planned(keras.Model(inputs, [scored(vector), vector]), "conv1")
    both = scored(LAYERS.Add(name="sum")([vector, other]))
    with pytest.raises(ValueError, match="2 inputs"):
        planned(keras.Model([inputs, other], both), "conv1")


@pytest.mark.parametrize("head", [lambda x: x, lambda x: ops.mean(x, axis=(1, 2, 3))])
def test_an_output_that_is_no_class_score(head):
    with pytest.raises(ValueError, match=r"output \(batch, classes\)"):
        planned(classifier(head), "conv1")

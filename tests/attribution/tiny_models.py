"""Small networks of every kind that Keras users build, with weights from a seed."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

SIZE = (12, 10, 3)
CLASSES = 4


def sample_images(count=5, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, *SIZE)).astype("float32")


def seeded(model, seed=0):
    """The model with weights of a seed, the same for the same shapes."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        values = rng.normal(0, 0.4, weight.shape)
        # Variances of a normalisation must be positive.
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    return model


class BackendRelu(layers.Layer):
    """A user's layer that calls the backend's own ReLU."""

    def call(self, inputs):
        backend = keras.backend.backend()
        if backend == "tensorflow":
            import tensorflow as tf

            return tf.nn.relu(inputs)
        if backend == "jax":
            import jax

            return jax.nn.relu(inputs)
        import torch

        return torch.relu(inputs)


class CompiledRelu(layers.Layer):
    """A user's layer that compiles its own call."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        backend = keras.backend.backend()
        if backend == "tensorflow":
            import tensorflow as tf

            self.compiled = tf.function(ops.relu)
        elif backend == "jax":
            import jax

            self.compiled = jax.jit(ops.relu)
        else:
            self.compiled = ops.relu

    def call(self, inputs):
        return self.compiled(inputs)


def _maximum(inputs):
    return ops.maximum(inputs, 0.0)


# How people write a ReLU: what comes after a convolution, or what it is given.
SPELLINGS = {
    "argument": "relu",
    "activation_layer": lambda: layers.Activation("relu"),
    "relu_layer": layers.ReLU,
    "ops": lambda: ops.relu,
    "activations": lambda: keras.activations.relu,
    "lambda_layer": lambda: layers.Lambda(lambda x: ops.relu(x)),
    "maximum": lambda: _maximum,
    "backend": BackendRelu,
    "compiled": CompiledRelu,
}


def _convolution(filters, tensor, spelling, **keywords):
    make = SPELLINGS[spelling]
    if make == "relu":
        return layers.Conv2D(filters, 3, activation="relu", **keywords)(tensor)
    return make()(layers.Conv2D(filters, 3, **keywords)(tensor))


def spelled(spelling="argument", final="softmax", dtype=None):
    """Two convolutions with a ReLU that is written in some way."""
    inputs = keras.Input(SIZE, name="image")
    maps = _convolution(6, inputs, spelling, padding="same", dtype=dtype, name="first")
    maps = layers.MaxPooling2D(dtype=dtype)(maps)
    maps = _convolution(5, maps, spelling, dtype=dtype, name="second")
    features = layers.GlobalAveragePooling2D(dtype=dtype)(maps)
    outputs = layers.Dense(CLASSES, activation=final, name="classes")(features)
    return seeded(keras.Model(inputs, outputs))


def functional():
    return spelled()


def sequential():
    return seeded(
        keras.Sequential(
            [
                keras.Input(SIZE),
                layers.Conv2D(6, 3, padding="same", activation="relu", name="first"),
                layers.MaxPooling2D(),
                layers.Conv2D(5, 3, activation="relu", name="second"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(CLASSES, activation="softmax", name="classes"),
            ]
        )
    )


def _backbone():
    return keras.Sequential(
        [
            keras.Input(SIZE),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="first"),
            layers.MaxPooling2D(),
            layers.Conv2D(5, 3, activation="relu", name="second"),
        ],
        name="backbone",
    )


def nested():
    """A backbone inside a model, as in transfer learning."""
    inputs = keras.Input(SIZE)
    features = layers.GlobalAveragePooling2D()(_backbone()(inputs))
    outputs = layers.Dense(CLASSES, activation="softmax", name="classes")(features)
    return seeded(keras.Model(inputs, outputs))


@keras.saving.register_keras_serializable(package="tiny_models")
class Subclassed(keras.Model):
    """The same network, written by hand."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.first = layers.Conv2D(6, 3, padding="same", name="first")
        self.pool = layers.MaxPooling2D()
        self.second = layers.Conv2D(5, 3, activation="relu", name="second")
        self.features = layers.GlobalAveragePooling2D()
        self.classes = layers.Dense(CLASSES, name="classes")
        self.seen = self.add_weight(shape=(), trainable=False, name="seen")

    def call(self, inputs, training=False):
        # A layer that counts its images must not count those of an explanation.
        self.seen.assign(self.seen + 1.0)
        maps = self.second(self.pool(ops.relu(self.first(inputs))))
        self.add_loss(ops.mean(maps))
        return ops.softmax(self.classes(self.features(maps)))


def subclassed():
    model = Subclassed()
    model(np.zeros((1, *SIZE), "float32"))
    weights = [w for w in model.weights if w.path != model.seen.path]
    for weight, value in zip(weights, functional().get_weights(), strict=True):
        weight.assign(value)
    return model


def two_inputs():
    """An image and a vector."""
    image, vector = keras.Input(SIZE, name="image"), keras.Input((2,), name="vector")
    maps = _convolution(6, image, "ops", name="second")
    features = layers.concatenate([layers.Flatten()(maps), vector])
    outputs = layers.Dense(CLASSES, name="classes")(features)
    return seeded(keras.Model([image, vector], outputs))


def two_outputs():
    """Class probabilities and a yes-or-no answer, from one trunk."""
    inputs = keras.Input(SIZE)
    maps = _convolution(5, inputs, "relu_layer", name="second")
    features = layers.GlobalMaxPooling2D()(maps)
    outputs = {
        "species": layers.Dense(CLASSES, activation="softmax", name="s")(features),
        "flies": layers.Dense(1, activation="sigmoid", name="f")(features),
    }
    return seeded(keras.Model(inputs, outputs))


def two_heads():
    """Species and parts, each from feature maps of its own above one trunk."""
    inputs = keras.Input(SIZE)
    trunk = _convolution(4, inputs, "argument", padding="same", name="trunk")
    species = _convolution(5, trunk, "argument", name="species_maps")
    parts = _convolution(6, trunk, "argument", name="part_maps")
    pool = layers.GlobalAveragePooling2D(name="pool")
    outputs = {
        "species": layers.Dense(CLASSES, activation="softmax")(pool(species)),
        "parts": layers.Dense(3, activation="sigmoid")(pool(parts)),
    }
    return seeded(keras.Model(inputs, outputs))


@keras.saving.register_keras_serializable(package="tiny_models")
class SubclassedHeads(keras.Model):
    """The same with numbers that no layer computes, and maps that nobody gets."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.trunk = layers.Conv2D(4, 3, padding="same", name="trunk")
        self.species = layers.Conv2D(5, 3, activation="relu", name="species_maps")
        self.parts = layers.Conv2D(6, 3, activation="relu", name="part_maps")
        self.unused = layers.Conv2D(2, 3, name="unused_maps")
        self.pool = layers.GlobalAveragePooling2D()
        self.dense = [layers.Dense(CLASSES), layers.Dense(3)]

    def call(self, inputs):
        maps = ops.relu(self.trunk(inputs))
        species, parts = self.species(maps * 2.0), self.parts(maps + 1.0)
        self.pool(self.unused(maps))
        return {
            "species": ops.softmax(self.dense[0](self.pool(species * 0.5))),
            "parts": self.dense[1](self.pool(parts * 0.5)),
        }


def subclassed_heads():
    model = SubclassedHeads()
    model(np.zeros((1, *SIZE), "float32"))
    return seeded(model)


def shared():
    """One convolution and one ReLU, each called twice."""
    inputs = keras.Input(SIZE)
    convolution, relu = layers.Conv2D(3, 3, padding="same", name="twice"), layers.ReLU()
    maps = relu(convolution(relu(convolution(inputs))))
    features = layers.GlobalAveragePooling2D()(maps)
    return seeded(keras.Model(inputs, layers.Dense(CLASSES)(features)))


def residual():
    """Skip, concatenation, normalisation and a depthwise convolution."""
    inputs = keras.Input(SIZE)
    maps = _convolution(6, inputs, "ops", padding="same")
    branch = layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same")(maps))
    maps = ops.relu(layers.add([maps, branch]))
    other = layers.ReLU(6.0)(layers.DepthwiseConv2D(3, padding="same")(maps))
    maps = ops.concatenate([maps, other], axis=-1)
    maps = layers.Conv2D(5, 1, activation="leaky_relu", name="second")(maps)
    logits = layers.Conv2D(CLASSES, 1)(
        layers.GlobalAveragePooling2D(keepdims=True)(maps)
    )
    outputs = layers.Flatten()(layers.Softmax()(logits))
    return seeded(keras.Model(inputs, outputs))


def mixed(dtype="mixed_float16"):
    return spelled("relu_layer", dtype=dtype)


def mixed_bfloat16():
    return mixed("mixed_bfloat16")


def double():
    """In double precision."""
    return spelled(dtype="float64")


def quantized():
    """Its dense layer has weights of eight bits."""
    model = functional()
    model.quantize("int8")
    return model


MODELS = {
    "functional": functional,
    "sequential": sequential,
    "nested": nested,
    "subclassed": subclassed,
    "residual": residual,
    "mixed_float16": mixed,
    "mixed_bfloat16": mixed_bfloat16,
    "double": double,
    "quantized": quantized,
}

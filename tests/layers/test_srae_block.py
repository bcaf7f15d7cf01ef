import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki

Block = ki.layers.SRAEBlock


def by_hand(block, features, number):
    """x-features and rebuilt features of one module, in NumPy."""
    values = features
    halves = []
    for kernels, biases in (
        (block.encoder_kernels, block.encoder_biases),
        (block.decoder_kernels, block.decoder_biases),
    ):
        for kernel, bias in zip(kernels, biases, strict=True):
            kernel, bias = (ops.convert_to_numpy(w)[number] for w in (kernel, bias))
            values = np.maximum(values @ kernel + bias, 0)
        halves.append(values)
    return halves


@pytest.mark.parametrize("modules", [None, 1, 3])
def test_it_is_dense_layers_with_a_relu_after_each(modules, rng):
    block = Block(4, (9, 6), modules=modules)
    features = rng.random((7, 12)).astype("float32")
    x_features, rebuilt = (ops.convert_to_numpy(v) for v in block(features))
    middle = () if modules is None else (modules,)
    assert x_features.shape == (7, *middle, 4)
    assert rebuilt.shape == (7, *middle, 12)
    for number in range(modules or 1):
        place = (slice(None), number) if modules else slice(None)
        expected = by_hand(block, features, number)
        np.testing.assert_allclose(x_features[place], expected[0], atol=1e-5)
        np.testing.assert_allclose(rebuilt[place], expected[1], atol=1e-5)


def test_the_sizes_are_those_of_the_paper():
    block = Block()
    block.build((None, 4096))
    shapes = [tuple(k.shape[1:]) for k in block.encoder_kernels]
    assert shapes == [(4096, 800), (800, 100), (100, 5)]
    shapes = [tuple(k.shape[1:]) for k in block.decoder_kernels]
    assert shapes == [(5, 100), (100, 800), (800, 4096)]


def test_each_module_starts_as_a_dense_layer_would(rng):
    """The axis of the modules does not count as that of a filter's cells."""
    block = Block(5, (80,), modules=4)
    block.build((None, 120))
    kernels = ops.convert_to_numpy(block.encoder_kernels[0])
    expected = np.sqrt(2.0 / (120 + 80))
    np.testing.assert_allclose(kernels.std(axis=(1, 2)), expected, rtol=0.05)
    assert np.abs(np.diff(kernels, axis=0)).max() > 0.01
    assert (ops.convert_to_numpy(block.encoder_biases[-1]) == 0.5).all()


def test_units_are_dropped_in_training_alone(rng):
    block = Block(4, (50,), dropout=0.5, seed=3)
    features = rng.random((6, 10)).astype("float32")
    first, _ = block(features)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(first), ops.convert_to_numpy(block(features)[0])
    )
    dropped, _ = block(features, training=True)
    assert np.abs(ops.convert_to_numpy(dropped) - ops.convert_to_numpy(first)).max() > 0


def test_a_seed_gives_the_same_weights_and_a_reset_others(rng):
    blocks = [Block(3, (5,), seed=7) for _ in range(2)]
    for block in blocks:
        block.build((None, 6))
    first, second = (ops.convert_to_numpy(b.encoder_kernels[0]) for b in blocks)
    np.testing.assert_array_equal(first, second)
    blocks[0].reset_weights()
    again = ops.convert_to_numpy(blocks[0].encoder_kernels[0])
    assert np.abs(again - first).max() > 0.01


def test_a_pair_of_layers_is_judged_alone(rng):
    block = Block(3, (6,), modules=2)
    features = rng.random((5, 8)).astype("float32")
    block.build(features.shape)
    found = ops.convert_to_numpy(block.layerwise_errors(features))
    for number in range(2):
        encoder, decoder = (
            [
                [ops.convert_to_numpy(w)[number] for w in pair]
                for pair in zip(kernels, biases, strict=True)
            ]
            for kernels, biases in (
                (block.encoder_kernels, block.encoder_biases),
                (block.decoder_kernels, block.decoder_biases),
            )
        )
        expected, below = 0.0, features
        for (kernel, bias), (back, back_bias) in zip(
            encoder, decoder[::-1], strict=True
        ):
            above = np.maximum(below @ kernel + bias, 0)
            rebuilt = np.maximum(above @ back + back_bias, 0)
            expected += ((rebuilt - below) ** 2).mean()
            below = above
        np.testing.assert_allclose(found[number], expected, rtol=1e-4)


class TestLayerChecks(TestCase):
    def test_keras_own_checks(self):
        for modules, middle in ((None, ()), (2, (2,))):
            self.run_layer_test(
                Block,
                init_kwargs={
                    "num_features": 3,
                    "hidden_units": (6, 4),
                    "modules": modules,
                },
                input_shape=(5, 8),
                expected_output_shape=((5, *middle, 3), (5, *middle, 8)),
                expected_num_trainable_weights=12,
                expected_num_non_trainable_weights=0,
                expected_num_seed_generators=2,
                supports_masking=False,
                assert_built_after_instantiation=False,
            )


def test_mixed_precision(rng):
    block = Block(3, (6,), dtype="mixed_float16")
    x_features, rebuilt = block(rng.random((4, 8)).astype("float32"))
    assert keras.backend.standardize_dtype(x_features.dtype) == "float16"
    assert block.encoder_kernels[0].dtype == "float32"
    assert np.isfinite(ops.convert_to_numpy(rebuilt)).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_features": 0},
        {"num_features": 2.0},
        {"hidden_units": 8},
        {"hidden_units": (8, -1)},
        {"modules": 0},
        {"dropout": 1.0},
    ],
)
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="Expected .*Received"):
        Block(**arguments)


def test_maps_are_refused():
    with pytest.raises(ValueError, match="Flatten or pool"):
        Block().build((None, 4, 4, 3))

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from keras.src.testing import TestCase

import keras_interp as ki
from keras_interp._backend import gradient

Pooling = ki.layers.CompactBilinearPooling
METHODS = ("outer_product", "fft")
# Three channels hashed to four places.
HASHES, SIGNS = [[0, 2, 1], [1, 1, 3]], [[1, -1, 1], [1, 1, -1]]
VECTOR = np.array([[1.0, 2.0, 3.0]], "float32")


def plain(output_dim=4, **keywords):
    """A layer that gives the sketch itself."""
    return Pooling(output_dim, signed_sqrt=False, normalize=False, **keywords)


def with_hashes(layer, hashes=HASHES, signs=SIGNS):
    layer.build((None, len(hashes[0])))
    layer.hashes.assign(hashes)
    layer.signs.assign(signs)
    return layer


def pooled(layer, inputs):
    return ops.convert_to_numpy(layer(inputs))


def sketch_of_outer_products(layer, maps):
    """The definition in loops: place h1(j) + h2(k) of the product of channels j, k."""
    hashes, signs = (ops.convert_to_numpy(w) for w in (layer.hashes, layer.signs))
    flat = maps.reshape(len(maps), -1, maps.shape[-1]).astype("float64")
    found = np.zeros((len(maps), layer.output_dim))
    for j, k in itertools.product(range(maps.shape[-1]), repeat=2):
        place = (hashes[0, j] + hashes[1, k]) % layer.output_dim
        sign = signs[0, j] * signs[1, k]
        found[:, place] += sign * (flat[..., j] * flat[..., k]).sum(axis=1)
    return found


@pytest.mark.parametrize("method", METHODS)
def test_check_values(method):
    sketch = pooled(with_hashes(plain(method=method)), VECTOR)
    np.testing.assert_allclose(sketch, [[-9, 9, 9, -9]], atol=1e-4)
    feature = pooled(with_hashes(Pooling(4, method=method)), VECTOR)
    np.testing.assert_allclose(feature, [[-0.5, 0.5, 0.5, -0.5]], atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("output_dim", [1, 2, 7, 16])
def test_every_way_is_the_sketch_of_the_outer_product(maps, method, output_dim):
    layer = plain(output_dim, seed=3, method=method)
    found = pooled(layer, maps)
    wanted = sketch_of_outer_products(layer, maps)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_feature_is_the_signed_root_of_length_one(maps, method):
    layer = plain(16, method=method)
    root = pooled(layer, maps)
    root = np.sign(root) * np.sqrt(np.abs(root))
    feature = pooled(Pooling(16, method=method), maps)
    length = np.linalg.norm(root, axis=1, keepdims=True)
    np.testing.assert_allclose(feature, root / length, rtol=1e-3, atol=1e-4)
    unscaled = pooled(Pooling(16, normalize=False, method=method), maps)
    np.testing.assert_allclose(unscaled, root, rtol=1e-3, atol=1e-3)


def test_inner_product_is_the_squared_one_in_the_mean_over_hashes(rng):
    """Over all 256 hashes and signs of two channels to two places, exactly."""
    vectors = rng.normal(size=(40, 2)).astype("float32")
    layer = plain(2)
    layer.build((None, 2))
    total = np.zeros((40, 40))
    for hashes in itertools.product([0, 1], repeat=4):
        for signs in itertools.product([-1, 1], repeat=4):
            layer.hashes.assign(np.reshape(hashes, (2, 2)))
            layer.signs.assign(np.reshape(signs, (2, 2)))
            sketches = pooled(layer, vectors)
            total += sketches @ sketches.T
    kernel = (vectors @ vectors.T) ** 2
    np.testing.assert_allclose(total / 256, kernel, atol=1e-4 * kernel.max())


def test_inner_product_of_long_sketches_is_near_the_kernel(rng):
    one, other = np.abs(rng.normal(size=(2, 1, 64))).astype("float32")
    kernel = (one @ other.T).item() ** 2
    found = []
    for seed in range(5):
        layer = plain(4096, seed=seed)
        found.append(float((pooled(layer, one) @ pooled(layer, other).T).item()))
    assert np.mean(found) == pytest.approx(kernel, rel=0.1)
    assert len(set(found)) == 5


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_gradient(rng, method, constant):
    """The chain rule by hand, from finite differences of the sketch."""
    maps = rng.normal(size=(2, 3, 2, 3)).astype("float32")
    layer = Pooling(5, seed=1, sqrt_constant=constant, normalize=False, method=method)
    sketch = plain(5, seed=1)
    layer.build(maps.shape)
    factor = rng.normal(size=(2, 5)).astype("float32")
    found = gradient(lambda x: ops.sum(factor * layer(x)), maps)
    base = sketch_of(sketch, maps)
    # Of the five places, those that no pair of channels is hashed to stay 0.
    slope = factor * 0.5 / np.maximum(np.sqrt(np.abs(base)) + constant, 1e-6)
    wanted = np.zeros_like(maps, "float64")
    for place in np.ndindex(maps.shape):
        step = np.zeros(maps.shape)
        step[place] = 1e-4
        change = sketch_of(sketch, maps + step) - sketch_of(sketch, maps - step)
        wanted[place] = (slope * change / 2e-4).sum()
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-3)


def sketch_of(layer, maps):
    if not layer.built:
        layer.build(maps.shape)
    return sketch_of_outer_products(layer, maps)


def test_gradient_of_the_whole_feature_is_that_of_finite_differences(rng):
    maps = rng.normal(size=(1, 2, 2, 3)).astype("float32")
    layer = Pooling(6, seed=2, sqrt_constant=0.0)
    sketch = plain(6, seed=2)
    layer.build(maps.shape)
    factor = rng.normal(size=6)

    def value(maps):
        root = sketch_of(sketch, maps)[0]
        root = np.sign(root) * np.sqrt(np.abs(root))
        return factor @ root / np.linalg.norm(root)

    found = gradient(
        lambda x: ops.sum(ops.cast(factor, "float32") * layer(x)), maps
    ).reshape(-1)
    steps = 1e-5 * np.eye(maps.size).reshape(-1, *maps.shape)
    wanted = [(value(maps + s) - value(maps - s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("constant", [0.0, 1e-3])
def test_silent_maps_have_a_feature_and_a_gradient_of_zero(constant):
    layer = Pooling(8, sqrt_constant=constant)
    silent = np.zeros((2, 3, 3, 4), "float32")
    assert (pooled(layer, silent) == 0).all()
    assert (gradient(lambda x: ops.sum(layer(x)), silent) == 0).all()


def test_positions_may_have_any_order_and_shape(maps, rng):
    layer = plain(16)
    found = pooled(layer, maps)
    flat = maps.reshape(6, 35, 4)[:, rng.permutation(35)]
    np.testing.assert_allclose(pooled(layer, flat), found, rtol=1e-4, atol=1e-3)
    each = sum(pooled(layer, maps[:, y, x]) for y, x in np.ndindex(5, 7))
    np.testing.assert_allclose(each, found, rtol=1e-4, atol=1e-3)


def test_channels_first(maps):
    found = pooled(plain(16, data_format="channels_first"), maps.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(found, pooled(plain(16), maps), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("method", [*METHODS, "auto"])
@pytest.mark.parametrize("shape", [(2, 5, 6, 4), (2, 3, 4), (2, 4)])
def test_keras_layer_checks(method, shape):
    TestCase().run_layer_test(
        Pooling,
        init_kwargs={"output_dim": 8, "seed": 1, "method": method},
        input_shape=shape,
        expected_output_shape=(2, 8),
        expected_num_trainable_weights=0,
        expected_num_non_trainable_weights=2,
        expected_num_losses=0,
        run_mixed_precision_check=False,
    )


def test_auto_takes_what_needs_less_memory():
    layer = Pooling(8192)
    for shape, outer in [
        ((None, 169, 512), True),
        ((None, None, 512), True),
        ((None, 1, 512), False),
        ((None, 49, 2048), False),
    ]:
        assert layer._sums_outer_products(shape) is outer


def test_config_and_seed():
    arguments = {
        "output_dim": 32,
        "seed": 5,
        "signed_sqrt": False,
        "normalize": False,
        "sqrt_constant": 0.1,
        "method": "fft",
        "data_format": "channels_first",
    }
    config = Pooling.from_config(Pooling(**arguments).get_config()).get_config()
    assert {name: config[name] for name in arguments} == arguments
    drawn = []
    for seed in (0, 0, 1):
        layer = Pooling(64, seed)
        layer.build((None, 20))
        drawn.append([ops.convert_to_numpy(w) for w in layer.weights])
    for one, same, other in zip(*drawn, strict=True):
        assert (one == same).all() and not (one == other).all()
    hashes, signs = drawn[0]
    assert hashes.min() >= 0 and hashes.max() < 64
    assert set(np.unique(signs)) == {-1, 1}


def test_hashes_are_saved_with_the_model(maps, reloaded):
    inputs = keras.Input((None, None, 4))
    model = keras.Model(inputs, Pooling(16, name="pooling")(inputs))
    layer = model.get_layer("pooling")
    layer.hashes.assign(15 - layer.hashes)
    again = reloaded(model)
    np.testing.assert_array_equal(again(maps), model(maps))
    assert model(maps).shape == (6, 16)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_sums_in_single(dtype):
    # The sum of the squares is beyond the largest number of float16.
    maps = np.full((2, 40, 40, 3), 100.0, "float16")
    layer = Pooling(4, dtype=dtype)
    found = layer(maps)
    assert keras.backend.standardize_dtype(found.dtype) == layer.compute_dtype
    length = ops.convert_to_numpy(ops.sum(ops.square(ops.cast(found, "float32")), -1))
    np.testing.assert_allclose(length, 1.0, rtol=1e-2)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_network_learns_through_it(rng, jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch is not compiled")
    images = rng.normal(size=(32, 4, 4, 2)).astype("float32")
    # Whether two channels agree: no mean of the channels tells it.
    images[::2, ..., 1] = images[::2, ..., 0]
    labels = np.arange(32) % 2
    model = keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            keras.layers.Conv2D(2, 1),
            Pooling(16),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.02),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )
    before = [ops.convert_to_numpy(w) for w in model.layers[1].weights]
    model.fit(images, labels, epochs=30, batch_size=16, verbose=0)
    assert model.evaluate(images, labels, verbose=0)[1] > 0.9
    for old, new in zip(before, model.layers[1].weights, strict=True):
        np.testing.assert_array_equal(old, ops.convert_to_numpy(new))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_dim": 0}, "`output_dim` as 1 or more.*output_dim=0"),
        ({"output_dim": 2.5}, "`output_dim` as an integer.*output_dim=2.5"),
        ({"seed": -1}, "`seed` as an integer of 0 or more.*seed=-1"),
        ({"seed": None}, "`seed` as an integer"),
        ({"sqrt_constant": -0.1}, "`sqrt_constant` as 0 or more"),
        ({"sqrt_constant": float("nan")}, "`sqrt_constant`"),
        ({"method": "gram"}, "`method` as one of.*method='gram'"),
        ({"data_format": "first"}, "data_format"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Pooling(**arguments)


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match="known number of channels, channels_last"):
        Pooling(4)(keras.Input((5, 5, None)))

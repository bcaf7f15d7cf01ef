import numpy as np
from keras import ops

from keras_interp.backend import batches_of_arrays, gradient


def test_gradient_of_a_square():
    values = np.arange(6.0, dtype="float32").reshape(2, 3)
    slope = gradient(lambda x: ops.sum(x**2), values)
    assert isinstance(slope, np.ndarray)
    np.testing.assert_allclose(slope, 2 * values)


def test_gradient_keeps_double_precision(rng):
    values = rng.normal(size=(4, 3))
    slope = gradient(lambda x: ops.sum(ops.exp(x)), values)
    assert slope.dtype == "float64"
    np.testing.assert_allclose(slope, np.exp(values), rtol=1e-12)


def test_gradient_of_a_tensor_of_the_backend():
    slope = gradient(lambda x: ops.sum(3.0 * x), ops.ones((2, 2)))
    np.testing.assert_array_equal(slope, 3 * np.ones((2, 2)))


def test_gradient_is_zero_where_the_function_does_not_look():
    slope = gradient(
        lambda x: ops.sum(ops.stop_gradient(x)), np.ones((2, 2), "float32")
    )
    np.testing.assert_array_equal(slope, 0)


def test_batches_hold_every_picture_once():
    images = np.arange(10, dtype="uint8").reshape(10, 1, 1, 1)
    labels = np.arange(10) * 2
    batches = list(
        batches_of_arrays(images, labels, batch_size=4, shuffle=True, seed=1)
    )
    assert [len(pictures) for pictures, _ in batches] == [4, 4, 2]
    seen = np.concatenate([np.ravel(pictures) for pictures, _ in batches])
    assert seen.dtype == "float32"
    assert sorted(seen) == list(range(10))
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), seen * 2)


def test_batches_are_shuffled_by_seed_and_only_when_asked():
    images = np.zeros((20, 1, 1, 1), "uint8")
    labels = np.arange(20)

    def order(**options):
        options = {"batch_size": 20, "shuffle": True, "seed": 3, **options}
        ((_, batch),) = batches_of_arrays(images, labels, **options)
        return np.asarray(batch).tolist()

    assert order() == order()
    assert order() != order(seed=4)
    assert order(shuffle=False) == list(range(20))

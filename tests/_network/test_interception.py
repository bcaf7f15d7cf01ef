"""Calls are intercepted in one thread for a while, and everything is put back."""

from __future__ import annotations

import contextlib
import functools
import threading

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.src import backend as keras_backend

from keras_interp._network.calls import (
    Interceptor,
    intercepting,
    not_intercepting,
)

from ..attribution.tiny_models import nested, residual, sample_images, shared, spelled


class Log(Interceptor):
    """Writes down what is called."""

    def __init__(self):
        self.operations = []
        self.functions = []

    def on_operation(self, operation, call, args, kwargs):
        self.operations.append(operation.name)
        return call(*args, **kwargs)

    def on_function(self, name, call, args, kwargs):
        self.functions.append(name)
        return call(*args, **kwargs)


# One level deeper from Keras 3.16 on.
MODULES = getattr(keras_backend, "ops", keras_backend)


def functions_now():
    relu = vars(keras.src.activations.activations.ReLU)["static_call"]
    kinds = keras.layers.Layer, keras.Operation
    return [
        *(vars(kind)["__call__"] for kind in kinds),
        relu,
        MODULES.nn.relu,
        MODULES.nn.softmax,
        MODULES.numpy.maximum,
        MODULES.core.cast,
    ]


def test_layers_of_nested_models_and_operations_are_seen_in_order():
    model, log = nested(), Log()
    with intercepting(log):
        model(sample_images(1))
    assert log.operations[:2] == [model.name, "backbone"]
    assert log.operations[2] == "first"
    assert log.operations[-1] == "classes"
    assert [name for name in log.functions if name in ("relu", "softmax")] == [
        "relu",
        "relu",
        "softmax",
    ]


def test_operations_of_a_graph_and_shared_layers_are_seen():
    model, log = residual(), Log()
    with intercepting(log):
        model(sample_images(1))
    assert any(name.startswith("concatenate") for name in log.operations)
    model, log = shared(), Log()
    with intercepting(log):
        model(sample_images(1))
    assert log.operations.count("twice") == 2


def test_a_function_is_seen_once_whatever_it_calls():
    log = Log()
    with intercepting(log):
        ops.relu(np.array([-1.0, 1.0], "float32"))
        keras.activations.relu(np.ones(2, "float32"), negative_slope=0.1, threshold=1.0)
        ops.hard_sigmoid(np.ones(2, "float32"))
    assert [n for n in log.functions if n != "cast"] == ["relu", "relu", "hard_sigmoid"]


def test_the_last_interceptor_is_asked_first():
    class Add(Interceptor):
        def __init__(self, number):
            self.number = number

        def on_function(self, name, call, args, kwargs):
            return 2.0 * call(*args, **kwargs) + self.number

    with intercepting(Add(1.0)), intercepting(Add(10.0), Add(100.0)):
        value = ops.relu(np.ones(1, "float32"))
    # ((1 * 2 + 1) * 2 + 10) * 2 + 100
    assert float(ops.convert_to_numpy(value)[0]) == 132.0


def test_nothing_is_seen_outside_and_all_is_put_back():
    before, log, model = functions_now(), Log(), spelled()
    with intercepting(log):
        assert functions_now() != before
        with not_intercepting():
            model(sample_images(1))
    model(sample_images(1))
    assert log.operations == log.functions == []
    assert functions_now() == before


def test_all_is_put_back_after_an_exception():
    before = functions_now()
    with pytest.raises(ArithmeticError), intercepting(Log()), intercepting(Log()):
        raise ArithmeticError
    assert functions_now() == before
    log = Log()
    with intercepting(log):
        ops.relu(np.ones(1, "float32"))
    assert log.functions.count("relu") == 1


def test_an_exception_of_a_function_does_not_blind_the_interceptors():
    log = Log()
    with intercepting(log):
        with pytest.raises(Exception, match=".*"):
            ops.softmax("no tensor")
        ops.relu(np.ones(1, "float32"))
    assert log.functions[-1] == "relu" or "relu" in log.functions


def test_other_threads_see_nothing_of_it():
    before, ready, go, log = (
        functions_now(),
        threading.Event(),
        threading.Event(),
        Log(),
    )
    model = spelled()
    seen = []

    def other():
        mine = Log()
        ready.wait(60)
        model(sample_images(1))
        with intercepting(mine):
            go.set()
            ops.relu(np.ones(1, "float32"))
        seen.extend(mine.functions)

    thread = threading.Thread(target=other)
    thread.start()
    with intercepting(log):
        ready.set()
        assert go.wait(60)
    thread.join(60)
    assert log.operations == log.functions == []
    assert seen.count("relu") == 1
    assert functions_now() == before


def test_two_threads_explain_at_once():
    from keras_interp.attribution import guided_backprop

    models = [spelled(), spelled("relu_layer"), nested()]
    expected = [guided_backprop(model, sample_images(2)) for model in models]
    models = [spelled(), spelled("relu_layer"), nested()]
    before, found = functions_now(), [None] * 3

    def explain(number):
        found[number] = guided_backprop(models[number], sample_images(2))

    threads = [threading.Thread(target=explain, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    for maps, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(maps, wanted, rtol=1e-5, atol=1e-7)
    assert functions_now() == before


def test_no_layer_is_touched():
    layer = layers.Dense(3)
    layer(np.ones((1, 2), "float32"))
    attributes = dict(vars(layer))
    with intercepting(Log()):
        assert dict(vars(layer)) == attributes
        layer(np.ones((1, 2), "float32"))
    assert set(vars(layer)) == set(attributes)


@contextlib.contextmanager
def another_tool():
    """Replaces the call of layers, as a profiler does; counts the calls."""
    original = keras.layers.Layer.__call__
    counts = []

    @functools.wraps(original)
    def profiled(self, *args, **kwargs):
        counts.append(self.name)
        return original(self, *args, **kwargs)

    keras.layers.Layer.__call__ = profiled
    try:
        yield profiled, counts
    finally:
        keras.layers.Layer.__call__ = original


def test_what_another_tool_puts_there_meanwhile_survives():
    model, before = nested(), functions_now()
    opened = intercepting(Interceptor())
    opened.__enter__()
    with another_tool() as (profiled, counts):
        opened.__exit__(None, None, None)
        assert keras.layers.Layer.__call__ is profiled
        log = Log()
        with intercepting(log):
            model(sample_images(1))
        assert keras.layers.Layer.__call__ is profiled
        # Each call is seen once, whatever is left below the other tool's function.
        assert log.operations.count("first") == counts.count("first") == 1
        log = Log()
    # What the tool puts back is a function of ours that lets everything through.
    model(sample_images(1))
    with intercepting(log):
        model(sample_images(1))
    assert log.operations.count("first") == 1
    keras.layers.Layer.__call__ = before[0]
    assert functions_now() == before


def test_calls_that_went_by_unseen_are_told():
    with another_tool() as tool:
        model = nested()
        original = keras.layers.Layer.__call__.__wrapped__
        with pytest.raises(RuntimeError, match="Another tool"):
            with intercepting(Interceptor()):
                keras.layers.Layer.__call__ = tool[0]
                model(sample_images(1))
    assert keras.layers.Layer.__call__ is original

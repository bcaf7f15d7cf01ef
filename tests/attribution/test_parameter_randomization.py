"""The parameter-randomisation check: what maps owe to the weights."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import ops
from scipy.stats import spearmanr

from keras_interp._network.explained_model import ExplainedModel
from keras_interp.attribution import parameter_randomization_report, saliency
from keras_interp.attribution.sanity._comparison import (
    rank_correlation,
    structural_similarity,
)
from keras_interp.attribution.sanity._parameter_randomization import (
    RandomizedNetwork,
    weighted_layers,
)

from .tiny_models import MODELS, functional, nested, sample_images, two_inputs


def weights_of(model):
    return [np.array(weight) for weight in model.get_weights()]


def assert_untouched(model, weights):
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def edges(model, images, classes):
    """A method that does not look at the network."""
    return np.abs(np.diff(images, axis=1, append=0))


def test_a_method_that_ignores_the_network_stays_the_same(model, images):
    report = parameter_randomization_report(model, images, {"edges": edges})
    np.testing.assert_allclose(report.rank_correlation, 1)
    np.testing.assert_allclose(report.structural_similarity, 1)


@pytest.mark.parametrize("cascading", [True, False])
def test_the_stages_are_those_of_a_network_of_permuted_weights(images, cascading):
    model, other = functional(), functional()
    report = parameter_randomization_report(
        model, images, ["saliency"], 1, seed=5, cascading=cascading
    )
    assert report.stages == ("classes", "second", "first")
    trained, index = saliency(model, images, 1), 0
    for stage, name in enumerate(report.stages):
        if not cascading:
            other.set_weights(model.get_weights())
        for weight in other.get_layer(name).weights:
            random = np.random.default_rng((5, index))
            values = ops.convert_to_numpy(weight)
            weight.assign(random.permutation(values.ravel()).reshape(values.shape))
            index += 1
        maps = saliency(other, images, 1)
        expected = [
            measure(trained.astype(float), maps.astype(float)).mean()
            for measure in (rank_correlation, structural_similarity)
        ]
        found = (
            report.rank_correlation[0, stage],
            report.structural_similarity[0, stage],
        )
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_layers_of_a_nested_model_are_found(images):
    report = parameter_randomization_report(nested(), images, ["saliency"])
    assert report.stages == ("classes", "backbone/second", "backbone/first")


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_model_and_that_it_is_untouched(kind):
    model = MODELS[kind]()
    prediction = model.predict(sample_images(2), verbose=0)
    weights, paths = weights_of(model), [variable.path for variable in model.variables]
    report = parameter_randomization_report(model, sample_images(2))
    assert report.rank_correlation.shape == (len(report.methods), len(report.stages))
    assert np.nanmax(np.abs(report.rank_correlation)) <= 1
    assert report.rank_correlation[0, -1] < 0.7
    assert_untouched(model, weights)
    assert [variable.path for variable in model.variables] == paths
    np.testing.assert_array_equal(
        model.predict(sample_images(2), verbose=0), prediction
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_the_model_is_untouched_after_a_failure(model, images, error):
    weights, calls = weights_of(model), []

    def method(model, images, classes):
        calls.append(model)
        if len(calls) == 3:
            raise error
        return saliency(model, images, classes)

    with pytest.raises(error):
        parameter_randomization_report(model, images, {"mine": method})
    assert_untouched(model, weights)
    calls.clear()
    np.testing.assert_array_equal(
        saliency(model, images, 1), saliency(functional(), images, 1)
    )


def test_the_random_weights_are_freed(model, images):
    seen = []

    def method(network, images, classes):
        if network is not model:
            seen.append(weakref.ref(network))
        return saliency(network, images, classes)

    parameter_randomization_report(model, images, {"mine": method})
    gc.collect()
    # One network served all stages.
    assert len(set(seen)) == 1
    assert seen[0]() is None


def test_the_variables_of_the_random_network_are_its_own(model, images):
    layers = weighted_layers(ExplainedModel(model, images).record)
    weights = weights_of(model)
    network = RandomizedNetwork(model, layers)
    before = saliency(network, images, 1)
    np.testing.assert_allclose(before, saliency(model, images, 1), rtol=1e-6)
    network.randomize(layers, seed=0)
    assert np.abs(saliency(network, images, 1) - before).max() > 0.01
    assert_untouched(model, weights)
    network.restore()
    np.testing.assert_array_equal(saliency(network, images, 1), before)


def test_the_class_is_that_of_the_trained_network(model, images):
    asked = []

    def method(model, images, classes):
        asked.append(np.array(classes))
        return saliency(model, images, classes)

    parameter_randomization_report(model, images, {"mine": method})
    predicted = np.argmax(model.predict(images, verbose=0), axis=-1)
    for classes in asked:
        np.testing.assert_array_equal(classes, predicted)


def test_fewer_stages_end_in_the_same_network(model, images):
    every = parameter_randomization_report(model, images, ["saliency"])
    for stages in (1, 2):
        some = parameter_randomization_report(
            model, images, ["saliency"], stages=stages
        )
        assert len(some.stages) == stages
        assert some.stages[-1] == "first"
        np.testing.assert_allclose(
            some.rank_correlation[0, -1], every.rank_correlation[0, -1]
        )


def test_seeds(model, images):
    one, again, other = (
        parameter_randomization_report(model, images, ["saliency"], seed=seed)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.rank_correlation, again.rank_correlation)
    assert np.abs(one.rank_correlation - other.rank_correlation).max() > 0


def test_a_map_that_is_constant_has_no_correlation(model, images):
    methods = {"nothing": lambda model, images, classes: np.zeros(images.shape[:3])}
    report = parameter_randomization_report(model, images, methods)
    assert np.isnan(report.rank_correlation).all()
    assert "nan" in report.markdown()


def test_several_inputs(images):
    inputs = [images, np.ones((5, 2), "float32")]
    report = parameter_randomization_report(two_inputs(), inputs, ["saliency"])
    assert report.rank_correlation.shape == (1, 2)


def test_table_and_rows(model, images):
    report = parameter_randomization_report(model, images)
    assert len(report.rows()) == len(report.methods) * 3
    row = report.rows()[4]
    assert (row["method"], row["layer"]) == ("gradient_times_input", "second")
    assert row["rank_correlation"] == report.rank_correlation[1, 1]
    lines = report.markdown().splitlines()
    assert "guided_backprop" in lines[0]
    assert len(lines) == 5
    assert report.markdown("structural_similarity") != report.markdown()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"methods": ["lime"]}, r"methods among.*Received: .*\['lime'\]"),
        ({"stages": 0}, "stages from 1 to 3.*Received: .*0"),
        ({"stages": 4}, "stages from 1 to 3.*Received: .*4"),
        ({"images": sample_images(0)}, "at least one image"),
        ({"class_index": 9}, "from 0 to 3"),
    ],
)
def test_bad_input_is_refused(model, images, bad, words):
    with pytest.raises(ValueError, match=f"(?s){words}"):
        parameter_randomization_report(**{"model": model, "images": images, **bad})


def test_a_model_without_weights_is_refused(images):
    model = keras.Sequential(
        [keras.Input(images.shape[1:]), keras.layers.GlobalAveragePooling2D()]
    )
    with pytest.raises(ValueError, match="model with weights.*which has none"):
        parameter_randomization_report(model, images)


def test_rank_correlation_of_a_reversed_map():
    one = np.array([[[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]]])
    other = np.array([[[30.0, 20.0, 10.0]], [[0.0, 5.0, 6.0]]])
    np.testing.assert_allclose(rank_correlation(one, other), [-1, 1])


def test_rank_correlation_with_ties_is_that_of_scipy(rng):
    one, other = rng.integers(0, 4, (2, 3, 6, 5)).astype(float)
    expected = [
        spearmanr(a.ravel(), b.ravel()).statistic
        for a, b in zip(one, other, strict=True)
    ]
    np.testing.assert_allclose(rank_correlation(one, other), expected)


def test_a_constant_map_has_no_ranks():
    assert np.isnan(rank_correlation(np.zeros((1, 3, 3)), np.eye(3)[None])).all()


def test_structural_similarity_of_equal_maps(rng):
    maps = rng.random((2, 16, 12))
    np.testing.assert_allclose(structural_similarity(maps, 5 * maps + 1), 1)
    assert (structural_similarity(maps, 1 - maps) < 0).all()


def test_structural_similarity_by_hand():
    # One window: means .5 and .25, variances .25 and .1875, covariance .125.
    one = np.array([[[0.0, 0.0], [1.0, 1.0]]])
    other = np.array([[[0.0, 0.0], [0.0, 1.0]]])
    expected = (2 * 0.125 + 1e-4) / (0.3125 + 1e-4)
    expected *= (2 * 0.125 + 9e-4) / (0.4375 + 9e-4)
    assert structural_similarity(one, other)[0] == pytest.approx(expected)

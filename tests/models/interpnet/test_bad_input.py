"""What an InterpNet refuses, before it computes."""

import keras
import numpy as np
import pytest

import keras_interp as ki

VOCABULARY = ki.datasets.Vocabulary(["a", "bird"])
SMALL = {"units": 4, "embedding_dim": 3, "projection": 4}


def classifier(activation="softmax", shape=(6,)):
    layers = [keras.Input(shape), keras.layers.Dense(3, activation=activation)]
    return keras.Sequential(layers, name="classifier")


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize("activation", [None, "relu", "log_softmax"])
def test_a_classifier_without_probabilities_is_refused(activation):
    with pytest.raises(ValueError, match="Expected a classifier that puts out prob"):
        ki.models.InterpNet(classifier(activation), VOCABULARY, **SMALL)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_one_with_probabilities_is_not(activation):
    model = ki.models.InterpNet(classifier(activation), VOCABULARY, **SMALL)
    assert model.context(np.zeros((2, 6), "float32")).shape == (2, 9)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: "classifier", "type str"),
        (lambda: keras.Sequential([keras.layers.Dense(3)]), "not built"),
        (lambda: Subclassed(), "Subclassed"),
        (lambda: classifier(shape=(4, 6)), r"of shape \(None, 4, 3\)"),
        (
            lambda: keras.Sequential(
                [keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D()]
                + [keras.layers.Softmax()]
            ),
            "ends in dense layers",
        ),
    ],
)
def test_what_is_no_readable_classifier_is_refused(model, says):
    with pytest.raises(ValueError, match=says):
        ki.models.InterpNet(model(), VOCABULARY, **SMALL)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"conditioning": "all"}, "conditioning='all'"),
        ({"layer_names": []}, r"layer_names=\[\]"),
        ({"layer_names": ["conv9"]}, "conv9"),
        ({"layer_names": ["dense"], "conditioning": "input"}, "Leave one of them out"),
        ({"max_length": 0}, "max_length=0"),
        ({"units": 0}, "units=0"),
        ({"vocabulary": ["a"]}, "type list"),
    ],
)
def test_wrong_arguments_are_said(arguments, says):
    given = {"vocabulary": VOCABULARY, **SMALL, **arguments}
    with pytest.raises(ValueError, match=says):
        ki.models.InterpNet(classifier(), **given)


FEATURES = np.random.default_rng(0).random((4, 6)).astype("float32")
OTHERS = FEATURES + 1
CAPTIONS = [["a bird"]] * 4


@pytest.mark.parametrize(
    ("captions", "validation", "says"),
    [
        (CAPTIONS[:3], (OTHERS, CAPTIONS), "each of 4 pictures. Received: 3 of them"),
        ([*CAPTIONS[:3], []], (OTHERS, CAPTIONS), "at place 3"),
        ([*CAPTIONS[:3], [" ."]], (OTHERS, CAPTIONS), "no empty one"),
        (["a bird"] * 4, (OTHERS, CAPTIONS), "at place 0"),
        (CAPTIONS, (OTHERS, CAPTIONS[:2]), "validation captions"),
        (CAPTIONS, None, "not trained on"),
        (CAPTIONS, (FEATURES[1:3], CAPTIONS[:2]), "all of them among"),
        (CAPTIONS, (OTHERS * np.nan, CAPTIONS), "NaN or infinity for 4 of 4"),
    ],
)
def test_sentences_that_do_not_fit_are_refused(captions, validation, says):
    model = ki.models.InterpNet(classifier(), VOCABULARY, **SMALL)
    before = model.get_weights()
    with pytest.raises(ValueError, match=says):
        model.fit_explainer(FEATURES, captions, validation, verbose=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "options",
    [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"patience": 0}],
)
@pytest.mark.parametrize("phase", ["fit_classifier", "fit_explainer"])
def test_wrong_options_of_the_training_are_said(options, phase):
    model = ki.models.InterpNet(classifier(), VOCABULARY, **SMALL)
    said = [0, 1, 2, 0] if phase == "fit_classifier" else CAPTIONS
    with pytest.raises(ValueError, match=f"Expected {next(iter(options))}"):
        getattr(model, phase)(FEATURES, said, (OTHERS, said), **options)


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 1, 2, 3], [0.0, 1.0, 2.0, 0.5]])
def test_wrong_labels_are_said(labels):
    model = ki.models.InterpNet(classifier(), VOCABULARY, **SMALL)
    with pytest.raises(ValueError, match="Expected labels"):
        model.fit_classifier(FEATURES, labels, (OTHERS, [0, 1, 2, 0]))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a", "bird", "red"], "vocabulary of 6 words.*of 5 words.*word 5"),
        (["a", "fish"], "vocabulary of 5 words.*of 5 words.*word 4"),
    ],
)
def test_weights_of_another_vocabulary_are_refused(tmp_path, words, says):
    path = tmp_path / "model.weights.h5"
    model = ki.models.InterpNet(classifier(), VOCABULARY, **SMALL)
    model.save_weights(path)
    other = ki.models.InterpNet(classifier(), ki.datasets.Vocabulary(words), **SMALL)
    with pytest.raises(ValueError, match=f"(?s){says}"):
        other.load_weights(path)
    same = ki.models.InterpNet(classifier(), VOCABULARY, **SMALL)
    same.load_weights(path)
    for one, two in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("hidden", [500, (0,), (2.5,)])
def test_wrong_sizes_of_the_classifier_are_said(hidden):
    with pytest.raises(ValueError, match="hidden_units"):
        ki.models.interpnet_classifier(8, 3, hidden)

"""What GVE refuses, before it computes anything."""

import numpy as np
import pytest

import keras_interp as ki


@pytest.fixture
def make_gve(vocabulary):
    def make(feature_dim=6, **settings):
        small = {"units": 4, "embedding_dim": 3, "max_length": 8}
        return ki.models.GVE(vocabulary, 3, feature_dim, **{**small, **settings})

    return make


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ablation": "all"}, "Expected ablation as one of"),
        ({"feature_dim": None}, "Expected feature_dim"),
        ({"feature_dim": 0}, "Expected feature_dim"),
        ({"units": 1.5}, "Expected units"),
        ({"class_feature_dim": -1}, "Expected class_feature_dim"),
        ({"dropout": 1.0}, "Expected dropout"),
        ({"max_length": 0}, "Expected max_length"),
    ],
)
def test_arguments(make_gve, settings, message):
    with pytest.raises(ValueError, match=message):
        make_gve(**settings)


def test_a_vocabulary_that_is_none():
    with pytest.raises(ValueError, match="Expected a keras_interp.datasets.Vocabulary"):
        ki.models.GVE(["bird"], 3, 6)


def test_images_of_the_training(make_gve, images, held_back):
    model = make_gve()
    features, labels, captions = images

    def refused(message, *given, others=held_back, **options):
        with pytest.raises(ValueError, match=message):
            model.fit_relevance(*given, others, verbose=0, **options)

    refused("labels as an integer from 0 to 2", features, labels + 1, captions)
    refused("labels as an integer from 0 to 2", features, None, captions)
    refused("labels as an integer from 0 to 2", features, labels[1:], captions)
    refused(r"Expected features \(images, 6\)", features[:, :5], labels, captions)
    refused(r"Expected features \(images, 6\)", None, labels, captions)
    with_nan = features.copy()
    with_nan[3, 0] = np.nan
    refused("the first at place 3", with_nan, labels, captions)
    refused("for each of 18 pictures", features, labels, captions[1:])
    refused("at least one sentence", features, labels, [[], *captions[1:]])
    refused(r"validation_data=\(features, labels, captions", *images, others=None)
    refused(r"validation_data=\(features, labels", *images, others=held_back[:2])
    refused("validation features", *images, others=(features[:, :2], *held_back[1:]))
    refused("not trained on", *images, others=images)
    refused("Expected epochs", *images, epochs=0)
    refused("Expected learning_rate", *images, learning_rate=0.0)
    refused("Expected class_features", *images, class_features=np.ones((3, 5)))
    refused("Expected class_features", *images, class_features=np.zeros((3, 4)))


def test_class_features(make_gve, images, held_back):
    with pytest.raises(ValueError, match="Expected no class features"):
        make_gve(ablation="description").set_class_features(np.ones((3, 4)))
    with pytest.raises(ValueError, match="not trained yet"):
        make_gve().explain(images[0], images[1])
    with pytest.raises(
        ValueError, match="a description model needs images|needs images"
    ):
        model = make_gve(None, ablation="definition")
        model.fit_relevance(None, *images[1:], (None, *held_back[1:]), verbose=0)
    with pytest.raises(ValueError, match="gives vectors of 4 numbers"):
        make_gve(class_feature_dim=7).fit_relevance(*images, held_back, verbose=0)
    with pytest.raises(ValueError, match=r"none about \[2\]"):
        few = images[1] < 2
        captions = [c for c, kept in zip(images[2], few, strict=True) if kept]
        model = make_gve(ablation="description")
        model.mean_hidden_states(images[0][few], images[1][few], captions)


def test_classifiers_of_sentences(make_gve, images, held_back, sentence_classifier):
    model = make_gve()

    def refused(message, classifier=sentence_classifier, model=model, **options):
        with pytest.raises(ValueError, match=message):
            model.fit_discriminative(*images, classifier, held_back, **options)

    refused("ablation='definition'", model=make_gve(ablation="definition"))
    refused("Expected a keras_interp.models.SentenceClassifier", classifier=None)
    words = ki.datasets.Vocabulary(["bird"])
    other = ki.models.SentenceClassifier(words, 3, units=2, embedding_dim=2)
    refused("a sentence classifier of the same vocabulary", classifier=other)
    more = ki.models.SentenceClassifier(model.vocabulary, 4, units=2, embedding_dim=2)
    refused("a sentence classifier of 3 classes", classifier=more)
    refused("Expected an even batch_size", batch_size=7)
    refused("Expected discriminative_weight", discriminative_weight=-1.0)
    refused("not trained yet")


def test_images_to_explain(trained, held_back):
    features, labels, _ = held_back
    with pytest.raises(ValueError, match="Expected labels as an integer from 0 to 2"):
        trained.explain(features, [0, 1, 2, 3, 0, 1])
    with pytest.raises(ValueError, match="Expected labels"):
        trained.explain(features)
    with pytest.raises(ValueError, match="Expected labels"):
        trained.explain(features, labels[:2])
    with pytest.raises(ValueError, match="finite probabilities"):
        trained.explain(features, np.full((6, 3), np.nan))
    with pytest.raises(ValueError, match="Expected features"):
        trained.explain(None, labels)
    with pytest.raises(ValueError, match="either a beam or chance"):
        trained.explain(features, labels, beam_width=2, temperature=1.0)

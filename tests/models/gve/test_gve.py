"""GVE: what each ablation sees, the two phases, and what is saved."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki

ABLATIONS = {
    "explanation": (True, True, True),
    "explanation-label": (True, True, False),
    "explanation-dis": (True, False, True),
    "description": (True, False, False),
    "definition": (False, True, False),
}


def numbers(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def gve(vocabulary, feature_dim=6, **settings):
    small = {"units": 4, "embedding_dim": 3, "max_length": 8, "seed": 0}
    return ki.models.GVE(vocabulary, 3, feature_dim, **{**small, **settings})


# What it sees -------------------------------------------------------------------------


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_an_ablation_looks_at_what_it_says(vocabulary, ablation, rng):
    sees_image, sees_label, discriminative = ABLATIONS[ablation]
    model = gve(vocabulary, ablation=ablation)
    assert model.seen == (sees_image, sees_label, discriminative)
    if sees_label:
        model.set_class_features(rng.normal(size=(3, 4)))
    features = rng.normal(size=(2, 6)).astype("float32")
    labels = np.array([0, 2])
    words = rng.integers(2, 6, (2, 5))
    logits = numbers(model([features, labels, words]))
    assert logits.shape == (2, 5, len(vocabulary))
    other_image = numbers(model([features + 1.0, labels, words]))
    other_label = numbers(model([features, labels[::-1].copy(), words]))
    assert np.abs(other_image - logits).max(initial=0) > 1e-6 or not sees_image
    assert np.abs(other_label - logits).max(initial=0) > 1e-6 or not sees_label
    assert sees_image or np.array_equal(other_image, logits)
    assert sees_label or np.array_equal(other_label, logits)


def test_the_second_lstm_sees_the_projected_image_and_the_class(vocabulary, rng):
    model = gve(vocabulary, class_feature_dim=5)
    vectors = rng.normal(size=(3, 5)).astype("float32")
    model.set_class_features(vectors)
    features = rng.normal(size=(2, 6)).astype("float32")
    kernel, bias = (numbers(w) for w in model.image_projection.weights)
    expected = np.concatenate([features @ kernel + bias, vectors[[2, 0]]], axis=-1)
    np.testing.assert_allclose(model.context(features, [2, 0]), expected, atol=1e-6)
    assert model.decoder.projection is None


def test_probabilities_stand_for_the_class_that_they_favour(trained, held_back):
    features = held_back[0]
    probabilities = np.eye(3)[[2, 1, 0, 2, 1, 0]] * 0.4 + 0.2
    assert trained.explain(features, probabilities) == trained.explain(
        features, [2, 1, 0, 2, 1, 0]
    )


def test_it_starts_in_the_range_of_the_authors_code(vocabulary):
    model = gve(vocabulary)
    for weight in model.trainable_variables:
        if len(weight.shape) == 2:
            values = numbers(weight)
            assert 0.05 < np.abs(values).max() <= 0.08, weight.path


def test_a_class_is_the_mean_state_over_its_sentences(vocabulary, rng):
    """Word by word through the decoder's own steps."""
    model = gve(vocabulary, ablation="description")
    features = rng.normal(size=(4, 6)).astype("float32")
    labels = np.array([1, 0, 1, 2])
    captions = [
        ["a bird."],
        ["this is red.", "blue."],
        ["a green bird, it is."],
        ["a."],
    ]
    sums, counts = np.zeros((3, 4)), np.zeros(3)
    for image, label, sentences in zip(features, labels, captions, strict=True):
        term = model.decoder.context_term(model.context(image[None]))
        for sentence in sentences:
            words, lengths = vocabulary.encode([sentence])
            state, states = model.decoder.initial_state(1), []
            for before in [0, *words[0, : lengths[0] - 1]]:
                _, state = model.decoder.step(np.array([before]), term, state)
                states.append(numbers(state[2])[0])
            sums[label] += np.mean(states, axis=0)
            counts[label] += 1
    found = model.mean_hidden_states(features, labels, captions, batch_size=3)
    np.testing.assert_allclose(found, sums / counts[:, None], atol=1e-6)


# The two phases -----------------------------------------------------------------------


def test_relevance_falls_and_the_best_epoch_is_kept(
    trained, relevance_weights, held_back
):
    history = relevance_weights[1]
    losses = history["val_loss"]
    assert min(losses) < 0.3 * losses[0]
    features, labels, captions = held_back
    flat = [sentence for row in captions for sentence in row]
    words, lengths = trained.vocabulary.encode(flat)
    twice = [features.repeat(2, 0), labels.repeat(2), words]
    loss = ki.losses.relevance_loss(words, trained(twice), lengths)
    assert float(loss) == pytest.approx(min(losses), rel=1e-4)


def test_it_says_the_color_of_the_class_that_it_is_given(trained, held_back):
    said = trained.explain(held_back[0], held_back[1])
    colors = [("red", "green", "blue")[k] for k in held_back[1]]
    assert all(color in text for color, text in zip(colors, said, strict=True))
    assert trained.explain(held_back[0], held_back[1], beam_width=3)
    drawn = [
        trained.explain(held_back[0], held_back[1], temperature=1.0, seed=s)
        for s in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def discriminated(model, classifier, images, held_back, **settings):
    options = {"epochs": 2, "batch_size": 12, "learning_rate": 0.01, **settings}
    return model.fit_discriminative(
        *images, classifier, held_back, verbose=0, **options
    ).history


@pytest.mark.slow
def test_the_second_phase_raises_the_reward(
    vocabulary, relevance_weights, sentence_classifier, images, held_back
):
    """Of a model that is not sure of the color, with the loss and without."""
    rewards = {}
    before = [np.array(w) for w in sentence_classifier.get_weights()]
    for weight in (0.0, 3.0):
        model = gve(vocabulary, units=12, embedding_dim=6, class_feature_dim=3)
        model.set_weights(relevance_weights[0])
        model.set_class_features(np.eye(3) * 0.4 + 0.2)
        history = discriminated(
            model,
            sentence_classifier,
            images,
            held_back,
            epochs=4,
            discriminative_weight=weight,
        )
        names = {"loss", "reward", "val_loss", "val_reward", "learning_rate"}
        assert set(history) == names
        found = history["reward"] + history["val_reward"]
        assert all(0.0 <= reward <= 1.0 for reward in found)
        rewards[weight] = history["reward"]
    assert rewards[3.0][-1] > rewards[0.0][-1] + 0.03
    assert rewards[3.0][-1] > rewards[3.0][0] + 0.03
    for one, other in zip(before, sentence_classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_seed_gives_the_same_model_and_a_checkpoint_goes_on(
    vocabulary, relevance_weights, sentence_classifier, images, held_back, tmp_path
):
    def run(**settings):
        model = gve(vocabulary, units=12, embedding_dim=6, class_feature_dim=3)
        model.set_weights(relevance_weights[0])
        history = discriminated(
            model, sentence_classifier, images, held_back, seed=5, **settings
        )
        return model.get_weights(), history

    whole = run()
    path = tmp_path / "phase.npz"
    run(epochs=1, checkpoint=path)
    resumed = run(checkpoint=path)
    assert resumed[1]["loss"] == pytest.approx(whole[1]["loss"], rel=1e-5)
    for one, other in zip(whole[0], resumed[0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_class_features_come_from_a_description_model(
    vocabulary, images, held_back, capsys
):
    model = gve(vocabulary)
    model.fit_relevance(*images, held_back, 1, 6, verbose=2)
    assert "Description model" in capsys.readouterr().out
    vectors = numbers(model.class_features)
    assert np.abs(vectors).max() > 0
    assert len(np.unique(vectors.round(7), axis=0)) == 3


def test_a_definition_needs_no_image(vocabulary, images, held_back):
    model = gve(vocabulary, None, ablation="definition", class_feature_dim=3)
    without = [(None, *parts[1:]) for parts in (images, held_back)]
    model.fit_relevance(
        *without[0], without[1], 1, 6, class_features=np.eye(3), verbose=0
    )
    said = model.explain(labels=[0, 1, 1])
    assert len(said) == 3 and said[1] == said[2]


# Keras --------------------------------------------------------------------------------


def test_it_is_saved_with_words_and_class_features(trained, held_back, tmp_path):
    path = tmp_path / "gve.keras"
    trained.save(path)
    loaded = keras.models.load_model(path)
    assert loaded.get_config() == trained.get_config()
    np.testing.assert_array_equal(
        numbers(loaded.class_features), numbers(trained.class_features)
    )
    assert loaded.explain(*held_back[:2]) == trained.explain(*held_back[:2])


def test_a_symbolic_call_and_mixed_precision(vocabulary):
    model = gve(vocabulary, dtype="mixed_float16")
    model.set_class_features(np.ones((3, 4)))
    symbols = [
        keras.Input((6,)),
        keras.Input((), dtype="int32"),
        keras.Input((None,), dtype="int32"),
    ]
    assert model(symbols).shape == (None, None, len(vocabulary))
    logits = model([np.ones((2, 6)), np.array([0, 1]), np.array([[3, 2], [4, 2]])])
    assert np.isfinite(numbers(logits)).all()
    assert len(model.explain(np.ones((2, 6)), [0, 1])) == 2
    assert model.trainable_variables and not any(
        v is model.class_features for v in model.trainable_variables
    )

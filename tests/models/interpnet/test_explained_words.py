"""Probabilities of words, and the layers that they drew on."""

import numpy as np
import pytest
from keras import ops

import keras_interp as ki


def log_probabilities(model, context, ids, lengths):
    """Of the words of sentences, by the whole sequence, in float64."""
    before = np.pad(ids[:, :-1], [(0, 0), (1, 0)])
    logits = np.asarray(ops.convert_to_numpy(model.decoder([before, context])))
    logits = logits.astype("float64")
    logits[..., :2] = -np.inf
    likely = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    chosen = np.take_along_axis(likely, ids[..., None], axis=-1)[..., 0]
    return [row[:length] for row, length in zip(chosen, lengths, strict=True)]


def test_probabilities_are_those_of_the_decoder(trained, colored):
    features = colored[0][:3]
    found = trained.explain_words(features)
    assert [str(one) for one in found] == trained.explain(features)
    ids, lengths = trained.vocabulary.encode([str(one) for one in found])
    expected = log_probabilities(trained, trained.context(features), ids, lengths)
    for one, logs in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.probabilities, np.exp(logs), rtol=1e-4)
        assert len(one.words) == len(logs) and one.words[-1] == "."


def test_shares_are_those_of_finite_differences(trained, colored):
    """Of one word that says the colour."""
    features, sentences = colored[0][:2], ["this is a red bird.", "a bird."]
    found = trained.explain_words(features, sentences)[0]
    ids, lengths = trained.vocabulary.encode(sentences)
    context = trained.context(features)[:1].astype("float64")
    steps = np.eye(context.shape[1]) * 1e-2
    ends = [
        np.array(
            [
                row[3]
                for row in log_probabilities(
                    trained,
                    (context + sign * steps).astype("float32"),
                    np.repeat(ids[:1], len(steps), axis=0),
                    np.repeat(lengths[:1], len(steps)),
                )
            ]
        )
        for sign in (1, -1)
    ]
    slope = (ends[0] - ends[1]) / 2e-2
    sizes = [np.linalg.norm(slope[block.slice]) for block in trained.context_blocks]
    np.testing.assert_allclose(found.shares[3], sizes / np.sum(sizes), atol=0.02)
    np.testing.assert_allclose(found.shares.sum(axis=-1), 1.0, rtol=1e-5)
    assert found.layers == ("input", "hidden_1", "hidden_2", "probabilities")
    assert found.words == ("this", "is", "a", "red", "bird", ".")


def test_a_layer_that_is_not_read_has_no_share(make_model, colored):
    model = make_model()
    block = model.context_blocks[1]
    kernel = np.array(ops.convert_to_numpy(model.decoder.context_kernel))
    kernel[block.slice] = 0.0
    model.decoder.context_kernel.assign(kernel)
    found = model.explain_words(colored[0][:10], ["a red bird"] * 10)
    assert len(found) == 10
    assert not np.stack([one.shares[:, 1] for one in found]).any()
    kernel[:] = 0.0
    model.decoder.context_kernel.assign(kernel)
    found = model.explain_words(context=model.context(colored[0][:1]))
    assert not found[0].shares.any() and (found[0].probabilities > 0).all()


def test_another_number_of_sentences_is_refused(make_model, colored):
    with pytest.raises(ValueError, match="each of 3 pictures. Received: 2 sentences"):
        make_model().explain_words(colored[0][:3], ["a bird", "red"])


def test_a_sentence_reads_as_one():
    said = ki.models.ExplainedSentence(
        ("a", "bird", ",", "red"), np.ones(4), ("input",), np.ones((4, 1))
    )
    assert str(said) == "a bird, red."

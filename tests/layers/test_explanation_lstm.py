"""The decoder: its wiring by another route, its dropout, and one step at a time."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki

Decoder = ki.layers.ExplanationLSTM
SIZES = {"vocabulary_size": 11, "units": 5, "embedding_dim": 3}


def numbers(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def lstm(layer, inputs):
    """An LSTM in NumPy, `(batch, steps, units)`."""
    kernel, recurrent, bias = (numbers(w).astype("float64") for w in layer.weights)
    output = memory = np.zeros((len(inputs), len(recurrent)))
    outputs = []
    for step in range(inputs.shape[1]):
        gates = inputs[:, step] @ kernel + output @ recurrent + bias
        let_in, keep, new, let_out = np.split(gates, 4, axis=-1)
        memory = sigmoid(keep) * memory + sigmoid(let_in) * np.tanh(new)
        output = sigmoid(let_out) * np.tanh(memory)
        outputs.append(output)
    return np.stack(outputs, axis=1)


def by_hand(decoder, words, context):
    """The wiring as the paper's code writes it: r joined at every step."""
    embedded = numbers(decoder.embedding.embeddings)[words].astype("float64")
    first = lstm(decoder.first, embedded)
    repeated = np.repeat(context[:, None], words.shape[1], axis=1)
    joined = np.concatenate([first, repeated], axis=-1)
    if decoder.projection is not None:
        kernels = numbers(decoder.hidden_kernel), numbers(decoder.context_kernel)
        joined = joined @ np.concatenate(kernels) + numbers(decoder.context_bias)
    second = lstm(decoder.second, joined)
    return second @ numbers(decoder.output_kernel) + numbers(decoder.output_bias)


@pytest.fixture
def given(rng):
    words = rng.integers(0, 11, (4, 6))
    return words, rng.normal(size=(4, 7)).astype("float32")


@pytest.mark.parametrize("projection", [None, 4])
def test_the_wiring_is_that_of_the_code(given, projection, seeded):
    decoder = Decoder(**SIZES, projection=projection)
    words, context = given
    decoder([words, context])
    seeded(decoder)
    logits = numbers(decoder([words, context]))
    assert logits.shape == (4, 6, 11)
    np.testing.assert_allclose(logits, by_hand(decoder, words, context), atol=1e-5)


@pytest.mark.parametrize("projection", [None, 4])
def test_one_step_at_a_time_is_the_same(given, projection):
    decoder = Decoder(**SIZES, projection=projection)
    words, context = given
    expected = numbers(decoder([words, context]))
    term, state = decoder.context_term(context), decoder.initial_state(4)
    for step in range(words.shape[1]):
        logits, state = decoder.step(words[:, step], term, state)
        np.testing.assert_allclose(numbers(logits), expected[:, step], atol=1e-5)


def test_cells_of_cudnn_compute_the_same(given, monkeypatch):
    """With a GPU the layers of Keras are called as they are."""
    decoder = Decoder(**SIZES, projection=4)
    expected = numbers(decoder(list(given)))
    monkeypatch.setattr("keras_interp._backend.has_gpu", lambda: True)
    np.testing.assert_allclose(numbers(decoder(list(given))), expected, atol=1e-5)


def test_it_starts_as_the_code_does():
    decoder = Decoder(300, units=40, embedding_dim=16, projection=24, seed=1)
    decoder.build([(None, None), (None, 60)])
    embeddings = numbers(decoder.embedding.embeddings)
    assert -1.0 <= embeddings.min() < -0.99 and 0.99 < embeddings.max() <= 1.0
    whole = np.concatenate(
        [numbers(decoder.hidden_kernel), numbers(decoder.context_kernel)]
    )
    np.testing.assert_allclose((whole**2).sum(axis=0), 1.0, rtol=1e-5)
    # Both parts are of one matrix: each has its share of the length.
    share = (numbers(decoder.hidden_kernel) ** 2).sum(axis=0).mean()
    assert abs(share - 0.4) < 0.05
    last = numbers(decoder.output_kernel)
    np.testing.assert_allclose((last**2).sum(axis=0), 1.0, rtol=1e-5)
    assert not numbers(decoder.output_bias).any()
    for layer in (decoder.first, decoder.second):
        bias = numbers(layer.cell.bias)
        np.testing.assert_array_equal(bias[40:80], 1.0)
        assert not bias[:40].any() and not bias[80:].any()


def test_dropout_is_of_the_outputs_in_training_alone(given):
    decoder = Decoder(**SIZES, dropout=0.5, seed=3)
    still = [numbers(decoder(list(given))) for _ in range(2)]
    np.testing.assert_array_equal(*still)
    moved = [numbers(decoder(list(given), training=True)) for _ in range(2)]
    assert (np.abs(moved[0] - moved[1]) > 1e-6).any()
    again = Decoder(**SIZES, dropout=0.5, seed=3)
    again(list(given))
    np.testing.assert_array_equal(numbers(again(list(given), training=True)), moved[0])


def test_what_is_remembered_is_not_dropped(given, monkeypatch):
    """All outputs dropped, the logits are the last bias: nothing else goes on."""
    decoder = Decoder(**SIZES, dropout=0.2)
    decoder(list(given))
    seen = []
    scanned = decoder._scanned

    def watched(*args):
        seen.append(numbers(scanned(*args)))
        return seen[-1]

    monkeypatch.setattr(decoder, "_scanned", watched)
    still = numbers(decoder(list(given), training=False))
    before = seen[0]
    decoder(list(given), training=True)
    np.testing.assert_array_equal(seen[2], before)
    assert not np.array_equal(numbers(decoder(list(given), training=True)), still)


def test_a_word_changes_nothing_before_it(given):
    decoder = Decoder(**SIZES)
    words, context = given
    logits = numbers(decoder([words, context]))
    changed = words.copy()
    changed[:, 3] = (changed[:, 3] + 1) % 11
    moved = np.abs(numbers(decoder([changed, context])) - logits).max(axis=(0, 2))
    assert (moved[:3] == 0).all() and (moved[3:] > 0).all()


@pytest.mark.parametrize("projection", [None, 4])
def test_slopes_are_those_of_finite_differences(given, projection, seeded):
    from keras_interp import _backend

    decoder = Decoder(**SIZES, projection=projection)
    words, context = given
    decoder([words, context])
    seeded(decoder)
    direction = np.random.default_rng(1).normal(size=(4, 6, 11)).astype("float32")

    def total(vector):
        return ops.sum(decoder([words, vector]) * direction)

    slope = _backend.gradient(total, context)
    step = np.random.default_rng(2).normal(size=context.shape).astype("float32")
    step /= np.linalg.norm(step)
    ends = [
        (by_hand(decoder, words, context + s * step) * direction).sum()
        for s in (1e-3, -1e-3)
    ]
    np.testing.assert_allclose(
        (slope * step).sum(), (ends[0] - ends[1]) / 2e-3, rtol=2e-3
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(given, policy):
    decoder = Decoder(**SIZES, dtype=policy)
    words, context = given
    logits = decoder([words, context])
    assert keras.backend.standardize_dtype(logits.dtype) == policy.split("_")[1]
    expected = by_hand(decoder, words, context)
    np.testing.assert_allclose(numbers(ops.cast(logits, "float32")), expected, atol=0.1)
    step, _ = decoder.step(
        words[:, 0], decoder.context_term(context), decoder.initial_state(4)
    )
    assert keras.backend.standardize_dtype(step.dtype) == "float32"


def test_a_model_of_it_trains_is_saved_and_loaded(given, tmp_path):
    words, context = given
    inputs = [keras.Input((None,), dtype="int32"), keras.Input((7,))]
    outputs = Decoder(**SIZES, dropout=0.0)(inputs)
    assert outputs.shape == (None, None, 11)
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    targets = np.roll(words, -1, axis=1)
    history = model.fit([words, context], targets, epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.9 * history["loss"][0]
    model.save(tmp_path / "decoder.keras")
    loaded = keras.models.load_model(tmp_path / "decoder.keras")
    np.testing.assert_allclose(
        numbers(loaded([words, context])), numbers(model([words, context])), atol=1e-6
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"vocabulary_size": 0}, "vocabulary_size=0"),
        ({"units": 2.5}, r"units=2\.5"),
        ({"embedding_dim": True}, "embedding_dim=True"),
        ({"projection": -1}, "projection=-1"),
        ({"dropout": 1.0}, r"dropout=1\.0"),
    ],
)
def test_wrong_arguments_are_said(arguments, says):
    with pytest.raises(ValueError, match=says):
        Decoder(**{**SIZES, **arguments})


@pytest.mark.parametrize(
    "shapes", [[(2, 3)], [(2, 3, 4), (2, 5)], [(2, 3), (2, 4, 4, 8)]]
)
def test_inputs_of_another_shape_are_said(shapes):
    with pytest.raises(ValueError, match="Expected .*words"):
        Decoder(**SIZES).build(shapes)

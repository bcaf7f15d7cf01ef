"""Activation maximisation: the equation, the bounds, and that scores rise."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_interp._backend import gradient
from keras_interp._network.explained_model import ExplainedModel
from keras_interp.attribution import activation_maximization
from keras_interp.attribution._ascent import moved, total_variation

from .hand_made import linear
from .test_invariants import watched
from .tiny_models import MODELS, SIZE, sample_images, seeded, two_inputs

# The survey's equation and nothing else.
EQUATION = {
    "normalize_gradient": False,
    "total_variation": 0,
    "jitter": 0,
    "rotation": 0,
    "blur": 0,
}
QUICK = {"steps": 12, "learning_rate": 0.1, "value_range": (0, 1)}


def score(model, image, class_index):
    explained = ExplainedModel(model, image[None], class_index)
    body = lambda forward, images, targets: forward.scores(images, targets)[0]  # noqa: E731
    return float(explained.compute("score", body)[0][0])


@pytest.fixture
def weights(rng):
    return rng.normal(size=(4, 3, 2, 5)).astype("float32")


def test_three_steps_of_the_equation(weights):
    # From 0: I <- I + .1 (w - I) three times is (1 - .9**3) w.
    image = activation_maximization(
        linear(weights),
        2,
        steps=3,
        learning_rate=0.1,
        l2=0.5,
        start="zeros",
        **EQUATION,
    )
    np.testing.assert_allclose(image, 0.271 * weights[..., 2], rtol=1e-5)


def test_many_steps_end_where_the_norm_holds_the_score(weights):
    # The maximum of w I - l2 I**2 is at w / (2 l2).
    image = activation_maximization(
        linear(weights), 1, steps=200, learning_rate=0.1, l2=0.25, **EQUATION
    )
    np.testing.assert_allclose(image, 2 * weights[..., 1], rtol=1e-4)


def test_a_normalised_step_is_cut_off_at_the_learning_rate(weights):
    options = {**EQUATION, "normalize_gradient": True, "l2": 0.0, "start": "zeros"}
    image = activation_maximization(
        linear(weights), 1, steps=1, learning_rate=0.1, value_range=(0, 255), **options
    )
    slopes = weights[..., 1] / np.sqrt(np.mean(weights[..., 1] ** 2))
    expected = 127.5 * (1 + 0.1 * np.clip(slopes, -1, 1))
    np.testing.assert_allclose(image, expected, rtol=1e-5)


@pytest.mark.parametrize("filter_score", ["mean", "largest"])
def test_a_filter_of_known_weights_gets_the_colours_it_likes(filter_score):
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(2, 1, name="colours"), layers.Flatten()]
    )
    model.set_weights([np.array([[[[0, 1], [0, -2], [0, 3]]]]), np.zeros(2)])
    image = activation_maximization(
        model,
        ("colours", 1),
        filter_score=filter_score,
        value_range=(0, 10),
        total_variation=0,
        l2=0,
    )
    red, green, blue = (image[..., i] for i in range(3))
    liked = np.stack([red, 10 - green, blue])
    assert liked.max() == 10
    # The mean asks it of every pixel, the largest of one at a time.
    assert (liked == 10).all() == (filter_score == "mean")


@pytest.mark.parametrize("kind", MODELS)
def test_the_score_rises(kind):
    model = MODELS[kind]()
    # A subclassed model does not say what it takes.
    scores, shape = [], SIZE if kind == "subclassed" else None
    image = activation_maximization(
        model,
        1,
        image_shape=shape,
        on_step=lambda step, now: scores.append((step, now)),
        **QUICK,
    )
    assert image.shape == SIZE
    assert image.dtype == "float32"
    assert 0 <= image.min() < image.max() <= 1
    assert [step for step, _ in scores] == list(range(12))
    start = np.random.default_rng(0).random(SIZE).astype("float32")
    assert score(model, image, 1) > max(scores[0][1][0], score(model, start, 1))


def test_several_targets_are_a_loop_of_single_ones(model):
    both = activation_maximization(model, [0, 3], **QUICK)
    for image, target in zip(both, (0, 3), strict=True):
        alone = activation_maximization(model, target, **QUICK)
        np.testing.assert_allclose(image, alone, atol=1e-5)
    filters = activation_maximization(model, ("second", [4]), **QUICK)
    alone = activation_maximization(model, ("second", 4), **QUICK)
    np.testing.assert_allclose(filters[0], alone, atol=1e-5)


def test_seeds(model):
    variants = activation_maximization(model, 1, seed=range(2), **QUICK)
    assert variants.shape == (2, *SIZE)
    np.testing.assert_allclose(
        variants[0], activation_maximization(model, 1, **QUICK), atol=1e-5
    )
    again = activation_maximization(model, 1, seed=[1], **QUICK)
    np.testing.assert_allclose(variants[1], again[0], atol=1e-5)
    assert np.abs(variants[1] - variants[0]).max() > 0.1


def test_a_preprocessed_image_is_the_image_of_a_model_that_prepares(model):
    def prepare(image):
        return ops.flip(image, axis=-1) * 2.0 - 1.0

    inputs = keras.Input(SIZE)
    outer = keras.Model(inputs, model(prepare(inputs)))
    image = activation_maximization(model, 1, preprocess=prepare, **QUICK)
    inside = activation_maximization(outer, 1, **QUICK)
    np.testing.assert_allclose(image, inside, atol=1e-5)


def test_the_start_may_be_an_image_or_all_inputs(model):
    start = 0.5 + 0.1 * sample_images(1)[0]
    image = activation_maximization(
        model, 1, start=start, steps=1, learning_rate=0.0, jitter=0, value_range=(-9, 9)
    )
    np.testing.assert_allclose(image, start, atol=1e-5)
    inputs = [sample_images(1), np.ones((1, 2), "float32")]
    image = activation_maximization(two_inputs(), [1, 2], start=inputs, steps=2)
    assert image.shape == (2, *SIZE)


def test_a_model_of_open_size_is_given_one():
    inputs = keras.Input((None, None, 3))
    features = layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3)(inputs))
    model = seeded(keras.Model(inputs, features))
    with pytest.raises(ValueError, match="Pass image_shape"):
        activation_maximization(model, 1)
    image = activation_maximization(model, 1, image_shape=(7, 9, 3), steps=2)
    assert image.shape == (7, 9, 3)


def test_nothing_is_traced_after_the_first_step_and_no_batch_is_larger():
    model, watcher = watched()
    # Building a model may call it on images of no meaning.
    watcher.batches.clear()
    if keras.backend.backend() != "torch":
        activation_maximization(model, [0, 1, 2], steps=1, batch_size=2, jitter=1)
    traces = watcher.traces
    activation_maximization(model, [3, 1, 2], steps=5, batch_size=2, jitter=1, l2=0.1)
    if keras.backend.backend() != "torch":
        assert watcher.traces == traces
    assert max(watcher.batches) <= 2


def test_the_caller_is_left_alone(model):
    weights = [np.array(weight) for weight in model.get_weights()]
    _start_again()
    expected = np.random.random(), float(keras.random.uniform(()))
    _start_again()
    activation_maximization(model, 1, **QUICK)
    assert (np.random.random(), float(keras.random.uniform(()))) == expected
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def _start_again():
    # Up to Keras 3.12 the seed alone leaves a generator that was used where it is.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(3)


def test_a_silent_filter_is_woken():
    # At the start, grey, the ReLU is silent; red would make it speak.
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), layers.Conv2D(1, 1, activation="relu", name="red")]
    )
    model.set_weights([np.array([[[[4.0], [-4.0]]]]), np.array([-1.0])])
    image = activation_maximization(
        model, ("red", 0), start="zeros", value_range=(0, 1), l2=0, total_variation=0
    )
    np.testing.assert_array_equal(image[..., 0], 1)
    np.testing.assert_array_equal(image[..., 1], 0)


def test_a_filter_that_never_answers_is_said():
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(1, 1, activation="relu", name="dead")]
    )
    model.set_weights([np.ones((1, 1, 1, 1)), np.array([-100.0])])
    with pytest.warns(UserWarning, match="target.*0.*zero at every step"):
        activation_maximization(model, ("dead", 0), steps=3)


def test_the_progress_bar(model, capsys):
    activation_maximization(model, 1, steps=2, verbose=1)
    assert "2/2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"target": 4}, "from 0 to 3.*Received: .*4"),
        ({"target": None}, "target as a class.*Received: .*None"),
        ({"target": "second"}, "target as a class.*Received: .*'second'"),
        ({"target": ("secnod", 1)}, "layer_name='secnod'.*second"),
        ({"target": ("second", 9)}, "from 0 to 4.*5 filters"),
        ({"target": [0, 1], "seed": [1, 2, 3]}, "2 targets and 3 seeds"),
        ({"seed": -1}, "seed of at least 0"),
        ({"seed": 0.5}, "seed as an integer"),
        ({"steps": 0}, "steps.*Received: .*0"),
        ({"l2": -1.0}, "l2.*Received: .*-1"),
        ({"learning_rate": np.nan}, "learning_rate.*Received: .*nan"),
        ({"jitter": 0.5}, "jitter.*Received: .*0.5"),
        ({"filter_score": "sum"}, "filter_score.*Received: .*'sum'"),
        ({"value_range": (1, 0)}, r"value_range.*Received: .*\(1, 0\)"),
        ({"value_range": 255}, "value_range.*Received: .*255"),
        ({"start": "black"}, "start as.*Received: .*'black'"),
        ({"start": sample_images(3)}, "one image or 1"),
        ({"batch_size": 0}, "batch_size.*Received: .*0"),
        ({"model": 3}, "Keras model.*Received: model of type int"),
    ],
)
def test_bad_input_is_refused(model, bad, words):
    arguments = {"model": model, "target": 1, "steps": 1, **bad}
    with pytest.raises(ValueError, match=f"(?s){words}"):
        activation_maximization(**arguments)


def test_an_image_without_bound_is_an_error(weights):
    with pytest.raises(ValueError, match="grew without bound in step"):
        activation_maximization(
            linear(weights), 1, learning_rate=1e30, l2=1e10, **EQUATION
        )


def test_two_inputs_need_a_start():
    with pytest.raises(ValueError, match="start as the inputs.*2 inputs of shapes"):
        activation_maximization(two_inputs(), 1)


def moved_by(scenes, *moves):
    return ops.convert_to_numpy(moved(scenes, np.array(moves, "float32")))


@pytest.fixture
def scenes(rng):
    return rng.random((2, 5, 5, 3), dtype="float32")


def test_whole_shifts_roll_the_image(scenes):
    shifted = moved_by(scenes, (1, -2, 0), (-7, 0, 0))
    np.testing.assert_array_equal(shifted[0], np.roll(scenes[0], (1, -2), (0, 1)))
    np.testing.assert_array_equal(shifted[1], np.roll(scenes[1], -7, 0))


def test_a_quarter_turn(scenes):
    turned = moved_by(scenes, (0, 0, np.pi / 2), (0, 0, np.pi))
    np.testing.assert_allclose(turned[0], np.rot90(scenes[0], -1), atol=1e-5)
    np.testing.assert_allclose(turned[1], scenes[1, ::-1, ::-1], atol=1e-5)


def test_half_a_pixel_is_the_mean_of_neighbours(scenes):
    shifted = moved_by(scenes, (0.5, 0, 0), (0, 0, 0))
    expected = (scenes[0] + np.roll(scenes[0], 1, 0)) / 2
    np.testing.assert_allclose(shifted[0], expected, atol=1e-6)


def test_the_gradient_is_the_transposed_move(scenes, rng):
    signal = rng.normal(size=scenes.shape).astype("float32")
    moves = np.array([(1.3, -2.6, 0.4), (0.2, 3, -1.1)], "float32")
    slope = gradient(lambda x: ops.sum(ops.multiply(moved(x, moves), signal)), scenes)
    forward = (moved_by(scenes, *moves) * signal).sum()
    assert (slope * scenes).sum() == pytest.approx(forward, rel=1e-4)


def test_total_variation_by_hand():
    # Down: |3 - 1| + |0 - 2|; across: |2 - 1| + |0 - 3|.
    image = np.array([[1.0, 2.0], [3.0, 0.0]]).reshape(1, 2, 2, 1)
    both = np.concatenate([image, np.ones_like(image)])
    np.testing.assert_allclose(ops.convert_to_numpy(total_variation(both)), [8, 0])

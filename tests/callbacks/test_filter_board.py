"""What FilterBoard writes, read again with TensorBoard's own reader."""

import io

import keras
import numpy as np
import pytest
from PIL import Image

import keras_interp as ki

pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

FilterBoard = ki.callbacks.FilterBoard
LABELS = np.arange(12) % 2
BACKENDS = """
import sys
import keras, numpy as np, keras_interp as ki
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

folder = sys.argv[1] + "_logs"
images = np.random.default_rng(0).uniform(size=(8, 12, 12, 3)).astype("float32")
conv = ki.InterpretableConv(4, 3, padding="same", activation="relu", name="conv")
dense = keras.layers.Dense(1)
inputs = keras.Input((12, 12, 3))
model = keras.Model(inputs, dense(keras.layers.Flatten()(conv(inputs))))
conv.kernel.assign(np.random.default_rng(1).normal(size=(3, 3, 3, 4)))
dense.kernel.assign(np.random.default_rng(2).normal(size=(576, 1)))
model.compile(keras.optimizers.SGD(0.0), "mse")
board = ki.callbacks.FilterBoard(folder, images)
model.fit(images, np.zeros(8), epochs=2, verbose=0, callbacks=[board])
found = EventAccumulator(folder + "/filters").Reload()
tags = sorted(found.Tags()["scalars"])
values = [[event.value for event in found.Scalars(tag)] for tag in tags]
np.savez(sys.argv[1], values=np.array(values), images=len(found.Images("conv/gallery")))
"""


def network(rate=0.5):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255),
            ki.InterpretableConv(
                6, 3, fraction=1.0, padding="same", activation="relu", name="conv"
            ),
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dropout(rate),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return model


@pytest.fixture
def images(rng):
    return rng.uniform(0, 255, (12, 16, 16, 3)).astype("float32")


def read(folder):
    return EventAccumulator(str(folder / "filters")).Reload()


def steps(found, tag="conv/silent_filters"):
    return [event.step for event in found.Scalars(tag)]


def test_a_gallery_and_measures_come_every_few_epochs_and_at_the_end(images, tmp_path):
    model = network()
    # One filter of six says nothing.
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv").kernel).copy()
    kernel[..., 2] = -1
    model.get_layer("conv").kernel.assign(kernel)
    board = FilterBoard(tmp_path, images, every=3, filters=[0, 2], top=4)
    model.fit(images, LABELS, epochs=6, verbose=0, callbacks=[board])
    found = read(tmp_path)
    assert steps(found) == [0, 3, 5]
    shares = [event.value for event in found.Scalars("conv/silent_filters")]
    np.testing.assert_allclose(shares, 1 / 6, rtol=1e-6)
    pictures = found.Images("conv/gallery")
    assert [picture.step for picture in pictures] == [0, 3, 5]
    with Image.open(io.BytesIO(pictures[-1].encoded_image_string)) as picture:
        assert picture.size == (pictures[-1].width, pictures[-1].height)
        # Two rows of four.
        assert picture.width == pytest.approx(2 * picture.height, rel=0.1)


def test_training_is_what_it_is_without(images, tmp_path):
    histories, weights = [], []
    for callbacks in ([], [FilterBoard(tmp_path, images, filters=1, top=1)]):
        model = network()
        fitted = model.fit(
            images, LABELS, batch_size=4, epochs=2, verbose=0, callbacks=callbacks
        )
        histories.append(fitted.history)
        weights.append(model.get_weights())
    assert histories[0] == histories[1]
    for plain, watched in zip(*weights, strict=True):
        np.testing.assert_array_equal(plain, watched)


def test_a_training_that_goes_on_replaces_what_came_later(images, tmp_path):
    board = FilterBoard(tmp_path, images, filters=1, top=1)
    network().fit(images, LABELS, epochs=3, verbose=0, callbacks=[board])
    network().fit(
        images, LABELS, initial_epoch=1, epochs=4, verbose=0, callbacks=[board]
    )
    found = read(tmp_path)
    assert steps(found) == [0, 1, 2, 3]
    assert len(list((tmp_path / "filters").iterdir())) == 2


def test_with_landmarks_coverage_is_measured(tmp_path):
    birds = ki.datasets.load("synthetic_parts", image_size=16, num_images=60)
    model = network()
    model.fit(
        birds.images,
        birds.is_background,
        epochs=1,
        verbose=0,
        callbacks=[FilterBoard(tmp_path, birds)],
    )
    found = read(tmp_path)
    measured = ki.metrics.measure_filters(model, birds)
    for name, value in {
        "part_coverage": measured.coverage,
        "hit_gain": measured.hit_gain.value,
        "tracking_median": measured.tracking_summary.median,
        "silent_filters": measured.dead,
    }.items():
        (event,) = found.Scalars(f"conv/{name}")
        assert event.value == pytest.approx(value, rel=1e-5)


@pytest.mark.slow
@pytest.mark.backends
def test_backends_write_the_same(tmp_path, arrays_of_backends):
    script = tmp_path / "boards.py"
    script.write_text(BACKENDS)
    found, _ = arrays_of_backends(script)
    first, *others = found.values()
    assert first["images"] == 2 and first["values"].shape[1] == 2
    for other in others:
        np.testing.assert_allclose(other["values"], first["values"], rtol=1e-4)
        assert other["images"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 0}, "every of at least 1"),
        ({"top": 0}, "top of at least 1"),
        ({"images": np.zeros((0, 4, 4, 3))}, "at least one"),
    ],
)
def test_what_does_not_fit_is_refused(images, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        FilterBoard(**{"log_dir": tmp_path, "images": images, **options})


def test_a_wrong_layer_is_told_before_training(images, tmp_path):
    board = FilterBoard(tmp_path / "logs", images, layer_name="nose")
    with pytest.raises(ValueError, match="nose"):
        network().fit(images, LABELS, epochs=1, verbose=0, callbacks=[board])
    assert not (tmp_path / "logs").exists()

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki

LAYERS = keras.layers
Explainer = ki.models.Explainer


@pytest.fixture(scope="module")
def make(performer):
    """Explainers that begin with the same weights."""

    def explainer(classes=3, end="softmax", **settings):
        keras.utils.set_random_seed(3)
        made = Explainer(performer(classes, end), "relu2", **settings)
        made.compile(run_eagerly=True)
        return made

    return explainer


def fit(explainer, scenes, epochs=1, **keywords):
    return explainer.fit(
        scenes, epochs=epochs, batch_size=16, verbose=0, shuffle=False, **keywords
    ).history


def state_of(explainer):
    return [ops.convert_to_numpy(v) for v in explainer.weights]


def assert_same_state(one, other, tolerance):
    for values, expected in zip(state_of(one), state_of(other), strict=True):
        np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)


def assert_same_answers(again, explainer, pictures):
    for one, other in (
        (again.predict_on_batch(pictures), explainer.predict_on_batch(pictures)),
        *zip(
            again.reconstruct(pictures).values(),
            explainer.reconstruct(pictures).values(),
            strict=True,
        ),
        *(
            (
                getattr(again.encode(pictures), field),
                getattr(explainer.encode(pictures), field),
            )
            for field in ("part_maps", "interpretable", "ordinary")
        ),
    ):
        np.testing.assert_array_equal(one, other)
    assert again.interpretable_ratio == explainer.interpretable_ratio
    assert again.interpretable_filters == explainer.interpretable_filters
    assert again.target_layer == explainer.target_layer
    assert again.rebuilt_layers == explainer.rebuilt_layers
    assert again.settings == explainer.settings
    assert again.name == explainer.name


SETTINGS = {
    "defaults": {},
    "balanced": {"filter_loss_balance": 2 / 3},
    "approx": {"filter_loss": "approx", "fraction": 1.0, "restore": "channel"},
    "no loss": {"filter_loss": None, "filters": 5, "restore": None},
    "cls": {"objective": "classification", "filter_loss": "authors"},
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_file_of_a_trained_explainer(make, scenes, settings, tmp_path):
    explainer = make(**SETTINGS[settings])
    labels = np.arange(16) % 3
    fit(explainer, scenes, y=labels if settings == "cls" else None)
    path = tmp_path / "explainer.keras"
    explainer.save(path)
    again = keras.saving.load_model(path)
    assert type(again) is Explainer
    assert_same_answers(again, explainer, scenes)
    for one, other in zip(again.weights, explainer.weights, strict=True):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        )
    for one, other in zip(
        again.optimizer.variables, explainer.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        )
    # It holds a performer of its own.
    assert again.performer is not explainer.performer
    np.testing.assert_array_equal(
        again.performer.predict_on_batch(scenes),
        explainer.performer.predict_on_batch(scenes),
    )
    own = {id(v) for v in again.performer.variables}
    assert not own & {id(v) for v in again.trainable_variables}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param({"filter_loss_balance": 2 / 3}, marks=pytest.mark.slow),
        pytest.param(
            {"weight_schedule": "inverse_epoch", "filter_loss": "approx"},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["defaults", "balanced", "schedule"],
)
def test_training_goes_on_after_a_reload(make, scenes, settings, tmp_path):
    expected = make(**settings)
    log = fit(expected, scenes, epochs=3)
    explainer = make(**settings)
    fit(explainer, scenes, epochs=2)
    explainer.save(tmp_path / "explainer.keras")
    again = keras.saving.load_model(tmp_path / "explainer.keras")
    again.run_eagerly = True
    found = fit(again, scenes, epochs=3, initial_epoch=2)
    assert_same_state(again, expected, 1e-5)
    for name, values in found.items():
        np.testing.assert_allclose(values, log[name][2:], rtol=1e-4, atol=1e-6)


class Interruption(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_an_interrupted_training_goes_on(make, scenes, tmp_path):
    expected = make()
    fit(expected, scenes, epochs=3, cache_features=True)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    explainer = make()
    with pytest.raises(KeyboardInterrupt):
        fit(
            explainer,
            scenes,
            epochs=3,
            cache_features=True,
            callbacks=[backup(), Interruption()],
        )
    again = make()
    log = fit(again, scenes, epochs=3, cache_features=True, callbacks=[backup()])
    assert len(log["loss"]) == 1
    assert_same_state(again, expected, 1e-5)


def test_weights_alone(make, scenes, tmp_path):
    explainer = make()
    fit(explainer, scenes)
    path = tmp_path / "explainer.weights.h5"
    explainer.save_weights(path)
    again = make()
    assert again.interpretable_ratio != explainer.interpretable_ratio
    again.load_weights(path)
    assert_same_answers(again, explainer, scenes)


def test_made_again_from_its_configuration(make):
    explainer = make(filters=5, fraction=0.25, restore="channel")
    config = explainer.get_config()
    again = Explainer.from_config(config)
    assert again.settings == explainer.settings
    assert [v.shape for v in again.variables] == [v.shape for v in explainer.variables]
    assert again.performer is not explainer.performer
    # `from_config` does not use the configuration up.
    assert Explainer.from_config(config).get_config() == config
    serialised = keras.saving.serialize_keras_object(explainer)
    assert type(keras.saving.deserialize_keras_object(serialised)) is Explainer


def test_the_performer_is_saved_as_before(make, scenes, tmp_path):
    explainer = make()
    fit(explainer, scenes)
    explainer.performer.save(tmp_path / "performer.keras")
    again = keras.saving.load_model(tmp_path / "performer.keras")
    assert [layer.name for layer in again.layers] == [
        layer.name for layer in explainer.performer.layers
    ]
    np.testing.assert_array_equal(
        again.predict_on_batch(scenes), explainer.performer.predict_on_batch(scenes)
    )
    # Another explainer of the reloaded performer reads the same.
    other = Explainer(again, "relu2")
    for name, values in explainer.performer_features(scenes).items():
        np.testing.assert_array_equal(other.performer_features(scenes)[name], values)


def test_paths_and_rebuilt_layers_are_kept(seeded, scenes, tmp_path):
    backbone = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            LAYERS.Conv2D(5, 5, strides=4, activation="relu", name="conv"),
            LAYERS.Conv2D(6, 3, padding="same", activation="relu", name="top"),
        ],
        name="backbone",
    )
    head = keras.Sequential(
        [
            keras.Input((7, 7, 6)),
            # Of the same name as a layer in the backbone.
            LAYERS.Conv2D(6, 3, activation="relu", name="conv"),
            LAYERS.GlobalAveragePooling2D(name="mean"),
            LAYERS.Dense(4, name="hidden"),
            LAYERS.Dense(2, activation="softmax", name="scores"),
        ],
        name="head",
    )
    inputs = keras.Input((32, 32, 3))
    model = seeded(keras.Model(inputs, head(backbone(inputs))))
    explainer = Explainer(model, "backbone/conv", rebuilt_layers=["head/hidden"])
    explainer.save(tmp_path / "explainer.keras")
    again = keras.saving.load_model(tmp_path / "explainer.keras")
    assert_same_answers(again, explainer, scenes)
    assert again.target_layer == "backbone/conv"
    assert list(again.reconstruct(scenes)) == ["head/hidden"]


IN_A_NEW_PROCESS = """
import sys
import numpy as np
import keras
import keras_interp
explainer = keras.saving.load_model(sys.argv[1])
given = np.load(sys.argv[2])
np.testing.assert_allclose(
    explainer.predict_on_batch(given["scenes"]), given["outputs"], rtol=1e-5, atol=1e-6
)
parts = explainer.encode(given["scenes"]).part_maps
np.testing.assert_allclose(parts, given["parts"], rtol=1e-4, atol=1e-5)
print(explainer.interpretable_ratio)
"""


@pytest.mark.slow
def test_a_new_process_needs_no_file_of_the_performer(make, scenes, tmp_path):
    explainer = make()
    fit(explainer, scenes)
    explainer.save(tmp_path / "explainer.keras")
    np.savez(
        tmp_path / "expected.npz",
        scenes=scenes,
        outputs=explainer.predict_on_batch(scenes),
        parts=explainer.encode(scenes).part_maps,
    )
    (tmp_path / "folder").mkdir()
    printed = subprocess.run(
        [
            sys.executable,
            "-c",
            IN_A_NEW_PROCESS,
            str(tmp_path / "explainer.keras"),
            str(tmp_path / "expected.npz"),
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path / "folder",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ).stdout
    assert float(printed.split()[-1]) == pytest.approx(explainer.interpretable_ratio)

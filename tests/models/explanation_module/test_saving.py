import keras
import numpy as np
import pytest


def test_a_file_holds_module_and_network(trained, images, tmp_path):
    trained.save(tmp_path / "module.keras")
    loaded = keras.models.load_model(tmp_path / "module.keras")
    np.testing.assert_allclose(loaded.predict(images), trained.predict(images))
    assert loaded.classes == (2, 0)
    np.testing.assert_allclose(
        loaded.explain(images[:2], class_index=0).maps,
        trained.explain(images[:2], class_index=0).maps,
        atol=1e-6,
    )
    # It goes on where it was, and does not start again.
    loaded.fit(images, epochs=1, verbose=0)


def test_weights_alone(trained, make, images, tmp_path):
    trained.save_weights(tmp_path / "module.weights.h5")
    other = make(class_index=[2, 0])
    assert np.abs(other.predict(images) - trained.predict(images)).max() > 1e-3
    other.load_weights(tmp_path / "module.weights.h5")
    np.testing.assert_allclose(other.predict(images), trained.predict(images))


@pytest.mark.parametrize("class_index", [3, [3], [0, 1]])
def test_the_configuration_makes_the_same_module(make, class_index, images):
    module = make(class_index, pull_away=5.0, pull_away_over="images")
    other = type(module).from_config(module.get_config())
    assert other.get_config() == module.get_config()
    assert other.predict(images).shape == module.predict(images).shape

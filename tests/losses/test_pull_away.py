import numpy as np
import pytest
from keras import ops

import keras_interp as ki

CONTRIBUTIONS = np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 1.0]], "float32")


@pytest.mark.parametrize(
    ("over", "expected"), [("images", 0.5333333333), ("features", 0.5466666667)]
)
def test_literal_values(over, expected):
    found = float(ki.losses.pull_away_term(CONTRIBUTIONS, over))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("over", ["images", "features"])
@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (4, 4)])
def test_it_is_the_mean_squared_cosine_of_pairs(over, shape, rng):
    values = rng.normal(size=shape)
    vectors = values if over == "images" else values.T
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    expected = (cosines[~np.eye(len(unit), dtype=bool)] ** 2).mean()
    found = float(ki.losses.pull_away_term(values, over))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    both = np.stack([values, CONTRIBUTIONS.max() * values], axis=1)
    several = ops.convert_to_numpy(ki.losses.pull_away_term(both, over))
    np.testing.assert_allclose(several, [expected, expected], rtol=1e-4)


def test_without_a_pair_it_is_nothing():
    assert float(ki.losses.pull_away_term(CONTRIBUTIONS[:1], "images")) == 0.0
    assert float(ki.losses.pull_away_term(CONTRIBUTIONS[:, :1], "features")) == 0.0


def test_x_features_that_are_never_there_are_no_error():
    found = float(ki.losses.pull_away_term(np.zeros((4, 3)), "features"))
    assert np.isfinite(found)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="Expected over="):
        ki.losses.pull_away_term(CONTRIBUTIONS, "units")
    with pytest.raises(ValueError, match="Expected contributions"):
        ki.losses.pull_away_term(np.zeros(3))

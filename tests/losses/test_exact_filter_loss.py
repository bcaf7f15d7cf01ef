import numpy as np
from keras import ops

import keras_interp as ki
from keras_interp.losses import ExactFilterLoss


def test_with_the_papers_tau_it_is_the_mutual_information(inputs_of, rng):
    maps = rng.uniform(0, 9, (5, 4, 4, 3))
    loss = ExactFilterLoss()(inputs_of(maps, np.ones((5, 3)), scale=0.5 / 16))
    expected = ki.losses.filter_mutual_information(maps)
    np.testing.assert_allclose(ops.convert_to_numpy(loss), expected, rtol=1e-12)

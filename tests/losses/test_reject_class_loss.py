import numpy as np
import pytest
from keras import ops

from keras_interp._backend import gradient
from keras_interp.losses import reject_class_loss


def value_of(*arguments):
    return ops.convert_to_numpy(reject_class_loss(*arguments))


def test_by_hand_on_a_target_and_another_image():
    logits = np.zeros((2, 2, 1))
    logits[0, 0] = np.log(2.0)
    logits[1, 1] = np.log(3.0)
    templates = np.array([[[1.0], [0.0]]] * 2)
    # log(1 + 2 + 1) - log 2 on the target, log(1 + 1 + 3) on the other image.
    loss = value_of(logits, templates, np.array([1.0, 0.0]))
    np.testing.assert_allclose(loss, [np.log(4.0) - np.log(2.0) + np.log(5.0)])


def test_a_template_of_two_cells():
    logits = np.array([[[1.0], [-2.0]]])
    templates = np.array([[[0.75], [0.25]]])
    total = np.log(1.0 + np.exp(1.0) + np.exp(-2.0))
    loss = value_of(logits, templates, np.array([1.0]))
    np.testing.assert_allclose(loss, [total - 0.75 + 0.5])


def test_gradient_agrees_with_finite_differences(rng):
    logits = rng.normal(size=(5, 6, 3))
    templates = rng.random(logits.shape)
    templates /= templates.sum(axis=1, keepdims=True)
    is_target = np.array([1.0, 0.0, 1.0, 1.0, 0.0])

    def total(values):
        return ops.sum(reject_class_loss(values, templates, is_target))

    slope = gradient(total, logits)
    direction = rng.normal(size=logits.shape)
    step = 1e-6
    difference = total(logits + step * direction) - total(logits - step * direction)
    np.testing.assert_allclose(
        (slope * direction).sum(), float(difference) / (2 * step), rtol=1e-6
    )


def test_a_silent_filter_is_pulled_up_at_its_cell_and_nowhere_else():
    silent = np.full((1, 4, 1), -5.0)
    templates = np.zeros((1, 4, 1))
    templates[0, 2] = 1.0

    def total(values):
        return ops.sum(reject_class_loss(values, templates, np.array([1.0])))

    slope = gradient(total, silent)[0, :, 0]
    assert slope[2] < -0.9
    assert (np.delete(slope, 2) > 0).all()


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_large_activations_stay_finite(size):
    logits = np.array([[[size], [-size]], [[-size], [-size]]])
    templates = np.array([[[1.0], [0.0]]] * 2)
    loss = value_of(logits, templates, np.array([1.0, 0.0]))
    np.testing.assert_allclose(loss, [0.0])


@pytest.mark.parametrize("is_target", [[0.0, 0.0], [1.0, 1.0]])
def test_images_of_one_kind_alone(is_target):
    logits = np.zeros((2, 3, 1))
    templates = np.full((2, 3, 1), 1.0 / 3.0)
    loss = value_of(logits, templates, np.array(is_target))
    np.testing.assert_allclose(loss, [np.log(4.0)])


def test_templates_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="templates of shape"):
        reject_class_loss(np.zeros((2, 3, 1)), np.zeros((2, 4, 1)), np.ones(2))

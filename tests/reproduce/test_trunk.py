import numpy as np
import pytest

from keras_interp.reproduce._trunk import FrozenTrunk, Projection


def test_projection_half_whitens(rng):
    deviations = np.array([8.0, 2.0, 0.5, 0.1])
    features = rng.normal(size=(50, 10, 10, 4)) * deviations + 3
    projection = Projection.fit(features, components=3)
    found = projection(features).reshape(-1, 3).std(axis=0)
    # A component's deviation becomes its square root, up to a common factor.
    np.testing.assert_allclose(
        found / found[0], np.sqrt([1, 2 / 8, 0.5 / 8]), rtol=0.05
    )
    np.testing.assert_allclose((found**2).mean(), 1, rtol=0.05)
    kept = (deviations[:3] ** 2).sum() / (deviations**2).sum()
    assert projection.explained == pytest.approx(kept, rel=0.02)


def test_unknown_backbone_is_refused():
    with pytest.raises(ValueError, match="squeezenet"):
        FrozenTrunk.load("resnet50")


@pytest.mark.parametrize(
    "backbone, shape, size, stride",
    [("squeezenet", (13, 13, 512), 123, 16), ("mobilenet", (14, 14, 128), 315, 16)],
)
def test_trunks_give_maps(backbone, shape, size, stride, real_data):
    trunk = FrozenTrunk.load(backbone)
    side = trunk.image_size
    images = np.random.default_rng(0).integers(0, 255, (3, side, side, 3), "uint8")
    features = trunk.features(images, batch_size=2)
    assert features.shape == (3, *shape) and features.dtype == np.float16
    assert np.isfinite(features.astype("float32")).all()
    field = trunk.receptive_field()
    assert field.stride == stride
    if backbone == "squeezenet":
        assert field.size == size


def test_projection_does_not_depend_on_how_many_images_go_at_once(rng, monkeypatch):
    from keras_interp.reproduce import _trunk

    features = rng.normal(size=(7, 2, 2, 4)).astype("float16")
    projection = Projection.fit(features, components=2)
    whole = projection(features)
    monkeypatch.setattr(_trunk, "_IMAGES_AT_ONCE", 3)
    np.testing.assert_array_equal(projection(features), whole)
    assert whole.dtype == np.float32

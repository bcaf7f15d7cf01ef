import pytest

from .tiny_models import sample_images, spelled


@pytest.fixture
def images():
    """float32 `(5, 12, 10, 3)`."""
    return sample_images()


@pytest.fixture
def model():
    """A functional network of two convolutions, its ReLUs given as arguments."""
    return spelled()

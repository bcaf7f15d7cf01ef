"""Datasets with annotated parts: made ones, and readers of published ones."""

from keras_interp.datasets.animal_part import load_animal_part
from keras_interp.datasets.cub import load_cub
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.registry import load
from keras_interp.datasets.synthetic.animals import synthetic_parts

__all__ = [
    "PartsDataset",
    "load",
    "load_animal_part",
    "load_cub",
    "synthetic_parts",
]

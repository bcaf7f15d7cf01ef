"""Datasets with annotated parts: made ones, and readers of published ones."""

from keras_interp.datasets.animal_part import load_animal_part, open_animal_part
from keras_interp.datasets.annotated_pictures import AnnotatedPictures
from keras_interp.datasets.color_names import name_colors
from keras_interp.datasets.concept_masks import ConceptMasks, concept_masks
from keras_interp.datasets.cub import load_cub, open_cub
from keras_interp.datasets.data_home import prepared_folder
from keras_interp.datasets.features.extract_features import extract_features
from keras_interp.datasets.features.sharded_features import (
    ShardedFeatures,
    load_features,
)
from keras_interp.datasets.mirror_images import add_mirror_images
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.pascal_part import load_pascal_part, open_pascal_part
from keras_interp.datasets.preparation.catalogue import catalogue
from keras_interp.datasets.preparation.dataset_entry import DatasetEntry, PublishedFile
from keras_interp.datasets.preparation.prepare import prepare
from keras_interp.datasets.preparation.tfds_recipe import prepare_tfds
from keras_interp.datasets.registry import load
from keras_interp.datasets.synthetic.animals import (
    open_synthetic_parts,
    synthetic_parts,
)
from keras_interp.datasets.synthetic.bird_attributes import PartLook
from keras_interp.datasets.synthetic.bird_mentions import synthetic_bird_mentions
from keras_interp.datasets.synthetic.bird_species import (
    BirdSpecies,
    synthetic_bird_species,
)
from keras_interp.datasets.synthetic.bird_truth import synthetic_bird_attributes
from keras_interp.datasets.synthetic.birds import open_synthetic_birds, synthetic_birds
from keras_interp.datasets.synthetic.drawn_pictures import DrawnPictures
from keras_interp.datasets.tfds_examples import from_tfds

__all__ = [
    "AnnotatedPictures",
    "BirdSpecies",
    "ConceptMasks",
    "DatasetEntry",
    "DrawnPictures",
    "PartLook",
    "PartsDataset",
    "PublishedFile",
    "ShardedFeatures",
    "add_mirror_images",
    "catalogue",
    "concept_masks",
    "extract_features",
    "from_tfds",
    "load",
    "load_animal_part",
    "load_cub",
    "load_features",
    "load_pascal_part",
    "name_colors",
    "open_animal_part",
    "open_cub",
    "open_pascal_part",
    "open_synthetic_birds",
    "open_synthetic_parts",
    "prepare",
    "prepare_tfds",
    "prepared_folder",
    "synthetic_bird_attributes",
    "synthetic_bird_mentions",
    "synthetic_bird_species",
    "synthetic_birds",
    "synthetic_parts",
]

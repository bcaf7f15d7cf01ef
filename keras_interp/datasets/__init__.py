"""Datasets with annotated parts: made ones, and readers of published ones."""

from keras_interp.datasets._landmark_groups import (
    ANIMAL_LANDMARK_GROUPS,
    CUB_LANDMARK_GROUPS,
    landmark_groups,
)
from keras_interp.datasets._registry import load, prepared_folder
from keras_interp.datasets._tfds import from_tfds, prepare_tfds
from keras_interp.datasets.concepts import (
    COLOR_NAMES,
    ConceptMasks,
    concept_masks,
    name_colors,
)
from keras_interp.datasets.features.extraction import extract_features
from keras_interp.datasets.features.sharded_features import (
    ShardedFeatures,
    load_features,
)
from keras_interp.datasets.mirror_images import add_mirror_images
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.parts_stream import PartsStream
from keras_interp.datasets.preparation._prepare import prepare
from keras_interp.datasets.preparation.entries import (
    DatasetEntry,
    PublishedFile,
    catalogue,
)
from keras_interp.datasets.readers.animal_part import load_animal_part, open_animal_part
from keras_interp.datasets.readers.annotated_images import AnnotatedImages
from keras_interp.datasets.readers.cub import load_cub, open_cub
from keras_interp.datasets.readers.pascal_part import load_pascal_part, open_pascal_part
from keras_interp.datasets.synthetic.animals import (
    open_synthetic_parts,
    synthetic_parts,
)
from keras_interp.datasets.synthetic.bird_sentences import (
    synthetic_bird_attributes,
    synthetic_bird_mentions,
)
from keras_interp.datasets.synthetic.bird_species import (
    BirdSpecies,
    PartLook,
    synthetic_bird_species,
)
from keras_interp.datasets.synthetic.birds import open_synthetic_birds, synthetic_birds
from keras_interp.datasets.synthetic.drawn_images import DrawnImages
from keras_interp.datasets.synthetic.planted import PlantedParts, planted_parts
from keras_interp.datasets.vocabulary import Vocabulary, tokenize

# Their earlier names, which stay.
AnnotatedPictures = AnnotatedImages
DrawnPictures = DrawnImages

__all__ = [
    "ANIMAL_LANDMARK_GROUPS",
    "COLOR_NAMES",
    "CUB_LANDMARK_GROUPS",
    "AnnotatedImages",
    "AnnotatedPictures",
    "BirdSpecies",
    "ConceptMasks",
    "DatasetEntry",
    "DrawnImages",
    "DrawnPictures",
    "PartLook",
    "PartsDataset",
    "PartsStream",
    "PlantedParts",
    "PublishedFile",
    "ShardedFeatures",
    "Vocabulary",
    "add_mirror_images",
    "catalogue",
    "concept_masks",
    "extract_features",
    "from_tfds",
    "landmark_groups",
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
    "planted_parts",
    "prepare",
    "prepare_tfds",
    "prepared_folder",
    "synthetic_bird_attributes",
    "synthetic_bird_mentions",
    "synthetic_bird_species",
    "synthetic_birds",
    "synthetic_parts",
    "tokenize",
]

# Pickles and documentation name what is public by its public place.
for _name in __all__:
    if hasattr(globals()[_name], "__module__"):
        globals()[_name].__module__ = __name__
del _name


def __dir__() -> list[str]:
    return __all__

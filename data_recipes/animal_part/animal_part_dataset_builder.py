"""ILSVRC 2013 DET Animal-Part, for TensorFlow Datasets."""

from __future__ import annotations

import tensorflow_datasets as tfds

from keras_interp.datasets.preparation.entries import find_entry
from keras_interp.datasets.readers.animal_part import LANDMARKS, open_animal_part
from keras_interp.datasets.readers.annotated_images import AnnotatedImages
from keras_interp.datasets.tfds_builder import PartsBuilder, PartsConfig


class Builder(PartsBuilder):
    """Animals of 30 categories with the centres of head and front legs."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [
        PartsConfig(
            name="box_224",
            description="Each animal cut out by its box and resized to 224x224 pixels, "
            "and whole photographs without one.",
        )
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The benchmark is spread over two repositories; no archive of it has a checksum.

    1. git clone https://github.com/zqs1022/detanimalpart
       (images and object boxes, 0.6 GB: the folders n01443537_obj and so on)
    2. git clone https://github.com/zqs1022/interpretableCNN
       (part boxes and images without animals)
    3. Make one folder of them, say animal_part:
       - all folders n*_obj of the first repository;
       - annotations/, with what is in
         code/data_input/data_input_DET-2015-subset-ILSVRC2013train of the second;
       - neg/, which is code/data/neg of the second.
    4. Put animal_part into the folder for manual downloads, or name it:
       tfds build --manual_dir animal_part.

    `keras-interp data prepare animal_part` does step 3 from the repositories' ZIP
    archives, and the recipe finds what it made.
    """
    SOURCE = "animal_part"
    SOURCE_FILES = ("annotations",)

    def _info(self) -> tfds.core.DatasetInfo:
        options = self.builder_config.options
        masks = options.get("part_masks", False)
        # Of some categories the files tell: goldfish have no legs.
        count = None if "categories" in options else len(LANDMARKS)
        return self._parts_info(
            count,
            homepage=find_entry("animal_part").homepage,
            num_part_masks=count if masks else 0,
            groups=True,
        )

    def _open(self, dl_manager: tfds.download.DownloadManager) -> AnnotatedImages:
        root = self._find_source(dl_manager)
        return open_animal_part(root, **self.builder_config.options)

"""PASCAL-Part, for TensorFlow Datasets."""

from __future__ import annotations

import tensorflow_datasets as tfds

from keras_interp.datasets.preparation.entries import find_entry
from keras_interp.datasets.readers.annotated_images import AnnotatedImages
from keras_interp.datasets.readers.pascal_part import open_pascal_part
from keras_interp.datasets.tfds_builder import PartsBuilder, PartsConfig


class Builder(PartsBuilder):
    """Objects of PASCAL VOC 2010 with the masks of their parts."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [
        PartsConfig(
            name="merged_224",
            description="Six animals with the parts that the papers merge, each cut "
            "out by its pixels and resized to 224x224.",
        )
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The masks and the photographs come from two places, and neither states a checksum.

    1. https://roozbehm.info/pascal-parts/trainval.tar.gz (masks): unpack it; inside is
       the folder Annotations_Part.
    2. http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar
       (photographs, 1.3 GB): unpack it; inside is the folder VOCdevkit.
    3. Put both folders into one, say pascal_part, and that into the folder for manual
       downloads, or name it: tfds build --manual_dir pascal_part.

    `keras-interp data prepare pascal_part` does all of this, and the recipe finds what
    it made.
    """
    SOURCE = "pascal_part"
    SOURCE_FILES = ("Annotations_Part", "trainval/Annotations_Part", "*.mat")

    def _info(self) -> tfds.core.DatasetInfo:
        options = self.builder_config.options
        # How many parts there are depends on the categories that are there.
        return self._parts_info(
            None,
            homepage=find_entry("pascal_part").homepage,
            num_part_masks=None if options.get("part_masks", True) else 0,
            groups=True,
        )

    def _open(self, dl_manager: tfds.download.DownloadManager) -> AnnotatedImages:
        root = self._find_source(dl_manager)
        return open_pascal_part(root, **self.builder_config.options)

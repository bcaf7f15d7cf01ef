"""Drawn animals with parts, for TensorFlow Datasets."""

from __future__ import annotations

import tensorflow_datasets as tfds

from keras_interp.datasets.synthetic._animal_body import CATEGORIES, parts_of
from keras_interp.datasets.synthetic.animals import open_synthetic_parts
from keras_interp.datasets.synthetic.drawn_images import DrawnImages
from keras_interp.datasets.tfds_builder import DrawnConfig, PartsBuilder


class Builder(PartsBuilder):
    """Birds, cats, cows, elephants, horses and rabbits made of parts."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    builder_config_cls = DrawnConfig
    BUILDER_CONFIGS = [
        DrawnConfig(name="size_64", description="2,000 images of 64x64 pixels, seed 0.")
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        options = self.builder_config.options
        count = len(parts_of(options.get("categories") or CATEGORIES))
        masks = count if options.get("part_masks", True) else 0
        return self._parts_info(count, num_part_masks=masks, numbered=True)

    def _open(self, dl_manager: tfds.download.DownloadManager) -> DrawnImages:
        return open_synthetic_parts(**self.builder_config.arguments())

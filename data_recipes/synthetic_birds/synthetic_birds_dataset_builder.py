"""Drawn birds of similar species with sentences, for TensorFlow Datasets."""

from __future__ import annotations

import tensorflow_datasets as tfds

from keras_interp.datasets.synthetic._bird_body import LANDMARKS
from keras_interp.datasets.synthetic.birds import open_synthetic_birds
from keras_interp.datasets.synthetic.drawn_images import DrawnImages
from keras_interp.datasets.tfds_builder import DrawnConfig, PartsBuilder


class Builder(PartsBuilder):
    """Birds of species that differ in single parts, with ten sentences an image."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    builder_config_cls = DrawnConfig
    BUILDER_CONFIGS = [
        DrawnConfig(name="size_64", description="2,400 images of 64x64 pixels, seed 0.")
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        options = self.builder_config.options
        masks = options.get("part_masks", True)
        return self._parts_info(
            len(LANDMARKS),
            num_part_masks=len(LANDMARKS) if masks else 0,
            captions=options.get("captions", True),
            numbered=True,
        )

    def _open(self, dl_manager: tfds.download.DownloadManager) -> DrawnImages:
        return open_synthetic_birds(**self.builder_config.arguments())

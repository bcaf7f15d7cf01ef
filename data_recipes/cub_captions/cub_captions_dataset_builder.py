"""CUB-200-2011 with ten sentences an image, for TensorFlow Datasets."""

from __future__ import annotations

from pathlib import Path

import tensorflow_datasets as tfds

from keras_interp.datasets.preparation.entries import find_entry
from keras_interp.datasets.readers.annotated_images import AnnotatedImages
from keras_interp.datasets.readers.cub import open_cub
from keras_interp.datasets.readers.cub_annotations import CAPTIONS_FOLDER
from keras_interp.datasets.tfds_builder import PartsBuilder, PartsConfig

_ENTRY = find_entry("cub")


class Builder(PartsBuilder):
    """Birds of 200 species with 15 part points and ten sentences each."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [
        PartsConfig(
            name="box_224",
            description="Each bird cut out by its box and resized to 224x224 pixels.",
        )
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The sentences lie on Google Drive, which asks a person to confirm the download:

    1. Open https://github.com/reedscot/cvpr2016 in a browser and follow the link to
       the birds' captions; confirm the download of cvpr2016_cub.tar.gz.
    2. Unpack it: tar -xzf cvpr2016_cub.tar.gz. Inside is the folder text_c10.
    3. Put text_c10 into the folder for manual downloads, or name the folder that has
       it: tfds build --manual_dir FOLDER.

    The images are downloaded by themselves, unless CUB_200_2011 lies beside text_c10
    or in $KERAS_INTERP_DATA/cub.
    """
    SOURCE = "cub"
    SOURCE_FILES = ("images.txt", "CUB_200_2011/images.txt")
    DOWNLOAD = _ENTRY.files[0].urls[0]
    OTHER_FILES = (_ENTRY.files[0].filename, CAPTIONS_FOLDER)

    def _info(self) -> tfds.core.DatasetInfo:
        return self._parts_info(
            15,
            homepage="https://github.com/reedscot/cvpr2016",
            captions=True,
            groups=True,
        )

    def _open(self, dl_manager: tfds.download.DownloadManager) -> AnnotatedImages:
        options = {
            "captions_root": self._sentences(dl_manager),
            **self.builder_config.options,
        }
        return open_cub(self._find_source(dl_manager), captions=True, **options)

    def _sentences(self, dl_manager: tfds.download.DownloadManager) -> Path | None:
        """Where the sentences were put by hand; the reader finds them elsewhere."""
        for folder in self._manual_folders(dl_manager):
            if (folder / CAPTIONS_FOLDER).is_dir():
                return folder
        return None

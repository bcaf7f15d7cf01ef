"""CUB-200-2011 with its part points, for TensorFlow Datasets."""

from __future__ import annotations

import numpy as np
import tensorflow_datasets as tfds

from keras_interp.datasets.preparation.entries import find_entry
from keras_interp.datasets.readers.annotated_images import AnnotatedImages
from keras_interp.datasets.readers.cub import open_cub
from keras_interp.datasets.readers.cub_annotations import read_cub_annotations
from keras_interp.datasets.tfds_builder import PartsBuilder, PartsConfig

_ENTRY = find_entry("cub")
_LANDMARKS = 15
_ATTRIBUTES = 312


class Builder(PartsBuilder):
    """Birds of 200 species with boxes, 15 part points and 312 attributes."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [
        PartsConfig(
            name="box_224",
            description="Each bird cut out by its box and resized to 224x224 pixels.",
        )
    ]
    SOURCE = "cub"
    SOURCE_FILES = ("images.txt", "CUB_200_2011/images.txt")
    DOWNLOAD = _ENTRY.files[0].urls[0]
    OTHER_FILES = (_ENTRY.files[0].filename,)

    def _info(self) -> tfds.core.DatasetInfo:
        shape = (_ATTRIBUTES,)
        return self._parts_info(
            _LANDMARKS,
            homepage=_ENTRY.homepage,
            more={
                "attributes": tfds.features.Tensor(shape=shape, dtype=np.bool_),
                "attribute_certainties": tfds.features.Tensor(
                    shape=shape, dtype=np.uint8
                ),
            },
            groups=True,
        )

    def _open(self, dl_manager: tfds.download.DownloadManager) -> AnnotatedImages:
        return open_cub(self._find_source(dl_manager), **self.builder_config.options)

    def _more_fields(self, images: AnnotatedImages) -> dict[str, np.ndarray]:
        folder = images.source.parent
        annotations = read_cub_annotations(folder, attributes=True)
        present = np.zeros((len(images), _ATTRIBUTES), bool)
        certainties = np.zeros(present.shape, np.uint8)
        found = annotations.attributes
        self.info.metadata["attribute_names"] = found.names if found else None
        if found is not None:
            row_of = {name: row for row, name in enumerate(annotations.ids.tolist())}
            # Images without a bird, which an option adds, have no attributes.
            birds = np.isin(images.ids, annotations.ids)
            rows = [row_of[name] for name in images.ids[birds].tolist()]
            present[birds] = found.present[rows]
            certainties[birds] = found.certainties[rows]
        return {"attributes": present, "attribute_certainties": certainties}

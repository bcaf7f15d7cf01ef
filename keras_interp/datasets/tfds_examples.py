"""A `PartsDataset` as examples of TensorFlow Datasets, and back."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from keras_interp.datasets.parts_dataset import PartsDataset

# Names that belong to the whole dataset stand in the `metadata` of its `DatasetInfo`.
NAME_LISTS = ("landmark_names", "part_names")


def parts_features(
    image_size: tuple[int, int],
    num_landmarks: int | None,
    *,
    num_part_masks: int | None = 0,
    captions: bool = False,
    groups: bool = False,
    numbered: bool = False,
) -> dict[str, Any]:
    """The features of TensorFlow Datasets that hold one picture of a `PartsDataset`.

    Args:
        image_size: (height, width) of the pictures in pixels.
        num_landmarks: K, how many landmarks a picture has; None where the files tell.
        num_part_masks: P, how many part masks a picture has; 0 for none, None where the
            files tell.
        captions: whether every picture has sentences.
        groups: whether the pictures have groups, which are integers.
        numbered: whether the ids are integers and not strings.

    Returns:
        The features by name; the names of the classes are not known yet.
    """
    import tensorflow_datasets as tfds

    number = tfds.features.Scalar(np.int64)
    features = {
        "image": tfds.features.Image(shape=(*image_size, 3), encoding_format="png"),
        "label": tfds.features.ClassLabel(),
        "landmarks": tfds.features.Tensor(shape=(num_landmarks, 2), dtype=np.float32),
        "landmarks_visible": tfds.features.Tensor(
            shape=(num_landmarks,), dtype=np.bool_
        ),
        "box": tfds.features.Tensor(shape=(4,), dtype=np.float32),
        "id": number if numbered else tfds.features.Text(),
        "split": tfds.features.Text(),
    }
    if num_part_masks != 0:
        features["part_masks"] = tfds.features.Tensor(
            shape=(num_part_masks, *image_size), dtype=np.bool_, encoding="zlib"
        )
    if captions:
        features["captions"] = tfds.features.Sequence(tfds.features.Text())
    if groups:
        features["group"] = number
    return features


def to_examples(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Takes the fields of some pictures apart into one dictionary for each picture.

    Args:
        fields: arrays and lists as `PartsDataset` has them, with `ids` and `boxes`.

    Yields:
        The values of `parts_features`; the picture is a PNG, which loses nothing.
    """
    for row, image in enumerate(fields["images"]):
        landmarks = fields["landmarks"][row]
        example = {
            "image": _png(image),
            "label": int(fields["labels"][row]),
            "landmarks": landmarks,
            "landmarks_visible": np.isfinite(landmarks[:, 0]),
            "box": fields["boxes"][row],
            "id": fields["ids"][row].item(),
            "split": str(fields["split"][row]),
        }
        if "part_masks" in fields:
            example["part_masks"] = fields["part_masks"][row]
        if "captions" in fields:
            example["captions"] = fields["captions"][row]
        if "groups" in fields:
            example["group"] = int(fields["groups"][row])
        yield example


def from_tfds(examples: Iterable[dict[str, Any]], info: Any) -> PartsDataset:
    """Collects pictures that TensorFlow Datasets prepared into a `PartsDataset`.

    The arrays are those that `load` gives for the same ids. Everything is put into
    memory; take a part of the examples where that is too much.

    Example:

    ```python
    examples, info = tfds.load("cub_parts", split="test[:500]", with_info=True)
    birds = ki.datasets.from_tfds(examples, info)
    ```

    Args:
        examples: a `tf.data.Dataset` of single pictures (not batches) as `tfds.load`
            returns it, or any iterable of such dictionaries.
        info: the `tfds.core.DatasetInfo`, which has the names of classes and parts.

    Returns:
        A `PartsDataset` in the order of the examples, which is a shuffled one.

    Raises:
        ValueError: if there are no examples, or a recipe of another kind made them.
    """
    if hasattr(examples, "as_numpy_iterator"):
        examples = examples.as_numpy_iterator()
    rows = list(examples)
    metadata = info.metadata or {}
    if not rows or "landmark_names" not in metadata:
        raise ValueError(
            f"expected examples that a recipe of keras_interp prepared, got "
            f"{len(rows)} of {info.name}; its metadata has {sorted(metadata)}"
        )
    fields: dict[str, Any] = {
        "images": np.stack([row["image"] for row in rows]),
        "labels": np.array([row["label"] for row in rows], np.int64),
        "class_names": list(info.features["label"].names),
        "landmarks": np.stack([row["landmarks"] for row in rows]),
        "boxes": np.stack([row["box"] for row in rows]),
        "ids": _keys([row["id"] for row in rows]),
        "split": _keys([row["split"] for row in rows]),
    }
    fields |= {name: metadata.get(name) for name in NAME_LISTS}
    if "part_masks" in rows[0]:
        fields["part_masks"] = np.stack([row["part_masks"] for row in rows])
    if "captions" in rows[0]:
        fields["captions"] = [_keys(row["captions"]).tolist() for row in rows]
    if "group" in rows[0]:
        fields["groups"] = np.array([row["group"] for row in rows], np.int64)
    return PartsDataset(**fields)


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    data = io.BytesIO()
    # Higher levels save a tenth of the space and take three times as long.
    Image.fromarray(image).save(data, "PNG", compress_level=1)
    return data.getvalue()


def _keys(values: Iterable[Any]) -> np.ndarray:
    """Strings or integers; TensorFlow gives strings as bytes."""
    return np.array(
        [
            value.decode("utf-8") if isinstance(value, bytes) else value
            for value in values
        ]
    )

"""A `PartsDataset` as examples of TensorFlow Datasets, and back; runs the recipes."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.datasets._progress import announce
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.preparation.entries import catalogue

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
    """The features of TensorFlow Datasets that hold one image of a `PartsDataset`.

    Args:
        image_size: (height, width) of the images in pixels.
        num_landmarks: K, how many landmarks an image has; None where the files tell.
        num_part_masks: P, how many part masks an image has; 0 for none, None where the
            files tell.
        captions: whether every image has sentences.
        groups: whether the images have groups, which are integers.
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
    """Takes the fields of some images apart into one dictionary for each image.

    Args:
        fields: arrays and lists as `PartsDataset` has them, with `ids` and `boxes`.

    Yields:
        The values of `parts_features`; the image is a PNG, which loses nothing.
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
    """Collects images that TensorFlow Datasets prepared into a `PartsDataset`.

    The arrays are those that `load` gives for the same ids. Everything is put into
    memory; take a part of the examples where that is too much.

    Example:

    ```python
    examples, info = tfds.load("cub_parts", split="test[:500]", with_info=True)
    birds = ki.datasets.from_tfds(examples, info)
    ```

    Args:
        examples: a `tf.data.Dataset` of single images (not batches) as `tfds.load`
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


def prepare_tfds(
    name: str,
    *,
    root: str | Path | None = None,
    data_dir: str | Path | None = None,
    beam_runner: str | None = None,
    beam_options: Sequence[str] = (),
    recipes: str | Path | None = None,
) -> Path:
    """Writes a dataset as TFRecord files that `tfds.load` streams.

    Example:

    ```python
    ki.datasets.prepare_tfds("cub", root="CUB_200_2011", data_dir="tfds")
    birds = tfds.load("cub_parts", split="train", data_dir="tfds")
    ```

    Args:
        name: a recipe such as `"cub_parts"`, or a name of `catalogue()`, which stands
            for its first recipe.
        root: the extracted files. Default: the recipe looks where `load` looks, and
            downloads what it may.
        data_dir: where to write. Default: that of TensorFlow Datasets,
            `~/tensorflow_datasets`.
        beam_runner: name of an Apache Beam runner, such as `"DataflowRunner"`.
            Default: the local one.
        beam_options: options of the runner, such as `"--direct_num_workers=2"`.
        recipes: the folder of the recipes. Default: `data_recipes` of the checkout that
            this package is run from.

    Returns:
        The folder with the files of this version of the dataset.

    Raises:
        ImportError: if TensorFlow Datasets or Apache Beam is not installed.
        ValueError: if there is no such recipe.
        FileNotFoundError: if the folder of recipes or `root` is missing.
    """
    if root is not None and not Path(root).is_dir():
        raise FileNotFoundError(f"root={str(root)!r} is not a folder")
    builder_class = _builder_class(_recipe_folder(name, recipes))
    tfds = _tensorflow_datasets()
    config = tfds.download.DownloadConfig(
        manual_dir=None if root is None else str(Path(root).expanduser().resolve()),
        beam_runner=beam_runner,
        beam_options=_pipeline_options(beam_options),
    )
    builder = builder_class(data_dir=None if data_dir is None else str(data_dir))
    if builder.is_prepared():
        announce(f"{builder.name}: {builder.data_path} is prepared already")
    builder.download_and_prepare(download_config=config)
    return Path(builder.data_path)


def recipe_names(recipes: Path) -> list[str]:
    """The recipes in a folder."""
    paths = recipes.glob("*/*_dataset_builder.py")
    return sorted(
        path.parent.name
        for path in paths
        if path.name == f"{path.parent.name}_dataset_builder.py"
    )


def _recipe_folder(name: str, recipes: str | Path | None) -> Path:
    parent = _checkout_recipes() if recipes is None else Path(recipes).expanduser()
    if not parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder of recipes {parent}: the recipes come with the source "
            "of keras_interp and not with the installed package. Clone the source and "
            "pass its folder data_recipes with --recipes."
        )
    entry = catalogue().get(name)
    present = recipe_names(parent)
    wanted = [name, *(entry.recipes if entry else ())]
    for recipe in wanted:
        if recipe in present:
            return (parent / recipe).resolve()
    raise ValueError(f"{parent} has no recipe {name!r}; it has {', '.join(present)}")


def _checkout_recipes() -> Path:
    return Path(__file__).resolve().parents[2] / "data_recipes"


def _builder_class(folder: Path) -> Any:
    """The class, found in the way in which `tfds build` finds it."""
    tfds = _tensorflow_datasets()
    module = f"{folder.name}.{folder.name}_dataset_builder"
    with tfds.core.utils.add_sys_path(folder.parent):
        builder_class = tfds.core.community.builder_cls_from_module(module)
    path = Path(sys.modules[module].__file__ or "").resolve()
    if path.parent != folder:
        raise ValueError(
            f"the module {module} was loaded from {path.parent}, not from {folder}; "
            "start a new process for other recipes"
        )
    return builder_class


def _tensorflow_datasets() -> Any:
    try:
        return importlib.import_module("tensorflow_datasets")
    except ImportError as error:
        raise ImportError(
            "the recipes need TensorFlow Datasets: pip install 'keras_interp[data]'"
        ) from error


def _pipeline_options(options: Sequence[str]) -> Any:
    if not options:
        return None
    try:
        module = importlib.import_module("apache_beam.options.pipeline_options")
    except ImportError as error:
        raise ImportError(
            "--beam-options needs Apache Beam: pip install 'keras_interp[data]'"
        ) from error
    return module.PipelineOptions(list(options))

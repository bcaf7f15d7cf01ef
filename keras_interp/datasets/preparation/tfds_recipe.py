"""Runs a recipe of TensorFlow Datasets from the folder `data_recipes`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_interp.datasets.preparation.catalogue import catalogue
from keras_interp.datasets.preparation.progress import announce


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
    return Path(__file__).resolve().parents[3] / "data_recipes"


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

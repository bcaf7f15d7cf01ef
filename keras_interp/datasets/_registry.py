"""Where datasets lie, and how they are found by name: `ki.datasets.load("cub")`."""

from __future__ import annotations

import importlib
import inspect
import os
from pathlib import Path
from typing import Any

from keras_interp.datasets._field_checks import refused
from keras_interp.datasets.parts_dataset import PartsDataset

HOME_VARIABLE = "KERAS_INTERP_HOME"


def prepared_folder(name: str) -> Path:
    """The folder that a dataset is prepared in, whether it is there yet or not.

    Example:

    >>> from keras_interp.datasets import prepared_folder
    >>> prepared_folder("cub").name
    'cub'

    Args:
        name: the name of the dataset, such as `"cub"`.

    Returns:
        `$KERAS_INTERP_HOME/<name>`; without that variable,
        `~/.keras_interp/datasets/<name>`.

    Raises:
        ValueError: if `name` is no plain folder name.
    """
    if not name or name in (".", "..") or {"/", "\\", "\0"} & set(name):
        raise refused('name as that of a dataset, such as "cub"', name=name)
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser() / name
    return Path.home() / ".keras_interp" / "datasets" / name


ROOT_VARIABLE = "KERAS_INTERP_DATA"


# Where each reader lives; imported only when asked for.
_READERS = {
    "synthetic_parts": ("keras_interp.datasets.synthetic.animals", "synthetic_parts"),
    "synthetic_birds": ("keras_interp.datasets.synthetic.birds", "synthetic_birds"),
    "planted_parts": ("keras_interp.datasets.synthetic.planted", "planted_parts"),
    "cub": ("keras_interp.datasets.readers.cub", "load_cub"),
    "animal_part": ("keras_interp.datasets.readers.animal_part", "load_animal_part"),
    "pascal_part": ("keras_interp.datasets.readers.pascal_part", "load_pascal_part"),
}


def load(
    name: str,
    root: str | Path | None = None,
    split: str | None = None,
    **options: Any,
) -> PartsDataset:
    """Loads a dataset with annotated parts.

    Example:

    >>> from keras_interp import datasets
    >>> dataset = datasets.load("synthetic_parts", split="train", num_images=50)
    >>> dataset.image_size
    (64, 64)

    Args:
        name: `"synthetic_parts"`, `"synthetic_birds"` or `"planted_parts"` (these need
            no files), `"cub"`, `"animal_part"` or `"pascal_part"`.
        root: the dataset's own folder, the published archive extracted. Default:
            `$KERAS_INTERP_DATA/<name>`, else `prepared_folder(name)`, which
            `keras-interp data prepare` writes.
        split: `"train"` or `"test"`. Default: both; see the field `split`. Readers of
            published sets take `"authors"`, too: both, as the authors divided them.
        **options: those of `synthetic_parts`, `synthetic_birds`, `planted_parts`,
            `load_cub`, `load_animal_part` or `load_pascal_part`.

    Returns:
        A `PartsDataset`.

    Raises:
        ValueError: if the name or an option is unknown, or a file is damaged.
        FileNotFoundError: if the folder or a file in it is missing.
    """
    if name not in _READERS:
        raise refused(
            f"name as one of {', '.join(_READERS)}", "Choose one of these", name=name
        )
    module, function = _READERS[name]
    loader = getattr(importlib.import_module(module), function)
    known = inspect.signature(loader).parameters
    _check_options(name, set(options), set(known) - {"root", "split"})
    if "root" in known:
        options["root"] = find_root(name, root)
    elif root is not None:
        raise refused(
            f"no root for {name}, which is drawn and not read",
            "Leave it out",
            root=root,
        )
    if "split" in known:
        return loader(split=split, **options)
    dataset = loader(**options)
    return dataset if split is None else dataset.take_split(split)


def find_root(name: str, root: str | Path | None = None) -> Path:
    """The folder of a dataset: `root`, `$KERAS_INTERP_DATA/<name>` or a prepared one.

    Raises:
        FileNotFoundError: if there is no such folder; the message says what belongs
            there and where to get it.
    """
    origin = importlib.import_module(_READERS[name][0]).ORIGIN
    wanted = f"the dataset {name!r} ({origin})"
    if root is not None:
        if not Path(root).is_dir():
            raise FileNotFoundError(f"root={str(root)!r} is not a folder with {wanted}")
        return Path(root)
    parent = os.environ.get(ROOT_VARIABLE)
    if parent and (Path(parent) / name).is_dir():
        return Path(parent) / name
    if prepared_folder(name).is_dir():
        return prepared_folder(name)
    looked = f"{Path(parent) / name} is not a folder" if parent else "it is not set"
    raise FileNotFoundError(
        f"cannot find {wanted}: pass root=, the extracted folder, or set "
        f"{ROOT_VARIABLE} to the folder that holds {name!r} ({looked}), or prepare it "
        f"with `keras-interp data prepare {name}` (nothing is in "
        f"{prepared_folder(name)})"
    )


def _check_options(name: str, given: set[str], known: set[str]) -> None:
    unknown = sorted(given - known)
    if unknown:
        raise ValueError(
            f"Expected options of {name} out of {sorted(known)}. Received: {unknown}. "
            "Choose from these."
        )

"""Where prepared datasets lie on this computer."""

from __future__ import annotations

import os
from pathlib import Path

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
        raise ValueError(f'name must be that of a dataset, such as "cub", got {name!r}')
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home).expanduser() / name
    return Path.home() / ".keras_interp" / "datasets" / name

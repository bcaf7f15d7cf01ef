"""Load a model that somebody saved, and say in a sentence why that does not work."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import keras

# How Keras begins its message about a class or function that it does not know.
_UNKNOWN = re.compile(r"Could not locate (?:class|function) '([^']+)'")


def load_saved_model(path: Path) -> keras.Model:
    """A model from a `.keras` file, without running code that the file brings.

    Example:

    ```python
    model = load_saved_model(Path("model.keras"))
    ```

    Args:
        path: of a file that `model.save("name.keras")` wrote.

    Returns:
        The model, not compiled: nothing of a loss or an optimiser needs to be known.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is another kind of file, is damaged, holds classes that
            nobody has imported, or functions that are code inside the file.
    """
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "is missing"
        raise FileNotFoundError(
            f"No file {path} (it {kind}): give the path of a model saved with "
            "model.save('name.keras')."
        )
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ValueError(
            f"Expected a .keras file. Received: {path}, which is another kind of file "
            "or damaged. Load the model where it was made, and save it with "
            "model.save('name.keras')."
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Of a damaged archive each of the readers inside Keras raises its own kind.
        raise ValueError(_reason(path, error)) from error


def _reason(path: Path, error: Exception) -> str:
    unknown = _UNKNOWN.search(str(error))
    if unknown is not None:
        return (
            f"Expected a model of layers that are known here. Received: {path} with "
            f"{unknown[1]!r}. Decorate it with "
            "keras.saving.register_keras_serializable() and import the module that "
            "defines it: on the command line, --import MODULE."
        )
    if "unsafe" in str(error) and "ambda" in str(error):
        return (
            "Expected a model without code inside its file. Received: "
            f"{path} with a Lambda layer of a Python function, which could do anything "
            "when it is loaded. Replace it by operations of keras.ops or by a layer of "
            "its own class, and save the model again."
        )
    words = " ".join(str(error).split()) or type(error).__name__
    return (
        f"Expected a saved Keras model. Received: {path}, which cannot be read "
        f"({words[:300]}). Save it again with model.save('name.keras')."
    )

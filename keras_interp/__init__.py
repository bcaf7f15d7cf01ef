"""Keras layers, models and measures that make neural networks explain themselves.

Example:

```python
import keras
import keras_interp as ki

model = keras.Sequential([
    keras.Input((64, 64, 3)),
    keras.layers.Conv2D(32, 3, activation="relu"),
    keras.layers.MaxPooling2D(),
    ki.InterpretableConv(64, 3, padding="same"),
    keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(1, activation="sigmoid"),
])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
```
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any


def _is_the_command() -> bool:
    """Whether this process is the command `keras-interp`, and no user's program."""
    started = Path(sys.argv[0] if sys.argv else "").name
    if started in ("keras-interp", "keras-interp.exe", "keras-interp-script.py"):
        return True
    as_module = sys.orig_argv[1:3]
    return as_module in (["-m", "keras_interp"], ["-m", "keras_interp.cli"])


if _is_the_command():
    # Help and the completion of a shell need no Keras, whose import takes seconds;
    # what computes imports it. TensorFlow reads how much it is to say as it is
    # imported, and the program's own text matters here, not its start-up log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
else:
    # Imported at once: `load_model` must know the classes of a saved file.
    from keras_interp import layers as layers
    from keras_interp import models as models
    from keras_interp._network.layer_outputs import feature_maps as feature_maps
    from keras_interp.receptive_fields import ReceptiveField as ReceptiveField
    from keras_interp.receptive_fields import receptive_field as receptive_field

__version__ = "0.1.0"

_SUBPACKAGES = (
    "attribution",
    "callbacks",
    "datasets",
    "graphs",
    "layers",
    "losses",
    "metrics",
    "models",
    "plotting",
    "reporting",
)
# Where a public name of the top level lives.
_NAMES = {
    "InterpretableConv": "keras_interp.layers",
    "ReceptiveField": "keras_interp.receptive_fields",
    "explain": "keras_interp.reporting",
    "feature_maps": "keras_interp._network.layer_outputs",
    "receptive_field": "keras_interp.receptive_fields",
    "report": "keras_interp.reporting",
}

__all__ = [
    "__version__",
    *_SUBPACKAGES,
    *_NAMES,
]

if TYPE_CHECKING:
    from keras_interp import attribution as attribution
    from keras_interp import callbacks as callbacks
    from keras_interp import datasets as datasets
    from keras_interp import graphs as graphs
    from keras_interp import losses as losses
    from keras_interp import metrics as metrics
    from keras_interp import plotting as plotting
    from keras_interp import reporting as reporting
    from keras_interp.layers import InterpretableConv as InterpretableConv
    from keras_interp.reporting import report as report


def __getattr__(name: str) -> Any:
    # Subpackages load when first named, which keeps `import keras_interp` quick.
    if name in _SUBPACKAGES:
        return importlib.import_module(f"keras_interp.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'keras_interp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

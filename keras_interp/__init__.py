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
from typing import TYPE_CHECKING, Any

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
    "explain": "keras_interp.reporting",
    "report": "keras_interp.reporting",
}

__all__ = [
    "ReceptiveField",
    "__version__",
    "feature_maps",
    "receptive_field",
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

"""The only reader of Keras's insides: layers, graphs, calls and copies of a network.

| file | what it answers |
|---|---|
| `layer_names` | which layer is meant by a name |
| `graph` | is this a graph of layers, and which calls are in it |
| `opened_graph`, `graph_copy` | the same with inner models opened; a copy of it |
| `calls` | what does a model call, and what if a call did something else |
| `call_record`, `call_outline` | the layers, outputs and activations of a model |
| `map_layouts` | which tensors are feature maps |
| `output_dependence` | which maps an output depends on |
| `model_state` | is a model still what it was when it was traced |
| `explained_model`, `forward_pass` | a model and images, ready to compute with |
| `layer_outputs` | what layers make of images, and the slopes of a class score there |
"""

from __future__ import annotations

from keras_interp._network.graph import Functional, functional_view, is_graph
from keras_interp._network.layer_names import (
    LayerPlace,
    find_layer,
    flattened_layers,
    inner_layers,
    layer_places,
)
from keras_interp._network.layer_outputs import activations_and_gradients, feature_maps
from keras_interp._network.opened_graph import OpenedCall, OpenedGraph

__all__ = [
    "Functional",
    "LayerPlace",
    "OpenedCall",
    "OpenedGraph",
    "activations_and_gradients",
    "feature_maps",
    "find_layer",
    "flattened_layers",
    "functional_view",
    "inner_layers",
    "is_graph",
    "layer_places",
]

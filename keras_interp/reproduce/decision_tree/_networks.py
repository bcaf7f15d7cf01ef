"""The networks that trees are grown on, and what their filters follow."""

from __future__ import annotations

import dataclasses
import warnings

import keras
import numpy as np

from keras_interp import graphs, metrics
from keras_interp.datasets import landmark_groups
from keras_interp.metrics import FilterNames
from keras_interp.receptive_fields import ReceptiveField, receptive_field
from keras_interp.reproduce import _demo
from keras_interp.reproduce._tasks import Task
from keras_interp.reproduce._trunk import Projection
from keras_interp.reproduce.explainer._task import synthetic_task
from keras_interp.reproduce.icnn import _training

COMPONENTS = 96
DRAWN_EPOCHS = 12


@dataclasses.dataclass(frozen=True)
class TreeTask:
    """A task of one category, and what goes into its network.

    Attributes:
        task: Images, labels and landmarks.
        values: float32 inputs of the network, in the order of the images.
        mirrored: Inputs of the mirror images of the training objects.
        field: Receptive field of one cell of the inputs; None where they are images.
    """

    task: Task
    values: np.ndarray
    mirrored: np.ndarray
    field: ReceptiveField | None

    @property
    def layer(self) -> str:
        """The layer that the tree is about."""
        return _demo.TOP_LAYER if self.field is None else _training.TOP_LAYER

    @classmethod
    def of_photographs(cls, task: Task, field: ReceptiveField) -> TreeTask:
        """The projected features of a frozen trunk."""
        projection = Projection.fit(task.features[task.is_train], COMPONENTS)
        values = projection(task.features)
        return cls(task, values, projection(task.mirrored), field)

    @classmethod
    def drawn(cls, *, quick: bool, development: bool, seed: int) -> TreeTask:
        """Drawn birds and background; the network starts at the images."""
        task = synthetic_task(quick=quick, development=development, seed=seed).task
        values = task.dataset.images.astype("float32")
        mirrored = values[task.training_objects()][:, :, ::-1]
        task = dataclasses.replace(task, usual_epochs=DRAWN_EPOCHS)
        return cls(task, values, mirrored, None)


@dataclasses.dataclass(frozen=True)
class ReadNetwork:
    """A trained network, read at its top conv-layer.

    Attributes:
        model: The network.
        modes: Decision modes of all images.
        names: Parts of the filters, named on training images.
    """

    model: keras.Model
    modes: graphs.DecisionModes
    names: FilterNames


def train_and_read(
    known: TreeTask, recipe: _training.IcnnRecipe, seed: int, *, interpretable: bool
) -> ReadNetwork:
    """Train a network and read how its scores come about.

    Args:
        known: Task and inputs.
        recipe: Sizes, epochs and filter loss.
        seed: Of weights, order and dropout.
        interpretable: False gives the ordinary network: the same layers without mask
            and filter loss.
    """
    keras.utils.set_random_seed(seed)
    if known.field is None:
        size = known.values.shape[1]
        model = _demo.demo_network(
            size, 1, interpretable=interpretable, filter_loss=recipe.filter_loss
        )
    else:
        shape = known.values.shape[1:]
        model = _training.build_network(shape, 1, recipe, interpretable=interpretable)
    _training.fit_network(
        model, known.task, known.values, known.mirrored, recipe, watch_ratio=False
    )
    with warnings.catch_warnings():
        # What the warning says of an ordinary network is what the run shows.
        warnings.filterwarnings("ignore", "Layer .* has no interpretable filters")
        modes = graphs.decision_modes(model, known.values, known.layer, batch_size=64)
    return ReadNetwork(model, modes, _names(model, known))


def _names(model: keras.Model, known: TreeTask) -> FilterNames:
    """What the filters follow on the training images that show an object."""
    task = known.task
    rows = task.objects()
    rows = rows[task.is_train[rows]]
    layer = metrics.read_feature_maps(model, known.values[rows], known.layer)
    field = known.field
    if field is None:
        field = receptive_field(model, known.layer)
    found = metrics.positions_and_scores(layer.maps, field)
    dataset = task.dataset.subset(rows)
    groups = landmark_groups(dataset.landmark_names)
    return metrics.name_filters(*found, dataset, landmark_groups=groups or None)

"""Where on an object each filter's part is, found from image labels alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_interp.layers._filter_state import add_state, holds_the_state_of
from keras_interp.layers._labels import LabelScope
from keras_interp.layers._object_frame import (
    TINY,
    Frame,
    object_frame,
    posed_coordinates,
)
from keras_interp.layers._part_search import (
    PartSearch,
    agreement_of_filters,
    say_no_anchor,
    say_no_room,
)
from keras_interp.losses import FilterLossInputs, reject_class_loss
from keras_interp.losses._templates import template_matrix

# Share of a running mean that a batch leaves as it is.
MOMENTUM = 0.95
# Batches with an object after which each step is taken: the anchor is looked for alone;
# the places are laid out; filters are pulled to them; what is there has a say; and so
# has the pose. From the second step on the search waits while the anchor is not found.
LAYOUT_FROM, PLACES_FROM, APPEARANCE_FROM, POSE_FROM = 40.0, 80.0, 100.0, 140.0
# The anchor is found where so many pairs of its filters have one place in common.
LEAST_AGREEMENT = 0.65
# Batches of waiting for the anchor after which that is said.
WAITING_IS_SAID = 60.0
# Of a foreground's logit, in standard deviations over all cells.
FOREGROUND_SLOPE = 4.0
# A place is on the object where that is foreground in a third of the images.
LEAST_FOREGROUND = 0.35
# Sides of the grids of a frame: of its bins, and of the candidates for places.
BINS, CANDIDATES = 24, 21
# Of the cosine between what is at a cell and what is usual at a place.
APPEARANCE = 20.0
# Share by which a cell that other places claim is worth less to a place.
COMPETITION = 1.0
# How far a place is looked for, as a share of the map's longer side.
REACH = 1.5 / 13.0
# Objects are taken for no smaller and no larger than so many times the mean.
SMALLEST, LARGEST = 0.6, 1.6
# Smaller maps have no room for places.
LEAST_SIDE = 6
# Filters that find the part which gives an object its frame: one in four and at most so
# many; and the fewest filters that are worth it.
MOST_ANCHORS, FILTERS_AN_ANCHOR, LEAST_FILTERS = 4, 4, 8
# Weight of the whole loss, and that of the anchor's posterior loss in it.
PARTS_WEIGHT, ANCHOR_SHARE = 0.3, 1.0 / 3.0
# Logit of "nowhere". With 0, a filter that is sure of the neighbourhood and not of the
# cell could be silent at each of its cells: half of the filters of drawn birds were.
NOWHERE_LOGIT = 2.0


class FoundPlaces(NamedTuple):
    """Where the places of the object are in the images of a batch.

    Attributes:
        cells: int32 tensor `(batch, places)`, row-major cells.
        is_object: Tensor `(batch,)`, 1 where the image shows the object, else 0.
        active: Scalar tensor, 1 once there are places, else 0.
        waits: Scalar tensor, 1 while the search waits for its anchor, else 0.
    """

    cells: Any
    is_object: Any
    active: Any
    waits: Any


class PartPlaces(keras.layers.Layer):
    """Running state from which each image's cell for each place on the object follows.

    A few filters, the anchor, find the part that is easiest to learn. Where it is, and
    where the foreground lies, gives every object a frame of its own: origin, axis,
    facing side, size. Places are laid out evenly over what is usually foreground in
    that frame. In an image, a place is looked for around its position, at cells that
    are foreground and look like what is usually there, and more so than like what is
    at other places. The pose of the frame is then fitted to what was found.

    Where the filters of the anchor do not find one and the same place, there is no
    frame: the search waits, and meanwhile all filters have the posterior loss.

    Foreground is where the standardised input maps have much energy; what is usually
    at a place is a running mean of them. Nothing here has a gradient.

    Args:
        places: How many places.
        anchors: How many filters are the anchor, the first ones.
    """

    def __init__(self, places: int, anchors: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.places = places
        self.anchors = anchors
        self.is_said = False
        self.built = True

    def build(self, input_shape: Any) -> None:
        """Does nothing: `prepare` makes the variables."""

    def prepare(self, height: int, width: int, channels: int) -> None:
        """Make the variables and constants.

        Args:
            height: Rows of the maps.
            width: Columns of the maps.
            channels: Channels of the maps that parts are recognised by.
        """
        self.side = float(max(height, width))
        rows, columns = np.indices((height, width)).reshape(2, -1)
        self.cells = np.stack([columns, rows], axis=1).astype("float32")
        self.smoothing = [_mean_of_three(side) for side in (height, width)]
        self.bins = _grid(BINS, (2.0 * np.arange(BINS) + 1.0) / BINS - 1.0) * self.side
        self.bin_area = float((2.0 * self.side / BINS) ** 2)
        steps = np.arange(CANDIDATES) - CANDIDATES // 2
        self.lattice = _grid(CANDIDATES, steps.astype("float64"))
        # Every other row is moved by half a step: triangles cover a plane evenly.
        self.lattice[:, 0] += 0.5 * (self.lattice[:, 1] % 2)
        self.lattice[:, 1] *= np.sqrt(0.75)
        self.steps = add_state(self, "steps", ())
        self.waited = add_state(self, "waited", ())
        self.agreement = add_state(self, "agreement", ())
        self.feature_mean = add_state(self, "feature_mean", (channels,))
        self.feature_variance = add_state(self, "feature_variance", (channels,))
        self.energy_spread = add_state(self, "energy_spread", ())
        self.length = add_state(self, "length", ())
        self.extent = add_state(self, "extent", ())
        self.density = add_state(self, "density", (BINS * BINS,))
        self.centres = add_state(self, "centres", (self.places, 2))
        self.looks = add_state(self, "looks", (self.places, channels))
        self.mean_look = add_state(self, "mean_look", (channels,))

    def find(
        self,
        features: Any,
        anchor_vote: Any,
        is_object: Any,
        training: bool,
        agreement: Any = 1.0,
    ) -> FoundPlaces:
        """The cell of each place in each image.

        Args:
            features: Constant float32 tensor `(batch, height, width, channels)`.
            anchor_vote: Constant tensor `(batch, cells)`, highest at the anchor's part.
            is_object: Tensor `(batch,)`, 1 where the image shows the object, else 0.
            training: Whether the running state learns from the batch.
            agreement: Scalar, how far the anchor's filters agree on the batch, 0 to 1.
        """
        steps = ops.convert_to_tensor(self.steps)
        usable = ops.isfinite(ops.sum(features, axis=(1, 2, 3)))
        features = ops.where(usable[:, None, None, None], features, 0.0)
        objects = ops.multiply(is_object, ops.cast(usable, "float32"))
        followed = _Followed(self, objects, training)
        waits = self._waits(agreement, followed)
        standard = self._standardised(features, followed)
        foreground = self._foreground(standard, followed)
        frame = self._frame(anchor_vote, foreground, followed)
        centres = self._laid_out(frame, foreground, followed)
        looks = self._smoothed(standard)
        batch, height, width, channels = ops.shape(looks)
        looks = ops.reshape(looks, (batch, height * width, channels))
        alike = self._alikeness(looks) * _from(steps, APPEARANCE_FROM)
        on_object = ops.log(foreground + 0.02)[:, :, None]
        coordinates = self._posed(frame, centres, alike + on_object)
        near = self._nearness(coordinates, centres, 1.0) + on_object
        cells = _first_highest(near + alike)
        found = FoundPlaces(cells, objects, _from(steps, PLACES_FROM), waits)
        self._remember(looks, foreground, near, followed)
        # Last, since what was read of a variable may follow it.
        followed.keep(self.steps, steps + 1.0 - waits)
        return found

    def _waits(self, agreement: Any, followed: _Followed) -> Any:
        """1 where places could be laid out if only the anchor were found, else 0."""
        steps = ops.convert_to_tensor(self.steps)
        agreement = ops.convert_to_tensor(agreement, dtype="float32")
        lost = followed(self.agreement, agreement) < LEAST_AGREEMENT
        waits = _from(steps, LAYOUT_FROM) * (1.0 - _from(steps, PLACES_FROM))
        waits = waits * ops.cast(lost, "float32")
        followed.keep(self.waited, self.waited + waits)
        return waits

    def found_in(
        self,
        inputs: FilterLossInputs,
        features: Any,
        scope: LabelScope | None,
        training: bool,
    ) -> FoundPlaces:
        """Where the places are: found here, or by a layer before this one in the model.

        The first layer recognises parts by maps that were learnt for many things; the
        maps behind it know the one part that is easiest to learn, and little else.

        Args:
            inputs: What the filter loss of the maps is computed from.
            features: Tensor `(batch, height, width, channels)`.
            scope: What the layers of a model share in a forward pass, or None.
            training: Whether the running state learns from the batch.
        """
        size = tuple(inputs.feature_maps.shape[1:3])
        if scope is not None and size in scope.places:
            return scope.places[size]
        anchors = slice(self.anchors)
        maps = ops.stop_gradient(inputs.feature_maps)[..., anchors]
        alive = ops.cast(ops.max(maps, axis=(1, 2), keepdims=True) > 0, "float32")
        templates = ops.relu(inputs.peak_templates[..., anchors])
        vote = ops.sum(templates * alive, axis=-1)
        vote = ops.reshape(vote, (ops.shape(vote)[0], len(self.cells)))
        shows = ops.mean(inputs.targets[:, anchors], axis=1) > 0.5
        features = ops.cast(ops.stop_gradient(features), "float32")
        shows = ops.cast(shows, "float32")
        agreement = agreement_of_filters(
            inputs.peak_cells[:, anchors], alive[:, 0, 0], shows, *size
        )
        found = self.find(features, vote, shows, training, agreement)
        if scope is not None:
            scope.places[size] = found
        return found

    def loss(
        self,
        posterior_loss: Any,
        inputs: FilterLossInputs,
        logits: Any,
        found: FoundPlaces,
    ) -> Any:
        """Loss of all filters: the anchor's posterior loss, the others' reject class.

        Before the places are laid out, the anchor learns alone; while the search waits
        for it, all filters have the posterior loss.

        Args:
            posterior_loss: Tensor `(filters,)`.
            inputs: What that loss was computed from.
            logits: Tensor `(batch, height, width, filters or more)`, the activations
                before their ReLU.
            found: Where the places are.
        """
        count = inputs.feature_maps.shape[-1] - self.anchors
        logits = ops.cast(logits, "float32")
        logits = logits[..., self.anchors : self.anchors + count]
        logits = ops.reshape(logits, (ops.shape(logits)[0], len(self.cells), count))
        of_filter = np.arange(count) % found.cells.shape[1]
        templates = ops.relu(inputs.templates[:-1])
        templates = templates / ops.sum(templates, axis=1, keepdims=True)
        assigned = ops.take(found.cells, of_filter, axis=1)
        templates = ops.transpose(ops.take(templates, assigned, axis=0), (0, 2, 1))
        # Only differences of logits count.
        logits = logits - NOWHERE_LOGIT
        pull = reject_class_loss(logits, templates, found.is_object)
        posterior = ANCHOR_SHARE * posterior_loss
        pull = found.active * pull + found.waits * posterior[self.anchors :]
        return ops.concatenate([posterior[: self.anchors], pull])

    # The object and its frame -----------------------------------------------------

    def _standardised(self, features: Any, followed: _Followed) -> Any:
        mean = ops.mean(features, axis=(0, 1, 2))
        variance = ops.mean(ops.square(features - mean), axis=(0, 1, 2))
        mean = followed(self.feature_mean, mean)
        variance = followed(self.feature_variance, variance)
        floor = 1e-3 * ops.mean(variance) + 1e-9
        return (features - mean) / ops.sqrt(variance + floor)

    def _smoothed(self, maps: Any) -> Any:
        """Mean of each cell and its neighbours, maps `(batch, height, width, any)`."""
        by_row, by_column = map(ops.convert_to_tensor, self.smoothing)
        maps = ops.einsum("ij,bjwc->biwc", by_row, maps)
        return ops.einsum("ij,bhjc->bhic", by_column, maps)

    def _foreground(self, standard: Any, followed: _Followed) -> Any:
        """Probability-like `(batch, cells)`, by the energy of the standardised maps."""
        energy = ops.mean(ops.square(standard), axis=-1, keepdims=True)
        logit = self._smoothed(ops.log(energy + 0.01))
        logit = ops.reshape(logit, (ops.shape(logit)[0], -1))
        logit = logit - ops.mean(logit, axis=1, keepdims=True)
        spread = ops.sqrt(followed.mean(ops.mean(ops.square(logit), axis=1)))
        spread = followed(self.energy_spread, spread)
        return ops.sigmoid(FOREGROUND_SLOPE * logit / ops.maximum(spread, TINY))

    def _frame(self, anchor_vote: Any, foreground: Any, followed: _Followed) -> Frame:
        at_anchor = _first_highest(anchor_vote[:, :, None])[:, 0]
        at_anchor = ops.one_hot(at_anchor, len(self.cells))
        means = (
            lambda length: followed(self.length, followed.mean(length)),
            lambda extent: followed(self.extent, followed.mean(extent)),
        )
        sizes = (SMALLEST, LARGEST)
        return object_frame(at_anchor, foreground, self.cells, means, sizes)

    # Places -----------------------------------------------------------------------

    def _laid_out(self, frame: Frame, foreground: Any, followed: _Followed) -> Any:
        """Centres of the places `(places, 2)`: a lattice over the usual foreground."""
        steps = ops.convert_to_tensor(self.steps)
        index = ops.floor((frame.coordinates / self.side + 1.0) * (0.5 * BINS))
        inside = ops.all((index >= 0) & (index < BINS), axis=-1)
        index = ops.cast(ops.clip(index, 0, BINS - 1), "int32")
        index = index[..., 0] * BINS + index[..., 1]
        mass = foreground * ops.cast(inside, "float32") * followed.share[:, None]
        found = ops.segment_sum(
            ops.reshape(mass, (-1,)), ops.reshape(index, (-1,)), BINS * BINS
        )
        lays_out = _from(steps, LAYOUT_FROM) * (1.0 - _from(steps, PLACES_FROM))
        density = followed(
            self.density, found, when=lays_out, first=steps <= LAYOUT_FROM
        )
        covered = ops.cast(density > LEAST_FOREGROUND * self.bin_area, "float32")
        area = ops.maximum(ops.sum(covered), 1.0) * self.bin_area
        spacing = ops.sqrt(area / (self.places * np.sqrt(0.75)))
        candidates = ops.convert_to_tensor(self.lattice.astype("float32")) * spacing
        bins = ops.convert_to_tensor(self.bins.astype("float32"))
        near = ops.exp(
            -_squared_distances(candidates, bins) / (2 * ops.square(0.4 * spacing))
        )
        worth = ops.matmul(near, density[:, None])[:, 0]
        chosen = ops.take(
            candidates, ops.top_k(worth, self.places, sorted=True)[1], axis=0
        )
        old = ops.convert_to_tensor(self.centres)
        centres = ops.where(lays_out > 0, chosen, old)
        followed.keep(self.centres, centres)
        return centres

    def _nearness(self, coordinates: Any, centres: Any, wider: float) -> Any:
        """Log prior of the places, `(batch, cells, places)`."""
        reach = REACH * self.side * wider
        squares = ops.sum(ops.square(coordinates), axis=-1, keepdims=True)
        products = ops.matmul(coordinates, ops.transpose(centres))
        own = ops.sum(ops.square(centres), axis=1)
        return -(squares - 2.0 * products + own) / (2.0 * reach**2)

    def _alikeness(self, looks: Any) -> Any:
        """How much a cell looks like what is usual at a place, against other places."""
        mean = ops.convert_to_tensor(self.mean_look)
        usual = _directions(ops.convert_to_tensor(self.looks) - mean)
        alike = APPEARANCE * ops.matmul(_directions(looks - mean), ops.transpose(usual))
        claimed = ops.logsumexp(alike, axis=2, keepdims=True)
        return alike - COMPETITION * claimed

    def _remember(
        self, looks: Any, foreground: Any, near: Any, followed: _Followed
    ) -> None:
        """What is at the places by position alone: what was found does not feed it."""
        steps = ops.convert_to_tensor(self.steps)
        when, first = _from(steps, PLACES_FROM), steps <= PLACES_FROM
        at = ops.one_hot(_first_highest(near), len(self.cells), axis=-1)
        at = at * followed.share[:, None, None]
        seen = ops.sum(ops.matmul(at, looks), axis=0)
        followed(self.looks, seen, when=when, first=first)
        weight = foreground * followed.share[:, None]
        mean = ops.sum(weight[:, :, None] * looks, axis=(0, 1)) / ops.maximum(
            ops.sum(weight), TINY
        )
        followed(self.mean_look, mean, when=when, first=first)

    # Pose -------------------------------------------------------------------------

    def _posed(self, frame: Frame, centres: Any, evidence: Any) -> Any:
        """Coordinates in the pose that fits what is seen at the places."""
        scores = evidence + self._nearness(frame.coordinates, centres, 2.0)
        posterior = ops.softmax(scores, axis=1)
        height, width = (len(matrix) for matrix in self.smoothing)
        templates = template_matrix(height, width, 4.0, "l1")[:-1]
        mass = ops.matmul(ops.relu(templates), posterior)
        peaks = ops.one_hot(_first_highest(mass), len(self.cells), axis=-1)
        posed = posed_coordinates(
            frame,
            self.cells,
            centres,
            ops.matmul(peaks, ops.convert_to_tensor(self.cells)),
            ops.max(mass, axis=1),
            ops.convert_to_tensor(self.length),
        )
        poses = ops.convert_to_tensor(self.steps) >= POSE_FROM
        return ops.where(poses, posed, frame.coordinates)

    # What the user is told ---------------------------------------------------------

    def search(self) -> PartSearch:
        """How far the search has come."""
        steps = float(self.steps.numpy())
        batches = int(steps + self.waited.numpy())
        agreement = float(self.agreement.numpy())
        return PartSearch(batches, agreement, steps >= PLACES_FROM, steps >= POSE_FROM)

    def say_if_lost(self, layer_name: str) -> None:
        """Log once that the anchor has not been found for long."""
        lost = self.steps.numpy() < PLACES_FROM
        if lost and self.waited.numpy() >= WAITING_IS_SAID and not self.is_said:
            self.is_said = True
            say_no_anchor(layer_name, self.search(), LEAST_AGREEMENT)

    def load_own_variables(self, store: Any) -> None:
        if holds_the_state_of(self, store):
            super().load_own_variables(store)

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: running state is no kernel."""


def places_for(mask: Any, shape: tuple[Any, ...]) -> PartPlaces | None:
    """Places for the interpretable filters of a layer, or None where there is no room.

    Args:
        mask: The `InterpretableMask`.
        shape: Of its maps.
    """
    _, height, width, channels = shape
    filters = mask.interpretable_filters
    known = height is not None and width is not None
    if filters >= LEAST_FILTERS and known and min(height, width) >= LEAST_SIDE:
        anchors = min(MOST_ANCHORS, filters // FILTERS_AN_ANCHOR)
        count = min(mask.parts or filters, filters - anchors)
        places = PartPlaces(count, anchors, name="places")
        places.prepare(height, width, mask.feature_channels or channels)
        return places
    if mask.feature_channels is not None and filters:
        say_no_room(mask.name, (LEAST_FILTERS, LEAST_SIDE), (filters, height, width))
    return None


class _Followed:
    """Running means over the objects of the batches, kept in training alone."""

    def __init__(self, state: PartPlaces, objects: Any, training: bool):
        self.training = training
        count = ops.sum(objects)
        self.share = objects / ops.maximum(count, 1.0)
        self.counts = count > 0
        self.starts = ops.convert_to_tensor(state.steps) == 0

    def mean(self, values: Any) -> Any:
        """Mean over the objects of numbers `(batch,)`."""
        return ops.sum(values * self.share)

    def __call__(
        self, variable: Any, value: Any, when: Any = 1.0, first: Any = None
    ) -> Any:
        """The running mean with the batch in it, where the batch counts."""
        old = ops.convert_to_tensor(variable)
        first = self.starts if first is None else first
        moved = ops.where(first, value, MOMENTUM * old + (1.0 - MOMENTUM) * value)
        # A batch that is no number must not spoil the state for good.
        counts = self.counts & (when > 0) & ops.isfinite(ops.sum(value))
        new = ops.where(counts, moved, old)
        if self.training:
            variable.assign(new)
        return new

    def keep(self, variable: Any, value: Any) -> None:
        """Set a variable where the batch counts."""
        if self.training:
            old = ops.convert_to_tensor(variable)
            variable.assign(ops.where(self.counts, value, old))


def _from(steps: Any, first: float) -> Any:
    return ops.cast(steps >= first, "float32")


def _directions(vectors: Any) -> Any:
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors / ops.sqrt(squares + TINY)


def _squared_distances(points: Any, others: Any) -> Any:
    return ops.sum(ops.square(points[:, None] - others[None]), axis=-1)


def _first_highest(scores: Any) -> Any:
    """Row-major cell `(batch, any)` of the highest of scores `(batch, cells, any)`."""
    cells = scores.shape[1]
    is_highest = scores >= ops.max(scores, axis=1, keepdims=True)
    index = ops.arange(cells, dtype="int32")[None, :, None]
    return ops.min(ops.where(is_highest, index, cells - 1), axis=1)


def _mean_of_three(side: int) -> np.ndarray:
    """Matrix that takes the mean of each cell and its neighbours along one side."""
    distance = np.abs(np.arange(side)[:, None] - np.arange(side)[None])
    near = (distance <= 1).astype("float32")
    return near / near.sum(axis=1, keepdims=True)


def _grid(count: int, positions: np.ndarray) -> np.ndarray:
    """All pairs of positions, `(count * count, 2)`, the first number slowest."""
    return np.stack(np.meshgrid(positions, positions, indexing="ij"), -1).reshape(-1, 2)

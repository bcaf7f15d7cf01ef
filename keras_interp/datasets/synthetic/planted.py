"""Planted data: images whose scores are a known sum over known parts."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from keras_interp.datasets._field_checks import (
    check_choice,
    check_count,
    check_share,
    refused,
)
from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.synthetic.birds import synthetic_birds

CELLS = 13  # along each side
CELL_PIXELS = 8
_SIZE = CELLS * CELL_PIXELS
# Columns and rows of the cells around which the five parts of plain images lie.
_PLACES = np.array([[6, 2], [2, 5], [10, 5], [4, 10], [9, 10]])
_PLAIN_PARTS = ("crown", "left wing", "right wing", "belly", "tail")
_BIRD_PARTS = ("beak", "back", "belly", "left wing", "tail")
_COLOURS = np.array(
    [[40, -10, -25], [-25, 35, -20], [-20, -15, 40], [35, 30, -35], [25, -30, 30]]
)
_GRAY = 128.0
# Gray levels of an activation of 1 in the pattern of its channel.
_AMPLITUDE = 80.0
# Rounding to whole gray levels moves an activation by less; what is below is none.
THRESHOLD = 0.03
_IMAGES_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class PlantedParts:
    """A made world in which it is known what a class score stands for.

    Each image has five parts near places of their own. A part is *on* or *off*, and a
    part that is on shows the patterns of its channels, in one of 13x13 cells. Other
    channels, of no part, show theirs in cells of chance. The score of a target is a
    weighted sum of the greatest values of the parts' channels and of nothing else.

    `keras_interp.models.planted_network` is the network that computes just these
    scores from the pixels: its kernels are the patterns. What an explanation of it
    should say is therefore known.

    Example:

    >>> import keras_interp as ki
    >>> planted = ki.datasets.PlantedParts(targets=3)
    >>> dataset = planted.load(50)
    >>> dataset.images.shape, dataset.landmarks.shape
    ((50, 104, 104, 3), (50, 5, 2))
    >>> planted.scores(dataset.ids).shape
    (50, 3)

    Args:
        targets: number of scores, each with weights of its own.
        used_parts: how many of the five parts a score is a sum over; the others have
            weight 0.
        channels_per_part: channels that show a part.
        random_channels: channels that belong to no part; with the others 160 at most.
        share_on: share of the images in which a part is on, each part by itself.
        jitter: greatest distance of a part from its place, in cells along each axis,
            in plain images; 0 to 2.
        noise: relative deviation of a channel's value from that of its part.
        pictures: `"plain"` (five coloured squares on gray) or `"birds"`: those of
            `synthetic_birds`, where parts are hidden at times and lie closer.
        seed: of weights, images and everything else.

    Raises:
        ValueError: if an argument is outside its range.

    Reference:
        Made for Qi and Li, Learning Explainable Embeddings for Deep Networks, 2017:
        data on which "Locality" and "Faithfulness" of section 3 have a known best.
    """

    targets: int = 8
    used_parts: int = 5
    channels_per_part: int = 8
    random_channels: int = 40
    share_on: float = 0.35
    jitter: int = 2
    noise: float = 0.2
    pictures: str = "plain"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("targets", "used_parts", "channels_per_part"):
            check_count(name, getattr(self, name))
        check_share("share_on", self.share_on)
        check_choice("pictures", self.pictures, ("plain", "birds"))
        if self.used_parts > len(self.part_names):
            raise refused("used_parts from 1 to 5", used_parts=self.used_parts)
        if self.random_channels < 0 or self.channels > 160:
            raise refused(
                "random_channels of 0 or more, and 160 channels at most",
                random_channels=self.random_channels,
                channels_per_part=self.channels_per_part,
            )
        if self.jitter not in (0, 1, 2):
            raise refused("jitter as 0, 1 or 2 cells", jitter=self.jitter)
        if not self.noise >= 0:
            raise refused("noise of 0 or more", noise=self.noise)

    @property
    def part_names(self) -> list[str]:
        """Names of the five parts."""
        return list(_PLAIN_PARTS if self.pictures == "plain" else _BIRD_PARTS)

    @property
    def channels(self) -> int:
        """Number of channels: first those of the parts, then the random ones."""
        parts = len(self.part_names)
        return parts * self.channels_per_part + self.random_channels

    @property
    def channel_parts(self) -> np.ndarray:
        """int `(channels,)`, the part that each channel shows, -1 for none."""
        parts = np.repeat(np.arange(len(self.part_names)), self.channels_per_part)
        return np.concatenate([parts, np.full(self.random_channels, -1)])

    @property
    def part_weights(self) -> np.ndarray:
        """float64 `(targets, 5)`, what a part of strength 1 adds to each score."""
        random, parts = self._random("weights"), len(self.part_names)
        weights = random.uniform(0.5, 1.5, (self.targets, parts))
        order = random.permuted(np.tile(np.arange(parts), (self.targets, 1)), axis=1)
        return np.where(order < self.used_parts, weights, 0.0)

    @property
    def channel_weights(self) -> np.ndarray:
        """float64 `(channels, targets)`: the scores are `peaks @ channel_weights`."""
        weights = self.part_weights.T[np.maximum(self.channel_parts, 0)]
        weights = weights / self.channels_per_part
        return np.where(self.channel_parts[:, None] >= 0, weights, 0.0)

    @property
    def patterns(self) -> np.ndarray:
        """float64 `(channels, 8, 8, 3)`, orthonormal, what a channel looks like.

        Cosine waves of one colour each, the finest first, without the constant.
        """
        steps = np.arange(CELL_PIXELS)
        waves = np.cos(np.pi * np.outer(steps, 2 * steps + 1) / (2 * CELL_PIXELS))
        waves /= np.linalg.norm(waves, axis=1, keepdims=True)
        down, across = np.divmod(np.arange(1, CELL_PIXELS**2), CELL_PIXELS)
        finest = np.argsort(-(down + across), kind="stable")
        pictures = np.einsum("ny,nx->nyx", waves[down[finest]], waves[across[finest]])
        number, colour = np.divmod(np.arange(self.channels), 3)
        return pictures[number][..., None] * np.eye(3)[colour][:, None, None]

    def load(self, num_images: int = 2000, test_fraction: float = 0.25) -> PartsDataset:
        """Draws images.

        The image with number i is the same whatever `num_images` is; of birds only
        with the same `test_fraction`.

        Args:
            num_images: how many.
            test_fraction: share of the split `"test"`, the last images.

        Returns:
            A `PartsDataset` of 104x104 pixels with a landmark in the middle of each
            part's cell, NaN where a bird hides it. The label is the target whose score
            stands out most.

        Raises:
            ValueError: if `num_images` is not positive or `test_fraction` no share.
        """
        check_count("num_images", num_images)
        check_share("test_fraction", test_fraction)
        ids = np.arange(num_images)
        landmarks, boxes, behind = self._scene(num_images)
        images = np.empty((num_images, _SIZE, _SIZE, 3), "uint8")
        for start in range(0, num_images, _IMAGES_AT_ONCE):
            some = slice(start, start + _IMAGES_AT_ONCE)
            maps = self._maps(self.peaks(ids)[some], ids[some], landmarks[some])
            images[some] = self._paint(maps, behind(some))
        scores = self.scores(ids)
        spread = np.maximum(scores.std(axis=0), 1e-9)
        first_test = num_images - int(num_images * test_fraction + 1e-9)
        return PartsDataset(
            images=images,
            labels=((scores - scores.mean(axis=0)) / spread).argmax(axis=1),
            class_names=[f"target {number}" for number in range(self.targets)],
            landmarks=landmarks,
            landmark_names=self.part_names,
            boxes=boxes,
            ids=ids,
            split=np.where(ids < first_test, "train", "test"),
        )

    def strengths(self, ids: Any) -> np.ndarray:
        """How strongly each part is on, 0 where it is off.

        Args:
            ids: int `(N,)`, numbers of images, the `ids` of the dataset.

        Returns:
            float64 `(N, 5)`.
        """
        count, parts = _numbers(ids).max(initial=-1) + 1, len(self.part_names)
        on = self._random("on").random((count, parts)) < self.share_on
        strength = self._random("strength").uniform(0.5, 1.5, (count, parts))
        if self.pictures == "birds" and count:
            on &= np.isfinite(self._birds(count).landmarks[..., 0])
        return (on * strength)[_numbers(ids)]

    def peaks(self, ids: Any) -> np.ndarray:
        """Greatest value of each channel in an image: what an explanation starts from.

        Args:
            ids: int `(N,)`, numbers of images.

        Returns:
            float64 `(N, channels)`.
        """
        count = _numbers(ids).max(initial=-1) + 1
        deviation = self._random("noise").standard_normal((count, self.channels))
        values = np.maximum(0.0, 1.0 + self.noise * deviation)[_numbers(ids)]
        random = self._random("random").uniform(0, 1.5, (count, self.random_channels))
        of_parts = self.channel_parts >= 0
        values[:, of_parts] *= self.strengths(ids)[:, self.channel_parts[of_parts]]
        values[:, ~of_parts] = random[_numbers(ids)]
        return values

    def scores(self, ids: Any) -> np.ndarray:
        """The known class scores.

        Args:
            ids: int `(N,)`, numbers of images.

        Returns:
            float64 `(N, targets)`.
        """
        return self.peaks(ids) @ self.channel_weights

    def _random(self, use: str) -> np.random.Generator:
        """Numbers of their own for each use: images do not depend on how many."""
        return np.random.default_rng([self.seed, *use.encode()])

    def _scene(self, count: int) -> tuple[np.ndarray, Any, Any]:
        """Landmarks and boxes in pixels, and what gives the background of images."""
        if self.pictures == "birds":
            birds = self._birds(count)
            return birds.landmarks, birds.boxes, _washed(birds.images, self.patterns)
        shape = (count, *_PLACES.shape)
        moved = self._random("places").integers(-2, 3, shape)
        cells = _PLACES + np.clip(moved, -self.jitter, self.jitter)
        boxes = np.concatenate([cells.min(axis=1) - 1, cells.max(axis=1) + 2], axis=1)
        boxes = np.clip(boxes, 0, CELLS) * float(CELL_PIXELS)
        centres = (CELL_PIXELS * cells + 0.5 * CELL_PIXELS - 0.5).astype("float32")
        return (
            centres,
            boxes.astype("float32"),
            functools.partial(_squares, cells, self.patterns),
        )

    def _birds(self, count: int) -> PartsDataset:
        return _planted_birds(count, self.seed)

    def _maps(
        self, peaks: np.ndarray, ids: np.ndarray, landmarks: np.ndarray
    ) -> np.ndarray:
        """Maps `(N, 13, 13, channels)`, each channel in one cell."""
        shape = (ids[-1] + 1, self.random_channels, 2)
        anywhere = self._random("cells").integers(CELLS, size=shape)[ids]
        places = np.nan_to_num(
            landmarks[:, self.channel_parts[self.channel_parts >= 0]]
        )
        of_parts = np.clip(places // CELL_PIXELS, 0, CELLS - 1).astype(int)
        column, row = np.concatenate([of_parts, anywhere], axis=1).transpose(2, 0, 1)
        maps = np.zeros((len(ids), CELLS, CELLS, self.channels), "float32")
        image, channel = np.indices(peaks.shape)
        maps[image, row, column, channel] = np.where(peaks > 0, peaks + THRESHOLD, 0)
        return maps

    def _paint(self, maps: np.ndarray, behind: np.ndarray) -> np.ndarray:
        """Images `(N, 104, 104, 3)` that show maps on a background of cells."""
        flat = self.patterns.reshape(self.channels, -1).astype("float32")
        cells = behind + _AMPLITUDE * (maps @ flat)
        return np.clip(np.rint(_from_cells(cells)), 0, 255).astype("uint8")

    def kernel(self) -> np.ndarray:
        """float32 `(8, 8, 3, channels)`, the convolution that reads the channels."""
        return (self.patterns.transpose(1, 2, 3, 0) / _AMPLITUDE).astype("float32")


def planted_parts(
    num_images: int = 2000,
    *,
    targets: int = 8,
    used_parts: int = 5,
    channels_per_part: int = 8,
    random_channels: int = 40,
    share_on: float = 0.35,
    jitter: int = 2,
    noise: float = 0.2,
    pictures: str = "plain",
    test_fraction: float = 0.25,
    seed: int = 0,
) -> PartsDataset:
    """Draws images whose class scores are a known sum over known parts.

    The dataset of `PlantedParts`, which also has the scores and the network.

    Example:

    >>> import keras_interp as ki
    >>> dataset = ki.datasets.load("planted_parts", num_images=20)
    >>> dataset.landmark_names
    ['crown', 'left wing', 'right wing', 'belly', 'tail']

    Args:
        num_images: how many images.
        targets: number of scores, each with weights of its own.
        used_parts: how many of the five parts a score is a sum over; the others have
            weight 0.
        channels_per_part: channels that show a part.
        random_channels: channels that belong to no part; with the others 160 at most.
        share_on: share of the images in which a part is on, each part by itself.
        jitter: greatest distance of a part from its place, in cells along each axis,
            in plain images; 0 to 2.
        noise: relative deviation of a channel's value from that of its part.
        pictures: `"plain"` (five coloured squares on gray) or `"birds"`: those of
            `synthetic_birds`.
        test_fraction: share of the split `"test"`, the last images.
        seed: of weights, images and everything else.

    Returns:
        A `PartsDataset` of 104x104 pixels with five landmarks and boxes.

    Raises:
        ValueError: if an argument is outside its range.
    """
    planted = PlantedParts(
        targets=targets,
        used_parts=used_parts,
        channels_per_part=channels_per_part,
        random_channels=random_channels,
        share_on=share_on,
        jitter=jitter,
        noise=noise,
        pictures=pictures,
        seed=seed,
    )
    return planted.load(num_images, test_fraction)


@functools.lru_cache(maxsize=2)
def _planted_birds(count: int, seed: int) -> PartsDataset:
    """Drawn birds with the landmarks that parts are planted at."""
    birds = synthetic_birds(count, _SIZE, part_masks=False, captions=False, seed=seed)
    chosen = [birds.landmark_names.index(name) for name in _BIRD_PARTS]
    return dataclasses.replace(
        birds,
        landmarks=birds.landmarks[:, chosen],
        landmark_names=list(_BIRD_PARTS),
    )


def _numbers(ids: Any) -> np.ndarray:
    """Numbers of images as integers `(N,)`."""
    numbers = np.asarray(ids)
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise refused("ids as integers of shape (images,)", "Pass dataset.ids", ids=ids)
    if np.any(numbers < 0):
        raise refused("ids of 0 or more", "Pass dataset.ids", ids=ids)
    return numbers.astype(int)


def _squares(cells: np.ndarray, patterns: np.ndarray, some: slice) -> np.ndarray:
    """Cells of gray images `(N, 13, 13, 192)` with a coloured square at each part.

    A fine grain, the same in all images, keeps the error of rounding to whole gray
    levels from following the patterns.
    """
    shape = (len(cells[some]), CELLS, CELLS, CELL_PIXELS**2, 3)
    grain = np.random.default_rng(0).normal(0.0, 2.0, (CELLS, CELLS, shape[3] * 3))
    plain = np.full(shape, _GRAY, "float32")
    image, part = np.indices(cells[some].shape[:2])
    column, row = cells[some].transpose(2, 0, 1)
    plain[image, row, column] += _COLOURS[part][:, :, None]
    return plain.reshape(*shape[:3], -1) + _without(patterns, grain).astype("float32")


def _washed(images: np.ndarray, patterns: np.ndarray) -> Any:
    """What gives cells of images of low contrast without anything of the patterns."""

    def cells(some: slice) -> np.ndarray:
        softer = _GRAY + 0.6 * (images[some].astype("float32") - _GRAY)
        return _without(patterns, _to_cells(softer))

    return cells


def _without(patterns: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Cells `(..., 192)` less what they hold of the patterns."""
    flat = patterns.reshape(len(patterns), -1).astype(cells.dtype)
    return cells - (cells @ flat.T) @ flat


def _to_cells(images: np.ndarray) -> np.ndarray:
    """Images `(N, 104, 104, 3)` as cells `(N, 13, 13, 192)`."""
    split = images.reshape(-1, CELLS, CELL_PIXELS, CELLS, CELL_PIXELS, 3)
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(len(images), CELLS, CELLS, -1)


def _from_cells(cells: np.ndarray) -> np.ndarray:
    """Cells `(N, 13, 13, 192)` as images `(N, 104, 104, 3)`."""
    split = cells.reshape(-1, CELLS, CELLS, CELL_PIXELS, CELL_PIXELS, 3)
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(len(cells), _SIZE, _SIZE, 3)

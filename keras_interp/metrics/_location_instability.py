"""Location instability of filters (Zhang, Wu and Zhu, CVPR 2018)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_interp import _backend
from keras_interp.metrics._instability_baselines import (
    RULES,
    baselines_by_category,
    check_sums,
    deviation,
    distance,
    distance_deviations,
    filter_categories,
    landmark_categories,
    mean_without_nan,
)
from keras_interp.metrics._peaks import (
    LocatedPeaks,
    candidate_cells,
    check_cells,
    check_integers,
    check_same_settings,
    height_width,
    to_numpy,
)
from keras_interp.metrics._scores import FilterScores, mean_of_known


@dataclasses.dataclass(frozen=True)
class LocationInstabilityScores(FilterScores):
    """Location instability with the baselines it must be read beside.

    Args:
        value: mean over the filters that could be judged.
        per_filter: float `(F,)`, mean over landmarks.
        per_landmark: float `(F, K)`, D of each filter and landmark (on the filter's
            category where there are several), NaN with fewer than 2 images.
        category: int `(F,)`, category on which each filter was judged; `None` without
            labels.
        baseline_constant: the same figure for a filter that always fires at one place,
            the best one.
        baseline_center: for a filter that always fires in the middle of the image.
        baseline_random: mean of 32 filters that fire at a random place.
    """

    per_landmark: np.ndarray
    category: np.ndarray | None
    baseline_constant: float
    baseline_center: float
    baseline_random: float


def location_instability(
    positions: Any,
    scores: Any,
    landmarks: Any,
    image_size: int | tuple[int, int],
    top: int | None = 100,
    ddof: int = 1,
    *,
    labels: Any = None,
    assign: Any = "min",
    activation_sums: Any = None,
    cells: Any = None,
    seed: int = 0,
) -> LocationInstabilityScores:
    """Measures how much the distance from a filter's peak to the landmarks varies.

    For filter f and landmark k, `D = std(||p_k - mu_f||) / diagonal` over the `top`
    images with the highest peak among those that show the landmark; the figure of a
    filter is the mean over landmarks, the value the mean over filters. Pairs with fewer
    than 2 images are left out, and so are filters without any pair. Of images with
    equal scores those that come first count.

    The lower the better, but never read it alone: **a filter that always fires in the
    middle of the image scores as well as a perfect part detector**. The result
    carries that baseline. `keras_interp.metrics.tracking` and `hit_gain` tell the two
    apart.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> positions = [[[87.5, 103.5]], [[135.5, 71.5]], [[39.5, 151.5]]]
    >>> landmarks = [[[100.0, 100.0]], [[60.0, 120.0]], [[50.0, 150.0]]]
    >>> found = ki.metrics.location_instability(
    ...     positions, np.ones((3, 1)), landmarks, image_size=224
    ... )
    >>> round(found.value, 6)
    0.142102

    Args:
        positions: float `(N, F, 2)`, (x, y) of each filter's peak in pixels, NaN where
            it does not fire.
        scores: float `(N, F)`, the peak values; 0 or NaN where it does not fire.
        landmarks: float `(N, K, 2)`, (x, y) in pixels, NaN where absent.
        image_size: side of the images, or `(height, width)`, in pixels.
        top: images per filter and landmark, `None` for all.
        ddof: 1 for the unbiased variance (the released code), 0 for the plain one.
        labels: int `(N,)`, category of each image, where there are several with
            landmarks. Categories whose images show no landmark are passed over.
        assign: with `labels`, how a filter gets its category. "min": the category with
            the least figure (the paper, for ordinary networks). "argmax_peak": the one
            with the highest mean peak (the released code). "argmax_sum": the one with
            the highest mean of summed maps, from `activation_sums`. Or int `(F,)`,
            such as an interpretable layer's `filter_categories`.
        activation_sums: float `(N, F)`, sum of each map over its cells.
        cells: float `(M, 2)` or `(H, W, 2)`, the places at which the baselines may
            fire, in pixels, such as `receptive_field.centers(height, width)`; by
            default the centres of a regular 16x16 grid over the image.
        seed: of the random baseline.

    Returns:
        `LocationInstabilityScores`. Of its baselines, `.baseline_constant` is the best
        of `cells`, the middle of the image and the 256 places where the filters peak
        most often; constants are judged on all images that show a landmark, as they
        have no scores to choose by. `.baseline_center` is the middle of the image.
        `.baseline_random` fires at one of `cells`, each as likely, with random scores,
        under the same `top`. With labels, baselines follow the same rule: for "min"
        each takes its best category; otherwise they are judged, for each filter, on
        that filter's category.

    Raises:
        ValueError: if a shape, type or option does not fit.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.2.
    """
    _check_options(top, ddof)
    peaks = LocatedPeaks.check(positions, scores, landmarks, image_size)
    category = None
    if labels is not None:
        labels = check_integers(labels, "labels", len(peaks.positions))
        category = filter_categories(assign, peaks, labels, activation_sums)
    if labels is not None and category is None:
        table, category = _least_category(peaks, labels, top, ddof)
    else:
        table = np.full((peaks.firing.shape[1], peaks.present.shape[1]), np.nan)
        for images, filters in peaks.groups(labels, category):
            group = peaks.subset(images, filters)
            table[filters] = distance_deviations(group, top, ddof)
    per_filter = mean_without_nan(table, axis=1)
    groups, weights = _baseline_groups(peaks, labels, assign, category, per_filter)
    baselines = baselines_by_category(
        groups,
        weights,
        constants=candidate_cells(peaks.positions, peaks.firing, image_size, cells),
        cells=check_cells(cells, image_size),
        top=top,
        ddof=ddof,
        seed=seed,
    )
    return LocationInstabilityScores(
        value=mean_of_known(per_filter),
        per_filter=per_filter,
        per_landmark=table,
        category=category,
        baseline_constant=baselines.constant,
        baseline_center=baselines.center,
        baseline_random=baselines.random,
    )


def _check_options(top: int | None, ddof: int) -> None:
    if top is not None and (not isinstance(top, int | np.integer) or top < 2):
        raise ValueError(
            "Expected top as a whole number of at least 2 images, or None for all of "
            f"them. Received: top={top!r}. Pass 100, as the paper does."
        )
    if ddof not in (0, 1):
        raise ValueError(
            "Expected ddof as 1 (unbiased variance) or 0 (plain). Received: "
            f"ddof={ddof!r}. Pass 1, as the released code does."
        )


def _least_category(
    peaks: LocatedPeaks, labels: np.ndarray, top: int | None, ddof: int
) -> tuple[np.ndarray, np.ndarray]:
    """D `(F, K)` on each filter's category with the least mean, and that category."""
    categories = landmark_categories(peaks, labels)
    filters, landmarks = peaks.firing.shape[1], peaks.present.shape[1]
    if not categories.size:
        return np.full((filters, landmarks), np.nan), np.full(filters, -1)
    tables = np.stack(
        [
            distance_deviations(peaks.subset(labels == category), top, ddof)
            for category in categories
        ]
    )
    means = mean_without_nan(tables, axis=2)
    least = np.argmin(np.where(np.isnan(means), np.inf, means), axis=0)
    return tables[least, np.arange(filters)], categories[least]


def _baseline_groups(
    peaks: LocatedPeaks,
    labels: np.ndarray | None,
    assign: Any,
    category: np.ndarray | None,
    per_filter: np.ndarray,
) -> tuple[list[LocatedPeaks], np.ndarray | None]:
    """Images on which the baselines are judged, and how many filters each has."""
    if labels is None or category is None:
        return [peaks], None
    if isinstance(assign, str) and assign == "min":
        categories = landmark_categories(peaks, labels)
        return [peaks.subset(labels == one) for one in categories], None
    categories, counts = np.unique(category[~np.isnan(per_filter)], return_counts=True)
    return [peaks.subset(labels == one) for one in categories], counts


IMAGES_AT_ONCE = 128
SILENT = -np.inf


@keras.saving.register_keras_serializable(package="keras_interp")
class LocationInstability(keras.metrics.Metric):
    """Location instability of filters, image by image.

    Gives what `keras_interp.metrics.location_instability` gives on all images at
    once, whatever the batches. For each filter and landmark the `top` best images are
    kept, a score and a distance each, so memory does not grow with the images. Of
    images with equal scores the earlier ones are kept; `merge_state` counts the
    images of the other metrics as later ones, in the order given.

    State is float64, on JAX (which has no float64 by default) float32. `update_state`
    works in NumPy: call it outside `tf.function` and `jax.jit`. The landmarks are not
    kept; `keras_interp.metrics.instability_baselines` gives the baselines that the
    figure must be read beside.

    Example:

    >>> import numpy as np
    >>> import keras_interp as ki
    >>> metric = ki.metrics.LocationInstability(filters=1, landmarks=1, image_size=224)
    >>> for p, q in [((87.5, 103.5), (100, 100)), ((135.5, 71.5), (60, 120))]:
    ...     metric.update_state(np.array([[p]]), np.ones((1, 1)), np.array([[q]]))
    >>> round(float(metric.result()), 6)
    0.171328

    Args:
        filters: number of filters F.
        landmarks: number of landmarks K.
        image_size: side of the images, or `(height, width)`, in pixels.
        top: images per filter and landmark.
        ddof: 1 for the unbiased variance, 0 for the plain one.
        categories: number of categories, for `update_state` with labels from 0; labels
            outside, such as -1, are passed over. `None` without labels.
        assign: how a filter gets its category, as in
            `keras_interp.metrics.location_instability`.
        name: name of the metric.
        dtype: dtype of the result, that of the state by default.

    Reference:
        Zhang, Wu and Zhu, Interpretable Convolutional Neural Networks, CVPR 2018,
        section 5.2.2.
    """

    def __init__(
        self,
        filters: int,
        landmarks: int,
        image_size: int | tuple[int, int],
        top: int = 100,
        ddof: int = 1,
        categories: int | None = None,
        assign: Any = "min",
        name: str = "location_instability",
        dtype: Any = None,
    ) -> None:
        precision = _backend.widest_float()
        super().__init__(name=name, dtype=dtype or precision)
        self._check(top, ddof, categories, assign)
        self.filters = int(filters)
        self.landmarks = int(landmarks)
        height, width = height_width(image_size)
        self.image_size = round(height), round(width)
        self.top = int(top)
        self.ddof = ddof
        self.categories = categories
        self.assign = assign
        if not isinstance(assign, str):
            self.assign = check_integers(assign, "assign", self.filters)
        every = categories or 1
        shape = every, self.filters, self.landmarks, self.top
        self.scores = self.add_weight(
            shape=shape,
            initializer=keras.initializers.Constant(SILENT),
            dtype=precision,
            name="scores",
        )
        self.distances = self.add_weight(
            shape=shape, initializer="zeros", dtype=precision, name="distances"
        )
        self.strengths = self.add_weight(
            shape=(every, self.filters),
            initializer="zeros",
            dtype=precision,
            name="strengths",
        )
        self.images = self.add_weight(
            shape=(every, 2), initializer="zeros", dtype="int32", name="images"
        )

    @staticmethod
    def _check(top: Any, ddof: Any, categories: Any, assign: Any) -> None:
        if not isinstance(top, int | np.integer) or top < 2:
            raise ValueError(
                "Expected top as a whole number of at least 2 images. Received: "
                f"top={top!r}. Pass 100, as the paper does."
            )
        if ddof not in (0, 1):
            raise ValueError(
                "Expected ddof as 1 (unbiased variance) or 0 (plain). Received: "
                f"ddof={ddof!r}. Pass 1, as the released code does."
            )
        if categories is not None and categories < 1:
            raise ValueError(
                "Expected categories as a positive number, or None. Received: "
                f"categories={categories!r}. Pass how many categories the labels have."
            )
        if isinstance(assign, str) and assign not in RULES:
            raise ValueError(
                f"Expected assign as one of {RULES}, or integers of shape (filters,) "
                f"with each filter's category. Received: assign={assign!r}. Pass one "
                "of these."
            )

    def update_state(
        self,
        positions: Any,
        scores: Any,
        landmarks: Any,
        labels: Any = None,
        activation_sums: Any = None,
    ) -> None:
        """Adds images.

        Args:
            positions: float `(B, F, 2)`, (x, y) of each filter's peak in pixels.
            scores: float `(B, F)`, the peak values.
            landmarks: float `(B, K, 2)`, (x, y) in pixels, NaN where absent.
            labels: int `(B,)`, where the metric has categories.
            activation_sums: float `(B, F)`, sum of each map, for "argmax_sum".
        """
        peaks = LocatedPeaks.check(positions, scores, landmarks, self.image_size)
        shape = peaks.firing.shape[1], peaks.present.shape[1]
        if shape != (self.filters, self.landmarks):
            raise ValueError(
                f"Expected {self.filters} filters and {self.landmarks} landmarks, as "
                f"this metric was made for. Received: {shape[0]} filters and "
                f"{shape[1]} landmarks. Make a metric for these."
            )
        strengths = self._strengths(peaks, activation_sums)
        labels = self._labels(labels, len(peaks.positions))
        state = self._read()
        for category in range(len(state["images"])):
            own = np.flatnonzero(labels == category)
            for start in range(0, len(own), IMAGES_AT_ONCE):
                chunk = peaks.subset(own[start : start + IMAGES_AT_ONCE])
                self._insert(state, category, *self._entries(chunk))
            state["strengths"][category] += strengths[own].sum(axis=0)
            state["images"][category] += (
                len(own),
                peaks.present[own].any(axis=1).sum(),
            )
        self._write(state)

    def _labels(self, labels: Any, images: int) -> np.ndarray:
        if (labels is None) != (self.categories is None):
            raise ValueError(
                "Expected labels exactly where the metric was made with categories. "
                f"Received: a metric with categories={self.categories}. Pass labels, "
                "or make the metric with categories=."
            )
        if labels is None:
            return np.zeros(images, dtype=int)
        return check_integers(labels, "labels", images)

    def _strengths(self, peaks: LocatedPeaks, activation_sums: Any) -> np.ndarray:
        """What decides on a filter's category: peaks, or sums where those are asked."""
        if isinstance(self.assign, str) and self.assign == "argmax_sum":
            return check_sums(activation_sums, peaks.firing.shape)
        return np.where(peaks.firing, peaks.scores, 0.0)

    def _entries(self, peaks: LocatedPeaks) -> tuple[np.ndarray, np.ndarray]:
        """Scores and distances `(F, K, B)`, silent where an image does not count."""
        usable = peaks.firing.T[:, None] & peaks.present.T[None]
        places = peaks.positions.transpose(1, 0, 2)[:, None]
        distances = distance(places, peaks.landmarks.transpose(1, 0, 2)[None])
        scores = np.where(usable, peaks.scores.T[:, None], SILENT)
        return scores, np.where(usable, distances / peaks.diagonal, 0.0)

    def _insert(
        self,
        state: dict[str, np.ndarray],
        category: int,
        scores: np.ndarray,
        distances: np.ndarray,
    ) -> None:
        """Keeps the best of state and newcomers, the state's first where equal."""
        scores = np.concatenate([state["scores"][category], scores], axis=-1)
        distances = np.concatenate([state["distances"][category], distances], axis=-1)
        order = np.argsort(-scores, axis=-1, kind="stable")[..., : self.top]
        state["scores"][category] = np.take_along_axis(scores, order, axis=-1)
        state["distances"][category] = np.take_along_axis(distances, order, axis=-1)

    def merge_state(self, metrics: Iterable[LocationInstability]) -> None:
        """Adds what other metrics of the same settings have seen."""
        for other in metrics:
            check_same_settings(self, other)
            state, added = self._read(), other._read()
            for category in range(len(state["images"])):
                self._insert(
                    state,
                    category,
                    added["scores"][category],
                    added["distances"][category],
                )
            state["strengths"] += added["strengths"]
            state["images"] += added["images"]
            self._write(state)

    def details(self) -> FilterScores:
        """The figure of every filter, as the function gives it."""
        state = self._read()
        known = np.isfinite(state["scores"])
        table = deviation(np.where(known, state["distances"], np.nan), self.ddof)
        means = mean_without_nan(table, axis=2)
        return FilterScores.of(self._own_category(means, state))

    def _own_category(
        self, means: np.ndarray, state: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Of the figures `(categories, F)` the one of each filter's category."""
        if self.categories is None:
            return means[0]
        if isinstance(self.assign, str) and self.assign == "min":
            least = np.where(np.isnan(means), np.inf, means).min(axis=0)
            return np.where(np.isinf(least), np.nan, least)
        if isinstance(self.assign, str):
            count, with_landmarks = state["images"].T
            strength = state["strengths"] / np.maximum(count, 1)[:, None]
            strength[with_landmarks == 0] = -np.inf
            category = np.argmax(strength, axis=0)
        else:
            category = np.asarray(self.assign)
        inside = (category >= 0) & (category < len(means))
        own = means[np.where(inside, category, 0), np.arange(self.filters)]
        return np.where(inside, own, np.nan)

    def result(self) -> Any:
        """Mean over filters, a scalar tensor; NaN before 2 images are seen."""
        return keras.ops.convert_to_tensor(self.details().value, dtype=self.dtype)

    def reset_state(self) -> None:
        """Forgets all images."""
        super().reset_state()
        self.scores.assign(np.full(self.scores.shape, SILENT))

    def _read(self) -> dict[str, np.ndarray]:
        names = "scores", "distances", "strengths", "images"
        return {name: np.array(to_numpy(getattr(self, name))) for name in names}

    def _write(self, state: dict[str, np.ndarray]) -> None:
        for name, values in state.items():
            getattr(self, name).assign(values)

    def get_config(self) -> dict[str, Any]:
        assign = self.assign if isinstance(self.assign, str) else self.assign.tolist()
        return {
            "name": self.name,
            "filters": self.filters,
            "landmarks": self.landmarks,
            "image_size": self.image_size,
            "top": self.top,
            "ddof": self.ddof,
            "categories": self.categories,
            "assign": assign,
        }

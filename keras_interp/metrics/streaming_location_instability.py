"""Location instability over more pictures than memory holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_interp.metrics.distance_deviation import deviation, distance
from keras_interp.metrics.filter_category import RULES, check_sums, mean_without_nan
from keras_interp.metrics.filter_scores import FilterScores
from keras_interp.metrics.located_peaks import (
    LocatedPeaks,
    check_integers,
    height_width,
)

PICTURES_AT_ONCE = 128
SILENT = -np.inf


@keras.saving.register_keras_serializable(package="keras_interp")
class LocationInstability(keras.metrics.Metric):
    """Location instability of filters, picture by picture.

    Gives what `keras_interp.metrics.location_instability` gives on all pictures at
    once, whatever the batches. For each filter and landmark the `top` best pictures are
    kept, a score and a distance each, so memory does not grow with the pictures. Of
    pictures with equal scores the earlier ones are kept; `merge_state` counts the
    pictures of the other metrics as later ones, in the order given.

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
        image_size: side of the pictures, or `(height, width)`, in pixels.
        top: pictures per filter and landmark.
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
        precision = "float32" if keras.backend.backend() == "jax" else "float64"
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
        self.pictures = self.add_weight(
            shape=(every, 2), initializer="zeros", dtype="int32", name="pictures"
        )

    @staticmethod
    def _check(top: Any, ddof: Any, categories: Any, assign: Any) -> None:
        if not isinstance(top, int | np.integer) or top < 2:
            raise ValueError(
                f"top must be a whole number of at least 2 pictures; got {top!r}."
            )
        if ddof not in (0, 1):
            raise ValueError(f"ddof must be 1 (unbiased) or 0 (plain); got {ddof!r}.")
        if categories is not None and categories < 1:
            raise ValueError(
                f"categories must be a positive number or None; got {categories!r}."
            )
        if isinstance(assign, str) and assign not in RULES:
            raise ValueError(
                f"assign must be one of {', '.join(RULES)} or integers of shape "
                f"(filters,); got {assign!r}."
            )

    def update_state(
        self,
        positions: Any,
        scores: Any,
        landmarks: Any,
        labels: Any = None,
        activation_sums: Any = None,
    ) -> None:
        """Adds pictures.

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
                f"This metric was made for {self.filters} filters and {self.landmarks} "
                f"landmarks; got {shape[0]} and {shape[1]}."
            )
        strengths = self._strengths(peaks, activation_sums)
        labels = self._labels(labels, len(peaks.positions))
        state = self._read()
        for category in range(len(state["pictures"])):
            own = np.flatnonzero(labels == category)
            for start in range(0, len(own), PICTURES_AT_ONCE):
                chunk = peaks.subset(own[start : start + PICTURES_AT_ONCE])
                self._insert(state, category, *self._entries(chunk))
            state["strengths"][category] += strengths[own].sum(axis=0)
            state["pictures"][category] += (
                len(own),
                peaks.present[own].any(axis=1).sum(),
            )
        self._write(state)

    def _labels(self, labels: Any, pictures: int) -> np.ndarray:
        if (labels is None) != (self.categories is None):
            raise ValueError(
                "labels must be given exactly where the metric was made with "
                f"categories; this one has categories={self.categories}."
            )
        if labels is None:
            return np.zeros(pictures, dtype=int)
        return check_integers(labels, "labels", pictures)

    def _strengths(self, peaks: LocatedPeaks, activation_sums: Any) -> np.ndarray:
        """What decides on a filter's category: peaks, or sums where those are asked."""
        if isinstance(self.assign, str) and self.assign == "argmax_sum":
            return check_sums(activation_sums, peaks.firing.shape)
        return np.where(peaks.firing, peaks.scores, 0.0)

    def _entries(self, peaks: LocatedPeaks) -> tuple[np.ndarray, np.ndarray]:
        """Scores and distances `(F, K, B)`, silent where a picture does not count."""
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
            if other.get_config() | {"name": ""} != self.get_config() | {"name": ""}:
                raise ValueError(
                    "Metrics must have the same settings to be merged; got "
                    f"{other.get_config()} and {self.get_config()}."
                )
            state, added = self._read(), other._read()
            for category in range(len(state["pictures"])):
                self._insert(
                    state,
                    category,
                    added["scores"][category],
                    added["distances"][category],
                )
            state["strengths"] += added["strengths"]
            state["pictures"] += added["pictures"]
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
            count, with_landmarks = state["pictures"].T
            strength = state["strengths"] / np.maximum(count, 1)[:, None]
            strength[with_landmarks == 0] = -np.inf
            category = np.argmax(strength, axis=0)
        else:
            category = np.asarray(self.assign)
        inside = (category >= 0) & (category < len(means))
        own = means[np.where(inside, category, 0), np.arange(self.filters)]
        return np.where(inside, own, np.nan)

    def result(self) -> Any:
        """Mean over filters, a scalar tensor; NaN before 2 pictures are seen."""
        return keras.ops.convert_to_tensor(self.details().value, dtype=self.dtype)

    def reset_state(self) -> None:
        """Forgets all pictures."""
        super().reset_state()
        self.scores.assign(np.full(self.scores.shape, SILENT))

    def _read(self) -> dict[str, np.ndarray]:
        names = "scores", "distances", "strengths", "pictures"
        return {
            name: np.array(keras.ops.convert_to_numpy(getattr(self, name)))
            for name in names
        }

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

"""The vectors x and g of methods for decision trees: a number for each filter."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_interp.graphs._decision_modes import DecisionModes

POOLINGS = ("weighted", "mean")


@dataclasses.dataclass(frozen=True)
class ModeVectors:
    """Local linear modes y = g.x + b of images, with g of length 1.

    Attributes:
        vectors: float64 `(N, F)`, x.
        gradients: float64 `(N, F)`, g; zero where the score depends on no filter.
        targets: float64 `(N,)`, y divided by the length that g had.
        lengths: float64 `(N,)`, that length; 0 where g is zero.
    """

    vectors: np.ndarray
    gradients: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray

    def take(self, rows: np.ndarray) -> ModeVectors:
        """Those of some images."""
        return ModeVectors(
            self.vectors[rows],
            self.gradients[rows],
            self.targets[rows],
            self.lengths[rows],
        )


@dataclasses.dataclass(frozen=True)
class FilterScaling:
    """What turns the sums over positions of any image into x and g.

    Attributes:
        scale: `(F,)`, s, the mean of each filter's maps over images and positions; 0
            for a filter that never fires, which is left out.
        weighted: bool `(F,)`, filters whose gradients are weighted by the activations.
        silent: `(F,)`, g of such a filter where it is silent, before g has length 1.
        least_length: gradients of this length and less count as zero.
    """

    scale: np.ndarray
    weighted: np.ndarray
    silent: np.ndarray
    least_length: float = 0.0

    @classmethod
    def fit(cls, modes: DecisionModes, pooling: str) -> FilterScaling:
        """Of the images that a tree is grown on."""
        scale = np.abs(modes.activations).mean(axis=0)
        # With negative activations the sum of the weights could be near 0.
        positive = (modes.activations >= 0.0).all(axis=0) & (scale > 0.0)
        weighted = positive & (pooling == "weighted")
        total = modes.activations.sum(axis=0) * modes.positions
        added = modes.contributions.sum(axis=0)
        silent = np.where(weighted, added * scale / np.where(positive, total, 1.0), 0.0)
        lengths = cls(scale, weighted, silent)(modes).lengths
        # Far under all others a length is the rounding error of zero.
        return cls(scale, weighted, silent, 1e-9 * float(lengths.max(initial=0.0)))

    def __call__(self, modes: DecisionModes) -> ModeVectors:
        """Gives each filter one number in x and one in g, on a scale of its own.

        `x_d = sum_hw x_hwd / s_d`. The paper's `g_d = s_d mean_hw dy/dx_hwd` gives
        `g_d x_d` as what the filter adds only if the gradient is the same at all
        positions, and behind a pooling and one dense layer it is the same for all
        images. Weighted by the activations the mean gives
        `g_d x_d = sum_hw x_hwd dy/dx_hwd`. Where a filter is silent it is the same mean
        over all images: behind a pooling the gradient at a silent map is that at some
        position where it never fires.

        Args:
            modes: of the images.

        Returns:
            `ModeVectors`.

        Reference:
            Zhang, Yang, Ma, Wu, "Interpreting CNNs via Decision Trees", 2018.
        """
        firing = self.scale > 0.0
        safe = np.where(firing, self.scale, 1.0)
        vectors = np.where(firing, modes.activations * modes.positions / safe, 0.0)
        gradients = np.where(firing, modes.gradients * self.scale, 0.0)
        exact = modes.contributions / np.where(vectors > 0.0, vectors, 1.0)
        weighted = np.where(vectors > 0.0, exact, self.silent)
        gradients = np.where(self.weighted, weighted, gradients)
        lengths = np.linalg.norm(gradients, axis=1)
        known = lengths > self.least_length
        lengths = np.where(known, lengths, 0.0)
        divisor = np.where(known, lengths, 1.0)
        gradients = np.where(known[:, None], gradients / divisor[:, None], 0.0)
        return ModeVectors(vectors, gradients, modes.scores / divisor, lengths)

"""How the numbers of an attribution become colours."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.metrics._peaks import to_numpy

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, ListedColormap


CHANNELS = ("sum", "max")
# Both grow evenly in brightness from where nothing is attributed, the first from dark
# to bright and so on a darkened image, the second the other way round.
_ONE_SIGN, _TWO_SIGNS = "inferno", "RdBu_r"
_LEAST_NEGATIVE = 1e-3


@dataclasses.dataclass(frozen=True)
class AttributionScale:
    """The colours of one map or of several.

    Args:
        limit: the value that has the full colour; 0 for maps that are 0 everywhere.
        signed: whether colours stand for -limit to limit, or for 0 to limit.
        clipped: whether values beyond the limit exist.
        cmap: matplotlib colour map or its name.
    """

    limit: float
    signed: bool
    clipped: bool
    cmap: str | Colormap

    @classmethod
    def of(
        cls,
        maps: np.ndarray,
        percentile: float,
        limit: float | None = None,
        signed: bool | None = None,
        cmap: str | Colormap | None = None,
    ) -> AttributionScale:
        """The scale of all the given maps together.

        Args:
            maps: reduced maps of any shape.
            percentile: of the absolute values; it becomes the limit where that is not
                given. Where it is 0, the greatest absolute value does.
            limit: value that has the full colour.
            signed: whether negative values are shown. Default: whether one lies below
                a thousandth of the greatest absolute value.
            cmap: matplotlib colour map or its name.
        """
        if signed is None:
            signed = bool(maps.min() < -_LEAST_NEGATIVE * np.abs(maps).max())
        sizes = np.abs(maps) if signed else np.maximum(maps, 0)
        greatest = float(sizes.max())
        if limit is None:
            # A value that occurs: between 0 and the first other one lies nothing.
            limit = float(np.percentile(sizes, percentile, method="higher"))
            limit = limit or greatest
        chosen = cmap or (_TWO_SIGNS if signed else _ONE_SIGN)
        return cls(float(limit), signed, greatest > limit, chosen)

    def shares(self, values: np.ndarray) -> np.ndarray:
        """Values as shares of the limit, -1 or 0 to 1."""
        least = -1.0 if self.signed else 0.0
        return np.clip(values / self.limit if self.limit else 0 * values, least, 1.0)

    def tone(self, gray: np.ndarray) -> np.ndarray:
        """The brightness of an image beneath: dark, or light where that stands for 0.

        Args:
            gray: values from 0 to 1.
        """
        return 0.45 + 0.55 * gray if self.signed else 0.1 + 0.5 * gray

    def bar_colors(self, beneath: float, opacity: float) -> ListedColormap:
        """The colours as they look over an image, from the least to the greatest.

        Args:
            beneath: brightness of the image, 0 to 1.
            opacity: of the greatest value.
        """
        from matplotlib import colormaps
        from matplotlib.colors import ListedColormap

        place = np.linspace(0, 1, 256)
        share = np.abs(2 * place - 1) if self.signed else place
        colors = colormaps.get_cmap(self.cmap)(place)
        visible = opacities(share, opacity)[:, None]
        colors[:, :3] = visible * colors[:, :3] + (1 - visible) * beneath
        return ListedColormap(colors)

    @property
    def extend(self) -> str:
        """Ends of the colour bar beyond which there may be values."""
        if not self.clipped:
            return "neither"
        return "both" if self.signed else "max"


def opacities(shares: np.ndarray, opacity: float) -> np.ndarray:
    """Opacity by share of the limit: nothing attributed is transparent."""
    return opacity * np.sqrt(np.abs(shares))


def without_channels(values: np.ndarray, channels: str) -> np.ndarray:
    """The sum of the last axis, or with "max" its value of greatest size."""
    if channels == "sum":
        return values.sum(axis=-1)
    place = np.abs(values).argmax(axis=-1)[..., None]
    return np.take_along_axis(values, place, axis=-1)[..., 0]


def check_map(name: str, attribution: Any, channels: str) -> np.ndarray:
    """One map as finite float64 `(H, W)`."""
    if channels not in CHANNELS:
        raise ValueError(
            f"Expected channels as one of {CHANNELS}. Received: "
            f"channels={channels!r}. Pass one of these."
        )
    values = to_numpy(attribution)
    fits = values.ndim == 2 or (values.ndim == 3 and values.shape[-1] in (1, 3))
    if not fits or not values.size:
        raise ValueError(
            f"Expected {name} of shape (height, width), (height, width, 1) or "
            f"(height, width, 3). Received: {name} of shape {values.shape}. Of a "
            "batch pass one map, such as maps[0]."
        )
    values = values.astype("float64")
    if not np.isfinite(values).all():
        raise ValueError(
            f"Expected {name} with finite values. Received: "
            f"{int((~np.isfinite(values)).sum())} values that are NaN or infinite. "
            "Only finite values can be shown."
        )
    return values if values.ndim == 2 else without_channels(values, channels)


def check_percentile(percentile: float) -> None:
    """Refuses what is no percentile."""
    if not 0 < percentile <= 100:
        raise ValueError(
            "Expected percentile above 0 and up to 100. Received: "
            f"percentile={percentile!r}. Pass 99 for a scale that a few strong pixels "
            "do not set."
        )

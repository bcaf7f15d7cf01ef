"""Small pictures of every filter: the images in which it fires most."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from keras_interp.datasets._images import in_threads, resize_images
from keras_interp.metrics import filter_regions
from keras_interp.plotting._canvas import as_image
from keras_interp.plotting._filter_gallery import disc_radius
from keras_interp.receptive_fields import ReceptiveField
from keras_interp.reporting._page import ReportFigure

HEIGHT = 72
# A filter responds where its map is above half of its peak.
_BRIGHT = 0.5
# A third of the light is left where a filter does not respond.
_DARK = 3
_EDGE = np.uint8(128)


def filter_pictures(
    images: np.ndarray,
    maps: np.ndarray,
    receptive_field: ReceptiveField,
    names: Sequence[str],
    titles: Sequence[str],
    count: int = 5,
) -> list[ReportFigure]:
    """A strip for each filter: its strongest images, dark where it does not respond.

    Args:
        images: `(N, H, W, C)`.
        maps: `(N, h, w, F)`, after the ReLU.
        receptive_field: of the layer that gave the maps.
        names: F words for those who cannot see the strips, such as `filter 7`.
        titles: N words, such as names of files; `""` for none.
        count: how many images of each filter.
    """
    scores = maps.max(axis=(1, 2))
    best = np.argsort(-scores, axis=0, kind="stable")[:count].T
    filters = np.arange(len(best))[:, None]
    fires = scores[best, filters] > 0
    heats = maps[best, :, :, filters]
    tiles = thumbnails(images, best)
    height, width = tiles.shape[2:4]
    limits = _BRIGHT * scores[best, filters]
    scale = height / images.shape[1], width / images.shape[2]
    field = _scaled(receptive_field, scale)
    above = (heats > limits[..., None, None]) & fires[..., None, None]
    regions = filter_regions(
        above.reshape(-1, *heats.shape[2:], 1).astype("float32"),
        [0.5],
        field,
        (height, width),
        radius=max(disc_radius(receptive_field) * float(np.mean(scale)), 1.0),
    ).reshape(*best.shape, height, width)
    tiles = np.where(regions[..., None], tiles, tiles // _DARK)
    cells = np.stack(
        np.divmod(heats.reshape(*best.shape, -1).argmax(axis=-1), heats.shape[-1]), -1
    )
    places = field.pixels(cells)
    _mark(tiles, places, fires)
    tiles[~fires] = _EDGE
    tiles[..., -2:, :] = _EDGE
    strips = tiles.transpose(0, 2, 1, 3, 4).reshape(len(best), height, -1, 3)
    shares = np.rint(100 * (places + 0.5) / (width, height)).astype(int)
    words = [
        _words(names[place], [titles[image] for image in best[place]], *row)
        for place, row in enumerate(zip(shares.tolist(), fires.tolist(), strict=True))
    ]
    return [
        ReportFigure(file, alt=alt)
        for file, alt in zip(in_threads(jpeg, list(strips)), words, strict=True)
    ]


def thumbnails(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Some images at a small size, uint8 `(*places.shape, height, width, 3)`."""
    used, inverse = np.unique(places, return_inverse=True)
    shown = images[used]
    if shown.dtype != np.uint8:
        shown = np.stack([np.rint(255 * as_image(image)) for image in shown])
        shown = shown.astype("uint8")
    shown = np.broadcast_to(shown, (*shown.shape[:3], 3))
    width = max(8, round(HEIGHT * images.shape[2] / images.shape[1]))
    small = resize_images(shown, (HEIGHT, min(width, 4 * HEIGHT)))
    return small[inverse.reshape(places.shape)]


def jpeg(pixels: np.ndarray) -> bytes:
    """The bytes of a JPEG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="jpeg", quality=80)
    return buffer.getvalue()


def _scaled(field: ReceptiveField, scale: tuple[float, float]) -> ReceptiveField:
    """The receptive field in images of another size, (height, width) times as large."""
    factors = np.array(scale)

    def pair(value: float | tuple[float, float]) -> tuple[float, float]:
        first, second = np.broadcast_to(value, 2) * factors
        return float(first), float(second)

    # Centres of pixels lie half a pixel inside.
    start = np.broadcast_to(field.start, 2) * factors + (factors - 1) / 2
    return ReceptiveField(
        size=pair(field.size),
        stride=pair(field.stride),
        start=(float(start[0]), float(start[1])),
    )


def _mark(tiles: np.ndarray, places: np.ndarray, fires: np.ndarray) -> None:
    """A white cross with a black edge at each peak."""
    height, width = tiles.shape[2:4]
    x, y = np.rint(places[fires]).astype(int).T[..., None]
    rows, columns = np.array(np.nonzero(fires))[..., None]
    down, across = np.mgrid[-4:5, -4:5]
    least = np.minimum(abs(down), abs(across))
    most = np.maximum(abs(down), abs(across))
    for color, where in (
        (0, (least <= 1) & (most <= 4)),
        (255, (least == 0) & (most <= 3)),
    ):
        seen = np.clip(y + down[where], 0, height - 1)
        beside = np.clip(x + across[where], 0, width - 1)
        tiles[rows, columns, seen, beside] = color


def _words(
    name: str, titles: Sequence[str], shares: Sequence[list[int]], fires: Sequence[bool]
) -> str:
    """What a strip shows, with the place of each peak."""
    seen = [
        f"{title or f'image {number}'}, {across} % across and {down} % down"
        for number, (title, (across, down), fired) in enumerate(
            zip(titles, shares, fires, strict=True), 1
        )
        if fired
    ]
    if not seen:
        return f"{name} fires in no image."
    return f"Peaks of {name} in its strongest images: {'; '.join(seen)}."

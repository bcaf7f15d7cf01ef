"""What names and scores filters get that follow a known part, or nothing.

    python benchmarks/part_measures.py [--data cub]

Filters are planted on the landmarks of birds: each follows one landmark, snapped to the
cells of a coarse map and disturbed in one of several ways, or looks at nothing. Printed
are how often each way of naming a filter gives the landmark that it was planted on and
its part of the body, the names of filters that look at nothing, and NMI, ARI and the
error of landmark regression of a fixed grid and of chance for several numbers of parts.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

import keras_interp as ki

STRIDE = 16


def planted(
    landmarks: np.ndarray, size: int, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Ways to follow the landmarks, with positions `(images, landmarks, 2)`.

    Where a landmark is hidden the filter fires in the middle.
    """
    middle, noise = size / 2, rng.normal(0, 1, landmarks.shape)
    followed = np.where(np.isnan(landmarks), middle, landmarks)
    angle = rng.uniform(0, 2 * np.pi, landmarks.shape[1])
    aside = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    now_and_then = rng.random((*landmarks.shape[:2], 1)) < 0.7
    anywhere = rng.uniform(0, size, landmarks.shape)
    yield "exactly", followed
    yield "0.09 of the side off, either way", followed + 0.09 * size * noise
    yield "0.11 of the side beside it", followed + size * (0.11 * aside + 0.02 * noise)
    yield "in 7 of 10, else the middle", np.where(now_and_then, followed, middle)
    yield "in 7 of 10, else anywhere", np.where(now_and_then, followed, anywhere)


def looking_at_nothing(
    count: int, size: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Positions `(images, 1, 2)` of filters that do not look at the image."""
    return {
        "always in the middle": np.full((count, 1, 2), size / 2),
        "near the middle": rng.normal(size / 2, 0.1 * size, (count, 1, 2)),
        "anywhere": rng.uniform(0, size, (count, 1, 2)),
    }


def snapped(positions: np.ndarray, size: int) -> np.ndarray:
    """The nearest cells of a map of stride 16, as a network has them."""
    last = (size - STRIDE / 2) // STRIDE
    cells = np.clip(np.round(positions / STRIDE - 0.5), 0, last)
    return (cells + 0.5) * STRIDE


def given_names(
    positions: np.ndarray, dataset: ki.datasets.PartsDataset
) -> dict[str, list[str]]:
    """What each way of naming calls the filters, `""` for no part."""
    scores = np.ones(positions.shape[:2])
    known = positions, scores, dataset.landmarks, dataset.image_size
    nearest = ki.metrics.nearest_landmarks(*known, top=None).landmark
    tracked, hits = ki.metrics.tracking(*known), ki.metrics.hit_gain(*known)
    names = [*dataset.landmark_names, ""]
    return {
        "name_filters": list(ki.metrics.name_filters(positions, scores, dataset).names),
        "nearest": [names[part] for part in nearest],
        "tracking": [
            names[part] if figure > 0 else ""
            for part, figure in zip(tracked.part, tracked.per_filter, strict=True)
        ],
        "hit gain": [
            names[part] if figure > 0 else ""
            for part, figure in zip(hits.part, hits.per_filter, strict=True)
        ],
    }


def print_names(dataset: ki.datasets.PartsDataset, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = dataset.image_size[0]
    groups = ki.datasets.landmark_groups(dataset.landmark_names)
    group = {name: key for key, members in groups.items() for name in members}
    print("share of filters with the right landmark / part of the body")
    for way, places in planted(dataset.landmarks, size, rng):
        print(f"  {way}")
        for rule, names in given_names(snapped(places, size), dataset).items():
            right = [a == b for a, b in zip(names, dataset.landmark_names, strict=True)]
            part = [
                group.get(a) == group[b]
                for a, b in zip(names, dataset.landmark_names, strict=True)
            ]
            print(f"    {rule:13s} {np.mean(right):.2f} / {np.mean(part):.2f}")
    print("names of filters that look at nothing")
    for way, places in looking_at_nothing(len(dataset), size, rng).items():
        names = given_names(snapped(places, size), dataset)
        said = ", ".join(f"{rule}: {name[0] or '-'}" for rule, name in names.items())
        print(f"  {way:21s} {said}")


def print_baselines(dataset: ki.datasets.PartsDataset) -> None:
    side = dataset.image_size[0] // STRIDE
    field = ki.ReceptiveField(size=STRIDE, stride=STRIDE, start=STRIDE / 2)
    train = np.asarray(dataset.split) != "test"
    print("parts   NMI grid, chance   ARI grid, chance   landmark error grid, chance")
    for parts in (4, 8, 16, 48):
        silent = np.zeros((len(dataset), side, side, parts), "float32")
        found = ki.metrics.part_assignment(
            silent, field, dataset.landmarks, dataset.image_size
        )
        none = np.full((len(dataset), parts, 2), np.nan)
        error = ki.metrics.landmark_regression(
            none,
            np.zeros((len(dataset), parts)),
            dataset.landmarks,
            dataset.image_size,
            fit_on=train,
            boxes=dataset.boxes,
        )
        print(
            f"{parts:5d} {found.baseline_constant_nmi:9.1f},"
            f" {found.baseline_random_nmi:5.1f} {found.baseline_constant_ari:12.1f},"
            f" {found.baseline_random_ari:5.1f} {error.baseline_constant:17.1f},"
            f" {error.baseline_random:5.1f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="synthetic_birds", help="or cub")
    parser.add_argument("--images", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.data == "cub":
        dataset = ki.datasets.load("cub")
    else:
        dataset = ki.datasets.load(options.data, num_images=options.images)
    rng = np.random.default_rng(options.seed)
    count = min(options.images, len(dataset))
    dataset = dataset.subset(np.sort(rng.choice(len(dataset), count, replace=False)))
    print(dataset)
    print_names(dataset, options.seed)
    print_baselines(dataset)


if __name__ == "__main__":
    main()

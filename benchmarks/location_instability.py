"""Time and memory of location instability.

    python benchmarks/location_instability.py

Prints seconds for 512 filters, 2,000 pictures and 15 landmarks with all baselines, the
ratio to a version in plain loops (timed on a few filters and scaled up), and the peak
memory of the streaming metric, which must not grow with the number of pictures.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np

from keras_interp.metrics import LocationInstability, location_instability

SIZE = 224
FILTERS_IN_LOOPS = 4


def peaks(
    pictures: int, filters: int, landmarks: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Peaks on a 14x14 map and landmarks, a fifth of them absent."""
    rng = np.random.default_rng(seed)
    positions = 7.5 + 16.0 * rng.integers(0, 14, (pictures, filters, 2))
    scores = rng.random((pictures, filters))
    points = rng.uniform(0, SIZE, (pictures, landmarks, 2))
    points[rng.random((pictures, landmarks)) < 0.2] = np.nan
    return positions, scores, points


def in_loops(
    positions: np.ndarray, scores: np.ndarray, landmarks: np.ndarray, top: int = 100
) -> float:
    """The definition as it is written, picture by picture."""
    figures = []
    for index in range(positions.shape[1]):
        deviations = []
        for landmark in range(landmarks.shape[1]):
            seen = [
                picture
                for picture in range(len(positions))
                if not np.isnan(landmarks[picture, landmark, 0])
            ]
            seen.sort(key=lambda picture: -scores[picture, index])
            distances = [
                np.linalg.norm(positions[picture, index] - landmarks[picture, landmark])
                / np.hypot(SIZE, SIZE)
                for picture in seen[:top]
            ]
            deviations.append(np.std(distances, ddof=1))
        figures.append(np.mean(deviations))
    return float(np.mean(figures))


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Least time of some repeats."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def batches(
    pictures: int, filters: int, landmarks: int, batch_size: int = 32
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Batches that are made when they are wanted."""
    for start in range(0, pictures, batch_size):
        yield peaks(batch_size, filters, landmarks, seed=start)


def peak_memory(pictures: int, filters: int, landmarks: int) -> tuple[float, float]:
    """Peak of NumPy's memory in MiB, and seconds, of the streaming metric."""
    metric = LocationInstability(filters, landmarks, SIZE)
    tracemalloc.start()
    start = time.perf_counter()
    for batch in batches(pictures, filters, landmarks):
        metric.update_state(*batch)
    metric.result()
    elapsed = time.perf_counter() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20, elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--filters", type=int, default=512)
    parser.add_argument("--landmarks", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    sizes = options.pictures, options.filters, options.landmarks
    positions, scores, landmarks = peaks(*sizes)

    whole = seconds(
        lambda: location_instability(positions, scores, landmarks, SIZE),
        options.repeats,
    )
    some = min(FILTERS_IN_LOOPS, options.filters)
    loops = seconds(
        lambda: in_loops(positions[:, :some], scores[:, :some], landmarks), 1
    )
    loops *= options.filters / some
    print("{} pictures, {} filters, {} landmarks".format(*sizes))
    print(f"location_instability with baselines  {whole:8.2f} s")
    print(f"plain loops without ({some} filters x {options.filters / some:.0f})")
    print(
        f"                                     {loops:8.2f} s   {loops / whole:.0f} x"
    )

    for times in (1, 4):
        pictures = times * options.pictures
        peak, elapsed = peak_memory(pictures, *sizes[1:])
        print(
            f"streaming {pictures:6d} pictures            {elapsed:8.2f} s"
            f"   peak {peak:.0f} MiB"
        )


if __name__ == "__main__":
    main()

"""How much a sentence gains by being about this picture, for one who knows it.

    python benchmarks/what_a_picture_adds.py

Of each test photograph of CUB with sentences, half of what people wrote is given away,
and the other half is what a sentence is scored against. What is said is the sentence
that agrees most with the half that was given away and with what was written of the
training photographs of the species, the right one. The weight of the species goes from
0, this picture alone, to 1, the species alone. A decoder has to read from the image
what is known here: its best CIDEr and what it loses by the sentence of another picture
of the species stand beside what can be had. Scored against half as many sentences, the
figures are not those of `keras-interp reproduce interpnet`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from keras_interp import metrics
from keras_interp.datasets import Vocabulary
from keras_interp.models import SentenceMemory
from keras_interp.reproduce.interpnet._birds import DescribedBirds, described_birds
from keras_interp.reproduce.interpnet._describers import other_images

WEIGHTS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
LONGEST = 76


def halves(
    birds: DescribedBirds, seed: int
) -> tuple[np.ndarray, list[list[str]], list[list[str]]]:
    """Rows of test pictures with ten sentences, five that are known, and the others."""
    rng = np.random.default_rng(seed)
    rows = [row for row in birds.test if len(birds.captions([row])[0]) == 10]
    known, others = [], []
    for group in birds.captions(rows):
        order = rng.permutation(10)
        known.append([group[place] for place in order[:5]])
        others.append([group[place] for place in order[5:]])
    return np.array(rows), known, others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        birds = described_birds(
            "cub", None, None, Path(folder), print, quick=False, development=False
        )
    learnt = np.concatenate([birds.fit, birds.validation])
    captions, labels = birds.captions(learnt), birds.labels(learnt)
    vocabulary = Vocabulary.from_sentences(captions)
    print(
        f"{'weight of the species':>22} {'CIDEr':>14} {'same species':>14} "
        f"{'any':>14} {'sentences':>10}"
    )
    for weight in WEIGHTS:
        memory = SentenceMemory(vocabulary, captions, labels, weight=weight)
        found = np.array([measured(birds, memory, seed) for seed in range(asked.seeds)])
        mean, spread = found.mean(axis=0), found.std(axis=0, ddof=asked.seeds > 1)
        shown = [f"{m:7.1f} ± {s:4.1f}" for m, s in zip(mean, spread, strict=True)]
        print(f"{weight:22.2f} {' '.join(shown[:3])} {mean[3]:10.0f}", flush=True)


def measured(birds: DescribedBirds, memory: SentenceMemory, seed: int) -> list[float]:
    """CIDEr, the same of other pictures' sentences, and how many were said."""
    rows, known, others = halves(birds, seed)
    drawn, _ = memory.vocabulary.encode(known, LONGEST)
    labels = birds.labels(rows)
    chosen = memory.chosen(
        drawn.reshape(len(rows), 5, -1), np.eye(birds.classes)[labels], LONGEST
    )
    said = memory.vocabulary.decode(chosen)
    figures = [100 * metrics.cider(said, others, tokens="words").value]
    for same in (True, False):
        swapped = [said[row] for row in other_images(labels, seed, same)]
        figures.append(100 * metrics.cider(swapped, others, tokens="words").value)
    return [*figures, len(set(said))]


if __name__ == "__main__":
    main()

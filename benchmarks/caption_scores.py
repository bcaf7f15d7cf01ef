"""Scores of sentences against the public scorers, on real birds.

    KERAS_INTERP_DATA=... python benchmarks/caption_scores.py
    KERAS_INTERP_DATA=... python benchmarks/caption_scores.py --images 100

Of each photograph of CUB that has ten sentences one is scored against the other nine.
Prints for BLEU, CIDEr-D and METEOR the score of the whole set here and there, and the
largest difference of a sentence's score: BLEU of NLTK, and `Cider` and `Meteor` as
pycocoevalcap's users call them. BLEU and CIDEr-D are computed here by the same
libraries; METEOR is asked of the same program over a pipe of our own. METEOR of the set
there is that of the program, once for both.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

from keras_interp import metrics
from keras_interp.datasets import open_cub
from keras_interp.datasets._registry import find_root

REFERENCES = 9


def sentences(count: int) -> tuple[list[str], list[list[str]]]:
    """The first sentence about each image, and the other nine."""
    told = open_cub(find_root("cub"), captions=True).captions
    kept = [group for group in told if len(group) > REFERENCES]
    chosen = np.linspace(0, len(kept) - 1, count).astype(int)
    groups = [list(kept[place])[: REFERENCES + 1] for place in chosen]
    return [group[0] for group in groups], [group[1:] for group in groups]


def bleu_of_nltk(spoken: list[str], written: list[list[str]]) -> tuple[float, list]:
    """Of the set and of each sentence, times 100."""
    from nltk.translate.bleu_score import corpus_bleu, sentence_bleu

    words = [line.split() for line in spoken]
    known = [[line.split() for line in group] for group in written]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = 100 * corpus_bleu(known, words)
        each = [100 * sentence_bleu(k, w) for k, w in zip(known, words, strict=True)]
    return whole, each


def of_pycocoevalcap(
    scorer: object, spoken: list[str], written: list[list[str]], scale: float
) -> tuple[float, np.ndarray]:
    """Of the set and of each sentence."""
    whole, each = scorer.compute_score(  # type: ignore[attr-defined]
        dict(enumerate(written)), {place: [line] for place, line in enumerate(spoken)}
    )
    return scale * whole, scale * np.array(each)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    asked = parser.parse_args()
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor

    spoken, written = sentences(asked.images)
    print(f"{len(spoken)} photographs, {REFERENCES} references each", flush=True)
    with metrics.MeteorScorer() as scorer:
        rows = {
            "BLEU": (metrics.bleu(spoken, written), bleu_of_nltk(spoken, written)),
            "CIDEr-D": (
                metrics.cider_d(spoken, written),
                of_pycocoevalcap(Cider(), spoken, written, 1.0),
            ),
            "METEOR": (
                metrics.meteor(spoken, written, scorer=scorer),
                of_pycocoevalcap(Meteor(), spoken, written, 100.0),
            ),
        }
    print(f"{'':8} {'here':>10} {'there':>10} {'difference':>12} {'of a sentence':>14}")
    for name, (here, (whole, each)) in rows.items():
        largest = np.abs(here.per_sentence - np.array(each)).max()
        print(
            f"{name:8} {here:10.5f} {whole:10.5f} {abs(here - whole):12.1e} "
            f"{largest:14.1e}"
        )


if __name__ == "__main__":
    main()

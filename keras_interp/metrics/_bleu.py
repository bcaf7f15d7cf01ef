"""BLEU: how many short runs of words a sentence shares with what people wrote."""

from __future__ import annotations

import warnings
from typing import Any

from keras_interp.metrics._captions import CaptionScore, checked_captions, text_package


def bleu(hypotheses: Any, references: Any, *, tokens: str = "blanks") -> CaptionScore:
    """Measures BLEU-4 of sentences against several references each, times 100.

    The share of runs of one to four words that also stand in a reference, over all
    sentences together, times a penalty for what is shorter than the references. NLTK
    computes it, without smoothing.

    Example:

    >>> import keras_interp as ki
    >>> spoken = ["this bird has a red head", "a small bird with a blue tail"]
    >>> written = [["this bird has a red head"], ["a small bird with a red tail"]]
    >>> score = ki.metrics.bleu(spoken, written)
    >>> round(score, 2), score.per_sentence.round(1).tolist()
    (80.48, [100.0, 64.3])

    Args:
        hypotheses: list of str `(N,)`, a sentence for each image.
        references: list of lists of str, one or more sentences for each of the same
            images; their number may differ.
        tokens: how words are found. `"blanks"`: the sentences are split at blanks and
            nothing else, as by the public scorers, so that `"belly."` is a word and
            `"A"` differs from `"a"`. `"words_and_punctuation"`: lower case, and
            NLTK's word tokeniser. `"words"`: that without punctuation. Defaults to
            `"blanks"`.

    Returns:
        `CaptionScore`, a float from 0 to 100 with `.per_sentence`, each sentence's own
        BLEU: 0 where it shares no run of four words. The score is not their mean.

    Raises:
        ValueError: if a sentence or a reference is missing.
        ImportError: without the packages of the extra `text`.

    Reference:
        Papineni et al., BLEU, ACL 2002; Barratt, InterpNET, 2017, table 1.
    """
    spoken, written = checked_captions(hypotheses, references, tokens)
    scores = text_package("nltk.translate.bleu_score")
    words = [sentence.split() for sentence in spoken]
    known = [[sentence.split() for sentence in group] for group in written]
    with warnings.catch_warnings():
        # NLTK advises to smooth, which the paper does not.
        warnings.simplefilter("ignore")
        value = scores.corpus_bleu(known, words)
        each = [scores.sentence_bleu(r, h) for r, h in zip(known, words, strict=True)]
    # NLTK puts the smallest float in the place of a count of 0.
    return CaptionScore(100 * value, [100 * s if s > 1e-50 else 0.0 for s in each])

"""Scores of sentences: published check values, the public scorers, bad input."""

from __future__ import annotations

import pickle
import shutil
import signal
import sys

import numpy as np
import pytest

import keras_interp as ki
from keras_interp.metrics import _meteor

pytest.importorskip("nltk", reason="needs the packages of the extra text")
pytest.importorskip("pycocoevalcap", reason="needs the packages of the extra text")

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")
HYPOTHESES = [
    "this bird has a red head and a white belly .",
    "this is a black bird with a long tail .",
    "a small yellow bird with a short beak .",
]
REFERENCES = [
    [
        "a red bird with a white belly .",
        "this bird has a red head and white belly .",
    ],
    [
        "a small black bird with yellow eyes .",
        "this bird is black with a long tail .",
    ],
    [
        "a blue bird with a short beak .",
        "this small bird has blue wings and a short beak .",
    ],
]
SCORES = (ki.metrics.bleu, ki.metrics.cider, ki.metrics.cider_d)
EVERY_SCORE = (*SCORES, ki.metrics.meteor)


@pytest.fixture(scope="module")
def scorer():
    if shutil.which("java") is None:
        pytest.skip("needs Java")
    with ki.metrics.MeteorScorer() as running:
        yield running


@pytest.fixture(scope="module")
def real_captions(real_data) -> tuple[list[str], list[list[str]]]:
    """The first sentence about each of 500 real birds against the other nine."""
    files = sorted((real_data / "cub" / "text_c10").glob("*/*.txt"))[::4][:500]
    assert len(files) == 500
    told = [file.read_text("utf-8").split("\n")[:10] for file in files]
    return [lines[0] for lines in told], [lines[1:] for lines in told]


def test_check_values():
    assert ki.metrics.bleu(HYPOTHESES, REFERENCES) == pytest.approx(
        67.35051682255411, abs=1e-10
    )
    plain = ki.metrics.cider(HYPOTHESES, REFERENCES)
    assert plain == pytest.approx(4.76752274799178, abs=1e-12)
    np.testing.assert_allclose(
        plain.per_sentence, [6.2031315796, 3.4753439634, 4.6240927010], atol=1e-9
    )
    clipped = ki.metrics.cider_d(HYPOTHESES, REFERENCES)
    assert clipped == pytest.approx(4.585885866517285, abs=1e-12)
    np.testing.assert_allclose(
        clipped.per_sentence, [5.8696803504, 3.3977532953, 4.4902239538], atol=1e-9
    )


def test_meteor_is_that_of_the_program(scorer):
    """What METEOR 1.5 answers to these sentences, through pycocoevalcap's own class."""
    corpus = ki.metrics.meteor(HYPOTHESES, REFERENCES, scorer=scorer)
    assert corpus == pytest.approx(47.879611193409694, abs=1e-10)
    each = [56.09252623259381, 46.24656986269132, 42.11981626677457]
    np.testing.assert_allclose(corpus.per_sentence, each, atol=1e-10)
    mean = ki.metrics.meteor(
        HYPOTHESES, REFERENCES, scorer=scorer, aggregate="segments"
    )
    assert mean == pytest.approx(np.mean(each))


def test_scores_equal_the_public_scorers_on_real_captions(real_captions):
    from nltk.translate.bleu_score import corpus_bleu
    from pycocoevalcap.cider.cider import Cider

    spoken, written = real_captions
    words = [[line.split() for line in group] for group in written]
    value = 100 * corpus_bleu(words, [line.split() for line in spoken])
    assert ki.metrics.bleu(spoken, written) == value
    value, each = Cider().compute_score(
        dict(enumerate(written)), {n: [line] for n, line in enumerate(spoken)}
    )
    found = ki.metrics.cider_d(spoken, written)
    assert found == value
    assert (found.per_sentence == each).all()


@pytest.mark.slow
def test_meteor_equals_the_public_scorer_on_real_captions(real_captions, scorer):
    from pycocoevalcap.meteor.meteor import Meteor

    spoken, written = (part[:30] for part in real_captions)
    public = Meteor()
    value, each = public.compute_score(
        dict(enumerate(written)), {n: [line] for n, line in enumerate(spoken)}
    )
    found = ki.metrics.meteor(spoken, written, scorer=scorer)
    assert found == pytest.approx(100 * value, abs=1e-10)
    np.testing.assert_allclose(found.per_sentence, 100 * np.array(each), atol=1e-10)


def test_plain_cider_of_real_captions_by_its_formula(real_captions):
    """Equations 1 to 3 of CIDEr sentence by sentence, on 10 images."""
    spoken, written = (part[:10] for part in real_captions)
    found = ki.metrics.cider(spoken, written)
    wanted = [slow_cider(spoken[n], written[n], written) for n in range(10)]
    np.testing.assert_allclose(found.per_sentence, wanted, atol=1e-12)


def slow_cider(sentence: str, references: list[str], all_references: list) -> float:
    def runs(text: str, length: int) -> list[str]:
        words = text.split()
        places = range(len(words) - length + 1)
        return [" ".join(words[p : p + length]) for p in places]

    total = 0.0
    for length in range(1, 5):

        def vector(text: str, length: int = length) -> dict[str, float]:
            found = runs(text, length)
            held = {
                run: sum(
                    any(run in runs(r, length) for r in group)
                    for group in all_references
                )
                for run in set(found)
            }
            images = np.log(len(all_references))
            return {
                run: found.count(run) * (images - np.log(max(1, held[run])))
                for run in held
            }

        one = vector(sentence)
        for reference in references:
            other = vector(reference)
            dot = sum(one[run] * other[run] for run in one.keys() & other.keys())
            norms = np.linalg.norm([*one.values()]) * np.linalg.norm([*other.values()])
            total += dot / norms if norms else 0.0
    return 10 * total / 4 / len(references)


def test_a_score_is_a_number_that_knows_its_sentences():
    score = ki.metrics.cider(HYPOTHESES, REFERENCES)
    assert score > 4 and f"{score:.2f}" == "4.77" and np.isclose(score, 4.7675227)
    assert type(score.value) is float and score.count == 3
    copy = pickle.loads(pickle.dumps(score))
    assert copy == score and (copy.per_sentence == score.per_sentence).all()


@pytest.mark.parametrize("score", SCORES)
def test_the_references_themselves_score_highest(score):
    best = score([group[0] for group in REFERENCES], [g[:1] for g in REFERENCES])
    assert best == pytest.approx(100 if score is ki.metrics.bleu else 10)
    nothing = score(["", "", ""], REFERENCES)
    assert nothing == 0 and (nothing.per_sentence == 0).all()


def test_words_are_those_of_the_published_evaluation():
    spoken = ["This bird has a Red head, and a white belly.", *HYPOTHESES[1:]]
    raw = [group[:1] for group in REFERENCES]
    bare = ["this bird has a red head and a white belly"]
    bare += [h.removesuffix(" .") for h in HYPOTHESES[1:]]
    known = [[group[0].removesuffix(" .")] for group in raw]
    for score in SCORES:
        found = score(spoken, raw, tokens="words")
        np.testing.assert_array_equal(
            found.per_sentence, score(bare, known).per_sentence
        )
        assert score(spoken, raw, tokens="words_and_punctuation") != found


def test_cider_of_one_image_says_that_it_is_nothing():
    for score in (ki.metrics.cider, ki.metrics.cider_d):
        with pytest.warns(UserWarning, match="CIDEr of one image is 0"):
            assert score(HYPOTHESES[:1], REFERENCES[:1]) == 0


def test_class_scores_by_hand():
    about = [["red bird", "red bird"], ["blue bird"]]
    # "bird" stands in both classes; of the other word and the run of two words the
    # cosine with the own class is 1.
    similar = ki.metrics.class_similarity(["red bird", "bird"], [0, 0], about)
    np.testing.assert_allclose(similar.per_sentence, [5.0, 0.0])
    rank = ki.metrics.class_rank(["red bird", "red bird", "bird"], [0, 1, 1], about)
    np.testing.assert_allclose(rank.per_sentence, [1.0, 2.0, 1.5])
    assert rank == pytest.approx(1.5)


def test_classes_as_images_are_cider():
    similar = ki.metrics.class_similarity(HYPOTHESES, [0, 1, 2], REFERENCES)
    plain = ki.metrics.cider(HYPOTHESES, REFERENCES)
    np.testing.assert_allclose(similar.per_sentence, plain.per_sentence)


@pytest.mark.parametrize("score", EVERY_SCORE)
@pytest.mark.parametrize(
    ("hypotheses", "references", "told"),
    [
        ("a bird", [["a bird"]], "hypotheses as a list of sentences"),
        ([], [], "no sentence"),
        (["a bird"], [[]], r"references\[0\] as one sentence or more"),
        (["a bird"], ["a bird"], r"references\[0\] as a list of sentences"),
        (["a bird"], "a bird", "references as a list with a list"),
        (["a bird"], [["a"], ["b"]], "1 hypotheses and 2 lists of references"),
        ([None], [["a bird"]], "None in it"),
        (["a bird"], [["a", 3]], "3 in it"),
    ],
)
def test_missing_sentences_are_named(score, hypotheses, references, told):
    with pytest.raises(ValueError, match=told):
        score(hypotheses, references)


def test_unknown_arguments_are_named():
    for score in EVERY_SCORE:
        with pytest.raises(ValueError, match="Received: tokens='moses'"):
            score(HYPOTHESES, REFERENCES, tokens="moses")
    meteor = ki.metrics.meteor
    with pytest.raises(ValueError, match="Received: aggregate='mean'"):
        meteor(HYPOTHESES, REFERENCES, aggregate="mean")
    with pytest.raises(ValueError, match="Received: implementation='python'"):
        meteor(HYPOTHESES, REFERENCES, implementation="python")
    with pytest.raises(ValueError, match="which has no corpus score"):
        meteor(HYPOTHESES, REFERENCES, implementation="nltk")


@pytest.mark.parametrize(
    ("labels", "about", "told"),
    [
        ([0], [["a"]], "two classes or more"),
        ([0.5], [["a"], ["b"]], "labels as 1 integers"),
        ([2], [["a"], ["b"]], "labels from 0 to 1"),
        ([0], [["a"], []], r"class_references\[1\]"),
    ],
)
def test_classes_that_do_not_fit_are_named(labels, about, told):
    for score in (ki.metrics.class_similarity, ki.metrics.class_rank):
        with pytest.raises(ValueError, match=told):
            score(["a"], labels, about)


@pytest.mark.parametrize("score", SCORES)
def test_without_the_packages_one_sentence_says_what_to_install(score, monkeypatch):
    for module in ("nltk.translate.bleu_score", "pycocoevalcap.cider.cider_scorer"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'keras_interp\[text\]'"):
        score(HYPOTHESES, REFERENCES)


def test_without_java_one_sentence_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="METEOR 1.5 needs Java"):
        ki.metrics.meteor(HYPOTHESES, REFERENCES)


def test_sentences_cannot_break_the_protocol(scorer):
    spoken = ["a bird ||| a\nbird", "", "un oiseau \u00e0 t\u00eate rouge \U0001f426"]
    written = [["a bird a bird"], ["a bird"], ["un oiseau \u00e0 t\u00eate rouge"]]
    found = ki.metrics.meteor(spoken, written, scorer=scorer).per_sentence
    same = ki.metrics.meteor(["a bird a bird"], written[:1], scorer=scorer)
    assert found[0] == same.per_sentence[0] and found[1] == 0 and found[2] > 50


@needs_java
def test_java_that_dies_is_an_error_and_stays_closed():
    scorer = ki.metrics.MeteorScorer()
    scorer._process.send_signal(signal.SIGKILL)
    scorer._process.wait()
    with pytest.raises(RuntimeError, match=r"exit status -9.*Nothing was scored"):
        ki.metrics.meteor(HYPOTHESES, REFERENCES, scorer=scorer)
    with pytest.raises(RuntimeError, match="has been closed"):
        ki.metrics.meteor(HYPOTHESES, REFERENCES, scorer=scorer)
    scorer.close()


@needs_java
def test_java_ends_with_the_block_whatever_happens_in_it():
    with pytest.raises(KeyboardInterrupt), ki.metrics.MeteorScorer() as scorer:
        process = scorer._process
        assert process.poll() is None
        raise KeyboardInterrupt
    assert process.poll() is not None


@needs_java
def test_java_does_not_outlive_a_python_that_is_killed():
    """The end of Python, of whatever kind, closes the pipe that Java reads from."""
    with ki.metrics.MeteorScorer() as scorer:
        scorer._process.stdin.close()
        assert scorer._process.wait(60) == 0


class TestOfNltk:
    def test_wordnet_is_asked_for(self, monkeypatch, tmp_path):
        import nltk

        monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
        monkeypatch.setattr(_meteor, "_DEBIAN_WORDNET", tmp_path)
        with pytest.raises(FileNotFoundError, match="wordnet-base"):
            self.score()

    def test_synonyms_of_wordnet_match(self):
        try:
            found = self.score()
        except FileNotFoundError:
            pytest.skip("needs WordNet, of NLTK or of Debian's wordnet-base")
        # "auto" is a synonym of "car" and "bird" is none.
        assert found.per_sentence[0] > found.per_sentence[1] > 0
        assert found == pytest.approx(found.per_sentence.mean())

    @staticmethod
    def score():
        return ki.metrics.meteor(
            ["a fast auto", "a fast bird"],
            [["a fast car"], ["a fast car"]],
            implementation="nltk",
            aggregate="segments",
        )

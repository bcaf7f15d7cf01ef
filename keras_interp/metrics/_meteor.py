"""METEOR: words that a sentence shares with what people wrote, in their order."""

from __future__ import annotations

import io
import subprocess
import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from keras_interp.metrics._captions import CaptionScore, checked_captions, text_package

IMPLEMENTATIONS = ("java", "nltk")
AGGREGATES = ("corpus", "segments")
# Where Debian's package `wordnet-base` puts WordNet 3.0.
_DEBIAN_WORDNET = Path("/usr/share/wordnet")
_MEMORY = "-Xmx2G"


def meteor(
    hypotheses: Any,
    references: Any,
    *,
    aggregate: str = "corpus",
    tokens: str = "blanks",
    implementation: str = "java",
    scorer: MeteorScorer | None = None,
) -> CaptionScore:
    """Measures METEOR of sentences against several references each, times 100.

    The words of a sentence are matched with those of each reference, the same words,
    the same stems, synonyms and paraphrases; the score weighs how many match and how
    often their order breaks. Two readings of one corpus differ by several points: say
    which of them a figure is.

    Example:

    ```python
    with ki.metrics.MeteorScorer() as scorer:
        greedy = ki.metrics.meteor(spoken, dataset.captions, scorer=scorer)
        beam = ki.metrics.meteor(said_slower, dataset.captions, scorer=scorer)
    ```

    Args:
        hypotheses: list of str `(N,)`, a sentence for each image.
        references: list of lists of str, one or more sentences for each of the same
            images; their number may differ. The best of them counts.
        aggregate: what the score is. `"corpus"`: the matches of all sentences together,
            as the METEOR program and the COCO evaluation report it; `"segments"`: the
            mean of the sentences' own scores. Defaults to `"corpus"`.
        tokens: what is done with the sentences before. `"blanks"`: nothing; METEOR 1.5
            itself lowers their case and splits punctuation off. `"words"`: lower case,
            NLTK's word tokeniser, punctuation left out, as the published evaluation
            prepares its text. `"words_and_punctuation"`: that with punctuation.
            Defaults to `"blanks"`.
        implementation: `"java"`: METEOR 1.5 for English with normalisation, the
            program that pycocoevalcap carries; it needs Java. `"nltk"`: another
            measure of the same name, the METEOR of 2005 with its own weights, WordNet
            synonyms and no paraphrases: its figures are not comparable with
            published ones. It knows the mean of the sentences alone. Defaults to
            `"java"`.
        scorer: a `MeteorScorer` that runs already, which saves the seconds in which
            Java reads its tables; `None` starts one and ends it.

    Returns:
        `CaptionScore`, a float from 0 to 100 with `.per_sentence`.

    Raises:
        ValueError: if a sentence or a reference is missing, or an argument is unknown.
        ImportError: without the packages of the extra `text`.
        FileNotFoundError: without Java, or with `"nltk"` without WordNet.
        RuntimeError: if Java ends before it has answered.

    Reference:
        Denkowski and Lavie, Meteor Universal, WMT 2014 (version 1.5); Banerjee and
        Lavie, METEOR, ACL 2005, for `"nltk"`.
    """
    for name, given, known in (
        ("aggregate", aggregate, AGGREGATES),
        ("implementation", implementation, IMPLEMENTATIONS),
    ):
        if given not in known:
            raise ValueError(
                f"Expected {name} out of {known}. Received: {name}={given!r}. Choose "
                "one of these."
            )
    spoken, written = checked_captions(hypotheses, references, tokens)
    if implementation == "nltk":
        if scorer is not None or aggregate != "segments":
            raise ValueError(
                'Expected aggregate="segments" and no scorer with '
                'implementation="nltk", which has no corpus score. Received: '
                f"aggregate={aggregate!r}, scorer={scorer!r}. Say "
                'aggregate="segments".'
            )
        each = _meteor_of_nltk(spoken, written)
        return CaptionScore(float(each.mean()), each)
    if scorer is None:
        with MeteorScorer() as own:
            value, each = own.score(spoken, written)
    else:
        value, each = scorer.score(spoken, written)
    if aggregate == "segments":
        value = float(each.mean())
    return CaptionScore(value, each)


class MeteorScorer:
    """METEOR 1.5 as one Java process for as many calls of `meteor` as a run has.

    Java needs seconds to read its tables. The process ends with the `with` block
    however that is left, and when Python ends.

    Example:

    ```python
    with ki.metrics.MeteorScorer() as scorer:
        score = ki.metrics.meteor(spoken, dataset.captions, scorer=scorer)
    ```

    Args:
        java: the program to run. Defaults to `"java"`, looked for as the shell does.

    Raises:
        ImportError: without the packages of the extra `text`.
        FileNotFoundError: without Java.
    """

    def __init__(self, java: str = "java"):
        jar = Path(text_package("pycocoevalcap.meteor.meteor").__file__)
        command = [java, _MEMORY, "-Dfile.encoding=UTF-8", "-jar", "meteor-1.5.jar"]
        command += ["-", "-", "-stdio", "-l", "en", "-norm"]
        # What Java complains about goes to a file: a full pipe would stop it.
        self._complaints = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                command,
                cwd=jar.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                encoding="utf-8",
            )
        except OSError as error:
            self._complaints.close()
            raise FileNotFoundError(
                f"METEOR 1.5 needs Java, and {java!r} could not be started "
                f"({error.strerror}). Install a Java runtime, or take "
                'meteor(..., implementation="nltk", aggregate="segments"), which is '
                "another measure."
            ) from None

    def score(
        self, hypotheses: list[str], references: list[list[str]]
    ) -> tuple[float, np.ndarray]:
        """Scores sentences that `meteor` has checked.

        Args:
            hypotheses: list of str `(N,)`, a sentence for each image.
            references: list of lists of str, the references of each.

        Returns:
            The corpus score times 100, and float64 `(N,)`, that of each sentence.

        Raises:
            RuntimeError: if Java ends before it has answered, or was ended before.
        """
        statistics = []
        for sentence, group in zip(hypotheses, references, strict=True):
            fields = ["SCORE", *map(_one_field, group), _one_field(sentence)]
            statistics.append(self._answer(" ||| ".join(fields)))
        scores = [float(self._answer(" ||| ".join(["EVAL", *statistics])))]
        scores += [float(self._line()) for _ in hypotheses]
        return 100 * scores[-1], 100 * np.array(scores[:-1])

    def close(self) -> None:
        """End Java. A second call does nothing."""
        process = self._process
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, self._complaints):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    # What was not yet sent to a process that is gone.
                    continue

    def __enter__(self) -> MeteorScorer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A scorer that could not be started has no process.
        if hasattr(self, "_process"):
            self.close()

    def _answer(self, line: str) -> str:
        stream = self._process.stdin
        if stream is None or stream.closed:
            raise RuntimeError(
                "This MeteorScorer has been closed. Score inside its `with` block."
            )
        try:
            stream.write(line + "\n")
            stream.flush()
        except OSError:
            raise self._ended() from None
        return self._line()

    def _line(self) -> str:
        stream = self._process.stdout
        line = "" if stream is None else stream.readline()
        if not line:
            raise self._ended()
        return line.strip()

    def _ended(self) -> RuntimeError:
        """Says what is known of the end of Java, and clears up after it."""
        self._process.kill()
        status = self._process.wait()
        self._complaints.seek(0)
        said = self._complaints.read().decode("utf-8", "replace").strip()[-500:]
        self.close()
        return RuntimeError(
            f"The Java process of METEOR ended before it had answered (exit status "
            f"{status}){': ' + said if said else ''}. Nothing was scored; call again. "
            "It needs 2 GB of memory."
        )


def _one_field(sentence: str) -> str:
    """A sentence without what separates the fields of METEOR's lines."""
    return " ".join(sentence.replace("|||", " ").split())


def _meteor_of_nltk(spoken: list[str], written: list[list[str]]) -> np.ndarray:
    single = text_package("nltk.translate.meteor_score").meteor_score
    wordnet = _wordnet()
    scores = [
        single([r.split() for r in group], sentence.split(), wordnet=wordnet)
        for sentence, group in zip(spoken, written, strict=True)
    ]
    return 100 * np.array(scores)


def _wordnet() -> Any:
    """WordNet from NLTK's data, else from Debian's package.

    Raises:
        FileNotFoundError: where neither is there.
    """
    data = text_package("nltk.data")
    reader = text_package("nltk.corpus.reader.wordnet").WordNetCorpusReader
    for place in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
        try:
            found = data.find(place)
        except LookupError:
            continue
        with warnings.catch_warnings():
            # Other languages than English are not asked for.
            warnings.simplefilter("ignore")
            return reader(found, None)
    if not (_DEBIAN_WORDNET / "data.noun").is_file():
        raise FileNotFoundError(
            'meteor(..., implementation="nltk") needs WordNet: python -m '
            "nltk.downloader wordnet, or on Debian apt install wordnet-base."
        )

    class DebianWordNet(reader):  # type: ignore[misc, valid-type]
        """The files of WordNet without the names of its 45 sections, which NLTK reads.

        METEOR asks for synonyms alone, and those names are not needed for it.
        """

        def open(self, file: str) -> Any:
            if file == "lexnames":
                return io.StringIO("".join(f"{n} section{n} 0\n" for n in range(45)))
            return super().open(file)

        def map_wn(self, version: str = "wordnet") -> None:
            """Other versions, whose files would be looked for, are not asked for."""

    # NLTK opens files in the folders that this list names alone.
    if str(_DEBIAN_WORDNET) not in data.path:
        data.path.append(str(_DEBIAN_WORDNET))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return DebianWordNet(str(_DEBIAN_WORDNET), None)

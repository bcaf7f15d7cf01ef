"""What describers of the synthetic birds can reach that know only half of it.

    python benchmarks/synthetic_birds_describers.py
    keras-interp reproduce interpnet --data synthetic_birds --out interpnet
    python benchmarks/synthetic_birds_describers.py --runs interpnet/runs

Prints, for the test images of `synthetic_birds`, BLEU-4 and CIDEr of the sentences of

- fixed: one sentence for all images;
- class only: one sentence for each species, without looking at the image;
- image only: sees every visible part as it looks, and knows how often people name a
  part that looks like that, but neither the species nor that a part is drab;
- image and table: sees the same, and knows the table of the species: it weighs which
  species the bird can be, and what of it is drab then;
- both: knows the species and sees the image;
- one of the ten: the first of the ten sentences of an image, against the other nine;

and the share of what they state that is right. Each describer writes the sentence of
the highest expected BLEU-4 under what it knows, out of many that it holds possible.
With `--runs` the images are those of that command, and the sentences of its decoders,
in each way of decoding, are rows as well.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_interp.datasets import (
    BirdSpecies,
    PartsDataset,
    synthetic_bird_attributes,
    synthetic_bird_mentions,
    synthetic_bird_species,
    synthetic_birds,
)
from keras_interp.datasets.synthetic._bird_individuals import (
    DRAB_SHARE,
    Individuals,
    look_table,
)
from keras_interp.datasets.synthetic._drawing import ImageRandom
from keras_interp.datasets.synthetic.bird_sentences import (
    can_be_named,
    individuals_of,
    mention_weights,
    visible_parts,
    write_sentences,
)
from keras_interp.datasets.synthetic.bird_species import PARTS
from keras_interp.reproduce.interpnet._birds import DRAWN_IMAGES

Grams = collections.Counter
# Of the names of rows.
WIDTH = 32


def grams(sentence: str) -> list[Grams]:
    """Counts of the 1- to 4-grams of words, commas and the period."""
    words = re.findall(r"[\w']+|[^\w\s]", sentence.lower())
    return [
        Grams(zip(*(words[k:] for k in range(n)), strict=False)) for n in range(1, 5)
    ]


@dataclasses.dataclass(frozen=True)
class References:
    """The sentences of one image: the most often that each gram is in one of them."""

    highest: list[Grams]
    lengths: list[int]

    @classmethod
    def of(cls, sentences: Sequence[str]) -> References:
        counted = [grams(sentence) for sentence in sentences]
        highest = [Grams() for _ in range(4)]
        for one in counted:
            for total, some in zip(highest, one, strict=True):
                total |= some
        return cls(highest, [one[0].total() for one in counted])

    def matches(self, hypothesis: list[Grams]) -> np.ndarray:
        """Matched and possible grams of four lengths, length and closest length."""
        length = hypothesis[0].total()
        closest = min(self.lengths, key=lambda one: (abs(one - length), one))
        pairs = list(zip(hypothesis, self.highest, strict=True))
        matched = [sum(min(n, top[g]) for g, n in some.items()) for some, top in pairs]
        return np.array([*matched, *(some.total() for some in hypothesis), closest])


def bleu(counts: np.ndarray, smoothing: float = 0.0) -> float:
    """BLEU-4 x 100 of summed `References.matches`."""
    matched, possible = counts[:4] + smoothing, counts[4:8] + smoothing
    if matched.min() <= 0:
        return 0.0
    brevity = min(0.0, 1 - counts[8] / counts[4])
    return 100 * math.exp(brevity + np.log(matched / possible).mean())


def corpus_bleu(hypotheses: list[str], references: list[list[str]]) -> float:
    """BLEU-4 x 100 over all images, without smoothing."""
    pairs = zip(hypotheses, references, strict=True)
    return bleu(sum(References.of(r).matches(grams(h)) for h, r in pairs))


def cider(hypotheses: list[str], references: list[list[str]]) -> float:
    """Plain CIDEr x 10 of the mean cosine, document frequencies from the references."""
    known = [[grams(sentence) for sentence in some] for some in references]
    documents = [Grams() for _ in range(4)]
    for some in known:
        for n in range(4):
            documents[n].update({gram for one in some for gram in one[n]})
    total = 0.0
    for hypothesis, some in zip(hypotheses, known, strict=True):
        counted = grams(hypothesis)
        for n in range(4):
            weigh = [_weights(one[n], documents[n], len(known)) for one in some]
            mine = _weights(counted[n], documents[n], len(known))
            total += sum(_cosine(mine, other) for other in weigh) / len(some) / 4
    return 10 * total / len(hypotheses)


def _weights(counts: Grams, documents: Grams, images: int) -> dict[tuple, float]:
    return {
        gram: n * math.log(images / max(1, documents[gram]))
        for gram, n in counts.items()
    }


def _cosine(one: dict[tuple, float], other: dict[tuple, float]) -> float:
    length = math.hypot(*one.values()) * math.hypot(*other.values())
    shared = sum(value * other[gram] for gram, value in one.items() if gram in other)
    return shared / length if length else 0.0


def best_sentence(candidates: list[str], possible: list[list[str]]) -> str:
    """The candidate of the highest mean BLEU-4 over possible sets of references."""
    sets = [References.of(sentences) for sentences in possible]
    scores = {}
    for candidate in dict.fromkeys(candidates):
        counted = grams(candidate)
        scores[candidate] = sum(bleu(one.matches(counted), 0.1) for one in sets)
    return max(scores, key=scores.__getitem__)


def best_by_class(train: PartsDataset, limit: int) -> dict[int, str]:
    """The best sentence of every species; the label -1 has that of all species."""
    generator = np.random.default_rng(0)
    best = {}
    for label in (-1, *range(len(train.class_names))):
        rows = np.flatnonzero((train.labels == label) | (label < 0))
        rows = generator.permutation(rows)[:limit]
        sets = [train.captions[row] for row in rows]
        candidates = [sentence for some in sets for sentence in some]
        best[label] = best_sentence(candidates, sets)
    return best


def best_by_image(
    birds: Individuals, named: np.ndarray, weights: np.ndarray, sets: int
) -> list[str]:
    """The best sentence of each image for a describer who may name some parts."""
    numbers = np.arange(len(birds))
    possible = [
        write_sentences(birds, named, weights, ImageRandom(10_000 + k, numbers))
        for k in range(sets)
    ]
    return [
        best_sentence([s for some in sets_of_one for s in some], list(sets_of_one))
        for sets_of_one in zip(*possible, strict=True)
    ]


def weights_by_look(birds: Individuals) -> np.ndarray:
    """How often parts that look like these are named, the mean over all species."""
    looks = look_table().looks[:, 0]
    species = np.arange(len(looks))
    by_species = mention_weights(species)
    weights = np.empty(birds.colors.shape, np.float32)
    for column in range(len(PARTS)):
        own = np.stack([birds.colors, birds.patterns, birds.shapes], 2)[:, column]
        same = (own[:, None] == looks[None, :, column]).all(axis=2)
        anyone = ~same.any(axis=1, keepdims=True)
        same = same | anyone
        weights[:, column] = same @ by_species[:, column] / same.sum(axis=1)
    return weights


@dataclasses.dataclass(frozen=True)
class PossibleSpecies:
    """What the visible parts of each image say of its species.

    Args:
        shares: `(images, species)`, how probable each is; the sum over species is 1.
        drab: bool `(images, species, 10)`, the visible parts that are drab if it is
            that species.
    """

    shares: np.ndarray
    drab: np.ndarray

    @classmethod
    def of(cls, birds: Individuals, seen: np.ndarray) -> PossibleSpecies:
        """Compares visible parts with both forms of all species, by Bayes' rule."""
        table = look_table()
        own = np.stack([birds.colors, birds.patterns, birds.shapes], 2)[:, None]
        dull = (own[..., :1] == table.drab_colors).any(axis=3) & (own[..., 1] == 0)
        wearing = np.isin(np.arange(len(PARTS)), table.drab_parts)
        weights, drab = [], []
        for looks in (table.looks[:, 0], table.looks[:, 1]):
            strange = (own != looks).any(axis=3) & seen[:, None]
            none, one = strange.sum(axis=2) == 0, strange.sum(axis=2) == 1
            worn = one & (~strange | dull & wearing).all(axis=2)
            weights.append(none * (1 - DRAB_SHARE) + worn * DRAB_SHARE / wearing.sum())
            drab.append(strange & worn[..., None])
        alike = (birds.sizes[:, None] == table.sizes) & (
            birds.builds[:, None] == table.builds
        )
        total = alike * (weights[0] + weights[1])
        first = (weights[0] >= weights[1])[..., None]
        return cls(total / total.sum(axis=1, keepdims=True), np.where(first, *drab))

    def accuracy(self, labels: np.ndarray) -> float:
        """How often the likeliest species is right."""
        return float((self.shares.argmax(axis=1) == labels).mean())

    def best(self, birds: Individuals, seen: np.ndarray, sets: int) -> list[str]:
        """The best sentence of each image, species drawn by their probability."""
        generator = np.random.default_rng(0)
        numbers, possible = np.arange(len(birds)), []
        for k in range(sets):
            drawn = generator.random((len(birds), 1)) * (1 - 1e-9)
            species = (self.shares.cumsum(axis=1) > drawn).argmax(axis=1)
            named = seen & ~self.drab[numbers, species]
            random = ImageRandom(20_000 + k, numbers)
            possible.append(
                write_sentences(birds, named, mention_weights(species), random)
            )
        return [
            best_sentence([s for some in sets_of_one for s in some], list(sets_of_one))
            for sets_of_one in zip(*possible, strict=True)
        ]


def fits(species: BirdSpecies, mentions: set[tuple[str, str]]) -> bool:
    """Whether all that is said can be true of a species."""
    second, look = species.second_form
    said_of = {("bird", species.size), ("bird", species.build)}
    for part, looks in [*species.looks.items(), (second, look)]:
        said_of |= {(part, word) for word in (looks.color, looks.pattern, looks.shape)}
        if part in ("wing", "back", "breast", "belly"):
            said_of.add(("bird", looks.color))
    return mentions <= said_of


def measure(
    name: str, sentences: list[str], references: list[list[str]], test: PartsDataset
) -> None:
    """Prints a row of the table."""
    typical = synthetic_bird_attributes(test)
    visible = synthetic_bird_attributes(test, typical=False)
    table = {species.name: species for species in synthetic_bird_species()}
    stated = right = seen = named = marks = guessed = 0.0
    for row, sentence in enumerate(sentences):
        mentions = synthetic_bird_mentions(sentence)
        species = table[test.class_names[test.labels[row]]]
        stated += len(mentions)
        right += len(mentions & typical[row])
        seen += len(mentions & visible[row])
        parts = {part for part, _ in mentions} - {"bird"}
        named += len(parts)
        marks += len(parts & set(species.field_marks))
        if fits(species, mentions):
            guessed += 1 / sum(fits(other, mentions) for other in table.values())
    print(
        f"{name:>{WIDTH}} {corpus_bleu(sentences, references):7.1f} "
        f"{cider(sentences, references):6.2f} {100 * seen / stated:9.1f} "
        f"{100 * right / stated:9.1f} {100 * marks / max(1, named):11.1f} "
        f"{100 * guessed / len(sentences):8.1f} {len(set(sentences)):9d}"
    )


def sentences_of_runs(folder: Path, images: int) -> Iterator[tuple[str, list[str]]]:
    """What decoders said of the test images, by name, seed and way of decoding."""
    for path in sorted(folder.glob("*_seed_*.json")):
        content = json.loads(path.read_text("utf-8"))
        name = path.stem.replace("_seed_", ", seed ")
        decoders = {name: content}
        for ablation, passed in content.get("ablations", {}).items():
            decoders[f"{name}, {ablation}"] = passed
        for title, one in decoders.items():
            for decoding, sentences in one.get("said", {}).items():
                if len(sentences) == images:
                    behind = "" if decoding == "figures" else f", {decoding}"
                    yield title + behind.replace("_", " "), sentences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1920)
    parser.add_argument("--sets", type=int, default=8, help="possible sets of ten")
    parser.add_argument(
        "--runs",
        type=Path,
        help="folder of sentences: runs of `keras-interp reproduce interpnet --data "
        "synthetic_birds`, without --quick",
    )
    arguments = parser.parse_args()
    images = DRAWN_IMAGES if arguments.runs else arguments.images
    dataset = synthetic_birds(images, part_masks=False)
    train, test = dataset.take_split("train"), dataset.take_split("test")
    birds = individuals_of(test, seed=0)
    by_class = best_by_class(train, limit=40)
    seen = visible_parts(test.landmarks) & (birds.colors >= 0)
    species = PossibleSpecies.of(birds, seen)
    rows = {
        "fixed": [by_class[-1]] * len(test),
        "class only": [by_class[label] for label in test.labels],
        "image only": best_by_image(
            birds, seen, weights_by_look(birds), arguments.sets
        ),
        "image and table": species.best(birds, seen, arguments.sets),
        "both": best_by_image(
            birds,
            can_be_named(birds, test.landmarks),
            mention_weights(birds.species),
            arguments.sets,
        ),
    }
    print(f"{len(test)} test images of {len(test.class_names)} species; in per cent:")
    print(
        f"{'':>{WIDTH}} {'BLEU-4':>7} {'CIDEr':>6} {'visible':>9} {'+ typical':>9} "
        f"{'field marks':>11} {'species':>8} {'sentences':>9}"
    )
    for name, sentences in rows.items():
        measure(name, sentences, test.captions, test)
    if arguments.runs:
        for name, sentences in sentences_of_runs(arguments.runs, len(test)):
            measure(name, sentences, test.captions, test)
    first = [some[0] for some in test.captions]
    measure("one of the ten", first, [some[1:] for some in test.captions], test)
    print("fixed:", by_class[-1])
    share = 100 * species.accuracy(birds.species)
    print(f"image and table: the likeliest species is right for {share:.1f} %")


if __name__ == "__main__":
    main()

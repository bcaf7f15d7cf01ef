"""Sentences about birds: written, read, and compared with what is true."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.synthetic._bird_body import LANDMARKS
from keras_interp.datasets.synthetic._bird_individuals import (
    Individuals,
    look_table,
    make_individuals,
)
from keras_interp.datasets.synthetic._bird_words import (
    BUILD_WORDS,
    COLOR_WORDS,
    MEANINGS,
    NOUNS,
    PART_MEANINGS,
    PATTERN_NOUNS,
    SIZE_WORDS,
    SYNONYMS,
    UNSAID,
    clauses,
    noun_phrases,
    relative_phrases,
)
from keras_interp.datasets.synthetic._drawing import ImageRandom
from keras_interp.datasets.synthetic.bird_species import (
    BUILDS,
    COLORS,
    PARTS,
    PATTERNS,
    SHAPES,
    SIZES,
    synthetic_bird_species,
)

# Sentences and how often they are written, in proportion. {list} names one to three
# parts; {first}, {second} and {third} one each; {that} is "wings that are black";
# {clause} goes on after "the" or "its"; {body} is one colour or two of the bird's body.
_TEMPLATES = {
    "this bird has {list}.": 10,
    "this is a {size} bird with {list}.": 6,
    "a {size} {body} bird with {list}.": 7,
    "the bird has {list}.": 6,
    "this {size} bird has {list}.": 5,
    "this bird has {that} and has {second}.": 6,
    "this bird is {body} in color, with {first}.": 4,
    "this bird is {body} with {first} and {second}.": 4,
    "this particular bird has {that}.": 4,
    "{size} bird with {list}.": 2,
    "the {clause}, and the {second_clause}.": 3,
    "a {build} bird with {list}.": 3,
    "this {body} bird has {list}.": 4,
    "a bird with {first} and {second}.": 3,
    "it has {list}.": 1,
    "this {size} {build} bird features {list}.": 2,
    "this {size} bird has {first} and {second}, and its {third_clause}.": 2,
    "its {clause}.": 1,
    "this is a {build} {body} bird with {first} and {second}.": 3,
    "{body} bird with {list}.": 1,
}
_TEXTS = tuple(_TEMPLATES)
_PLAIN, _WITHOUT_PARTS = "this bird has {list}.", "this is a {size} {build} bird."
_NEEDED = {"second": 2, "second_clause": 2, "third": 3, "third_clause": 3}
# How often people name a part that does not set the species apart, and one that does.
_SALIENCE = {
    "crown": 1.1,
    "nape": 0.6,
    "throat": 0.8,
    "beak": 1.3,
    "breast": 1.1,
    "belly": 1.2,
    "back": 0.8,
    "wing": 1.2,
    "tail": 0.8,
    "eye_ring": 0.6,
}
_MARK_WEIGHT = 8.0
BODY_PARTS = [PARTS.index(name) for name in ("wing", "back", "breast", "belly")]
_MOST = 3  # parts in a sentence


def visible_parts(landmarks: np.ndarray) -> np.ndarray:
    """Bool `(n, 10)`: which of `PARTS` have a landmark in `(n, 15, 2)`."""
    seen = ~np.isnan(landmarks[..., 0])
    pairs = {"wing": "wing", "eye_ring": "eye"}
    columns = [
        [
            LANDMARKS.index(name)
            for name in LANDMARKS
            if name == part or (part in pairs and name.endswith(f" {pairs[part]}"))
        ]
        for part in PARTS
    ]
    return np.stack([seen[:, places].any(axis=1) for places in columns], axis=1)


def can_be_named(birds: Individuals, landmarks: np.ndarray) -> np.ndarray:
    """Bool `(n, 10)`: the parts that are there, visible and typical of the species."""
    return visible_parts(landmarks) & (birds.colors >= 0) & ~birds.drab


def mention_weights(species: np.ndarray) -> np.ndarray:
    """float32 `(n, 10)`: how often a part is named; field marks most often."""
    marks = look_table().marks[species]
    salience = np.array([_SALIENCE[part] for part in PARTS], np.float32)
    return salience * np.where(marks, np.float32(_MARK_WEIGHT), 1)


def write_sentences(
    birds: Individuals,
    named: np.ndarray,
    weights: np.ndarray,
    random: ImageRandom,
    count: int = 10,
) -> list[list[str]]:
    """Writes sentences that differ in form and in the parts they name.

    Args:
        birds: the birds of n images.
        named: bool `(n, 10)`, the parts that may be named.
        weights: `(n, 10)`, how often to name each part, in proportion.
        random: the numbers of the n images.
        count: sentences for an image, no more than there are forms of sentences (20).

    Returns:
        n lists of `count` sentences.
    """
    drawn = _draw(birds, named, weights, random, count)
    sentences = np.empty(len(drawn.forms), object)
    needs_body = np.array(["{body}" in text for text in _TEXTS])
    needed = np.array([_parts_needed(text) for text in _TEXTS])
    fits = (drawn.available >= needed[drawn.forms]) & (
        (drawn.body[:, 0] >= 0) | ~needs_body[drawn.forms]
    )
    form = np.where(fits, drawn.forms, len(_TEXTS))
    form[drawn.available == 0] = len(_TEXTS) + 1
    for number, text in enumerate((*_TEXTS, _PLAIN, _WITHOUT_PARTS)):
        rows = np.flatnonzero(form == number)
        if len(rows):
            sentences[rows] = _fill(text, drawn.take(rows))
    return sentences.reshape(len(birds), count).tolist()


@dataclasses.dataclass(frozen=True)
class _Drawn:
    """What was drawn for each of m sentences.

    `forms` is a position in the templates, `parts` `(m, 3)` those to name and `looks`
    `(m, 3, 3)` their colour, pattern and shape; `available` parts may be named and
    `listed` ones are to be; `body` `(m, 2)` are colours, -1 for none; `choices`
    `(m, 6)` in 0..1 choose between synonyms.
    """

    forms: np.ndarray
    parts: np.ndarray
    looks: np.ndarray
    available: np.ndarray
    listed: np.ndarray
    body: np.ndarray
    sizes: np.ndarray
    builds: np.ndarray
    choices: np.ndarray

    def take(self, rows: np.ndarray) -> _Drawn:
        return _Drawn(**{name: value[rows] for name, value in vars(self).items()})


def _draw(
    birds: Individuals,
    named: np.ndarray,
    weights: np.ndarray,
    random: ImageRandom,
    count: int,
) -> _Drawn:
    """Chooses forms, all different in an image, and parts for every sentence."""
    frequency = np.array(list(_TEMPLATES.values()), np.float32)
    forms = _ranked(frequency, random.uniform(shape=(len(_TEXTS),)))[:, :count]
    likely = np.where(named, weights, 0)[:, None, :]
    parts = _ranked(likely, random.uniform(shape=(count, len(PARTS))))[..., :_MOST]
    likely = likely[..., BODY_PARTS]
    body = _ranked(likely, random.uniform(shape=(count, len(BODY_PARTS))))[..., :2]
    body = np.array(BODY_PARTS)[body]
    rows = np.arange(len(birds))[:, None, None]
    looks = np.stack([birds.colors, birds.patterns, _told_shapes(birds)], axis=2)
    available = np.minimum(named.sum(axis=1), _MOST)[:, None]
    few = random.uniform(shape=(count,))
    wanted = 1 + (few > 0.12).astype(int) + (few > 0.6)
    drawn = {
        "forms": forms,
        "parts": parts,
        "looks": looks[rows, parts],
        "available": np.broadcast_to(available, forms.shape),
        "listed": np.minimum(wanted, available),
        "body": np.where(named[rows, body], birds.colors[rows, body], -1),
        "sizes": np.broadcast_to(birds.sizes[:, None], forms.shape),
        "builds": np.broadcast_to(birds.builds[:, None], forms.shape),
        "choices": random.uniform(shape=(count, 6)),
    }
    return _Drawn(**{name: v.reshape(-1, *v.shape[2:]) for name, v in drawn.items()})


def _ranked(weights: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draws without replacement along the last axis, in proportion to the weights.

    Sorting exponential waiting times does that (Efraimidis and Spirakis, 2006).
    """
    waiting = -np.log1p(-uniform) / np.maximum(weights, 1e-9)
    return np.argsort(waiting, axis=-1, kind="stable")


def _told_shapes(birds: Individuals) -> np.ndarray:
    """The shapes of the parts, unsaid for a beak that points at the viewer."""
    shapes = birds.shapes.copy()
    shapes[birds.facing, PARTS.index("beak")] = UNSAID
    return shapes


def _parts_needed(text: str) -> int:
    """How many parts must be there to be named for a template to be filled."""
    return max(_NEEDED.get(slot, 1) for slot in re.findall(r"{(\w+)}", text))


def _fill(text: str, drawn: _Drawn) -> np.ndarray:
    """One sentence of the form `text` for everything that was drawn."""
    filled = np.full(len(drawn.forms), "", object)
    for piece in re.split(r"({\w+})", text):
        filled = filled + (_slot(piece[1:-1], drawn) if piece[:1] == "{" else piece)
    return filled


def _slot(name: str, drawn: _Drawn) -> np.ndarray:
    """The words for a slot of a template."""
    places = {"second": 1, "third": 2, "second_clause": 1, "third_clause": 2}
    place = places.get(name, 0)
    if name in ("size", "build"):
        words = (SIZE_WORDS, SIZES) if name == "size" else (BUILD_WORDS, BUILDS)
        table = np.array([words[0][value] for value in words[1]], object)
        values = drawn.sizes if name == "size" else drawn.builds
        return table[values, _choice(drawn.choices[:, 3], SYNONYMS)]
    if name == "body":
        return _body_colors(drawn)
    if name == "list":
        return _list(drawn)
    tables = {"that": relative_phrases, "first": noun_phrases, "second": noun_phrases}
    return _phrase(tables.get(name, clauses)(), drawn, place)


def _phrase(table: np.ndarray, drawn: _Drawn, place: int) -> np.ndarray:
    """The phrase for the part in one place of every sentence."""
    variant = _choice(drawn.choices[:, place], table.shape[1])
    color, pattern, shape = drawn.looks[:, place].T
    return table[drawn.parts[:, place], variant, color, pattern, shape]


def _choice(uniform: np.ndarray, count: int) -> np.ndarray:
    return (uniform * count).astype(int)


def _list(drawn: _Drawn) -> np.ndarray:
    """As "a red crown", "a red crown and a white belly" and so on."""
    first, second, third = (_phrase(noun_phrases(), drawn, n) for n in range(_MOST))
    comma = drawn.choices[:, 4] < 0.5
    last = np.where(comma, ", and ", " and ").astype(object)
    before_second = np.array(["", " and ", ", "], object)[drawn.listed - 1]
    more = before_second + np.where(drawn.listed >= 2, second, "")
    return first + more + np.where(drawn.listed >= 3, last + third, "")


def _body_colors(drawn: _Drawn) -> np.ndarray:
    """As "brown", or "brown and white" where two parts have two colours."""
    table = np.array([COLOR_WORDS[color] for color in COLORS], object)
    choice = _choice(drawn.choices[:, 5], SYNONYMS)
    first, second = drawn.body.T
    two = (second >= 0) & (second != first)
    return table[first, choice] + np.where(two, " and " + table[second, choice], "")


def synthetic_bird_attributes(
    dataset: PartsDataset, seed: int = 0, *, typical: bool = True
) -> list[set[tuple[str, str]]]:
    """Lists what a true sentence may say about each image of `synthetic_birds`.

    With `synthetic_bird_mentions` it gives the share of a sentence's statements that
    are right.

    Example:

    ```python
    dataset = ki.datasets.synthetic_birds(48)
    attributes = ki.datasets.synthetic_bird_attributes(dataset)
    said = ki.datasets.synthetic_bird_mentions(dataset.captions[0][0])
    said <= attributes[0]  # True
    ```

    Args:
        dataset: made by `synthetic_birds`, or some of its images.
        seed: the one that it was made with.
        typical: whether to leave out a drab part, which can be seen but is not as is
            typical of the species.

    Returns:
        For each image the pairs that `synthetic_bird_mentions` would read from a
        sentence that says everything: colours, patterns (other than plain) and shapes
        of the visible parts; size, build and the colours of wings, back, breast and
        belly for `"bird"`.

    Raises:
        ValueError: if the dataset was not made by `synthetic_birds` with this seed.
    """
    birds = individuals_of(dataset, seed)
    named = can_be_named(birds, dataset.landmarks)
    if not typical:
        named = visible_parts(dataset.landmarks) & (birds.colors >= 0)
    return [_attributes(birds, named, row) for row in range(len(birds))]


def individuals_of(dataset: PartsDataset, seed: int) -> Individuals:
    """The birds of a dataset, made up again from their numbers."""
    known = [species.name for species in synthetic_bird_species()]
    strange = sorted(set(dataset.class_names) - set(known))
    if strange or dataset.landmark_names != LANDMARKS or dataset.ids is None:
        raise ValueError(
            "dataset must come from synthetic_birds, with its ids; got the classes "
            f"{dataset.class_names[:3]} and the landmarks {dataset.landmark_names[:3]}"
        )
    species = np.array([known.index(name) for name in dataset.class_names])
    random = ImageRandom(seed, np.asarray(dataset.ids))
    return make_individuals(species[dataset.labels], random)


def _attributes(
    birds: Individuals, named: np.ndarray, row: int
) -> set[tuple[str, str]]:
    """Everything that may be said about one bird."""
    found = {
        ("bird", SIZES[birds.sizes[row]]),
        ("bird", BUILDS[birds.builds[row]]),
    }
    for column in np.flatnonzero(named[row]):
        part = PARTS[column]
        found.add((part, COLORS[birds.colors[row, column]]))
        if column in BODY_PARTS:
            found.add(("bird", COLORS[birds.colors[row, column]]))
        if birds.patterns[row, column]:
            found.add((part, PATTERNS[birds.patterns[row, column]]))
        if part in SHAPES and not (part == "beak" and birds.facing[row]):
            found.add((part, SHAPES[part][birds.shapes[row, column]]))
    return found


_MARKS = {word for words in PATTERN_NOUNS.values() for word in words}
# Words after which the adjectives to come belong to another part.
_BREAKS = {"a", "an", "the", "its", "it", "has", "this", ",", "while", "features"}


def synthetic_bird_mentions(sentence: str) -> set[tuple[str, str]]:
    """Reads from a sentence which parts it names and what it says of them.

    It understands the sentences of `synthetic_birds` and those of networks that learnt
    from them; words that it does not know are passed over.

    Example:

    >>> from keras_interp.datasets import synthetic_bird_mentions
    >>> sorted(synthetic_bird_mentions("a small bird with a short black bill."))
    [('beak', 'black'), ('beak', 'conical'), ('bird', 'small')]

    Args:
        sentence: in English, lower or upper case.

    Returns:
        Pairs of a part, as in `BirdSpecies.looks`, or `"bird"`, and a colour, pattern,
        shape, size or build of the species table.
    """
    words = re.findall(r"[a-z]+|,", sentence.lower().replace("eye ring", "eyering"))
    mentions: set[tuple[str, str]] = set()
    waiting: list[str] = []
    part, tells = "", False  # the last part, and whether a verb follows it
    for word in [*words, ","]:
        if word in _MARKS:
            # The colour before it is that of the marks.
            mentions |= _pairs(part, [word])
            waiting = []
        elif word in NOUNS:
            part, tells = NOUNS[word], False
            if word == "crest":
                waiting.append("crested")
            mentions |= _pairs(part, waiting)
            waiting = []
        elif word in _BREAKS or (tells and word in ("and", "with", "in")):
            if tells:
                mentions |= _pairs(part, waiting)
            tells = tells and word in ("and", ",")
            waiting = []
        elif word in ("is", "are"):
            tells, waiting = True, []
        else:
            waiting.append(word)
    return mentions


def _pairs(part: str, words: list[str]) -> set[tuple[str, str]]:
    """What the words mean when they are said of a part."""
    meanings = MEANINGS | PART_MEANINGS.get(part, {}) if part else {}
    return {(part, meanings[word]) for word in words if word in meanings}

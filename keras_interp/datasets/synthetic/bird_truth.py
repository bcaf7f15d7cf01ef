"""What is true of the birds in a dataset, to check sentences against."""

from __future__ import annotations

import numpy as np

from keras_interp.datasets.parts_dataset import PartsDataset
from keras_interp.datasets.synthetic.bird_anatomy import LANDMARKS
from keras_interp.datasets.synthetic.bird_attributes import (
    BUILDS,
    COLORS,
    PARTS,
    PATTERNS,
    SHAPES,
    SIZES,
)
from keras_interp.datasets.synthetic.bird_individuals import (
    Individuals,
    make_individuals,
)
from keras_interp.datasets.synthetic.bird_sentences import (
    BODY_PARTS,
    can_be_named,
    visible_parts,
)
from keras_interp.datasets.synthetic.bird_species import synthetic_bird_species
from keras_interp.datasets.synthetic.random_numbers import PictureRandom


def synthetic_bird_attributes(
    dataset: PartsDataset, seed: int = 0, *, typical: bool = True
) -> list[set[tuple[str, str]]]:
    """Lists what a true sentence may say about each picture of `synthetic_birds`.

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
        dataset: made by `synthetic_birds`, or some of its pictures.
        seed: the one that it was made with.
        typical: whether to leave out a drab part, which can be seen but is not as is
            typical of the species.

    Returns:
        For each picture the pairs that `synthetic_bird_mentions` would read from a
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
    random = PictureRandom(seed, np.asarray(dataset.ids))
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

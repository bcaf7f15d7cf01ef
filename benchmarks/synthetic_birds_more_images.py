"""What more drawn images, learnt from, do for the sentences about drawn birds.

    python benchmarks/synthetic_birds_more_images.py
    python benchmarks/synthetic_birds_more_images.py --units 64

Trains a network on the species of the training images of `synthetic_birds` and of more
images of another seed, averages its last maps over a grid, trains InterpNET_1 on that,
and scores what it says of held-back training images after each pass: the likeliest
words, beam search, and the sentence of the highest expected BLEU-4, out of some that
the decoder draws, where others that it draws stand for what people would write. The
test images are left alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import keras
import numpy as np
from synthetic_birds_describers import References, bleu, grams

from keras_interp import metrics
from keras_interp.datasets import PartsDataset, Vocabulary, synthetic_birds
from keras_interp.models import InterpNet, interpnet_classifier
from keras_interp.reproduce._tasks import development_split
from keras_interp.reproduce.interpnet._birds import DRAWN_IMAGES, DRAWN_SIZE, _parts

NETWORK_RATE, CLASSIFIER_RATE, DECODER_RATE = 3e-3, 1e-3, 3e-3
CLASSIFIER_EPOCHS, CLASSIFIER_PATIENCE = 10, 4
# Sentences that are drawn: to be said, and to stand for what people write.
CANDIDATES, REFERENCES, SET = 40, 80, 10


def trained_network(
    images: np.ndarray, labels: np.ndarray, classes: int, epochs: int
) -> keras.Model:
    """Four convolutions and a layer of classes, after training on species."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(images.shape[1:])
    maps = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
    for number, (width, size) in enumerate(((32, 5), (64, 3), (96, 3), (96, 3))):
        stride = 1 if number else 2
        maps = keras.layers.Conv2D(width, size, stride, "same", use_bias=False)(maps)
        maps = keras.layers.BatchNormalization(momentum=0.9)(maps)
        maps = keras.layers.Activation("relu", name=f"maps_{number}")(maps)
        maps = keras.layers.MaxPooling2D(2)(maps) if number < 2 else maps
    vector = keras.layers.Flatten()(keras.layers.AveragePooling2D(2)(maps))
    outputs = keras.layers.Dense(classes, activation="softmax")(vector)
    network = keras.Model(inputs, outputs)
    steps = epochs * (len(images) // 32)
    warming = max(1, steps // 20)
    rate = keras.optimizers.schedules.CosineDecay(
        NETWORK_RATE / 10,
        max(1, steps - warming),
        warmup_target=NETWORK_RATE,
        warmup_steps=warming,
    )
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    generator = np.random.default_rng(0)
    for _ in range(epochs):
        # The figures of a species do not depend on which way its birds look.
        mirrored = generator.random(len(images)) < 0.5
        shown = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
        network.fit(shown, labels, batch_size=32, verbose=2)
    return network


def grid_features(network: keras.Model, images: np.ndarray, cells: int) -> np.ndarray:
    """The last maps, averaged over `cells` by `cells` parts of the image."""
    maps = network.get_layer("maps_3").output
    pooled = keras.layers.AveragePooling2D(max(1, maps.shape[1] // cells))(maps)
    reader = keras.Model(network.inputs, keras.layers.Flatten()(pooled))
    return reader.predict(images, batch_size=64, verbose=0)


def of_highest_expected_bleu(
    drawn: Sequence[str], others: Sequence[str], known: Sequence[str]
) -> str:
    """The candidate that agrees most with sets of ten other sentences."""
    sets = [
        References.of(others[start : start + SET])
        for start in range(0, len(others), SET)
    ]
    scores = {}
    for candidate in dict.fromkeys([*drawn, *known]):
        counted = grams(candidate)
        scores[candidate] = sum(bleu(one.matches(counted), 0.1) for one in sets)
    return max(scores, key=scores.__getitem__)


def score(model: InterpNet, context: np.ndarray, written: list[list[str]]) -> None:
    """Prints BLEU and CIDEr of three ways of decoding."""
    said = {
        "likeliest words": model.explain(context=context),
        "beam search": model.explain(context=context, beam_width=3),
    }
    drawn = [
        model.explain(context=context, temperature=1.0, seed=seed)
        for seed in range(CANDIDATES + REFERENCES)
    ]
    known = list(zip(*said.values(), strict=True))
    said["expected BLEU"] = [
        of_highest_expected_bleu(some[:CANDIDATES], some[CANDIDATES:], two)
        for some, two in zip(zip(*drawn, strict=True), known, strict=True)
    ]
    for name, sentences in said.items():
        value = metrics.bleu(sentences, written, tokens="words_and_punctuation").value
        cider = 100 * metrics.cider(sentences, written, tokens="words").value
        print(
            f"{name:>16}: BLEU {value:.1f}, CIDEr {cider:.1f}, {len(set(sentences))} "
            "sentences",
            flush=True,
        )


class ScoreEachPass(keras.callbacks.Callback):
    """Prints the scores of some images after each pass over the sentences."""

    def __init__(self, context: np.ndarray, written: list[list[str]]):
        super().__init__()
        self.context, self.written = context, written

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        print(f"After {epoch + 1} passes, validation loss {logs['val_loss']:.4f}:")
        score(self.model, self.context, self.written)


def joined(one: PartsDataset, other: PartsDataset) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of two sets."""
    return (
        np.concatenate([one.images, other.images]),
        np.concatenate([one.labels, other.labels]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--more", type=int, default=9600, help="images of another seed")
    parser.add_argument(
        "--described", type=int, help="how many of them the decoder has"
    )
    parser.add_argument("--epochs", type=int, default=6, help="of the network")
    parser.add_argument("--cells", type=int, default=2, help="of the grid, a side")
    parser.add_argument("--units", type=int, default=128, help="of each LSTM")
    parser.add_argument("--passes", type=int, default=6, help="over the sentences")
    parser.add_argument("--every", type=int, default=2, help="score one image of these")
    arguments = parser.parse_args()
    dataset = development_split(
        synthetic_birds(DRAWN_IMAGES, DRAWN_SIZE, part_masks=False)
    )
    more = synthetic_birds(arguments.more, DRAWN_SIZE, part_masks=False, seed=1)
    fit, validation, held_back = _parts(dataset)
    classes = len(dataset.class_names)
    images, labels = joined(dataset.subset(fit), more)
    print(f"{len(images)} images to learn from, {len(held_back)} held back", flush=True)
    network = trained_network(images, labels, classes, arguments.epochs)
    of_fit = grid_features(network, images, arguments.cells)
    features = grid_features(network, dataset.images, arguments.cells)
    classifier = interpnet_classifier(features.shape[1], classes, seed=0)
    first = InterpNet(classifier, Vocabulary(["bird"]), units=1, embedding_dim=1)
    known = np.asarray(dataset.labels)
    first.fit_classifier(
        of_fit,
        labels,
        (features[validation], known[validation]),
        epochs=CLASSIFIER_EPOCHS,
        batch_size=64,
        learning_rate=CLASSIFIER_RATE,
        patience=CLASSIFIER_PATIENCE,
        verbose=0,
    )
    found = classifier.predict(features[held_back], verbose=0).argmax(axis=1)
    right = 100 * (found == known[held_back]).mean()
    print(f"The species is right for {right:.1f} % of the held-back images", flush=True)
    assert dataset.captions is not None and more.captions is not None
    captions = [dataset.captions[row] for row in fit] + more.captions
    captions = captions[: len(fit) + (arguments.described or arguments.more)]
    model = InterpNet(
        classifier,
        Vocabulary.from_sentences(captions, min_count=3),
        units=arguments.units,
        embedding_dim=128,
        projection=arguments.units,
        max_length=32,
        seed=0,
    )
    scored = held_back[:: arguments.every]
    model.fit_explainer(
        of_fit[: len(captions)],
        captions,
        (features[validation], [dataset.captions[row] for row in validation]),
        epochs=arguments.passes,
        learning_rate=DECODER_RATE,
        verbose=2,
        callbacks=[
            ScoreEachPass(
                model.context(features[scored]), [dataset.captions[r] for r in scored]
            )
        ],
    )


if __name__ == "__main__":
    main()

"""What plain use of a pretrained network needs before its filters find a part.

    KERAS_INTERP_DATA=data python benchmarks/pretrained_maps.py --seeds 3
    KERAS_INTERP_DATA=data python benchmarks/pretrained_maps.py --data animal_part \
        --categories dog sheep --backbone mobilenet --fine-tune 5

Trains what a user types (images and their mirror images, one or two `InterpretableConv`
of 96 filters with the default loss, pooling, dropout and one unit) on the maps of a
frozen network: as they are, behind a BatchNormalization, and behind
`ki.layers.whitening_conv`. Beside them the recipe of `keras-interp reproduce icnn`.
Prints the accuracy, how many of the 48 interpretable filters are part detectors, their
tracking, hit gain and location instability. `--fine-tune` then converts a trained
classifier with `to_interpretable`, trains the new layers below which all is frozen,
and after that all weights but those of batch normalisation, so many epochs at each of
the rates. `--development` scores on held-back training images, on which anything is to
be chosen.
"""

from __future__ import annotations

import argparse
import time

import keras
import numpy as np

import keras_interp as ki
from keras_interp.reproduce._tasks import PHOTOGRAPHS, Task, plan_tasks
from keras_interp.reproduce._trunk import BACKBONES, FrozenTrunk, Projection
from keras_interp.reproduce.icnn._training import (
    TARGET_LAYER,
    TOP_LAYER,
    IcnnRecipe,
    TrainedNetwork,
    fitted,
    measured,
)

FILTERS = 96
COMPONENTS = 96
ROUTES = {
    "raw, one layer": ("raw", 1),
    "raw, two layers": ("raw", 2),
    "batch normalisation, two layers": ("normalised", 2),
    "whitened, one layer": ("whitened", 1),
    "whitened, two layers": ("whitened", 2),
}


def plain_network(
    maps: np.ndarray, route: str, filter_loss: str, strength: float
) -> keras.Model:
    """From the frozen maps to the score, as a user types it."""
    preparation, count = ROUTES[route]
    before = {
        "raw": list,
        "normalised": lambda: [keras.layers.BatchNormalization()],
        "whitened": lambda: [
            ki.layers.whitening_conv(maps, COMPONENTS, strength=strength)
        ],
    }
    regularizer = keras.regularizers.L2(1e-4)
    options = {
        "padding": "same",
        "kernel_regularizer": regularizer,
        "filter_loss": filter_loss,
    }
    return ki.models.InterpretableSequential(
        [
            keras.Input(maps.shape[1:]),
            *before[preparation](),
            *[
                ki.InterpretableConv(FILTERS, 3, name=name, **options)
                for name in (TARGET_LAYER, TOP_LAYER)[-count:]
            ],
            keras.layers.MaxPooling2D(3, 2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def compiled(model: keras.Model, rate: float) -> keras.Model:
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    return model


def described(name: str, network: TrainedNetwork, seconds: float) -> str:
    """A line of the table."""
    found = network.measured
    assert found.groups is not None
    return (
        f"{name:42} accuracy {network.accuracy:.3f}  groups {found.groups.groups}  "
        f"detectors {found.groups.detectors.sum()}/{len(found.groups.detectors)}  "
        f"tracking {found.tracking.value:+.2f}  hit gain {found.hit_gain.value:+.2f}  "
        f"instability {found.instability.value:.3f}  {seconds:.0f} s"
    )


def run(task: Task, arguments: argparse.Namespace, trunk: FrozenTrunk) -> None:
    """Train and print all routes of one task."""
    learnt = np.flatnonzero(task.is_train)
    images = task.dataset.images[learnt]
    images = np.concatenate([images, images[:, :, ::-1]])
    labels = np.tile(task.targets[learnt], 2)
    maps = trunk.features(images)
    scored = "held-back training" if arguments.development else "test"
    print(
        f"{task.name}, {trunk.name}: {len(images)} training images, "
        f"{int((~task.is_train).sum())} {scored} images, maps of standard deviation "
        f"{maps.std(dtype='float32'):.1f} and up to {maps.max():.0f}",
        flush=True,
    )
    epochs = arguments.epochs or task.usual_epochs
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        if "recipe" in arguments.routes:
            run_recipe(task, trunk, seed)
        for route in [name for name in ROUTES if name in arguments.routes]:
            start = time.perf_counter()
            keras.utils.set_random_seed(seed)
            network = plain_network(
                maps, route, arguments.filter_loss, arguments.strength
            )
            model = compiled(network, 1e-3)
            log = model.fit(maps, labels, epochs=epochs, batch_size=64, verbose=0)
            found = measured(
                model, log.history, task, task.features, trunk.receptive_field()
            )
            seconds = time.perf_counter() - start
            print(described(f"{route}, seed {seed}", found, seconds), flush=True)
        if arguments.fine_tune:
            fine_tune(task, trunk, images, labels, maps, arguments, seed)


def run_recipe(task: Task, trunk: FrozenTrunk, seed: int) -> None:
    """The recipe of `keras-interp reproduce icnn`."""
    start = time.perf_counter()
    projection = Projection.fit(task.features[task.is_train], COMPONENTS)
    values, mirrored = projection(task.features), projection(task.mirrored)
    recipe = IcnnRecipe(epochs=task.usual_epochs, filters=FILTERS)
    model, log = fitted(task, values, mirrored, recipe, "interpretable", seed)
    network = measured(model, log, task, values, trunk.receptive_field())
    seconds = time.perf_counter() - start
    print(described(f"recipe, seed {seed}", network, seconds), flush=True)


def trained_classifier(
    trunk: FrozenTrunk, maps: np.ndarray, labels: np.ndarray
) -> keras.Model:
    """What a user comes with: the pretrained network with a trained head."""
    head = keras.Sequential(
        [
            keras.Input(maps.shape[1:]),
            keras.layers.MaxPooling2D(3, 2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    compiled(head, 1e-3).fit(maps, labels, epochs=10, batch_size=64, verbose=0)
    outputs = trunk.network.output
    for layer in head.layers:
        outputs = layer(outputs)
    return keras.Model(trunk.network.inputs, outputs)


def fine_tune(
    task: Task,
    trunk: FrozenTrunk,
    images: np.ndarray,
    labels: np.ndarray,
    maps: np.ndarray,
    arguments: argparse.Namespace,
    seed: int,
) -> None:
    """Convert a trained classifier, and train it in two stages."""
    keras.utils.set_random_seed(seed)
    classifier = trained_classifier(trunk, maps, labels)
    last = trunk.network.layers[-1].name
    inputs, shown = trunk.preprocess(images), trunk.preprocess(task.dataset.images)
    epochs = arguments.epochs or task.usual_epochs
    whitening = ki.layers.whitening_conv(maps, COMPONENTS)
    regularizer = keras.regularizers.L2(1e-4)
    for name, given in (("whitened", whitening), ("mask and layer", None)):
        start = time.perf_counter()
        keras.utils.set_random_seed(seed)
        model = ki.models.to_interpretable(
            classifier, last, whitening=given, kernel_regularizer=regularizer
        )
        below = model.layers[: model.layers.index(model.get_layer(last)) + 1]
        for layer in below:
            layer.trainable = False
        fit(compiled(model, 1e-3), inputs, labels, epochs)
        report(f"{name}, frozen below, seed {seed}", model, task, shown, start)
        first = model.get_weights()
        for rate in arguments.rates:
            start = time.perf_counter()
            model.set_weights(first)
            for layer in below:
                norm = isinstance(layer, keras.layers.BatchNormalization)
                layer.trainable = not norm
            fit(compiled(model, rate), inputs, labels, arguments.fine_tune)
            report(f"{name}, all at {rate:g}, seed {seed}", model, task, shown, start)


def fit(
    model: keras.Model, inputs: np.ndarray, labels: np.ndarray, epochs: int
) -> None:
    model.fit(inputs, labels, epochs=epochs, batch_size=32, verbose=0)


def report(
    name: str, model: keras.Model, task: Task, shown: np.ndarray, start: float
) -> None:
    """Measure the top interpretable layer of a whole network."""
    seconds = time.perf_counter() - start
    top = [one for one in model.layers if isinstance(one, ki.InterpretableConv)][-1]
    rows = task.objects()
    layer = ki.metrics.read_feature_maps(model, shown[rows], top.name)
    found = ki.metrics.measure_maps(
        layer, ki.receptive_field(model, top.name), task.dataset.subset(rows)
    )
    test = ~task.is_train
    scores = model.evaluate(
        shown[test], task.targets[test], verbose=0, return_dict=True
    )
    network = TrainedNetwork(scores["accuracy"], found, {}, None, None)
    print(described(name, network, seconds), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="cub", choices=PHOTOGRAPHS)
    parser.add_argument("--categories", nargs="+", default=["bird"])
    parser.add_argument("--backbone", default="squeezenet", choices=BACKBONES)
    parser.add_argument(
        "--routes",
        nargs="*",
        default=["recipe", *ROUTES],
        choices=["recipe", *ROUTES],
    )
    parser.add_argument("--strength", type=float, default=0.5, help="of the whitening")
    parser.add_argument("--filter-loss", default="posterior", help="of the routes")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="with the pretrained network frozen")
    parser.add_argument(
        "--fine-tune", type=int, default=0, help="epochs of all weights"
    )
    parser.add_argument("--rates", nargs="+", type=float, default=[1e-4])
    parser.add_argument("--development", action="store_true")
    arguments = parser.parse_args()
    trunk = FrozenTrunk.load(arguments.backbone)
    plan = plan_tasks(
        arguments.data,
        None,
        categories=arguments.categories,
        development=arguments.development,
    )
    for task in plan.tasks(trunk):
        run(task, arguments, trunk)


if __name__ == "__main__":
    main()

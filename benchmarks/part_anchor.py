"""What could tell where an animal is: how far filters agree, and on what.

    KERAS_INTERP_DATA=data python benchmarks/part_anchor.py --categories dog horse

`filter_loss="parts"` needs an anchor, one part that is found in every image. Trains the
two-layer network of `keras-interp reproduce icnn` with `filter_loss="posterior"` and
prints, for each layer and on held-back training images alone, how many pairs of filters
have one place in common, and how well the place that several of them vote for follows a
landmark: the first four filters (today's anchor), all of them, and the largest cluster
of filters that agree in the images which were learnt from. Beside them: a constant
place in the frame of the foreground alone, which needs no anchor.
"""

from __future__ import annotations

import argparse

import keras
import numpy as np

from keras_interp import metrics
from keras_interp.layers._part_places import FOREGROUND_SLOPE, LEAST_AGREEMENT
from keras_interp.layers._part_search import ONE_PLACE
from keras_interp.losses._templates import template_matrix
from keras_interp.receptive_fields import ReceptiveField
from keras_interp.reproduce._tasks import Task, plan_tasks
from keras_interp.reproduce._trunk import FrozenTrunk, Projection
from keras_interp.reproduce.icnn._training import (
    TARGET_LAYER,
    TOP_LAYER,
    IcnnRecipe,
    build_network,
    fit_network,
)

COMPONENTS = 96
ANCHORS = 4


def peaks_of(
    model: keras.Model, values: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray]:
    """Row-major cells `(images, filters)` of the peaks, and where a filter fires."""
    layer = metrics.read_feature_maps(model, values, name)
    maps = layer.maps[..., : layer.interpretable]
    maps = maps.reshape(len(maps), -1, maps.shape[-1])
    return maps.argmax(axis=1), maps.max(axis=1) > 0


def in_common(cells: np.ndarray, fires: np.ndarray, width: int) -> np.ndarray:
    """Share of the images in which two filters have one place, for all pairs."""
    places = np.stack(np.divmod(cells, width), axis=-1)
    apart = np.abs(places[:, :, None] - places[:, None]).max(axis=-1)
    both = fires[:, :, None] & fires[:, None]
    return ((apart <= ONE_PLACE * width) & both).mean(axis=0)


def mean_of_pairs(shares: np.ndarray) -> float:
    """Mean over the pairs of filters; 1 for a single one."""
    pairs = shares[np.triu_indices(len(shares), 1)]
    return float(pairs.mean()) if pairs.size else 1.0


def cluster_of(shares: np.ndarray) -> np.ndarray:
    """The filter that agrees with most others, and these."""
    agrees = shares >= LEAST_AGREEMENT
    return np.flatnonzero(agrees[(agrees * shares).sum(axis=1).argmax()])


def voted(cells: np.ndarray, fires: np.ndarray, width: int) -> np.ndarray:
    """The cell `(images,)` at which the templates of the peaks add up to most."""
    templates = np.asarray(template_matrix(width, width, 4.0, "l1"))[:-1]
    votes = np.maximum(templates, 0)[cells] * fires[:, :, None]
    return votes.sum(axis=1).argmax(axis=1)


def pixels(cells: np.ndarray, width: int, field: ReceptiveField) -> np.ndarray:
    start, stride = float(np.max(field.start)), float(np.max(field.stride))
    return start + stride * np.stack([cells % width, cells // width], axis=-1)


def followed(positions: np.ndarray, task: Task) -> str:
    """How well positions `(animals, 2)` follow the landmark that training chooses."""
    dataset = task.dataset.subset(task.objects())
    choose = task.is_train[task.objects()]
    scores = np.ones((len(positions), 1))
    given = positions[:, None], scores, dataset.landmarks, dataset.image_size
    tracks = metrics.tracking(*given, choose_on=choose)
    hits = metrics.hit_gain(*given, choose_on=choose)
    name = dataset.landmark_names[tracks.part[0]]
    return f"tracks {name} {tracks.value:+.2f}, hit gain {hits.value:+.2f}"


def print_votes(model: keras.Model, task: Task, values: np.ndarray, field) -> None:
    width = values.shape[2]
    for name in (TARGET_LAYER, TOP_LAYER):
        learnt = peaks_of(model, values[task.training_objects()], name)
        shares = in_common(*learnt, width)
        held_back = ~task.is_train[task.objects()]
        cells, fires = peaks_of(model, values[task.objects()], name)
        every = np.arange(cells.shape[1])
        voters = {"first": every[:ANCHORS], "all": every, "cluster": cluster_of(shares)}
        for who, filters in voters.items():
            seen = cells[:, filters], fires[:, filters]
            agree = in_common(seen[0][held_back], seen[1][held_back], width)
            place = voted(*seen, width)
            print(
                f"  {name:19} {who:8} {len(filters):2} filters, "
                f"agreement {mean_of_pairs(agree):.2f}, "
                f"{followed(pixels(place, width, field), task)}",
                flush=True,
            )


def foreground_of(task: Task, values: np.ndarray) -> np.ndarray:
    """The foreground `(objects, cells)` by the energy of the standardised maps."""
    learnt = values[task.is_train]
    variance = learnt.var(axis=(0, 1, 2))
    standard = values[task.objects()] - learnt.mean(axis=(0, 1, 2))
    energy = (standard**2 / (variance + 1e-3 * variance.mean())).mean(axis=-1)
    near = np.abs(np.subtract.outer(*[np.arange(values.shape[1])] * 2)) <= 1
    near = near / near.sum(axis=1, keepdims=True)
    logit = (near @ np.log(energy + 0.01) @ near.T).reshape(len(energy), -1)
    logit -= logit.mean(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-FOREGROUND_SLOPE * logit / np.sqrt((logit**2).mean())))


def print_frame(task: Task, values: np.ndarray, field: ReceptiveField) -> None:
    """A constant place in the frame of the foreground's centre, axis and extent."""
    width = values.shape[2]
    foreground = foreground_of(task, values)
    share = foreground / foreground.sum(axis=1, keepdims=True)
    cells = pixels(np.arange(foreground.shape[1]), width, field)
    centre = share @ cells
    apart = cells[None] - centre[:, None]
    spread = np.einsum("bu,bui,buj->bij", share, apart, apart)
    variances, axes = np.linalg.eigh(spread)
    along = axes[:, :, 1]
    # The end with the longer tail of foreground is in front.
    skew = (share * np.einsum("bui,bi->bu", apart, along) ** 3).sum(axis=1)
    along = along * np.where(skew >= 0, 1.0, -1.0)[:, None]
    facing = np.where(along[:, :1] >= 0, 1.0, -1.0)
    across = facing * np.stack([along[:, 1], -along[:, 0]], axis=1)
    turned = np.stack([along, across], axis=1)
    size = np.sqrt(variances.sum(axis=1))
    size = np.clip(size / size.mean(), 0.6, 1.6)[:, None]
    upright = np.broadcast_to(np.eye(2), turned.shape)
    dataset = task.dataset.subset(task.objects())
    choose = task.is_train[task.objects()]
    for frame, matrix in (("centre and axis", turned), ("centre, upright", upright)):
        for index, name in enumerate(dataset.landmark_names):
            landmark = dataset.landmarks[:, index]
            known = np.einsum("bij,bj->bi", matrix, landmark - centre) / size
            usual = np.nanmedian(known[choose], axis=0)
            place = centre + size * np.einsum("bji,j->bi", matrix, usual)
            tracks = metrics.tracking(
                place[~choose, None],
                np.ones((int((~choose).sum()), 1)),
                landmark[~choose, None],
                dataset.image_size,
            )
            print(f"  {frame:19} {name:11} tracks {tracks.value:+.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--categories", nargs="+", default=["dog"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    trunk = FrozenTrunk.load("squeezenet")
    plan = plan_tasks(
        "animal_part", None, categories=options.categories, development=True
    )
    recipe = IcnnRecipe(epochs=options.epochs, fraction=0.5)
    field = trunk.receptive_field()
    for task in plan.tasks(trunk):
        projection = Projection.fit(task.features[task.is_train], COMPONENTS)
        values, mirrored = projection(task.features), projection(task.mirrored)
        held_back = int((~task.is_train[task.objects()]).sum())
        print(f"{task.name}: {held_back} held-back animals", flush=True)
        keras.utils.set_random_seed(options.seed)
        model = build_network(values.shape[1:], 1, recipe, interpretable=True)
        fit_network(model, task, values, mirrored, recipe, watch_ratio=False)
        print_votes(model, task, values, field)
        print_frame(task, values, field)


if __name__ == "__main__":
    main()

"""`reproduce explainer` end to end, on few images and on real ones."""

import dataclasses
import json

import numpy as np
import pytest

from keras_interp.reproduce import ExplainerSettings, reproduce_explainer
from keras_interp.reproduce.explainer import _task
from keras_interp.reproduce.explainer._task import BATCH_SIZE, COURSES, Course

PAPER_COLUMNS = {"tracking", "hit_gain", "location_instability", "part_coverage"}


def rows_of(folder):
    content = json.loads((folder / "results.json").read_text())
    assert content["paper"] == "explainer"
    return {(row["row"], row["metric"]): row for row in content["rows"]}


def test_unknown_data_is_refused(tmp_path):
    with pytest.raises(ValueError, match="synthetic_parts"):
        reproduce_explainer(ExplainerSettings(data="imagenet"), tmp_path)


@pytest.mark.slow
def test_drawn_birds_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(_task, "SYNTHETIC_IMAGES", 320)
    lines = []
    settings = ExplainerSettings(data="synthetic_parts", quick=True, epochs=1)
    reproduce_explainer(settings, tmp_path, say=lines.append)
    found = rows_of(tmp_path)
    for kind in ("performer", "target_layer", "explainer", "explainer+cls"):
        row = f"{kind}/small/bird"
        metrics = {metric for name, metric in found if name == row}
        assert metrics >= PAPER_COLUMNS
        unstable = found[row, "location_instability"]
        assert 0 < unstable["baseline_constant"] < unstable["baseline_random"]
        # Figures of drawn images never stand beside the paper's.
        assert all(found[row, metric]["paper_value"] is None for metric in metrics)
    for kind in ("explainer", "explainer+cls"):
        row = f"{kind}/small/bird"
        share, p = found[row, "masked_share"]["value"], found[row, "p"]["value"]
        assert 0 < share < p < 1
        assert np.isfinite(found[row, "score_share"]["value"])
        assert 0 <= found[row, "error"]["value"] <= 1
        assert found[row, "missing_fc7"]["value"] > 0
    assert lines[0] == "Tasks: bird" and "masked share" in lines[2]
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {
        "bird_explainer_filters.png",
        "bird_explainer_grad_cam.png",
        "bird_explainer_parts.png",
    }
    table = (tmp_path / "table.md").read_text().splitlines()
    assert "## small/bird" in table and max(map(len, table)) <= 80


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"categories": ("fish",)}, r"\['bird'\]. Received: categories=\['fish'\]"),
        ({"epochs": -2}, "Received: epochs=-2"),
        ({"filter_loss": "mean"}, "filter_loss"),
        ({"ratio_reward": -1.0}, "Received: ratio_reward=-1.0"),
        ({"targets": "both"}, "targets"),
    ],
)
def test_what_cannot_be_computed_is_refused_first(wrong, words, tmp_path):
    settings = ExplainerSettings(data="synthetic_parts", **wrong)
    out, lines = tmp_path / "out", []
    with pytest.raises(ValueError, match=words):
        reproduce_explainer(settings, out, say=lines.append)
    assert lines == [] and not out.exists()


def test_the_fields_of_trunk_and_explainer_are_put_together(drawn_task):
    from keras_interp import models
    from keras_interp.receptive_fields import ReceptiveField
    from keras_interp.reproduce.explainer._measurement import part_field
    from keras_interp.reproduce.explainer._training import (
        TARGET_LAYER,
        PerformerRecipe,
        build_performer,
    )

    performer = build_performer((13, 13, 8), 1, PerformerRecipe(filters=4, units=6))
    explainer = models.Explainer(performer, TARGET_LAYER)
    below = ReceptiveField(size=100, stride=16, start=8.5)
    on_trunk = dataclasses.replace(drawn_task, field=below)
    found = part_field(on_trunk, explainer)
    # Two 3x3 convolutions see two cells more on each side.
    assert (found.size, found.stride, found.start) == (100 + 4 * 16, 16, 8.5)


def test_the_maps_of_a_frozen_trunk_are_measured_once(drawn_task):
    from keras_interp.receptive_fields import ReceptiveField
    from keras_interp.reproduce.explainer._measurement import measure_performer
    from keras_interp.reproduce.explainer._training import (
        PerformerRecipe,
        build_performer,
    )

    random = np.random.default_rng(0)
    count, objects = len(drawn_task.values), len(drawn_task.task.objects())
    task = dataclasses.replace(
        drawn_task,
        values=random.random((count, 8, 8, 6), "float32"),
        field=ReceptiveField(size=9, stride=8, start=3.5),
        target_maps=random.random((objects, 8, 8, 5), "float32"),
    )
    performers = [
        build_performer((8, 8, 6), 1, PerformerRecipe(filters=4, units=6))
        for _ in range(2)
    ]
    first = measure_performer(task, performers[0])
    second = measure_performer(task, performers[1], first["target_layer"])
    assert second["target_layer"] is first["target_layer"]
    assert second["performer"].tracking.value != first["performer"].tracking.value
    afresh = measure_performer(task, performers[1])
    assert afresh["target_layer"].tracking.value == first["target_layer"].tracking.value
    # Maps of the performer's own are another network's: they are not taken over.
    own = dataclasses.replace(task, target_maps=None)
    there = measure_performer(own, performers[1], first["target_layer"])
    assert there["target_layer"].tracking.value != first["target_layer"].tracking.value


@pytest.mark.parametrize(
    ("images", "quick", "epochs"),
    [
        (BATCH_SIZE, False, 600),
        (BATCH_SIZE, True, 250),
        (10 * BATCH_SIZE, False, 60),
        # Always one pass, however many images there are.
        (10_000 * BATCH_SIZE, True, 1),
    ],
)
def test_a_number_of_steps(images, quick, epochs):
    course = Course(8, 0.1, 3e-4, steps=600)
    assert course.explainer_epochs(images, quick) == epochs


def test_a_number_of_epochs():
    course = Course(8, 0.1, 3e-4, epochs=9)
    assert course.explainer_epochs(5, quick=False) == 9
    assert course.explainer_epochs(5, quick=True) == 4


def test_fewer_steps_than_a_quick_run_stay():
    assert Course(8, 0.1, 3e-4, steps=50).explainer_epochs(BATCH_SIZE, True) == 50


def test_the_task_gives_the_weight_unless_it_is_asked_for():
    weight = COURSES["animal_part", False].filter_loss_weight
    for settings, wanted, targets in (
        (ExplainerSettings(), 0.5, None),
        (ExplainerSettings(filter_loss_weight=0.0, targets="labels"), 0.0, "labels"),
    ):
        for recipe in settings.recipes(weight, several=True).values():
            assert recipe.filter_loss_weight == wanted
            assert recipe.targets == targets


@pytest.mark.slow
def test_real_birds_end_to_end(few_real_birds, tmp_path):
    settings = ExplainerSettings(
        data="cub",
        root=few_real_birds,
        categories=("bird",),
        quick=True,
        epochs=2,
        seeds=1,
    )
    reproduce_explainer(settings, tmp_path, say=lambda line: None)
    found = rows_of(tmp_path)
    explained = found["explainer/squeezenet/bird", "location_instability"]
    assert explained["paper_value"] == 0.049
    assert found["target_layer/squeezenet/bird", "location_instability"]["n"] > 30
    assert found["explainer/squeezenet/bird", "dead_filters"]["value"] < 0.5
    errors = [
        found[f"{kind}/squeezenet/bird", "error"]["value"]
        for kind in ("performer", "explainer", "explainer+cls")
    ]
    assert np.all(np.array(errors) < 0.2)

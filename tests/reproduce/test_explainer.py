"""`reproduce explainer` end to end, on few pictures and on real ones."""

import json

import numpy as np
import pytest

from keras_interp.reproduce import (
    ExplainerSettings,
    explained_task,
    reproduce_explainer,
)

PAPER_COLUMNS = {"tracking", "hit_gain", "location_instability", "part_coverage"}


def rows_of(folder):
    content = json.loads((folder / "results.json").read_text())
    assert content["paper"] == "explainer"
    return {(row["row"], row["metric"]): row for row in content["rows"]}


def test_unknown_data_is_refused(tmp_path):
    with pytest.raises(ValueError, match="synthetic_parts"):
        reproduce_explainer(ExplainerSettings(data="imagenet"), tmp_path)


def test_drawn_birds_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(explained_task, "SYNTHETIC_PICTURES", 320)
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
        # Figures of drawn pictures never stand beside the paper's.
        assert all(found[row, metric]["paper_value"] is None for metric in metrics)
    for kind in ("explainer", "explainer+cls"):
        row = f"{kind}/small/bird"
        share, p = found[row, "masked_share"]["value"], found[row, "p"]["value"]
        assert 0 < share < p < 1
        assert np.isfinite(found[row, "score_share"]["value"])
        assert 0 <= found[row, "error"]["value"] <= 1
        assert found[row, "missing_fc7"]["value"] > 0
    assert len(lines) == 3 and "masked share" in lines[1]
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {
        "bird_explainer_filters.png",
        "bird_explainer_grad_cam.png",
        "bird_explainer_parts.png",
    }
    assert "| 3 | explainer/small/bird |" in (tmp_path / "table.md").read_text()


def test_a_task_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(explained_task, "SYNTHETIC_PICTURES", 40)
    settings = ExplainerSettings(data="synthetic_parts", categories=("fish",))
    with pytest.raises(ValueError, match="fish"):
        reproduce_explainer(settings, tmp_path)


def test_the_fields_of_trunk_and_explainer_are_put_together(drawn_task):
    from keras_interp import models
    from keras_interp.receptive_fields import ReceptiveField
    from keras_interp.reproduce.explainer_performer import (
        TARGET_LAYER,
        PerformerRecipe,
        build_performer,
    )
    from keras_interp.reproduce.explainer_training import part_field

    performer = build_performer((13, 13, 8), 1, PerformerRecipe(filters=4, units=6))
    explainer = models.Explainer(performer, TARGET_LAYER)
    below = ReceptiveField(size=100, stride=16, start=8.5)
    on_trunk = explained_task.dataclasses.replace(drawn_task, field=below)
    found = part_field(on_trunk, explainer)
    # Two 3x3 convolutions see two cells more on each side.
    assert (found.size, found.stride, found.start) == (100 + 4 * 16, 16, 8.5)


def test_the_maps_of_a_frozen_trunk_are_measured_once(drawn_task):
    from keras_interp.receptive_fields import ReceptiveField
    from keras_interp.reproduce.explainer_performer import (
        PerformerRecipe,
        build_performer,
    )
    from keras_interp.reproduce.explainer_training import measure_performer

    random = np.random.default_rng(0)
    count, objects = len(drawn_task.values), len(drawn_task.task.objects())
    task = explained_task.dataclasses.replace(
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
    own = explained_task.dataclasses.replace(task, target_maps=None)
    there = measure_performer(own, performers[1], first["target_layer"])
    assert there["target_layer"].tracking.value != first["target_layer"].tracking.value


@pytest.mark.slow
def test_real_birds_end_to_end(real_data, tmp_path):
    settings = ExplainerSettings(
        data="cub", categories=("bird",), quick=True, epochs=2, seeds=1
    )
    reproduce_explainer(settings, tmp_path, say=lambda line: None)
    found = rows_of(tmp_path)
    explained = found["explainer/squeezenet/bird", "location_instability"]
    assert explained["paper_value"] == 0.049
    assert found["target_layer/squeezenet/bird", "location_instability"]["n"] > 100
    assert found["explainer/squeezenet/bird", "dead_filters"]["value"] < 0.5
    errors = [
        found[f"{kind}/squeezenet/bird", "error"]["value"]
        for kind in ("performer", "explainer", "explainer+cls")
    ]
    assert np.all(np.array(errors) < 0.2)

"""`reproduce explanatory-graph` end to end, on few images."""

import json

import numpy as np
import pytest

from keras_interp.reproduce import (
    ExplanatoryGraphSettings,
    reproduce_explanatory_graph,
)
from keras_interp.reproduce.explainer import _task
from keras_interp.reproduce.explanatory_graph import _task as graph_task


@pytest.mark.slow
def test_drawn_birds_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(_task, "SYNTHETIC_IMAGES", 240)
    monkeypatch.setattr(graph_task, "QUICK_IMAGES", 30)
    lines = []
    settings = ExplanatoryGraphSettings(
        data="synthetic_parts", quick=True, epochs=1, filters=8, iterations=2
    )
    reproduce_explanatory_graph(settings, tmp_path, say=lines.append)
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["paper"] == "explanatory_graph"
    found = {(row["row"], row["metric"]): row for row in content["rows"]}
    for kind in ("filters", "nodes"):
        for row in (f"{kind}/small/bird", f"{kind}/small/bird/target_maps"):
            for metric in ("location_instability", "location_instability_top20"):
                one = found[row, metric]
                assert 0 < one["baseline_constant"] < one["baseline_random"]
            assert found[row, "tracking"]["baseline_constant"] == 0
            assert np.isfinite(found[row, "hit_gain"]["value"])
            assert found[row, "tracking"]["paper_value"] is None
    parts = {row for row, metric in found if metric == "localization_error@3"}
    assert "nodes/small/bird/head" in parts
    for row in parts:
        errors = found[row, "localization_error@3"]
        assert 0 < errors["value"] < 1
        assert 0 < errors["baseline_constant"] < errors["baseline_random"] * 2
    names = {path.name for path in tmp_path.iterdir()}
    # Checkpoints go when their task is done.
    assert names == {"results.json", "table.md", "bird.npz", "figures"}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "bird_node_patches.png",
        "bird_graph.png",
        "bird_heat_maps.png",
    }
    assert lines[0] == "Tasks: bird"
    table = (tmp_path / "table.md").read_text().splitlines()
    assert max(map(len, table)) <= 80


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"data": "imagenet"}, "synthetic_parts"),
        ({"backbone": "mobilenet"}, "squeezenet"),
        ({"seeds": 0}, "seeds"),
        ({"filters": 0}, "filters"),
        ({"top_search": 0.6}, "top_search"),
        ({"focus": 0.0}, "focus"),
        ({"iterations": -1}, "iterations"),
        ({"categories": ("fish",)}, "fish"),
    ],
)
def test_what_cannot_be_computed_is_refused_first(wrong, words, tmp_path):
    settings = ExplanatoryGraphSettings(**({"data": "synthetic_parts"} | wrong))
    out, lines = tmp_path / "out", []
    with pytest.raises(ValueError, match=words):
        reproduce_explanatory_graph(settings, out, say=lines.append)
    assert lines == []
    assert not out.exists()

"""The reproduction of the decision tree, end to end on a few drawn images."""

from __future__ import annotations

import json

import pytest

from keras_interp.reproduce import DecisionTreeSettings, reproduce_decision_tree
from keras_interp.reproduce.explainer import _task


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"data": "imagenet"}, "Expected data out of"),
        ({"backbone": "resnet50"}, "Expected backbone out of"),
        ({"epochs": 0}, "Expected epochs of at least 1"),
        ({"seeds": 0}, "Expected seeds of at least 1"),
        ({"filter_loss": "mean"}, "filter_loss"),
        ({"categories": ("3 categories",)}, r"Received: categories=\['3 categories'\]"),
    ],
)
def test_what_cannot_be_computed_is_refused_first(
    wrong, words, cub_of_three, negatives, tmp_path
):
    out, lines = tmp_path / "out", []
    settings = DecisionTreeSettings(root=cub_of_three, negatives=negatives, **wrong)
    with pytest.raises(ValueError, match=words):
        reproduce_decision_tree(settings, out, say=lines.append)
    assert lines == [] and not out.exists()


def test_drawn_data_have_no_folder(tmp_path):
    settings = DecisionTreeSettings(data="synthetic_parts", root=tmp_path)
    with pytest.raises(ValueError, match="no folders with drawn data"):
        reproduce_decision_tree(settings, tmp_path / "out")


@pytest.mark.slow
def test_drawn_birds_end_to_end(monkeypatch, tmp_path):
    monkeypatch.setattr(_task, "SYNTHETIC_IMAGES", 300)
    settings = DecisionTreeSettings(data="synthetic_parts", quick=True, epochs=5)
    lines = []
    reproduce_decision_tree(settings, tmp_path, say=lines.append)
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["paper"] == "decision-tree"
    found = {(row["row"], row["metric"]): row for row in content["rows"]}
    place = "drawn/bird"
    cnn = found[f"cnn/{place}", "accuracy"]
    assert cnn["value"] > cnn["baseline_constant"]
    for depth in ("0", "1", "4", "9", "49", "99", "leaf"):
        for metric in ("accuracy", "prediction_error", "fitness"):
            row = found[f"tree@{depth}/{place}", metric]
            assert 0 <= row["value"] <= 1
            assert row["baseline_random"] is not None
    fitness = found[f"tree@leaf/{place}", "fitness"]
    assert fitness["value"] > fitness["baseline_constant"]
    # The ordinary network of the same layers has rows of its own.
    ordinary = found[f"cnn/{place}/ordinary", "accuracy"]
    assert ordinary["n"] == cnn["n"]
    assert ordinary["value"] > ordinary["baseline_constant"]
    assert found[f"tree@leaf/{place}/ordinary", "fitness"]["value"] != fitness["value"]
    for name in ("bird_tree", "bird_parse", "bird_ordinary_tree"):
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 10_000
    assert lines[0] == "Tasks: bird"
    assert [line.split(":")[0] for line in lines[-2:]] == [
        "bird, seed 0, interpretable",
        "bird, seed 0, ordinary",
    ]

"""`reproduce interpnet` end to end on few drawn birds, its comparisons, its rows."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from keras_interp import metrics
from keras_interp.reproduce import InterpnetSettings, reproduce_interpnet
from keras_interp.reproduce._results import Results
from keras_interp.reproduce.interpnet import _birds, _variants
from keras_interp.reproduce.interpnet._describers import (
    Consensus,
    human_sentences,
    other_images,
    random_sentences,
)
from keras_interp.reproduce.interpnet._rows import add_rows, paired_difference

pytest.importorskip("nltk", reason="needs the packages of the extra text")
pytest.importorskip("pycocoevalcap", reason="needs the packages of the extra text")

CAPTIONS = [
    ["a red bird", "a red bird with a beak"],
    ["the bird is red", "a red bird"],
    ["a blue bird", "a blue bird"],
]
LABELS = np.array([0, 0, 1])


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(_birds, "QUICK_DRAWN_IMAGES", 192)
    monkeypatch.setattr(_birds, "DRAWN_SIZE", 32)
    monkeypatch.setattr(_birds, "DRAWN_EPOCHS", 1)
    monkeypatch.setattr(_birds, "QUICK_MORE_DRAWN_IMAGES", 96)
    monkeypatch.setattr(_variants, "CLASSIFIER_EPOCHS", 1)
    return InterpnetSettings(
        data="synthetic_birds",
        quick=True,
        epochs=1,
        categories=("InterpNet_1", "GVE"),
        units=4,
        embedding_dim=4,
        beam_width=2,
        samples=2,
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")
def test_drawn_birds_end_to_end(small, tmp_path):
    lines = []
    reproduce_interpnet(small, tmp_path, say=lines.append)
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["paper"] == "interpnet"
    rows = {(row["row"], row["metric"]): row for row in content["rows"]}
    decoded = list(_variants.DECODINGS.values())[1:]
    for name in ("InterpNet_1", "GVE", *(f"InterpNet_1{one}" for one in decoded)):
        for metric in ("bleu", "meteor", "cider", "cider_d", "cider_swap_any"):
            assert rows[name, metric]["value"] >= 0
        assert 0 <= rows[name, "accuracy"]["value"] <= 1
        assert rows[name, "validation_loss"]["value"] > 0
        # The decoder's training left the classes as they were.
        assert rows[name, "best_epoch"]["value"] == 1
        assert 1 <= rows[name, "class_rank"]["value"] <= 48
    for name in ("fixed_sentence", "class_lookup", "class_evidence", "human", "random"):
        assert rows[name, "cider"]["value"] > 0
        assert rows[name, "class_similarity"]["value"] > 0
    # A sentence for all classes is as near to the one as to the other.
    middle = rows["fixed_sentence", "class_rank"]["value"]
    assert rows["human", "class_rank"]["value"] < middle
    fixed = rows["fixed_sentence", "cider"]["value"]
    assert rows["InterpNet_1", "cider"]["baseline_constant"] == fixed
    # GVE, and what its training passes.
    for name in ("GVE", "GVE description", "GVE explanation-label"):
        assert rows[name, "cider"]["value"] >= 0
        assert rows[name, "validation_loss"]["value"] > 0
    gve = rows["GVE", "accuracy"]["value"]
    assert gve == rows["InterpNet_1", "accuracy"]["value"]
    # What was not measured is nothing, and the paper's birds are others.
    assert rows["InterpNet_2", "cider"]["value"] is None
    assert all(row["paper_value"] is None for row in content["rows"])
    for name in ("scores.png", "ten_birds.png"):
        assert (tmp_path / "figures" / name).stat().st_size > 1000
    run = json.loads((tmp_path / "runs" / "InterpNet_1_seed_0.json").read_text())
    assert run["figures"]["classifier_unmoved"] == 1.0
    assert len(run["said"]["figures"]) == rows["InterpNet_1", "cider"]["n"]

    # A second call finds everything, and trains nothing.
    lines.clear()
    again = reproduce_interpnet(small, tmp_path, say=lines.append)
    assert sum("from " in line for line in lines) == 3
    assert again.rows == content["rows"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "animal_part"}, "data out of"),
        ({"backbone": "vgg16"}, "backbone out of"),
        ({"categories": ("InterpNet_4",)}, "InterpNet_4"),
        ({"epochs": 0}, "epochs of at least 1"),
        ({"units": 0}, "units of at least 1"),
        ({"learning_rate": float("nan")}, "learning_rate above 0"),
    ],
)
def test_what_cannot_be_computed_is_refused_before(changes, message, tmp_path):
    settings = InterpnetSettings(**{"data": "synthetic_birds", **changes})
    with pytest.raises(ValueError, match=message):
        reproduce_interpnet(settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_photographs_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_INTERP_DATA", raising=False)
    monkeypatch.setenv("KERAS_INTERP_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="CUB"):
        reproduce_interpnet(InterpnetSettings(), tmp_path / "out")


def test_consensus_is_what_most_say():
    consensus = Consensus(CAPTIONS, LABELS)
    assert consensus.of_classes(3) == ["a red bird", "a blue bird", consensus.of_all()]
    assert consensus.of_all() in ("a red bird", "a blue bird")


def test_consensus_beats_chance_on_the_images_it_comes_from():
    consensus = Consensus(CAPTIONS, LABELS).of_classes(2)
    spoken = [consensus[label] for label in LABELS]
    chance = random_sentences(CAPTIONS, 3, seed=0)
    assert metrics.cider(spoken, CAPTIONS) > metrics.cider(chance, CAPTIONS)


def test_a_human_sentence_is_none_of_its_references():
    captions = [["a", "b", "c"], ["d", "e"], ["f"]]
    spoken, written = human_sentences(captions, seed=0)
    assert [sorted([s, *group]) for s, group in zip(spoken, written, strict=True)] == [
        ["a", "b", "c"],
        ["d", "e"],
    ]


def test_swapped_images_are_others():
    labels = np.array([0, 1, 0, 1, 0, 2])
    same = other_images(labels, 0, True)
    assert (labels[same] == labels).all() and sorted(same) == list(range(6))
    assert (same[:5] != np.arange(5)).all() and same[5] == 5
    anyone = other_images(labels, 0, False)
    assert (anyone != np.arange(6)).all() and sorted(anyone) == list(range(6))


def measured(cider: float) -> dict:
    scores = dict.fromkeys(("bleu", "meteor", "meteor_segments", "cider_d"), 1.0)
    figures = scores | {"cider": cider, "validation_loss": 2.0}
    more = {
        "beam": figures | {"cider": cider + 1},
        "consensus": figures,
        "self_critical": figures,
    }
    return {"figures": figures, **more}


def test_differences_are_taken_seed_by_seed():
    one, other = [measured(c) for c in (60, 50, 9)], [measured(c) for c in (59, 47)]
    mean, spread, count = paired_difference(one, other, "figures", "cider")
    assert (mean, spread, count) == (2.0, pytest.approx(np.sqrt(2)), 2)


def test_rows_hold_the_paper_on_photographs_alone():
    scores = measured(40)["figures"] | {"distinct_sentences": 1}
    describers = {n: scores for n in ("fixed_sentence", "human", "random")}
    found = {"describers": [describers], "InterpNet_1": [measured(60)]}
    for data, known in (("cub", 73.5), ("synthetic_birds", None)):
        results = Results("interpnet", data, {})
        add_rows(results, found, 7)
        rows = {(row["row"], row["metric"]): row for row in results.rows}
        assert rows["InterpNet_1", "cider"]["paper_value"] == known
        assert rows["InterpNet_1/beam search", "cider"]["value"] == 61
        assert rows["InterpNet_1/beam search", "cider"]["paper_value"] is None
        assert rows["InterpNet_3", "cider"]["value"] is None
        assert rows["GVE", "meteor"]["n"] is None

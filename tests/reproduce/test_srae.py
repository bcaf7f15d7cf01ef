"""`reproduce srae` end to end on few images, its order on planted data, its rows."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from keras_interp.reproduce import SraeSettings, reproduce_srae
from keras_interp.reproduce.srae import _measurement, _networks
from keras_interp.reproduce.srae._measurement import (
    MEASURED,
    ClassFigures,
    Measured,
    NetworkMeasure,
)
from keras_interp.reproduce.srae._networks import (
    PART_FILTERS,
    PerformerRecipe,
    planted_network,
    train_performer,
)
from keras_interp.reproduce.srae._rows import difference

ROWS = {"SRAE", "NN", "SAE", "Z", "ExcitationBP", "uniform", "constant_center"}
ROWS |= {"random_cell", "perfect"}


def rows_of(folder):
    content = json.loads((folder / "results.json").read_text())
    assert content["paper"] == "srae"
    return {(row["row"], row["metric"]): row for row in content["rows"]}


@pytest.fixture(scope="module")
def planted():
    """What is measured on planted data of a fixed seed, in fewer passes than a run."""
    with pytest.MonkeyPatch.context() as patch:
        # With 800 images SAE is as local as SRAE.
        patch.setattr(_networks, "PLANTED_IMAGES", 1200)
        patch.setattr(_measurement, "UNITS_MEASURED", 32)
        network = planted_network(0, quick=False, targets=8)
        measured, measure = Measured.of(network), NetworkMeasure(network, 20, 0)
        for row in MEASURED:
            measured.add(measure.row(row))
        return measured


def locality(measured, kind):
    """Mean over the classes; an explanation may have died, and looks nowhere."""
    return np.nanmean([one.locality for one in measured.figures[kind]])


@pytest.mark.slow
def test_the_order_of_the_paper_holds_on_planted_data(planted):
    srae = locality(planted, "SRAE")
    for kind, least in (("SAE", 0.03), ("NN", 0.08), ("ExcitationBP", 0.12)):
        found = difference(planted.figures[kind], planted.figures["SRAE"], "locality")
        assert found.mean >= least and found.low > 0 and found.count == 8, kind
    assert locality(planted, "Z") < srae < locality(planted, "uniform")
    faithful = {
        kind: known["faithfulness_test"] for kind, known in planted.faithfulness.items()
    }
    assert faithful["NN"] < faithful["SRAE"] < faithful["SAE"]


@pytest.mark.slow
def test_what_follows_the_parts_gains_from_them(planted):
    gain = {
        kind: np.mean([one.part_gain for one in figures])
        for kind, figures in planted.figures.items()
    }
    assert gain["perfect"] > gain["Z"] > gain["SRAE"] > gain["ExcitationBP"]
    # Maps that do not know the image gain nothing, whatever their locality.
    assert gain["constant_center"] == gain["uniform"] == gain["random_cell"] == 0.0


@pytest.mark.slow
def test_planted_data_end_to_end_in_two_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(_networks, "PLANTED_IMAGES", 240)
    monkeypatch.setattr(_measurement, "HIDDEN_UNITS", (8, 6))
    monkeypatch.setattr(_measurement, "UNITS_MEASURED", 6)
    train, trained, stopped_at = _measurement.train_module, [], ["NN"]

    def stopping(network, kind, *args):
        trained.append(kind)
        if kind in stopped_at:
            raise KeyboardInterrupt
        return train(network, kind, *args)

    monkeypatch.setattr(_measurement, "train_module", stopping)
    settings = SraeSettings(data="planted_parts", quick=True, epochs=1)
    with pytest.raises(KeyboardInterrupt):
        reproduce_srae(settings, tmp_path, say=lambda line: None)
    lines, stopped_at[:] = [], []
    reproduce_srae(settings, tmp_path, say=lines.append)
    # The row that was finished is not measured again.
    assert trained == ["SRAE", "NN", "NN", "SAE"]
    assert lines[0] == "Performers: planted" and "SRAE: from" in lines[2]
    check_planted_rows(tmp_path)
    # All is read; where other settings are asked for, nothing is.
    before = rows_of(tmp_path)
    reproduce_srae(settings, tmp_path, say=lines.append)
    assert trained == ["SRAE", "NN", "NN", "SAE"] and rows_of(tmp_path) == before
    stopped_at.append("SRAE")
    with pytest.raises(KeyboardInterrupt):
        reproduce_srae(
            SraeSettings(data="planted_parts", quick=True, epochs=1, pull_away=5.0),
            tmp_path,
        )


def check_planted_rows(folder):
    found = rows_of(folder)
    names = {name.split("/")[0] for name, _ in found}
    assert names >= ROWS | {"shuffled", "SAE-SRAE"}
    srae = found["SRAE/none/8 targets", "locality"]
    assert srae["n"] == 8 * 2 and 0 < srae["baseline_constant"] < np.log(5)
    # Figures of made images never stand beside the paper's.
    assert all(row["paper_value"] is None for row in found.values())
    assert found["SAE-SRAE/none/8 targets", "locality_difference"]["n"] == 8
    for metric in ("train", "test", "test_relative"):
        assert found["NN/none/8 targets", f"faithfulness_{metric}"]["value"] > 0
    table = (folder / "table.md").read_text().splitlines()
    assert max(map(len, table)) <= 80
    drawn = {path.name for path in (folder / "figures").iterdir()}
    assert drawn == {"planted_class_card.png", "planted_locality.png"}


def test_a_performer_is_read_from_its_file(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.random((16, 6, 6, 2), "float32")
    targets, train = np.arange(16) % 2, np.arange(16) < 12
    recipe = PerformerRecipe(filters=4, units=3, epochs=1)
    weights = tmp_path / "runs" / "performer.weights.h5"
    arguments = (PART_FILTERS, values, targets, train, values[train], recipe)
    lower, head = train_performer(*arguments, seed=0, weights=weights)
    assert [path.name for path in weights.parent.iterdir()] == [weights.name]
    read_lower, read_head = train_performer(*arguments, seed=1, weights=weights)
    maps = keras.ops.convert_to_numpy(lower(values))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(read_lower(values)), maps)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(read_head(maps)),
        keras.ops.convert_to_numpy(head(maps)),
    )


@pytest.mark.slow
def test_drawn_birds_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(_networks, "DRAWN_IMAGES", 480)
    monkeypatch.setattr(_networks, "DRAWN_SIZE", 32)
    monkeypatch.setattr(_networks, "CLASSES", 3)
    monkeypatch.setattr(_measurement, "HIDDEN_UNITS", (8, 6))
    monkeypatch.setattr(_measurement, "UNITS_MEASURED", 4)
    settings = SraeSettings(
        data="synthetic_birds",
        quick=True,
        epochs=1,
        performer_epochs=1,
        categories=("part_filters",),
    )
    reproduce_srae(settings, tmp_path, say=lambda line: None)
    found = rows_of(tmp_path)
    place = "small/3 species, part filters"
    assert 0 <= found[f"performer/{place}", "accuracy"]["value"] <= 1
    for kind in ("Z", "ExcitationBP", "perfect"):
        row = found[f"{kind}/{place}", "locality"]["value"]
        merged = found[f"{kind}/{place}", "locality_groups"]["value"]
        assert 0 <= merged < row < np.log(15)


def test_a_difference_has_the_interval_of_student():
    one = [ClassFigures(value, 0.0, 0.0) for value in (3.0, 2.0, 4.0)]
    other = [ClassFigures(1.0, 0.0, 0.0)] * 3
    found = difference(one, other, "locality")
    assert found.mean == 2.0 and found.positive == 1.0 and found.count == 3
    # 4.3027 is the 97.5 % point of t with 2 degrees of freedom.
    assert found.high - found.mean == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    lone = difference(one[:1], other[:1], "locality")
    assert np.isnan(lone.low) and lone.count == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"data": "imagenet"}, "Received: data='imagenet'"),
        ({"epochs": 0}, "Received: epochs=0"),
        ({"seeds": -1}, "Received: seeds=-1"),
        ({"performer_epochs": 0}, "Received: performer_epochs=0"),
        ({"pull_away": -1.0}, "Received: pull_away=-1.0"),
        ({"categories": ("fc7",)}, "Received: categories=\\['fc7'\\]"),
        ({"data": "cub", "backbone": "vgg"}, "Received: backbone='vgg'"),
    ],
)
def test_what_cannot_be_computed_is_refused_first(wrong, words, tmp_path):
    out, lines = tmp_path / "out", []
    settings = SraeSettings(**{"data": "synthetic_birds", **wrong})
    with pytest.raises(ValueError, match=words):
        reproduce_srae(settings, out, say=lines.append)
    assert lines == [] and not out.exists()


def test_the_task_is_named_by_the_species_at_hand(cub_of_three):
    plan = SraeSettings(root=cub_of_three).check()
    assert plan is not None and plan.names == ["3 categories"]


def test_groups_of_a_bird_s_points(monkeypatch):
    monkeypatch.setattr(_networks, "PLANTED_IMAGES", 40)
    network = planted_network(0, quick=False)
    assert network.groups is None


@pytest.mark.slow
def test_real_birds_end_to_end(few_real_birds, tmp_path):
    settings = SraeSettings(
        root=few_real_birds, quick=True, epochs=2, performer_epochs=2
    )
    reproduce_srae(settings, tmp_path, say=lambda line: None)
    found = rows_of(tmp_path)
    row = "SRAE/squeezenet/6 species, fc6"
    assert found[row, "locality"]["paper_value"] == 1.9694
    assert found[row, "faithfulness_test"]["paper_value"] == 0.1539

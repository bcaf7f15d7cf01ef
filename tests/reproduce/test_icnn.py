import json

import pytest

from keras_interp.reproduce import IcnnSettings, reproduce_icnn


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"data": "imagenet"}, r"Expected data out of \('cub', 'animal_part'\)"),
        ({"backbone": "resnet50"}, "Expected backbone out of"),
        ({"epochs": 0}, "Expected epochs of at least 1. Received: epochs=0"),
        ({"seeds": -1}, "Expected seeds of at least 1"),
        ({"filter_loss": "mean"}, "filter_loss"),
        ({"fraction": 2.0}, "fraction"),
        ({"categories": ("fish",)}, r"Received: categories=\['fish'\]"),
    ],
)
def test_what_cannot_be_computed_is_refused_first(
    wrong, words, cub_of_three, negatives, tmp_path
):
    out, lines = tmp_path / "out", []
    settings = IcnnSettings(root=cub_of_three, negatives=negatives, **wrong)
    with pytest.raises(ValueError, match=words):
        reproduce_icnn(settings, out, say=lines.append)
    assert lines == [] and not out.exists()


def test_a_folder_that_cannot_be_written_is_refused(cub_of_three, negatives, tmp_path):
    (tmp_path / "file").write_text("")
    settings = IcnnSettings(root=cub_of_three, negatives=negatives)
    with pytest.raises(ValueError, match="Expected out as a folder"):
        reproduce_icnn(settings, tmp_path / "file" / "out", say=print)


@pytest.mark.slow
def test_one_animal_end_to_end(real_data, tmp_path):
    settings = IcnnSettings(
        data="animal_part",
        categories=("bird",),
        epochs=2,
        quick=True,
        without_labels=True,
    )
    lines = []
    reproduce_icnn(settings, tmp_path, say=lines.append)
    content = json.loads((tmp_path / "results.json").read_text())
    found = {(row["row"], row["metric"]): row for row in content["rows"]}
    for kind in ("ordinary", "interpretable", "interpretable_without_labels"):
        row = f"{kind}/squeezenet/bird"
        assert 0.4 < found[row, "accuracy"]["value"] <= 1
        unstable = found[row, "location_instability"]
        assert 0 < unstable["baseline_constant"] < unstable["baseline_random"]
        assert found[row, "part_interpretability"]["value"] is not None
        figure = tmp_path / "figures" / f"bird_{kind}_filters.png"
        assert figure.stat().st_size > 10_000
    assert found["ordinary/squeezenet/bird", "accuracy"]["paper_value"] == 0.9858
    assert lines[0] == "Tasks: bird"
    assert sum("hit gain" in line for line in lines) == 3

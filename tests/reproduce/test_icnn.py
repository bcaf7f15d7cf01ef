import json

import pytest

from keras_interp.reproduce import IcnnSettings, reproduce_icnn


def test_unknown_data_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cub"):
        reproduce_icnn(IcnnSettings(data="imagenet"), tmp_path)


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
    assert len(lines) == 3 and "hit gain" in lines[0]

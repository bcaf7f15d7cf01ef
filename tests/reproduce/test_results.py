import json

import pytest

from keras_interp.reproduce import Results
from keras_interp.reproduce.results import write_text


@pytest.fixture
def results():
    results = Results("icnn", "cub", {"seed": 0})
    results.add("7", "ordinary/squeezenet/bird", "accuracy", [0.9, 1.0], n=100)
    results.add(
        "5",
        "ordinary/squeezenet/bird",
        "location_instability",
        [0.14],
        n=80,
        paper_value=0.137,
        baseline_constant=0.06,
        baseline_random=0.16,
    )
    results.add("1", "ordinary/squeezenet/bird", "part_interpretability", [None], n=80)
    return results


def test_files_hold_the_rows(results, tmp_path):
    results.write(tmp_path / "out")
    content = json.loads((tmp_path / "out" / "results.json").read_text())
    assert set(content) == {
        "paper",
        "data",
        "settings",
        "environment",
        "seconds",
        "rows",
    }
    accuracy, instability, missing = content["rows"]
    assert accuracy["value"] == pytest.approx(0.95)
    assert accuracy["spread"] == pytest.approx(0.0707, abs=1e-4)
    assert accuracy["seeds"] == 2
    assert instability["baseline_constant"] == 0.06
    assert missing["value"] is None
    table = (tmp_path / "out" / "table.md").read_text()
    assert "0.140 (constant 0.060, random 0.160) [paper 0.137]" in table
    assert [p.name for p in sorted((tmp_path / "out").iterdir())] == [
        "results.json",
        "table.md",
    ]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.md"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\udcff")
    assert path.read_text() == "old"

import json

import pytest

from keras_interp.reproduce import Results
from keras_interp.reproduce._results import KeptMeasurements, write_text


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


TABLE = """\
## squeezenet/bird

|                 |      accuracy | instability |
| --------------- | ------------: | ----------: |
| ordinary        | 0.950 ± 0.071 |       0.140 |
| best constant   |               |       0.060 |
| random          |               |       0.160 |
| ordinary, paper |               |       0.137 |
"""


def test_a_network_is_one_line_of_the_table(results):
    assert results.markdown() == TABLE


def test_no_table_is_wider_than_a_terminal():
    results = Results("icnn", "cub", {})
    metrics = [f"metric_number_{number}" for number in range(9)]
    for kind in ("ordinary", "interpretable_without_labels"):
        for metric in metrics:
            results.add("5", f"{kind}/squeezenet/bird", metric, [0.1, 0.2], n=9)
    lines = results.markdown().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("ordinary" in line for line in lines) == 5
    for metric in metrics:
        assert sum(metric.replace("_", " ") in line for line in lines) == 1


def test_a_negative_share_of_the_score_is_explained(results):
    results.add("2", "explainer/squeezenet/bird", "score_share", [0.2], n=9)
    assert "negative" not in results.markdown()
    results.add("2", "explainer/squeezenet/fox", "score_share", [-0.23], n=9)
    assert "-0.230" in results.markdown()
    assert "A negative score share: what comes through" in results.markdown()


def test_figures_are_kept_for_the_same_settings(tmp_path):
    kept = KeptMeasurements(tmp_path / "runs", {"epochs": 3, "rates": (1, 2)})
    assert kept.get("fc6") is None
    kept.put("fc6", {"figures": {"locality": 1.5}})
    same = KeptMeasurements(tmp_path / "runs", {"epochs": 3, "rates": (1, 2)})
    assert same.get("fc6") == {"figures": {"locality": 1.5}}
    other = KeptMeasurements(tmp_path / "runs", {"epochs": 4, "rates": (1, 2)})
    assert other.get("fc6") is None and same.get("peaks") is None
    for damage in ("{", "[]", "{}"):
        kept.path("fc6").write_text(damage)
        with pytest.raises(ValueError, match=r"fc6\.json, which is damaged"):
            kept.get("fc6")

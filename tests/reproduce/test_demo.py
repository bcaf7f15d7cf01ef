import json

import pytest
from typer.testing import CliRunner

from keras_interp.cli import app


def test_demo_writes_table_figures_and_report(tmp_path):
    out = tmp_path / "demo"
    arguments = ["demo", "--out", str(out), "--images", "160", "--epochs", "1"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    # A long path is broken at the edge of the terminal.
    output = result.output.replace("\n", "")
    lines = result.output.splitlines()
    log = [line for line in lines if str(out) not in line]
    assert lines[0] == "Drawing 160 images ..." and max(map(len, log)) <= 80
    assert any(line.startswith("  epoch 1/1: loss ") for line in lines)
    assert any(line.startswith("Measuring ") for line in lines)
    assert any(line.startswith("Writing ") for line in lines)
    assert "best constant" in output and "report.html" in output
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert {row["row"] for row in rows} == {"ordinary", "interpretable"}
    assert {"accuracy", "tracking", "hit_gain"} <= {row["metric"] for row in rows}
    page = (out / "report.html").read_text()
    assert "<script src" not in page and "http://" not in page.split("</style>")[0]
    for name in (
        "filters_ordinary",
        "filters_interpretable",
        "parts",
        "training_curves",
    ):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--images", "3", "Expected images of at least 40. Received: images=3"),
        ("--epochs", "0", "Expected epochs of at least 1"),
        ("--seed", "-1", "Expected seed of at least 0"),
    ],
)
def test_demo_checks_its_arguments_before_it_draws(option, value, words, tmp_path):
    arguments = ["demo", "--out", str(tmp_path / "demo"), option, value]
    result = CliRunner().invoke(app, arguments)
    assert words in str(result.exception) and result.output == ""
    assert not (tmp_path / "demo").exists()


def test_demo_refuses_a_file_for_its_folder(tmp_path):
    (tmp_path / "demo").write_text("mine")
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "demo")])
    assert "Expected out as a folder that can be written to" in str(result.exception)
    assert (tmp_path / "demo").read_text() == "mine"

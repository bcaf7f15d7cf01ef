import json

from typer.testing import CliRunner

from keras_interp.cli import app


def test_demo_writes_table_pictures_and_report(tmp_path):
    out = tmp_path / "demo"
    arguments = ["demo", "--out", str(out), "--images", "160", "--epochs", "1"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    # A long path is broken at the edge of the terminal.
    output = result.output.replace("\n", "")
    assert "best constant" in output and "report.html" in output
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert {row["row"] for row in rows} == {"ordinary", "interpretable"}
    assert {"accuracy", "tracking", "hit_gain"} <= {row["metric"] for row in rows}
    page = (out / "report.html").read_text()
    assert "<script src" not in page and "http://" not in page.split("</style>")[0]
    for name in ("filters_ordinary", "filters_interpretable", "training_curves"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")

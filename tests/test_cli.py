import subprocess
import sys

import pytest
from typer.testing import CliRunner

from keras_interp.cli import app
from keras_interp.reproduce.demo_networks import demo_network


def test_help_names_the_commands():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "demo" in result.output and "reproduce" in result.output


def test_wrong_data_is_one_line_and_no_traceback():
    command = [sys.executable, "-m", "keras_interp.cli", "reproduce", "icnn"]
    result = subprocess.run(
        [*command, "--data", "mnist"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "keras-interp: `data` must be one of" in result.stderr
    assert "Traceback" not in result.stderr


def test_report_of_a_saved_model(tmp_path):
    model = demo_network(64, 7, interpretable=True, filters=4)
    model.save(tmp_path / "model.keras")
    page = tmp_path / "page.html"
    arguments = ["report", str(tmp_path / "model.keras"), "--out", str(page)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0 and str(page) in result.output
    assert "part_conv" in page.read_text()


def test_report_names_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.keras"):
        CliRunner().invoke(
            app, ["report", str(tmp_path / "none.keras")], catch_exceptions=False
        )

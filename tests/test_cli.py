import subprocess
import sys

from typer.testing import CliRunner

from keras_interp.cli import app


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

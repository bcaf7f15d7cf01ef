import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import keras_interp
from keras_interp.cli import app
from keras_interp.reproduce._demo import demo_network


def test_help_names_the_commands():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert "demo" in result.output and "reproduce" in result.output


def test_version_is_that_of_the_package():
    result = CliRunner().invoke(app, ["--version"])
    assert result.output == f"keras-interp {keras_interp.__version__}\n"


def test_a_shell_completes_commands():
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output
    asked = {"_KERAS_INTERP_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    asked |= {"COMP_WORDS": "keras-interp ex"}
    result = CliRunner().invoke(app, [], env=asked, prog_name="keras-interp")
    assert result.output.split() == ["explain"]


def test_wrong_data_is_one_line_and_no_traceback():
    command = [sys.executable, "-m", "keras_interp.cli", "reproduce", "icnn"]
    result = subprocess.run(
        [*command, "--data", "mnist"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "keras-interp: Expected data out of" in result.stderr
    assert "Written to" not in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such job")
@pytest.mark.parametrize("before", ["SCHED_OTHER", "SCHED_IDLE"])
def test_the_command_is_a_batch_job_unless_its_user_chose_otherwise(before):
    code = (
        "import atexit, os, sys; from keras_interp.cli import main\n"
        f"os.sched_setscheduler(0, os.{before}, os.sched_param(0))\n"
        "atexit.register(lambda: print('policy', os.sched_getscheduler(0)))\n"
        "sys.argv = ['keras-interp', '--help']; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    wanted = os.SCHED_BATCH if before == "SCHED_OTHER" else os.SCHED_IDLE
    assert f"policy {wanted}" in result.stdout


# The network is not trained.
@pytest.mark.filterwarnings("ignore:The accuracy")
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

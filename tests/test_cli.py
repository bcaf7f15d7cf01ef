import os
import subprocess
import sys

import pytest
from PIL import Image
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


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "keras_interp", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"keras-interp {keras_interp.__version__}\n"


def test_a_shell_completes_commands():
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).output
    asked = {"_KERAS_INTERP_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    asked |= {"COMP_WORDS": "keras-interp ex"}
    result = CliRunner().invoke(app, [], env=asked, prog_name="keras-interp")
    assert result.output.split() == ["explain"]


@pytest.fixture
def command(tmp_path):
    """Runs the command as a shell does, with no setting for TensorFlow's log."""
    script = tmp_path / "keras-interp"
    script.write_text("from keras_interp.cli import main\nmain()\n")
    settings = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    settings["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))

    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-X", "importtime", str(script), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=settings | environment,
        )

    return run


@pytest.mark.parametrize("words", ["keras-interp ex", "keras-interp explain --me"])
def test_a_shell_completes_without_loading_keras(command, words):
    asked = {"_KERAS_INTERP_COMPLETE": "complete_bash", "COMP_WORDS": words}
    result = command(COMP_CWORD=str(words.count(" ")), **asked)
    imported = {line.split("|")[-1].strip() for line in result.stderr.splitlines()}
    assert "keras_interp.cli_explain" in imported
    assert not {"keras", "tensorflow", "numpy"} & imported
    assert result.stdout.split() == ["explain" if words.endswith("ex") else "--methods"]


def test_wrong_data_is_one_line_and_no_traceback(command):
    result = command("reproduce", "icnn", "--data", "mnist")
    said = [line for line in result.stderr.splitlines() if "import time" not in line]
    # Nor is there a line of TensorFlow, which tells much as it is imported.
    assert len(said) == 1 and said[0].startswith("keras-interp: Expected data out of")
    assert result.returncode == 2
    assert result.stdout == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such job")
@pytest.mark.parametrize("before", ["SCHED_OTHER", "SCHED_IDLE"])
def test_the_command_is_a_batch_job_unless_its_user_chose_otherwise(before):
    code = (
        "import atexit, os, sys; sys.argv = ['keras-interp', '--help']\n"
        "from keras_interp.cli import main\n"
        f"os.sched_setscheduler(0, os.{before}, os.sched_param(0))\n"
        "atexit.register(lambda: print('policy', os.sched_getscheduler(0)))\n"
        "main()"
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


def test_report_of_a_folder(tmp_path):
    model = demo_network(64, 7, interpretable=True, filters=4)
    model.save(tmp_path / "model.keras")
    (tmp_path / "images" / "bird").mkdir(parents=True)
    Image.new("RGB", (80, 70), "red").save(tmp_path / "images" / "bird" / "one.jpg")
    page = tmp_path / "page.html"
    arguments = ["report", str(tmp_path / "model.keras"), str(tmp_path / "images")]
    result = CliRunner().invoke(app, [*arguments, "--out", str(page)])
    assert result.exit_code == 0 and "Images are prepared as 'none'" in result.output
    assert "1 of 64×64, without landmarks" in page.read_text()
    error = CliRunner().invoke(app, [*arguments, "--data", "cub"]).exception
    assert "a folder of images or --data" in str(error)


def test_report_names_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.keras"):
        CliRunner().invoke(
            app, ["report", str(tmp_path / "none.keras")], catch_exceptions=False
        )

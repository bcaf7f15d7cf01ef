"""One process at a time, whatever the others do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from keras_interp.datasets.preparation import folder_lock
from keras_interp.datasets.preparation.folder_lock import FolderLock

# The file by itself: importing the package would take seconds.
HOLD = f"""
import runpy, sys, time
from pathlib import Path
FolderLock = runpy.run_path({folder_lock.__file__!r})["FolderLock"]
with FolderLock(Path(sys.argv[1]), "preparing cub"):
    print("locked", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of `tmp_path / "cub"`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "cub")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_lock_and_release(tmp_path):
    with FolderLock(tmp_path / "cub", "a test") as lock:
        holder = json.loads(lock.path.read_text())
        assert holder["process"] == os.getpid() and holder["purpose"] == "a test"
    assert list(tmp_path.iterdir()) == []


def test_another_process_is_named(tmp_path, holder):
    named = rf"cub is being written by process {holder.pid} on .*preparing cub, since"
    with (
        pytest.raises(BlockingIOError, match=named),
        FolderLock(tmp_path / "cub", "a test"),
    ):
        pytest.fail("two processes hold the lock")
    with FolderLock(tmp_path / "animal_part", "a test"):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".cub.lock").exists()
    with FolderLock(tmp_path / "cub", "a test") as lock:
        assert json.loads(lock.path.read_text())["process"] == os.getpid()
    assert not (tmp_path / ".cub.lock").exists()


def test_a_lock_file_without_sense(tmp_path, holder):
    (tmp_path / ".cub.lock").write_bytes(b"\xff{")
    with (
        pytest.raises(BlockingIOError, match="another process, which holds"),
        FolderLock(tmp_path / "cub", "a test"),
    ):
        pytest.fail("two processes hold the lock")


def test_an_error_releases_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), FolderLock(tmp_path / "cub", "a test"):
        raise ZeroDivisionError
    with FolderLock(tmp_path / "cub", "a test"):
        pass

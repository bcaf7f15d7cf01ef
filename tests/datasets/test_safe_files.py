"""Files that are complete whenever they are there."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from keras_interp.datasets import _safe_files
from keras_interp.datasets._safe_files import (
    folder_lock,
    write_array_atomically,
    write_atomically,
    write_text_atomically,
)


def test_text_and_arrays(tmp_path):
    write_text_atomically(tmp_path / "a.txt", "Meise\n")
    write_text_atomically(tmp_path / "a.txt", "kos\n")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "kos\n"
    array = np.arange(12.0, dtype="float32").reshape(3, 4)[:, ::2]
    write_array_atomically(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npy", "a.txt"]


def test_an_error_leaves_the_old_file(tmp_path):
    write_text_atomically(tmp_path / "a.txt", "old")

    def fails(file):
        file.write(b"new")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomically(tmp_path / "a.txt", fails)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


FULL = f"""
import resource, runpy, signal, sys
from pathlib import Path
import numpy as np
module = runpy.run_path({_safe_files.__file__!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
module["write_array_atomically"](Path(sys.argv[1]), np.zeros(int(sys.argv[2])))
"""


@pytest.mark.parametrize("length", [300, 300_000])
def test_an_array_that_does_not_fit_is_an_error(tmp_path, length):
    """`np.save` itself says nothing and leaves an array without its end."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "a.npy"), str(length)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    wanted = f"[Errno {errno.EFBIG}] File too large, while {tmp_path / 'a.npy'} was"
    assert wanted in last
    assert list(tmp_path.iterdir()) == []


# The file by itself: importing the package would take seconds.
HOLD = f"""
import runpy, sys, time
from pathlib import Path
folder_lock = runpy.run_path({_safe_files.__file__!r})["folder_lock"]
with folder_lock(Path(sys.argv[1]), "preparing cub"):
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
    with folder_lock(tmp_path / "cub", "a test"):
        holder = json.loads((tmp_path / ".cub.lock.json").read_text())
        assert holder["process"] == os.getpid() and holder["purpose"] == "a test"
    # The empty file stays, so that those who wait lock the same one.
    assert [path.name for path in tmp_path.iterdir()] == [".cub.lock"]
    assert (tmp_path / ".cub.lock").read_bytes() == b""


def test_another_process_is_named(tmp_path, holder):
    named = rf"cub is being written by process {holder.pid} on .*preparing cub, since"
    with (
        pytest.raises(BlockingIOError, match=named),
        folder_lock(tmp_path / "cub", "a test"),
    ):
        pytest.fail("two processes hold the lock")
    with folder_lock(tmp_path / "animal_part", "a test"):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / ".cub.lock.json").exists()
    with folder_lock(tmp_path / "cub", "a test"):
        holder = json.loads((tmp_path / ".cub.lock.json").read_text())
        assert holder["process"] == os.getpid()
    assert not (tmp_path / ".cub.lock.json").exists()


def test_a_damaged_note_of_the_holder(tmp_path, holder):
    (tmp_path / ".cub.lock.json").write_bytes(b"\xff{")
    with (
        pytest.raises(BlockingIOError, match="another process, which holds"),
        folder_lock(tmp_path / "cub", "a test"),
    ):
        pytest.fail("two processes hold the lock")


def test_an_error_releases_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), folder_lock(tmp_path / "cub", "a test"):
        raise ZeroDivisionError
    with folder_lock(tmp_path / "cub", "a test"):
        pass

"""Files that are complete whenever they are there."""

from __future__ import annotations

import errno
import subprocess
import sys

import numpy as np
import pytest

from keras_interp.datasets import atomic_files
from keras_interp.datasets.atomic_files import (
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
module = runpy.run_path({atomic_files.__file__!r})
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

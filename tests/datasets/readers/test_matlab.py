"""MATLAB files that were damaged: none of them may end the process that reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import scipy.io

from keras_interp.datasets.readers import _matlab
from keras_interp.datasets.readers._matlab import DamagedMatlabFileError, load_matlab
from keras_interp.datasets.readers.animal_part_annotations import read_object_boxes
from keras_interp.datasets.readers.pascal_part_annotations import read_pascal_image


@pytest.fixture
def path(tmp_path):
    """A file with a struct, an array and a name."""
    content = {"a": np.arange(6.0).reshape(2, 3), "s": {"name": "x", "z": [1, 2]}}
    scipy.io.savemat(tmp_path / "a.mat", content)
    return tmp_path / "a.mat"


def test_what_is_read(path):
    content = load_matlab(path)
    np.testing.assert_array_equal(content["a"], [[0, 1, 2], [3, 4, 5]])
    assert content["s"]["name"].item().item() == "x"
    assert "s" not in load_matlab(path, ["a"])


def test_one_child_reads_many_files(path):
    load_matlab(path)
    child = _matlab._idle.get_nowait()
    _matlab._idle.put(child)
    load_matlab(path)
    assert _matlab._idle.get_nowait() is child
    _matlab._idle.put(child)


def test_a_child_that_ended_for_want_of_work_is_replaced(path):
    load_matlab(path)
    child = _matlab._idle.get_nowait()
    child._process.send_signal(signal.SIGKILL)
    child._process.wait()
    _matlab._idle.put(child)
    assert load_matlab(path)["a"].shape == (2, 3)


def test_a_file_that_ends_its_reader(path, monkeypatch):
    """What some damaged files do, on purpose."""
    dying = _matlab._CHILD.replace("answer = True, loadmat", "os.abort(); loadmat")
    monkeypatch.setattr(_matlab, "_CHILD", dying)
    monkeypatch.setattr(_matlab, "_idle", _matlab.queue.LifoQueue())
    with pytest.raises(DamagedMatlabFileError, match="ends the process that reads it"):
        load_matlab(path)
    for read in (lambda p: read_object_boxes(p, "the archive"), read_pascal_image):
        with pytest.raises(ValueError, match="a.mat is damaged.*ends the process"):
            read(path)


def test_a_file_that_takes_for_ever(path, monkeypatch):
    slow = _matlab._CHILD.replace("answer = True, loadmat", "threading.Event().wait()")
    monkeypatch.setattr(_matlab, "_CHILD", slow)
    monkeypatch.setattr(_matlab, "_LONGEST", 0.5)
    monkeypatch.setattr(_matlab, "_idle", _matlab.queue.LifoQueue())
    with pytest.raises(DamagedMatlabFileError, match="takes long"):
        load_matlab(path)


def test_damage_is_an_error_and_nothing_else(path):
    random, good = np.random.default_rng(0), path.read_bytes()
    kinds = set()
    for number in range(150):
        data = bytearray(good)
        if number % 4 == 0:
            data = data[: random.integers(len(data))]
        for _ in range(random.integers(1, 4)):
            if data:
                data[random.integers(len(data))] = random.integers(256)
        path.write_bytes(data)
        try:
            load_matlab(path)
            kinds.add("read")
        except DamagedMatlabFileError:
            kinds.add("refused")
    assert kinds == {"read", "refused"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_children_of_its_own(path):
    code = f"""
import os, sys
sys.path.insert(0, {os.path.dirname(_matlab.__file__)!r})
import _matlab
shape = _matlab.load_matlab({str(path)!r})["a"].shape
pid = os.fork()
for _ in range(20):
    assert _matlab.load_matlab({str(path)!r})["a"].shape == shape
if pid:
    assert os.waitpid(pid, 0)[1] == 0
    print("both read")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "both read\n", done.stderr

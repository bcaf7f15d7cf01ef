"""Reads MATLAB files of unknown origin where they can do no harm: in a child process.

A damaged file of MATLAB v5 can make `scipy.io.loadmat` write past the end of its
memory, which ends the process without an exception. A child reads it instead, and only
the child dies. Children are kept for the next file, as many as there are threads that
read, and end by themselves after a while without work.
"""

from __future__ import annotations

import atexit
import os
import pickle
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_LONGEST = 120.0  # seconds for one file; the published ones take less than two
_IDLE = 60  # seconds after which a child without work ends
_LENGTH = struct.Struct("<Q")

# The child answers each pair (path, names of variables) with the length of a pickle and
# the pickle, of (True, content) or (False, error). It imports SciPy, not this package.
_CHILD = f"""
import os, pickle, struct, sys, threading
from scipy.io import loadmat

answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # nothing else may be printed between the answers
while True:
    idle = threading.Timer({_IDLE}, os._exit, (0,))
    idle.daemon = True
    idle.start()
    try:
        path, names = pickle.load(sys.stdin.buffer)
    except EOFError:
        os._exit(0)
    idle.cancel()
    try:
        answer = True, loadmat(path, variable_names=names)
    except BaseException as error:
        answer = False, f"{{type(error).__name__}}: {{error}}"
    answer = pickle.dumps(answer, protocol=5)
    answers.write(struct.pack("<Q", len(answer)) + answer)
    answers.flush()
"""


class DamagedMatlabFileError(ValueError):
    """SciPy could not read a file, or did not survive it."""


def load_matlab(path: Path, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Reads a MATLAB file of version 4 to 7, as `scipy.io.loadmat` does.

    Args:
        path: the file.
        names: of the variables wanted. Default: all.

    Returns:
        The arrays by the names of their variables.

    Raises:
        DamagedMatlabFileError: if the file cannot be read, makes the child process end
            or takes longer than two minutes. The message does not name the file.
    """
    order = pickle.dumps((os.fspath(path), None if names is None else list(names)))
    try:
        child = _idle.get_nowait()
    except queue.Empty:
        child = _Child()
    answer = child.ask(order)
    if answer is None and child.has_worked:
        # It may have ended for want of work just before; a new one decides.
        child = _Child()
        answer = child.ask(order)
    if answer is None:
        raise DamagedMatlabFileError("it ends the process that reads it, or takes long")
    _idle.put(child)
    readable, content = pickle.loads(answer)
    if not readable:
        raise DamagedMatlabFileError(content)
    return content


class _Child:
    """A process that reads one file after another."""

    def __init__(self) -> None:
        self.has_worked = False
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def ask(self, order: bytes) -> bytes | None:
        """The answer to one order; None where the child ends before it."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        limit = threading.Timer(_LONGEST, process.kill)
        limit.start()
        try:
            process.stdin.write(order)
            process.stdin.flush()
            head = process.stdout.read(_LENGTH.size)
            length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else -1
            answer = process.stdout.read(length) if length > 0 else b""
        except (BrokenPipeError, OSError):
            answer, length = b"", -1
        finally:
            limit.cancel()
        if len(answer) != length:
            self.close()
            return None
        self.has_worked = True
        return answer

    def close(self) -> None:
        """Ends the process."""
        process = self._process
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what was not written yet has nobody to read it
                    pass
        process.wait()


_idle: queue.LifoQueue[_Child] = queue.LifoQueue()


@atexit.register
def _close_all() -> None:
    while not _idle.empty():
        _idle.get_nowait().close()


def _forget_children() -> None:
    # After a fork both processes would talk to the same children.
    global _idle
    _idle = queue.LifoQueue()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_children)

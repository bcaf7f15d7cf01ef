"""The process of a command: a batch job that says nothing but what it does."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand

# Lines of TensorFlow's log that are neither warning nor error, and its words on them.
_IS_NEWS = re.compile(rb"I0000 |WARNING: All log messages before|To enable the foll")


class ComputingCommand(TyperCommand):
    """A command that computes: its arguments are right before Keras is imported."""

    def invoke(self, ctx: Any) -> Any:
        """Import Keras, and run the command."""
        if "keras" not in sys.modules:
            with _without_start_up_log():
                importlib.import_module("keras")
        return super().invoke(ctx)


@contextlib.contextmanager
def _without_start_up_log() -> Iterator[None]:
    """Drops what TensorFlow tells as it is imported; warnings and errors are kept.

    Its first lines come before it looks at TF_CPP_MIN_LOG_LEVEL, and go past
    `sys.stderr`, so the file behind that is another one meanwhile.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") == "0":
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as log, open(os.dup(2), "wb") as screen:
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen.fileno(), 2)
            log.seek(0)
            screen.writelines(line for line in log if not _IS_NEWS.match(line))


def run_as_batch_job() -> None:
    """Tell Linux that this process computes and waits for nobody.

    Threads of an ordinary process are woken on the core of the thread that wakes them.
    On few cores that put both of a training's threads on one core for whole epochs,
    while the other core was idle.
    """
    if sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

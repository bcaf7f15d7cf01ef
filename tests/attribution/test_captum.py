"""The same maps as captum on the same weights, for every ReLU and kind of model.

Opt-in: runs where torch and captum are installed, in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.backends

SCRIPT = Path(__file__).with_name("captum_differences.py")


@pytest.fixture(scope="module")
def differences():
    for package in ("torch", "captum"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={
            **os.environ,
            "KERAS_BACKEND": "torch",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "CUDA_VISIBLE_DEVICES": "",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_method_and_model_agrees(differences):
    assert len(differences) >= 8 * 15
    worst = {name: value for name, value in differences.items() if not value < 1e-4}
    assert worst == {}

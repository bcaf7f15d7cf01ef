"""Bars and lines of long runs, in a notebook without ipywidgets."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra `tutorials`")
nbclient = pytest.importorskip("nbclient", reason="needs the extra `tutorials`")

CODE = """
from keras_interp.datasets._progress import announce, bytes_bar
with bytes_bar("Reading", 2) as advance:
    advance(2)
announce("done: [1]")
"""


@pytest.mark.skipif(find_spec("ipywidgets") is not None, reason="has ipywidgets")
@pytest.mark.slow
def test_a_notebook_shows_plain_lines_and_no_warning():
    cell = nbformat.v4.new_code_cell(CODE)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    streams = [one for one in cell.outputs if one.get("name") != "stderr"]
    assert {one.output_type for one in streams} == {"stream"}
    said = "".join(one.text for one in streams)
    assert "Reading" in said
    assert said.endswith("done: [1]\n")
    assert "ipywidgets" not in str(cell.outputs)

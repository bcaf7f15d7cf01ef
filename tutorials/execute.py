"""Runs notebooks from top to bottom and saves them with what they print and draw.

    python tutorials/execute.py tutorials/05_interpnet.ipynb

A notebook that stops with an error is left as it was. The digest of the code that was
run is kept in the notebook, so that a test can see whether code was changed afterwards.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated

import nbformat
import typer
from nbclient import NotebookClient


def digest(notebook: nbformat.NotebookNode) -> str:
    """Of the code of all cells, in their order."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def tidy(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Without what a backend writes as it starts; what was printed in one piece."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        if output.get("name") == "stderr":
            continue
        if kept and output.output_type == kept[-1].output_type == "stream":
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def execute(path: Path, seconds: float) -> None:
    """Runs the notebook at `path` and replaces it."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=seconds, resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = tidy(cell.outputs)
    notebook.metadata["executed_code"] = digest(notebook)
    half_written = path.with_suffix(".part")
    nbformat.write(notebook, half_written)
    os.replace(half_written, path)


def main(
    notebooks: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    seconds: Annotated[
        float, typer.Option(help="The longest that one cell may run.")
    ] = 900,
) -> None:
    """Runs notebooks and saves what they print and draw."""
    for path in notebooks:
        typer.echo(f"{path.name}: running ...")
        execute(path, seconds)


if __name__ == "__main__":
    typer.run(main)

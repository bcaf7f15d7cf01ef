"""Marks notebooks that were handed in.

    python tutorials/mark.py handed_in/*.ipynb --csv marks.csv

Each notebook is run from top to bottom. Then its answers go through the checks of the
notebook beside this file that has the same heading: a check which was changed or
deleted counts for nothing. A notebook runs whatever is written in it: mark on a machine
where that does no harm.
"""

from __future__ import annotations

import ast
import csv
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple

import nbformat
import typer
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

FOLDER = Path(__file__).resolve().parent
RIGHT, WRONG, OPEN, FAILED = "right", "not yet", "not answered yet", "error"


class Check(NamedTuple):
    """What marks one exercise."""

    name: str
    call: str  # such as check_offset(answer_1)
    functions: str  # the check, and what is defined beside it


class Mark(NamedTuple):
    """What came of one exercise."""

    check: str
    verdict: str  # right, not yet, not answered yet or error
    said: str  # what the check said in full


def heading(notebook: nbformat.NotebookNode) -> str:
    """The first line of a notebook, which a copy with another name keeps."""
    return str(notebook.cells[0].source).partition("\n")[0].strip()


def checks_of(notebook: nbformat.NotebookNode) -> list[Check]:
    """The checks of a notebook's exercises, in their order."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or "def check_" not in cell.source:
            continue
        body = ast.parse(cell.source).body
        functions = [node for node in body if isinstance(node, ast.FunctionDef)]
        for node in body:
            match node:
                case ast.Expr(
                    ast.Call(ast.Name("print"), [ast.Call(ast.Name(name)) as call])
                ) if name.startswith("check_"):
                    text = "\n\n".join(map(ast.unparse, functions))
                    found.append(Check(name, ast.unparse(call), text))
    return found


def find_original(notebook: nbformat.NotebookNode, folder: Path) -> Path | None:
    """The notebook of `folder` with the same heading."""
    for path in sorted(folder.glob("*.ipynb")):
        if heading(nbformat.read(path, as_version=4)) == heading(notebook):
            return path
    return None


def run_and_mark(
    notebook: nbformat.NotebookNode, checks: Iterable[Check], seconds: float = 900
) -> list[Mark]:
    """Runs a notebook in place, errors and all, and marks each exercise."""
    checks = list(checks)
    cells = [_marking_cell(check) for check in checks]
    notebook.cells.extend(cells)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=seconds,
            kernel_name="python3",
            allow_errors=True,
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute()
        except (CellTimeoutError, DeadKernelError) as stop:
            reason = str(stop).strip().partition("\n")[0]
            return [Mark(check.name, FAILED, f"error: {reason}") for check in checks]
    return [_mark(check.name, cell) for check, cell in zip(checks, cells, strict=True)]


def _marking_cell(check: Check) -> nbformat.NotebookNode:
    lines = [*check.functions.splitlines(), f"print({check.call})"]
    source = "\n".join(["try:", *("    " + line if line else "" for line in lines)])
    source += "\nexcept Exception as error:\n"
    source += "    print(f'error: {type(error).__name__}: {error}')"
    return nbformat.v4.new_code_cell(source)


def _mark(name: str, cell: nbformat.NotebookNode) -> Mark:
    said = "".join(one.text for one in cell.outputs if one.get("name") == "stdout")
    # A check may print before it answers; the answer comes last.
    said = (said.strip().splitlines() or ["error: it said nothing"])[-1]
    known = [verdict for verdict in (OPEN, WRONG, RIGHT) if said.startswith(verdict)]
    return Mark(name, known[0] if known else FAILED, said)


def mark(path: Path, seconds: float = 900, folder: Path = FOLDER) -> list[Mark]:
    """Runs and marks the notebook at `path`."""
    notebook = nbformat.read(path, as_version=4)
    original = find_original(notebook, folder) if notebook.cells else None
    if original is None:
        raise ValueError(
            f"Expected a notebook with the heading of one in {folder.name}. Received: "
            f"{path}. Put back the first line of its first cell."
        )
    checks = checks_of(nbformat.read(original, as_version=4))
    if not checks:
        raise ValueError(
            f"Expected a notebook with exercises. Received: {path}, a copy of "
            f"{original.name}, which has none. Leave it out."
        )
    return run_and_mark(notebook, checks, seconds)


def main(
    handed_in: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    csv_path: Annotated[
        Path | None, typer.Option("--csv", help="Write a line for each exercise here.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="The longest that one cell may run.")
    ] = 900,
) -> None:
    """Runs notebooks that were handed in and says what is right."""
    rows = []
    for number, path in enumerate(handed_in, 1):
        typer.echo(f"[{number}/{len(handed_in)}] {path.name}: running ...")
        try:
            marks = mark(path, seconds)
        except (ValueError, json.JSONDecodeError, nbformat.ValidationError) as error:
            typer.echo(f"  not marked: {error}")
            rows.append([path.name, "", "not marked", str(error)])
            continue
        right = sum(one.verdict == RIGHT for one in marks)
        typer.echo(f"  {right} of {len(marks)} right")
        for one in marks:
            typer.echo(f"  {one.check:24s} {one.said}")
            rows.append([path.name, *one])
    if csv_path is not None:
        with csv_path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                [["notebook", "check", "verdict", "said"], *rows]
            )
        typer.echo(f"written: {csv_path}")


if __name__ == "__main__":
    typer.run(main)

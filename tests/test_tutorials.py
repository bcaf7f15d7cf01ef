"""The committed notebooks: whole, run from top to bottom, and small."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MEGABYTES = 2
MEGABYTES_OF_ALL = 15


def read(path: Path) -> list[dict]:
    """The cells of a notebook."""
    return json.loads(path.read_text("utf-8"))["cells"]


def text(cell: dict) -> str:
    """What was written into a cell."""
    return "".join(cell["source"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_run_from_top_to_bottom_without_an_error(path):
    code = [cell for cell in read(path) if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)]
    outputs = [output for cell in code for output in cell["outputs"]]
    kinds = {output.get("name", output["output_type"]) for output in outputs}
    assert not kinds & {"error", "stderr"}
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_code_was_changed_after_it_was_run(path):
    code = [text(cell) for cell in read(path) if cell["cell_type"] == "code"]
    found = hashlib.sha256("\0".join(code).encode()).hexdigest()
    kept = json.loads(path.read_text("utf-8"))["metadata"].get("executed_code")
    assert kept == found, f"run: python tutorials/execute.py tutorials/{path.name}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_names_no_place_of_one_machine(path):
    assert path.stat().st_size < MEGABYTES * 1e6
    said = [
        output.get("text", [])
        for cell in read(path)
        for output in cell.get("outputs", [])
    ]
    assert not re.findall(r"/(?:home|root|tmp|work)/", "".join(sum(said, [])))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_between_notebooks_lead_somewhere(path):
    words = "".join(text(cell) for cell in read(path))
    linked = re.findall(r"\]\(([\w.-]+\.ipynb)", words)
    assert [name for name in linked if not (FOLDER / name).exists()] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_picture_has_a_text_that_stands_in_for_it(path):
    said = []
    for cell in read(path):
        data = [output.get("data", {}) for output in cell.get("outputs", [])]
        texts = cell["metadata"].get("alt", [])
        assert len(texts) == sum("image/png" in one for one in data), text(cell)
        said += texts
    assert len(said) == len(set(said))
    assert [one for one in said if not 40 < len(one) < 270] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_answer_that_is_not_given_is_neither_right_nor_wrong(path):
    checks = [cell for cell in read(path) if "def check_" in text(cell)]
    if not checks:
        pytest.skip("a notebook without exercises")
    for cell in checks:
        said = "".join(sum((one.get("text", []) for one in cell["outputs"]), []))
        assert "not answered yet" in said
    assert sum("<summary>Solution</summary>" in text(c) for c in read(path)) >= len(
        checks
    )


def test_all_notebooks_together_are_small():
    assert sum(path.stat().st_size for path in NOTEBOOKS) < MEGABYTES_OF_ALL * 1e6


def test_the_site_shows_every_notebook():
    shown = (FOLDER.parent / "mkdocs.yml").read_text("utf-8")
    assert [p.name for p in NOTEBOOKS if f"tutorials/{p.name}\n" not in shown] == []

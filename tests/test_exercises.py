"""Every exercise of the notebooks: its solution is right, and another answer is not.

Run by `make exercises`, which installs what runs a notebook.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="the extra `tutorials` is not installed")
import nbformat  # noqa: E402

FOLDER = Path(__file__).resolve().parent.parent / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SOLUTION = re.compile(r"<details><summary>Solution</summary>(.*?)</details>", re.DOTALL)

# For each check of each notebook what sets an answer that is plainly wrong.
WRONG = {
    "01": {
        "check_offset": "answer_1 = dict.fromkeys(answer_1, 'falls')",
        "check_mask_or_loss": "answer_2 = {'mask alone': -1.0, 'loss alone': 2.0}",
        "check_favourite": "answer_3 = found['interpretable']",
    },
    "02": {
        "check_tracking": "my_tracking = 0.5",
        "check_cheat": "my_positions = [0.0, 0.0]",
        "check_seeds": "coverage_of_seed = {0: 1.0, 1: -1.0, 2: 1.0}",
    },
    "03": {
        "check_share": "answer_1 = 0.9, 0.0",
        "check_filter": "answer_2 = -1, 0.0",
        "check_cheat": "cheating_explainer = explainer",
    },
    "04": {
        "check_locality": "answer_1 = np.log(3)",
        "check_part": "answer_2 = 'no part'",
        "check_cheat": "cheating_maps = np.ones_like(cheating_maps)",
    },
    "05": {
        "check_loss": "answer_1 = 0.5",
        "check_swap": "answer_2 = -50.0",
        "check_probabilities": "answer_3 = len(test)",
    },
    "06": {
        "check_contrast": "my_contrast = [1.0, 0.0, 0.0]",
        "check_steps": "my_steps = 2",
        "check_method": "my_method = lambda network, images, classes: np.abs("
        "ki.attribution.gradient(network, images, classes)).max(axis=-1)",
    },
    "07": {
        "check_mode": "my_w, my_b = 0 * my_w, 0.0",
        "check_gain": "my_gain = 0.0",
        "check_beta": "nodes_under_root = {0: 1, 1: 2, 3: 3}",
    },
    "08": {
        "check_shift": "answer_1 = 10.0",
        "check_alone": "answer_2 = -1.0",
        "check_names": "answer_3 = -1",
    },
    "09": {
        "check_sums": "my_sums = 0.0, 0.0",
        "check_accuracies": "my_accuracies = 2.0, 2.0",
        "check_shares": "my_shares = 0.1, 0.9",
    },
    "10": {
        "check_gibibytes": "my_gibibytes = 1.0, 1.0",
        "check_balanced": "Balanced = Batches",
        "check_gains": "hit_gains = {'float32': [2, 2], 'mixed_bfloat16': [0, 0]}",
    },
}


@pytest.fixture(scope="module")
def marking():
    """The script that marks notebooks."""
    specification = importlib.util.spec_from_file_location("mark", FOLDER / "mark.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def solutions(notebook) -> list[tuple[int, str]]:
    """The code of each folded solution, and the number of the cell that holds it."""
    found = []
    for place, cell in enumerate(notebook.cells):
        for text in SOLUTION.findall(cell.source):
            code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
            found.append((place, "\n".join(code)))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_check_has_one_solution(marking, path):
    notebook = nbformat.read(path, as_version=4)
    checks = [check.name for check in marking.checks_of(notebook)]
    assert checks == list(WRONG.get(path.stem[:2], {}))
    codes = [code for _, code in solutions(notebook)]
    assert len(codes) == len(checks)
    assert all(codes)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.stem[:2] in WRONG], ids=lambda path: path.stem
)
def test_solutions_are_right_and_other_answers_are_not(marking, path):
    notebook = nbformat.read(path, as_version=4)
    checks = marking.checks_of(notebook)
    solved = []
    found = zip(checks, solutions(notebook), strict=True)
    for check, (place, code) in reversed(list(found)):
        for source in (
            WRONG[path.stem[:2]][check.name],
            f"print({check.call})",
            code,
        ):
            cell = nbformat.v4.new_code_cell(source)
            notebook.cells.insert(place + 1, cell)
            solved.append(cell)
    marks = marking.run_and_mark(notebook, checks)
    said = [str(cell.get("outputs")) for cell in solved]
    assert [text for text in said if "'output_type': 'error'" in text] == []
    verdicts = {
        check.name: "".join(one.text for one in cell.outputs if "text" in one)
        for check, cell in zip(reversed(checks), solved[1::3], strict=True)
    }
    assert {n: v for n, v in verdicts.items() if not v.startswith("right")} == {}
    assert {one.check: one.verdict for one in marks} == dict.fromkeys(
        verdicts, marking.WRONG
    )


LESSON = ["# A lesson", "answer = None", "ONE = 1"]
CHECK = """
def helper():
    return 2 * ONE

def check_two(answer):
    if answer is None:
        return "not answered yet"
    return "right: it is 2" if answer == helper() else "not yet"

print(check_two(answer))
"""


def lesson(path: Path, *code: str, check: str = CHECK) -> Path:
    cells = [nbformat.v4.new_markdown_cell(LESSON[0])]
    cells += [nbformat.v4.new_code_cell(one) for one in (*LESSON[1:], *code, check)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.mark.parametrize(
    ("code", "check", "verdict", "said"),
    [
        ("answer = 2", CHECK, "right", "right: it is 2"),
        ("answer = 3", CHECK, "not yet", "not yet"),
        ("", CHECK, "not answered yet", "not answered yet"),
        # A check that was bent or deleted.
        ("answer = 3", "def check_two(answer): return 'right'", "not yet", "not yet"),
        ("answer = 3", "", "not yet", "not yet"),
        # An error in one cell stops neither the others nor the marking.
        ("answer = 2", "1 / 0", "right", "right: it is 2"),
        ("del answer", "", "error", "error: NameError: name 'answer' is not defined"),
    ],
    ids=["right", "wrong", "open", "bent", "deleted", "error", "no_answer"],
)
def test_marks_of_a_lesson(marking, tmp_path, code, check, verdict, said):
    (tmp_path / "lessons").mkdir()
    lesson(tmp_path / "lessons/one.ipynb")
    handed_in = lesson(tmp_path / "anna.ipynb", code, check=check)
    marks = marking.mark(handed_in, folder=tmp_path / "lessons")
    assert marks == [("check_two", verdict, said)]


def test_a_notebook_of_another_course_is_refused(marking, tmp_path):
    (tmp_path / "lessons").mkdir()
    handed_in = lesson(tmp_path / "anna.ipynb")
    with pytest.raises(ValueError, match=r"heading of one in lessons\. Received"):
        marking.mark(handed_in, folder=tmp_path / "lessons")


def test_a_lesson_without_exercises_is_refused(marking, tmp_path):
    (tmp_path / "lessons").mkdir()
    lesson(tmp_path / "lessons/one.ipynb", check="")
    handed_in = lesson(tmp_path / "anna.ipynb")
    with pytest.raises(ValueError, match=r"copy of one\.ipynb, which has none"):
        marking.mark(handed_in, folder=tmp_path / "lessons")

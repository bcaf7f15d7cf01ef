"""results.json and table.md of a reproduction."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras
import numpy as np


class Results:
    """Collects measured rows, and writes them so that no half-written file is left.

    Args:
        paper: Short name of the paper, such as `"icnn"`.
        data: Name of the dataset.
        settings: What the run was asked for.
    """

    def __init__(self, paper: str, data: str, settings: dict[str, Any]):
        self.paper = paper
        self.data = data
        self.settings = settings
        self.rows: list[dict[str, Any]] = []
        self._started = time.perf_counter()

    def add(
        self,
        table: str,
        row: str,
        metric: str,
        values: Iterable[float | None],
        *,
        n: int | None,
        paper_value: float | None = None,
        baseline_constant: float | None = None,
        baseline_random: float | None = None,
    ) -> None:
        """Add one figure, measured once for each seed.

        Args:
            table: Table of the paper that the figure belongs to.
            row: Network, and category behind a slash.
            metric: Name as in the design: `accuracy`, `tracking` and so on.
            values: One number a seed; None and NaN where nothing was measured.
            n: Images that it was measured on.
            paper_value: What the paper's table says.
            baseline_constant: What the best constant position scores.
            baseline_random: What a random position scores.
        """
        known = [v for v in values if v is not None and math.isfinite(v)]
        self.rows.append(
            {
                "table": table,
                "row": row,
                "metric": metric,
                "value": float(np.mean(known)) if known else None,
                "spread": float(np.std(known, ddof=1)) if len(known) > 1 else None,
                "seeds": len(known),
                "paper_value": paper_value,
                "baseline_constant": baseline_constant,
                "baseline_random": baseline_random,
                "n": n,
            }
        )

    def write(self, folder: Path) -> None:
        """Write `results.json` and `table.md` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "paper": self.paper,
            "data": self.data,
            "settings": self.settings,
            "environment": environment(),
            "seconds": round(time.perf_counter() - self._started, 1),
            "rows": self.rows,
        }
        write_text(folder / "results.json", json.dumps(content, indent=1) + "\n")
        write_text(folder / "table.md", self.markdown())

    def markdown(self) -> str:
        """All rows as tables for people, a line a network, none wider than a terminal.

        Several tables of a task stand below each other where its figures are many.
        """
        places = dict.fromkeys(_place(row["row"]) for row in self.rows)
        return "\n".join(self._section(place) for place in places)

    def _section(self, place: str) -> str:
        """The tables of one task."""
        rows = [row for row in self.rows if _place(row["row"]) == place]
        lines = _lines_of(rows)
        metrics = dict.fromkeys(row["metric"] for row in rows)
        columns = [_Column(_HEADINGS.get(m, m.replace("_", " ")), m) for m in metrics]
        columns = [c for c in columns if any(c.cell(line) for line in lines.values())]
        text = [f"## {place}", ""] if place else []
        while columns:
            chosen = _that_fit(columns, lines)
            text += [*_table(chosen, lines), ""]
            columns = columns[len(chosen) :]
        if any(row["metric"] == "score_share" and _negative(row) for row in rows):
            text += [NEGATIVE_SHARE, ""]
        return "\n".join(text)


# Words of a table's head where the name of a metric is long.
_HEADINGS = {
    "ablated_accuracy": "ablated",
    "location_instability": "instability",
    "missing_fc6": "missing fc6",
    "part_interpretability": "interpretability",
}
# Of a terminal.
_WIDTH = 80
NEGATIVE_SHARE = (
    "A negative score share: what comes through the masked filters lowers the score of "
    "the predicted class, and the other filters make up for it."
)


def _place(row: str) -> str:
    """Backbone and category, `"squeezenet/bird"` of `"ordinary/squeezenet/bird"`."""
    return row.partition("/")[2]


def _negative(row: dict[str, Any]) -> bool:
    return row["value"] is not None and row["value"] < 0


def _lines_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """By the name of a line the cells of the metrics: measured, baselines, paper."""
    lines: dict[str, dict[str, str]] = {}
    extra: dict[str, dict[str, str]] = {}
    for row in rows:
        metric, kind = row["metric"], row["row"].split("/")[0].replace("_", " ")
        lines.setdefault(kind, {})[metric] = _cell(row)
        for name, key in (
            ("best constant", "baseline_constant"),
            ("random", "baseline_random"),
            (f"{kind}, paper", "paper_value"),
        ):
            if row[key] is not None:
                extra.setdefault(name, {})[metric] = f"{row[key]:.3f}"
    return lines | extra


def _cell(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return ""
    spread = row.get("spread")
    return f"{row['value']:.3f}" + (f" ± {spread:.3f}" if spread is not None else "")


@dataclasses.dataclass(frozen=True)
class _Column:
    heading: str
    metric: str

    def cell(self, line: dict[str, str]) -> str:
        return line.get(self.metric, "")

    def width(self, lines: dict[str, dict[str, str]]) -> int:
        cells = [self.cell(line) for line in lines.values()]
        return max(len(self.heading), *map(len, cells))


def _that_fit(
    columns: list[_Column], lines: dict[str, dict[str, str]]
) -> list[_Column]:
    """The first columns, as many as a terminal has room for; one at least."""
    used = len("|  |") + max(map(len, lines))
    chosen: list[_Column] = []
    for column in columns:
        used += len("  |") + column.width(lines)
        if chosen and used > _WIDTH:
            break
        chosen.append(column)
    return chosen


def _table(columns: list[_Column], lines: dict[str, dict[str, str]]) -> list[str]:
    shown = {
        name: line
        for name, line in lines.items()
        if any(column.cell(line) for column in columns)
    }
    first, widths = max(map(len, shown)), [column.width(shown) for column in columns]
    head = [column.heading.rjust(n) for column, n in zip(columns, widths, strict=True)]
    rule = ["-" * (n - 1) + ":" for n in widths]
    body = [
        [name.ljust(first)]
        + [c.cell(line).rjust(n) for c, n in zip(columns, widths, strict=True)]
        for name, line in shown.items()
    ]
    rows = [[" " * first, *head], ["-" * first, *rule], *body]
    return ["| " + " | ".join(row) + " |" for row in rows]


def mean_of(figures: Sequence[dict[str, Any]], key: str) -> float | None:
    """Mean over the seeds of what is known; None where nothing is."""
    known = [figure[key] for figure in figures if figure[key] is not None]
    return float(np.mean(known)) if known else None


def check_number(name: str, value: int | None, least: int = 1) -> None:
    """Refuse a number of epochs, seeds or images that is too small."""
    if value is not None and value < least:
        raise ValueError(
            f"Expected {name} of at least {least}. Received: {name}={value}. Leave it "
            "out to take the usual number."
        )


class KeptMeasurements:
    """What was measured in a folder, for a later run of the same settings to read.

    Args:
        folder: Where the files are; made where it is missing.
        settings: Everything that a figure depends on.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]):
        self.folder = folder
        self._settings = json.loads(json.dumps(settings, default=str))

    def get(self, name: str) -> dict[str, Any] | None:
        """What was kept under a name with the same settings, or None."""
        path = self.path(name)
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text("utf-8"))
            settings = content.pop("settings")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(
                f"Expected the measurements of an earlier run. Received: {path}, "
                "which is damaged. Delete it, and they are made again."
            ) from error
        return content if settings == self._settings else None

    def put(self, name: str, content: dict[str, Any]) -> None:
        """Keep figures under a name; NaN comes back as NaN."""
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = {"settings": self._settings, **content}
        write_text(self.path(name), json.dumps(whole, indent=1))

    def path(self, name: str) -> Path:
        """The file of a name."""
        return self.folder / f"{name}.json"


def check_folder(out: Path) -> None:
    """Make the folder of the results, or refuse it before anything is computed."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"Expected out as a folder that can be written to. Received: "
            f"out={str(out)!r} ({error.strerror}). Name another folder."
        ) from None


def environment() -> dict[str, str]:
    """Versions that a figure depends on."""
    found = {"python": platform.python_version(), "keras": keras.__version__}
    found["backend"] = keras.backend.backend()
    for package in (keras.backend.backend(), "numpy", "keras_interp"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            # Builds of TensorFlow have several names.
            continue
    return found


def write_text(path: Path, text: str) -> None:
    """Write under a temporary name and rename: the file is the old one or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)

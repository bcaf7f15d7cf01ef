"""results.json and table.md of a reproduction."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Iterable
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
            n: Pictures that it was measured on.
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
        """All rows as a table for people, one line a network and category."""
        metrics = list(dict.fromkeys(row["metric"] for row in self.rows))
        lines = [
            "| table | row | "
            + " | ".join(m.replace("_", " ") for m in metrics)
            + " |",
            "|---" * (len(metrics) + 2) + "|",
        ]
        for table, name in dict.fromkeys((r["table"], r["row"]) for r in self.rows):
            of_row = {
                row["metric"]: row
                for row in self.rows
                if (row["table"], row["row"]) == (table, name)
            }
            cells = [_cell(of_row.get(metric)) for metric in metrics]
            if not any(cells):
                continue
            lines.append(f"| {table} | {name} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def _cell(row: dict[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return ""
    text = f"{row['value']:.3f}"
    if row.get("spread") is not None:
        text += f" ± {row['spread']:.3f}"
    if row["baseline_constant"] is not None:
        text += f" (constant {row['baseline_constant']:.3f}, "
        text += f"random {row['baseline_random']:.3f})"
    if row["paper_value"] is not None:
        text += f" [paper {row['paper_value']:.3f}]"
    return text


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

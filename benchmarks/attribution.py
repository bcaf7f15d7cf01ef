"""Speed and memory of attribution methods beside other libraries.

    python benchmarks/attribution.py
    python benchmarks/attribution.py --quick
    python benchmarks/attribution.py --peer-python peers/bin/python --out table.json

The network is `keras.applications.VGG16(weights=None)` with logits. Each library runs
in a process of its own on the same random pictures: first one call each, which traces
and compiles, then in turns, one call each in every round, so that whatever else the
machine does meets all of them. The floor is the bare compiled gradient, written by hand
for this network. SmoothGrad takes 16 samples, integrated gradients 16 steps, occlusion
16 patches; these three look at 16 copies of each picture, so that larger batches tell
no more: they run on the smallest of `--batches`, or with `--all-batches` on all.

Columns: pictures a second (median over the rounds); the ratio to the floor (median of
the ratios of each round); the same ratio of processor seconds, all threads counted,
which other work on the machine changes less (threads that wait busily, as those of
torch do, count as well; what runs on a GPU does not); seconds of the first call; peak
resident memory of the process in MiB over first call and rounds. Libraries that are
not installed, and methods that fail, are named below the table.

The peers pin versions that exclude each other. `--peer-python` is a Python that has
them; one that lacks a peer is asked of the Python that runs this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

METHODS = (
    "saliency",
    "guided",
    "deconvnet",
    "grad_cam",
    "smooth_grad",
    "integrated_gradients",
    "occlusion",
)
COPYING = ("smooth_grad", "integrated_gradients", "occlusion")
PEERS = ("xplique", "tf_keras_vis", "tf_explain", "captum")
OURS = ("floor", "keras_interp")
SCRIPT = Path(__file__).with_name("attribution_contestants.py")


class Contestant:
    """A process that answers orders, or the reason why there is none.

    Args:
        name: of the library.
        python: that runs it.
        backend: of Keras.
        size: of the pictures.

    Attributes:
        methods: that it has.
    """

    def __init__(self, name: str, python: str, backend: str, size: int):
        self.name = name
        self.methods: list[str] = []
        self.log = tempfile.TemporaryFile("w+")
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        if name in OURS:
            paths = [str(SCRIPT.parent.parent), os.environ.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        self.process = subprocess.Popen(
            [python, str(SCRIPT), name, str(size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )

    def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order and wait for the answer."""
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        self.log.seek(0)
        last = (self.log.read().strip() or "no message").splitlines()[-1]
        return {"error": f"the process ended: {last[:300]}"}

    def close(self) -> None:
        # One that ended by itself has nobody left to hear it.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


def pythons_of_peers(peers: Sequence[str], peer_python: str) -> dict[str, str]:
    """For each peer the first Python that can import it."""
    found = {}
    for peer in peers:
        for python in dict.fromkeys((peer_python, sys.executable)):
            code = (
                f"import importlib.util as u, sys; sys.exit(not u.find_spec('{peer}'))"
            )
            if subprocess.run([python, "-c", code], check=False).returncode == 0:
                found[peer] = python
                break
    return found


def measure(
    contestants: Sequence[Contestant], method: str, size: int, batch: int, repeats: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of the table for one method and batch, and what went wrong."""
    order = {"do": "call", "method": method, "size": size, "batch": batch}
    running, first, problems = [], {}, []
    for contestant in contestants:
        if method not in contestant.methods:
            continue
        contestant.ask(do="forget")
        reply = contestant.ask(**order)
        if "error" in reply or not reply["finite"]:
            problem = reply.get("error", "the maps are not finite")
            problems.append(f"{contestant.name}, {method}, {size}x{batch}: {problem}")
            continue
        running.append(contestant)
        first[contestant.name] = reply["seconds"]
    units = ("seconds", "cpu_seconds")
    times: dict[str, dict[str, list[float]]] = {
        unit: {contestant.name: [] for contestant in running} for unit in units
    }
    for _ in range(repeats):
        for contestant in running:
            reply = contestant.ask(**order)
            for unit in units:
                times[unit][contestant.name].append(reply.get(unit, float("nan")))
    rows = []
    for contestant in running:
        name = contestant.name
        rows.append(
            {
                "method": method,
                "size": size,
                "batch": batch,
                "library": name,
                "images_per_second": batch / statistics.median(times["seconds"][name]),
                "ratio_to_floor": ratio_to_floor(times["seconds"], name),
                "cpu_ratio_to_floor": ratio_to_floor(times["cpu_seconds"], name),
                "first_call_seconds": first[name],
                "peak_mib": contestant.ask(do="peak").get("peak"),
                **{unit: times[unit][name] for unit in units},
            }
        )
    return rows, problems


def ratio_to_floor(times: dict[str, list[float]], name: str) -> float | None:
    """Median over the rounds of the floor's time by that of a library."""
    rounds = zip(times.get("floor", []), times[name], strict=False)
    ratios = [bare / own for bare, own in rounds]
    return statistics.median(ratios) if ratios else None


def print_rows(rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        ratio, cpu_ratio = row["ratio_to_floor"], row["cpu_ratio_to_floor"]
        peak = row["peak_mib"]
        print(
            f"| {row['method']:20} | {row['size']:4} | {row['batch']:5} "
            f"| {row['library']:12} | {row['images_per_second']:10.3g} "
            f"| {'' if ratio is None else f'{ratio:.2f}':>8} "
            f"| {'' if cpu_ratio is None else f'{cpu_ratio:.2f}':>9} "
            f"| {row['first_call_seconds']:12.2f} "
            f"| {'' if peak is None else f'{peak:.0f}':>8} |",
            flush=True,
        )


def run(options: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    peers = pythons_of_peers(options.peers, options.peer_python)
    problems = [f"{p}: not installed" for p in options.peers if p not in peers]
    pythons = {**dict.fromkeys(OURS, sys.executable), **peers}
    head = (
        "method size batch library images/s to_floor cpu_floor first_call_s peak_MiB"
    ).split()
    widths = (20, 4, 5, 12, 10, 8, 9, 12, 8)
    cells = [name.replace("_", " ") for name in head]
    print("| " + " | ".join(map(str.ljust, cells, widths)) + " |")
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|", flush=True)
    rows: list[dict[str, Any]] = []
    for size in options.sizes:
        contestants = [
            Contestant(name, python, options.backend, size)
            for name, python in pythons.items()
        ]
        for contestant in contestants:
            reply = contestant.ask(do="methods")
            contestant.methods = reply.get("methods", [])
            if "error" in reply:
                problems.append(f"{contestant.name}, {size}: {reply['error']}")
        try:
            for method in options.methods:
                few = method in COPYING and not options.all_batches
                for batch in [min(options.batches)] if few else options.batches:
                    found, wrong = measure(
                        contestants, method, size, batch, options.repeats
                    )
                    print_rows(found)
                    rows += found
                    problems += wrong
        finally:
            for contestant in contestants:
                contestant.close()
    return rows, problems


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[112, 224])
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--peer-python", default=sys.executable, metavar="PATH")
    parser.add_argument(
        "--backend",
        choices=("tensorflow", "jax", "torch"),
        default=os.environ.get("KERAS_BACKEND", "tensorflow"),
        help="of Keras, for keras_interp and the floor",
    )
    parser.add_argument("--all-batches", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON file for all times")
    parser.add_argument(
        "--quick", action="store_true", help="64 pixels, 2 pictures, 2 rounds"
    )
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.batches, options.repeats = [64], [2], 2
    rows, problems = run(options)
    print()
    for problem in problems:
        print(f"not measured: {problem}")
    if options.out is not None:
        content = {"backend": options.backend, "rows": rows, "problems": problems}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

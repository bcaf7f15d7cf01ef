"""Figures of table 1: scores beside those without a decoder, and what is said."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from keras_interp.reproduce._results import Results
from keras_interp.reproduce.interpnet._birds import DescribedBirds
from keras_interp.reproduce.interpnet._rows import DESCRIBERS, PAPER
from keras_interp.reproduce.interpnet._variants import DECODINGS

IMAGES = 10
LETTERS_IN_A_LINE = 140


def draw_scores(results: Results, folder: Path) -> None:
    """Write a chart of the scores of all rows, greedy and with beam search.

    Args:
        results: With the rows of table 1.
        folder: Where to; made where it is missing.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    known = {(row["row"], row["metric"]): row for row in results.rows}
    names = [n for n in (*PAPER, *DESCRIBERS) if known[n, "cider"]["seeds"]]
    figure = Figure(figsize=(9.0, 0.4 * len(names) + 1.4), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    for ax, metric in zip(axes, ("bleu", "meteor", "cider"), strict=True):
        for place, name in enumerate(names):
            gray = name in DESCRIBERS
            for row, marker in zip(
                [name + behind for behind in DECODINGS.values()], "oDs^<v", strict=True
            ):
                if known.get((row, metric), {}).get("value") is not None:
                    ax.errorbar(
                        known[row, metric]["value"],
                        place,
                        xerr=known[row, metric]["spread"],
                        fmt=marker,
                        color="tab:gray" if gray else "tab:blue",
                        fillstyle="full" if marker == "o" else "none",
                    )
        ax.set_xlabel({"bleu": "BLEU", "meteor": "METEOR", "cider": "CIDEr"}[metric])
        ax.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(names)), [n.replace("_", " ") for n in names])
    axes[0].invert_yaxis()
    figure.suptitle(
        "dots: most likely word; diamonds: beam search; squares: consensus; triangles "
        "up: with sentences of the classes, left: by BLEU with these, down: "
        "self-critical; gray: no decoder",
        fontsize="small",
    )
    figure.savefig(folder / "scores.png", dpi=90)


def draw_ten_birds(
    birds: DescribedBirds, found: dict[str, dict[str, Any]], folder: Path
) -> None:
    """Write a figure of test birds with what each variant and a human says of them.

    Args:
        birds: The birds.
        found: By row what was measured with the first seed.
        folder: Where to; made where it is missing.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    places = np.linspace(0, len(birds.test) - 1, min(IMAGES, len(birds.test)))
    places = places.astype(int)
    texts = [_said_of(birds, found, int(place)) for place in places]
    # Inches: a picture, or as many lines as there are.
    heights = [max(1.6, 0.3 + 0.16 * (text.count("\n") + 1)) for text in texts]
    figure = Figure(figsize=(11.0, sum(heights)), layout="constrained")
    axes = figure.subplots(
        len(places),
        2,
        squeeze=False,
        gridspec_kw={"width_ratios": [1, 6], "height_ratios": heights},
    )
    for (left, right), place, text in zip(axes, places, texts, strict=True):
        row = birds.test[place]
        left.imshow(birds.dataset.images[row])
        left.set_anchor("N")
        # CUB numbers its species.
        name = birds.dataset.class_names[birds.labels(row)].split(".")[-1]
        left.set_title(name.replace("_", " "), fontsize="x-small")
        right.text(0, 1, text, va="top", fontsize=8, parse_math=False)
        for ax in (left, right):
            ax.axis("off")
    figure.suptitle(
        "most likely words  |  beam search  |  consensus  |  with sentences of the "
        "classes, and by BLEU  |  self-critical",
        fontsize="small",
    )
    figure.savefig(folder / "ten_birds.png", dpi=80)


def _said_of(birds: DescribedBirds, found: dict[str, Any], place: int) -> str:
    """Lines of what a person and each variant say of one test image."""
    said = {"human": birds.captions(birds.test[[place]])[0][0]}
    for name in (name for name in found if name in PAPER):
        known = found[name]["said"]
        texts = [known[decoding][place] for decoding in DECODINGS if decoding in known]
        said[name.replace("_", " ")] = "  |  ".join(texts)
    return "\n".join(
        textwrap.fill(f"{name}: {text}", LETTERS_IN_A_LINE, subsequent_indent="      ")
        for name, text in said.items()
    )

"""What `ki.explain` found about one prediction, drawn and as a page."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp import plotting
from keras_interp.attribution import PartContributions, XFeatureMaps
from keras_interp.graphs import ParseTree
from keras_interp.plotting._canvas import grid_or_new, show_image, without_ticks
from keras_interp.reporting._page import (
    ReportContent,
    ReportFigure,
    ReportSection,
    ReportTable,
    write_report,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What one method's map may be taken for, and may not.
_READING = (
    "A map shows where a method says the score comes from, not what is seen there. "
    "Methods differ in what they count; where they disagree, none of them is proof. "
    "Each map has its own scale."
)


@dataclasses.dataclass(frozen=True)
class FilterContributions:
    """What each filter of one layer adds to the score of one class, in one image.

    Attributes:
        layer_name: path of the layer.
        values: float `(F,)`, `sum_hw x_hw dy/dx_hw` of each filter: the part of the
            score that is linear in its map.
        positions: float `(F, 2)`, (x, y) of each filter's peak in pixels, NaN where it
            does not fire.
        names: F names of parts, `""` where a filter has none.
        is_interpretable: bool `(F,)`, whether a filter was trained to follow one part.
    """

    layer_name: str
    values: np.ndarray
    positions: np.ndarray
    names: tuple[str, ...]
    is_interpretable: np.ndarray

    def by_part(self) -> dict[str, float]:
        """Sum of the contributions of each name, the greatest amount first."""
        sums: dict[str, float] = {}
        for name, value in zip(self.names, self.values, strict=True):
            sums[name or "no part"] = sums.get(name or "no part", 0.0) + float(value)
        return dict(sorted(sums.items(), key=lambda item: -abs(item[1])))

    def strongest(self, count: int) -> np.ndarray:
        """Places of the filters that add or take most, as int `(count,)`."""
        return np.argsort(-np.abs(self.values), kind="stable")[:count]


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Why a network said what it said about one image.

    In a notebook it shows itself. What could not be found is `None`, or missing from
    `maps`, and `left_out` says why.

    Attributes:
        image: float `(H, W, C)`, as it was given, before `preprocess`.
        scores: float `(classes,)`, what the model gave.
        class_names: a name for each class.
        top: int `(n,)`, the classes with the greatest scores, the first the best. Of a
            model with one output: 1 for yes, 0 for no.
        class_index: the class that is explained.
        maps: a float array `(H, W)` or `(H, W, C)` for each method of attribution.
        filters: `FilterContributions` of a layer, or `None`.
        parts: `PartContributions` of an `Explainer`, or `None`.
        x_features: `XFeatureMaps` of an `ExplanationModule`, or `None`.
        path: `ParseTree` of a `DecisionTree`, or `None`.
        sentence: of an `InterpNet`, or `None`.
        left_out: what is missing, and why, one sentence each.
        preparation: in which numbers the model was given the image, and how that is
            known.
    """

    image: np.ndarray
    scores: np.ndarray
    class_names: tuple[str, ...]
    top: np.ndarray
    class_index: int
    maps: Mapping[str, np.ndarray]
    filters: FilterContributions | None = None
    parts: PartContributions | None = None
    x_features: XFeatureMaps | None = None
    path: ParseTree | None = None
    sentence: str | None = None
    left_out: tuple[str, ...] = ()
    preparation: str = ""

    @property
    def class_name(self) -> str:
        """Name of the class that is explained."""
        return self.class_names[self.class_index]

    def score(self, index: int) -> float:
        """Score of a class; of a model with one output, that of yes or of no."""
        if len(self.scores) == 1:
            return float(self.scores[0] if index else 1.0 - self.scores[0])
        return float(self.scores[index])

    def __str__(self) -> str:
        lines = [f"{self.class_names[i]}: {self.score(i):.3f}" for i in self.top]
        if self.sentence:
            lines.append(f'"{self.sentence}"')
        if self.filters is not None and any(self.filters.names):
            shares = list(self.filters.by_part().items())[:5]
            lines.append("parts: " + ", ".join(f"{n} {v:+.2f}" for n, v in shares))
        lines.append("maps: " + (", ".join(self.maps) or "none"))
        lines += [f"left out: {reason}" for reason in self.left_out]
        return "\n".join(lines)

    # Drawn ------------------------------------------------------------------------

    def plot(self) -> Figure:
        """Draws the image, the classes, the maps and, if known, the filters' spots.

        Returns:
            A new matplotlib figure.
        """
        panels = 2 + len(self.maps) + (self.filters is not None)
        axes = grid_or_new(None, 1, panels, 2.9, 3.2)[0]
        figure = axes[0].figure
        self._draw_image(axes[0], self._said())
        self._draw_classes(axes[1])
        for ax, (name, values) in zip(axes[2:], self.maps.items(), strict=False):
            plotting.attribution_overlay(self.image, values, ax, color_bar=False)
            ax.set_title(name.replace("_", " "), fontsize="medium")
        if self.filters is not None:
            self._draw_filters(axes[-1])
        if self.sentence:
            figure.suptitle(self.sentence, fontsize="medium")
        return figure

    def _said(self) -> str:
        return f"{self.class_name}: {self.score(self.class_index):.2f}"

    def _draw_image(self, ax: Any, title: str) -> None:
        show_image(ax, self.image)
        without_ticks(ax)
        ax.set_title(title, fontsize="medium")

    def _draw_classes(self, ax: Any) -> None:
        names = [self.class_names[i] for i in self.top][::-1]
        values = [self.score(i) for i in self.top][::-1]
        colors = ["C0" if i == self.class_index else "0.7" for i in self.top][::-1]
        places = np.arange(len(names))
        ax.barh(places, values, color=colors, height=0.55)
        for place, name in zip(places, names, strict=True):
            ax.text(0.0, place + 0.31, f" {name}", va="bottom", fontsize="small")
        ax.set_ylim(-0.5, len(names) - 0.2)
        ax.set_yticks([])
        ax.set_title("what the network says", fontsize="medium")
        ax.spines[["top", "right", "left"]].set_visible(False)

    def _draw_filters(self, ax: Any, count: int = 8) -> None:
        """The peaks of the filters that matter most, those against it hollow."""
        found = self.filters
        assert found is not None
        self._draw_image(ax, "filters for it (green) and against")
        most = np.abs(found.values).max() or 1.0
        for place in found.strongest(count):
            x, y = found.positions[place]
            if not np.isfinite(x):
                continue
            speaks_for = found.values[place] > 0
            size = 4.0 + 10.0 * abs(found.values[place]) / most
            color = "C2" if speaks_for else "C3"
            face = color if speaks_for else "none"
            ax.plot(x, y, "o", ms=size, mfc=face, mec=color, mew=2, alpha=0.8)
            label = found.names[place] or str(place)
            ax.annotate(
                label,
                (x, y),
                (4, 4),
                textcoords="offset points",
                fontsize="x-small",
                color="white",
                bbox={"facecolor": "0.1", "alpha": 0.6, "pad": 1, "lw": 0},
            )

    def _repr_html_(self) -> str:
        """For notebooks: the figure, read out by its text."""
        buffer = io.BytesIO()
        self.plot().savefig(buffer, format="png", dpi=72)
        picture = base64.b64encode(buffer.getvalue()).decode("ascii")
        alt = html.escape(str(self), quote=True)
        return f'<img alt="{alt}" src="data:image/png;base64,{picture}">'

    # As a page --------------------------------------------------------------------

    def to_html(self, path: str | Path) -> Path:
        """Writes one self-contained HTML page.

        Args:
            path: of the file; its folder is made where it is missing.

        Returns:
            The path.

        Raises:
            ValueError: if `path` is a folder.
        """
        sections = [
            self._maps_section(),
            self._filters_section(),
            self._parts_section(),
            self._x_features_section(),
            self._path_section(),
        ]
        if self.left_out:
            sections.append(ReportSection("What is left out", points=self.left_out))
        content = ReportContent(
            title=f"Why {self.class_name}?",
            summary=self.sentence or f"The network says {self._said()}.",
            sections=[section for section in sections if section is not None],
            facts=[(self.class_names[i], f"{self.score(i):.3f}") for i in self.top],
            footer=self.preparation,
            lead=ReportFigure.drawn(
                self.plot(),
                "The image, the classes, where methods say that the score comes from, "
                "and the peaks of the filters that add or take most.",
                alt=str(self).replace("\n", "; "),
            ),
        )
        return write_report(content, path)

    def _maps_section(self) -> ReportSection | None:
        if not self.maps:
            return None
        axes = plotting.attribution_grid(
            self.image[None],
            {name: values[None] for name, values in self.maps.items()},
            explained=[self.class_name],
            color_bar=False,
        )
        figure = ReportFigure.drawn(axes.flat[0].figure, _READING)
        return ReportSection("Where the score comes from", figures=[figure])

    def _filters_section(self) -> ReportSection | None:
        found = self.filters
        if found is None:
            return None
        strongest = found.strongest(12).tolist()
        columns = {
            "filter": [str(place) for place in strongest],
            "part": [found.names[place] for place in strongest],
            "adds to the score": [f"{found.values[place]:+.3f}" for place in strongest],
            "trained to follow one part": [
                "yes" if found.is_interpretable[place] else "no" for place in strongest
            ],
        }
        # Of an ordinary network nothing is known about parts.
        if not any(found.names):
            del columns["part"]
        if not found.is_interpretable.any():
            del columns["trained to follow one part"]
        words = (
            f"Filters of layer {found.layer_name}: activation times gradient, summed "
            "over each map. It is the part of the score that is linear in the map; "
            "what filters do together is in no row."
        )
        return ReportSection(
            "Filters that matter",
            tables=[
                ReportTable(
                    list(columns),
                    [list(row) for row in zip(*columns.values(), strict=True)],
                    words,
                )
            ],
        )

    def _parts_section(self) -> ReportSection | None:
        if self.parts is None:
            return None
        ax = plotting.part_contributions(self.parts, 0)
        caption = "What each part adds to the score that the explainer rebuilds."
        return ReportSection(
            "Object parts", figures=[ReportFigure.drawn(ax.figure, caption)]
        )

    def _x_features_section(self) -> ReportSection | None:
        if self.x_features is None:
            return None
        axes = plotting.class_card(
            self.image, self.x_features, 0, class_name=self.class_name
        )
        caption = "Where each x-feature looks, and what it adds to the logit."
        return ReportSection(
            "X-features", figures=[ReportFigure.drawn(axes.flat[0].figure, caption)]
        )

    def _path_section(self) -> ReportSection | None:
        if self.path is None:
            return None
        ax = plotting.parse_path(self.path, self.image)
        caption = "From coarse to fine: how the decision tree comes to the score."
        return ReportSection(
            "The way through the tree", figures=[ReportFigure.drawn(ax.figure, caption)]
        )

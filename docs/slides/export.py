"""Makes a deck of slides out of each notebook whose cells say what is a slide.

    python docs/slides/export.py slides

The decks are HTML files; reveal.js and MathJax, which show them, are copied out of
installed packages into the same folder, so that no other host is asked. Nothing is run:
what is shown is what was measured.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from traitlets.config import Config

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent.parent / "tutorials"


def package_folder(name: str) -> Path:
    """Where a package lies, without importing it."""
    package = importlib.util.find_spec(name)
    if package is None or package.origin is None:
        raise SystemExit(
            f"Expected the package {name}. Received: an environment without it. "
            "Install the extra `slides`."
        )
    return Path(package.origin).parent


def exporter() -> SlidesExporter:
    """nbconvert's exporter of slides, with the template beside this file."""
    settings = Config()
    settings.TemplateExporter.extra_template_basedirs = [str(HERE.parent)]
    settings.TemplateExporter.template_name = HERE.name
    settings.SlidesExporter.reveal_url_prefix = "reveal.js"
    settings.SlidesExporter.reveal_theme = "white"  # others ask for fonts
    settings.SlidesExporter.mathjax_url = "tex-svg.js"
    settings.TagRemovePreprocessor.enabled = True
    # A lecture shows what came out; the code that draws a picture is in the notebook.
    settings.TagRemovePreprocessor.remove_input_tags = {"output-slide"}
    return SlidesExporter(config=settings)


def export(out: Path) -> list[Path]:
    """Writes the decks and what they need into the folder `out`."""
    reveal = package_folder("sphinx_revealjs") / "_static/revealjs"
    for part in ("dist", "plugin/notes"):
        shutil.copytree(reveal / part, out / "reveal.js" / part, dirs_exist_ok=True)
    shutil.copy(package_folder("mathjax") / "static/mathjax/es5/tex-svg.js", out)
    decks = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        if not any("slideshow" in cell.metadata for cell in notebook.cells):
            continue
        for cell in notebook.cells:
            # Beside the decks there are no notebooks for a link to open.
            cell.source = re.sub(r"\[([^]]*)\]\([\w.-]+\.ipynb\)", r"\1", cell.source)
            drawn = [
                o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})
            ]
            for output, text in zip(drawn, cell.metadata.get("alt", []), strict=True):
                output.metadata.alt = text
        page, _ = exporter().from_notebook_node(notebook)
        decks.append(out / f"{path.stem}.html")
        decks[-1].write_text(page, encoding="utf-8")
    return decks


if __name__ == "__main__":
    for deck in export(Path(sys.argv[1] if len(sys.argv) > 1 else "slides")):
        print(deck)

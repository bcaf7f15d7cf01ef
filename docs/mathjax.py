"""Ships MathJax with the site, so that a page's formulas ask no other host.

The script comes out of an installed package and is copied into the site as it is built;
pages without a formula do not load it. Listed under `hooks` in mkdocs.yml.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

SCRIPT = "assets/javascripts/tex-svg.js"

# Formulas are looked for in notebooks alone and where arithmatex marked them: a dollar
# in a page's code or prose is a dollar.
SETTINGS = r"""
window.MathJax = {
  tex: {
    inlineMath: [["\\(", "\\)"], ["$", "$"]],
    displayMath: [["\\[", "\\]"], ["$$", "$$"]],
  },
  startup: {elements: [".arithmatex", ".jp-MarkdownOutput"]},
};
"""
FORMULA = re.compile(r'class="arithmatex"|class="[^"]*jp-MarkdownOutput[^$]*\$')


def on_files(files: Files, config: Any) -> Files:
    """Adds the script to what the site is made of."""
    package = importlib.util.find_spec("mathjax")
    if package is None or package.origin is None:
        raise PluginError(
            "Expected the package django-static-mathjax, which carries MathJax. "
            "Received: an environment without it. Install the extra `docs`."
        )
    script = Path(package.origin).parent / "static/mathjax/es5/tex-svg.js"
    files.append(
        File.generated(config, SCRIPT, content=script.read_text(encoding="utf-8"))
    )
    return files


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Adds the script to a page with formulas."""
    if FORMULA.search(output) is None:
        return output
    path = "../" * page.url.count("/") + SCRIPT
    tags = f'<script>{SETTINGS}</script><script async src="{path}"></script>'
    return output.replace("</head>", f"{tags}</head>", 1)

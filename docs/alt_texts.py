"""Gives the pictures of a notebook's page the texts that stand in for them.

A cell that draws says in its metadata what its pictures show: `"alt"` is a list with
one text for each. Unlike an output's metadata it stays when the notebook is run again.
Listed under `hooks` in mkdocs.yml.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

# What nbconvert writes at a picture without a text.
MISSING = 'alt="No description has been provided for this image"'


def alt_texts(notebook: Path) -> list[str]:
    """Of all pictures of a notebook, in their order."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [text for cell in cells for text in cell["metadata"].get("alt", [])]


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Writes the texts into a page that is a notebook."""
    if not page.file.src_uri.endswith(".ipynb"):
        return output
    pieces = output.split(MISSING)
    texts = alt_texts(Path(page.file.abs_src_path))
    if len(texts) != len(pieces) - 1:
        raise PluginError(
            f"Expected an alt text for each of the {len(pieces) - 1} pictures. "
            f"Received: {len(texts)} texts in {page.file.src_uri}. Write them in the "
            'metadata of the cells that draw, as a list named "alt".'
        )
    described = [
        f'alt="{html.escape(text)}"{piece}'
        for text, piece in zip(texts, pieces[1:], strict=True)
    ]
    return "".join([pieces[0], *described])

"""Lets the site show the sessions (`>>> ...`) in docstrings as code.

Markdown takes a line that begins with `>` for a quotation.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

SESSION = re.compile(r"^>>> .*(?:\n.+)*", flags=re.MULTILINE)


class Examples(griffe.Extension):
    """Fences each session that stands at the margin of a docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = SESSION.sub(
                "```pycon\n\\g<0>\n```", obj.docstring.value
            )

"""Lets the site show docstrings with the texts that methods share filled in."""

from __future__ import annotations

from typing import Any

import griffe

from keras_interp.attribution._shared_arguments import filled


class SharedArguments(griffe.Extension):
    """Fills them in as the decorator does, which is not run where a site is built."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        names = {str(decorator.callable_path) for decorator in func.decorators}
        if func.docstring and any("with_shared_arguments" in name for name in names):
            func.docstring.value = filled(func.docstring.value)

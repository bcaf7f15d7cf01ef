"""Makes links from one notebook to another lead to its page of the site.

In JupyterLab and on a repository's web page the link is that of a file beside the
notebook; the site has a folder for each page. Listed under `hooks` in mkdocs.yml.
"""

from __future__ import annotations

import re
from typing import Any

LINK = re.compile(r'href="([\w-]+)\.ipynb(#[^"]*)?"')


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Changes the links of a page that is a notebook."""
    if not page.file.src_uri.endswith(".ipynb"):
        return output
    return LINK.sub(r'href="../\1/\2"', output)

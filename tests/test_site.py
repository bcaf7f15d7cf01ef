"""The documentation site as a reader sees it, in a browser without a network.

Run by `make test-site`, which installs the extras `docs` and `browser`; Chromium itself
comes from the system.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from .chromium import LAPTOP, PHONE, browser, needs_chromium, opened

__all__ = ["browser"]

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = "tutorials/01_interpretable_cnn/"
DECKS = ["00_quick_start", "01_interpretable_cnn"]

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
pytestmark = needs_chromium


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that prints nothing."""

    def log_message(self, *args: object) -> None:
        """Requests are counted by the browser."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server of the files of a folder."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """Where the freshly built site is served."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(
        [*command, "--site-dir", str(folder)], cwd=ROOT, env=environment, check=True
    )
    with served(folder) as host:
        yield host


@pytest.fixture(scope="module")
def slides(tmp_path_factory) -> Iterator[str]:
    """Where freshly made decks of slides are served."""
    if importlib.util.find_spec("sphinx_revealjs") is None:
        pytest.skip("the extra `slides` is not installed")
    folder = tmp_path_factory.mktemp("slides")
    command = [sys.executable, "docs/slides/export.py", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    with served(folder) as host:
        yield host


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("page", ["", NOTEBOOK, "api/layers/", "gallery/attribution/"])
def test_pages_fit_the_screen(browser, address, page, viewport, scheme):
    with opened(browser, address, page, viewport, scheme) as tab:
        assert tab.locator("h1").first.is_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        dark = tab.evaluate("document.body.dataset.mdColorScheme") == "slate"
        assert dark == (scheme == "dark")
        # A picture that could not be read has no width of its own.
        widths = tab.evaluate(
            "Array.from(document.images, image => image.naturalWidth)"
        )
        assert 0 not in widths


def test_home_opens_with_a_picture(browser, address):
    with opened(browser, address, "") as tab:
        picture = tab.locator("article img").first
        assert picture.bounding_box()["y"] < LAPTOP["height"] / 2
        assert len(picture.get_attribute("alt")) > 20


def test_a_notebook_shows_formulas_and_pictures(browser, address):
    with opened(browser, address, NOTEBOOK) as tab:
        tab.wait_for_selector("mjx-container svg")
        tab.wait_for_function("MathJax.startup.promise.then(() => true)")
        text = tab.locator("article").inner_text()
        assert "\\frac" not in text
        assert "$" not in text
        assert tab.locator("mjx-merror").count() == 0
        assert tab.locator("article img").count() >= 5


TUTORIALS = sorted((ROOT / "tutorials").glob("*.ipynb"))


@pytest.mark.parametrize(
    "page",
    ["", "instructor/", "which_method/", *(f"tutorials/{p.stem}/" for p in TUTORIALS)],
)
def test_links_of_a_page_lead_to_pages(browser, address, page):
    with opened(browser, address, page) as tab:
        links = tab.evaluate(
            "Array.from(document.querySelectorAll('article a[href]'), a => a.href)"
        )
        here = {link.partition("#")[0] for link in links if link.startswith(address)}
        broken = [link for link in sorted(here) if not tab.request.get(link).ok]
        assert broken == []
        assert here


def test_the_search_finds_a_layer(browser, address):
    with opened(browser, address, "") as tab:
        tab.click("input[name=query]")
        tab.locator("input[name=query]").press_sequentially("InterpretableConv")
        found = tab.locator(".md-search-result__link").first
        found.wait_for()
        assert "api/layers/" in found.get_attribute("href")


@pytest.mark.parametrize("deck", DECKS)
def test_slides_fit_the_screen(browser, slides, deck):
    with opened(browser, slides, f"{deck}.html") as tab:
        count = tab.evaluate("Reveal.getTotalSlides()")
        assert count > 10
        pictures, too_long = 0, []
        for _ in range(count):
            here = tab.evaluate_handle("Reveal.getCurrentSlide()")
            pictures += here.evaluate(
                "slide => [...slide.querySelectorAll('img')]"
                ".filter(image => image.naturalWidth && image.offsetWidth > 300).length"
            )
            if here.evaluate("slide => slide.scrollHeight > slide.clientHeight + 2"):
                too_long.append(here.evaluate("slide => slide.innerText.slice(0, 60)"))
            tab.evaluate("Reveal.next()")
        assert tab.evaluate("Reveal.isLastSlide()")
        assert pictures > 5
        assert too_long == []
        assert tab.locator("mjx-merror").count() == 0


def test_formulas_of_slides_are_set(browser, slides):
    with opened(browser, slides, f"{DECKS[1]}.html") as tab:
        tab.wait_for_function("MathJax.startup.promise.then(() => true)")
        assert tab.locator("mjx-container svg").count() > 10
        assert "\\frac" not in tab.evaluate("document.body.textContent")

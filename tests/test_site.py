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
DECKS = [
    "00_quick_start",
    "01_interpretable_cnn",
    "03_explainer",
    "04_srae",
    "05_interpnet",
    "06_looking_inside",
]

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


def wait_for_scheme(tab, scheme: str) -> None:
    """Until the page has the colours that the system asks for: its script sets them."""
    wanted = {"light": "default", "dark": "slate"}[scheme]
    said = "scheme => document.body.dataset.mdColorScheme === scheme"
    tab.wait_for_function(said, arg=wanted)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("page", ["", NOTEBOOK, "api/layers/", "gallery/attribution/"])
def test_pages_fit_the_screen(browser, address, page, viewport, scheme):
    with opened(browser, address, page, viewport, scheme) as tab:
        assert tab.locator("h1").first.is_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        wait_for_scheme(tab, scheme)
        # A picture that could not be read has no width of its own.
        widths = tab.evaluate(
            "Array.from(document.images, image => image.naturalWidth)"
        )
        assert 0 not in widths


# The least contrast of a text with what lies under it, WCAG 2.1, success criterion
# 1.4.3: relative luminances of the colours as they are blended.
CONTRAST = """
() => {
  const read = text => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const blend = (above, below) =>
    [0, 1, 2].map(i => above[i] * above[3] + below[i] * (1 - above[3]));
  const luminance = color => {
    const [r, g, b] = color.map(value => value / 255).map(value =>
      value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    if (!element) return [255, 255, 255];
    const own = read(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : blend(own, behind(element.parentElement));
  };
  const pale = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const words = texts.currentNode.textContent.trim();
    if (!words || element.closest("script, style, noscript")) continue;
    if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true}))
      continue;
    const style = getComputedStyle(element), ground = behind(element);
    const [a, b] = [luminance(blend(read(style.color), ground)), luminance(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) pale.push(`${words.slice(0, 40)} ${ratio}`);
  }
  return pale;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "page", ["", "api/layers/", "findings/filter_loss/", "tutorials/04_srae/"]
)
def test_text_stands_out_from_its_background(browser, address, page, scheme):
    with opened(browser, address, page, scheme=scheme) as tab:
        wait_for_scheme(tab, scheme)
        assert tab.evaluate(CONTRAST) == []


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


def test_sessions_of_the_api_are_code(browser, address):
    with opened(browser, address, "api/receptive_field/") as tab:
        assert tab.locator("article blockquote").count() == 0
        code = tab.locator("article pre", has_text=">>> ki.receptive_field(")
        assert "\n    keras.Input" in code.first.inner_text().replace("... ", "")


def test_printed_tables_of_a_notebook_keep_their_lines(browser, address):
    with opened(browser, address, NOTEBOOK, PHONE) as tab:
        printed = tab.locator(".jp-OutputArea-output pre", has_text="filter loss ")
        height, line = printed.first.evaluate(
            "e => [e.clientHeight, parseFloat(getComputedStyle(e).lineHeight)]"
        )
        lines = printed.first.inner_text().rstrip("\n").count("\n") + 1
        assert height < (lines + 1.5) * line
        assert not tab.locator(".jp-InputPrompt").first.is_visible()


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


@pytest.mark.parametrize(
    "page",
    ["", "gallery/attribution/", "gallery/explainer/"]
    + [f"tutorials/{p.stem}/" for p in TUTORIALS],
)
def test_every_picture_has_a_text_that_stands_in_for_it(browser, address, page):
    with opened(browser, address, page) as tab:
        texts = tab.evaluate(
            "Array.from(document.querySelectorAll('article img'), image => image.alt)"
        )
        assert texts
        assert [one for one in texts if len(one) < 20 or "No desc" in one] == []


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
            assert here.evaluate(
                "slide => [...slide.querySelectorAll('img')]"
                ".every(image => image.alt.length > 20)"
            )
            if here.evaluate("slide => slide.scrollHeight > slide.clientHeight + 2"):
                too_long.append(here.evaluate("slide => slide.innerText.slice(0, 60)"))
            tab.evaluate("Reveal.next()")
        assert tab.evaluate("Reveal.isLastSlide()")
        assert pictures >= 5
        assert too_long == []
        assert tab.locator("mjx-merror").count() == 0


def test_formulas_of_slides_are_set(browser, slides):
    with opened(browser, slides, f"{DECKS[1]}.html") as tab:
        tab.wait_for_function("MathJax.startup.promise.then(() => true)")
        assert tab.locator("mjx-container svg").count() > 10
        assert "\\frac" not in tab.evaluate("document.body.textContent")

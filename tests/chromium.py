"""Pages as a reader sees them, in a browser without a network.

Chromium itself comes from the system; the extra `browser` drives it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the extra `browser` is not installed"
)
browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
needs_chromium = pytest.mark.skipif(
    browser_path is None, reason="Chromium is not installed"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """One browser for all pages."""
    with playwright.sync_playwright() as driver:
        # As root, as in many containers, Chromium starts without its sandbox alone.
        chromium = driver.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox"]
        )
        yield chromium
        chromium.close()


@contextlib.contextmanager
def opened(browser, address, page, viewport=LAPTOP, scheme="light"):
    """A page that said nothing on the console and asked no other host."""
    said: list[str] = []
    tab = browser.new_page(viewport=viewport, color_scheme=scheme)
    tab.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: said.append(f"error: {error}"))
    tab.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))

    def only_here(route) -> None:
        if route.request.url.startswith(address):
            route.continue_()
        else:
            said.append(f"asked {route.request.url}")
            route.abort()

    tab.route("**/*", only_here)
    tab.goto(address + page, wait_until="networkidle")
    try:
        yield tab
        assert said == []
    finally:
        tab.close()

"""Reports and explanations as a reader sees them: in Chromium, from their files."""

from __future__ import annotations

import dataclasses
import time

import keras
import numpy as np
import pytest
from PIL import Image

import keras_interp as ki
from keras_interp.metrics._activity import measure_activity
from keras_interp.metrics._layer_maps import LayerMaps
from keras_interp.reporting._findings import without_landmarks
from keras_interp.reporting._page import ReportContent

from ..chromium import LAPTOP, PHONE, browser, needs_chromium, opened
from .conftest import dots

__all__ = ["browser"]

pytestmark = [needs_chromium, pytest.mark.slow]

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>$\\frac{"
KINDS = ("with_landmarks", "without_landmarks", "explanation")


def network(filters=10):
    keras.utils.set_random_seed(0)
    # TensorFlow lets no model and no layer have a name with worse in it.
    conv = keras.layers.Conv2D(filters, 3, padding="same", name="conv>b")
    return keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            keras.layers.Rescaling(1 / 255),
            conv,
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ],
        name="model>b",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A page of each kind, whose names come from somebody that nobody trusts."""
    folder = tmp_path_factory.mktemp("pages")
    model, data = network(), dots()
    named = dataclasses.replace(
        data, class_names=[EVIL, "b"], landmark_names=["<b>head", EVIL]
    )
    # Of this network some filters follow a dot, and others nothing.
    options = {"layer_name": None, "title": EVIL, "verbose": 0, "notes": [EVIL]}
    ki.report(model, named, folder / "with_landmarks.html", **options)
    images = folder / "images" / EVIL.replace("/", "|")
    images.mkdir(parents=True)
    (folder / "images" / "b").mkdir()
    for place, image in enumerate(data.images):
        name = f"{place}{EVIL.replace('/', '|')}.png"
        Image.fromarray(image).save(
            (images if place % 3 else images.parent / "b") / name
        )
    ki.report(model, folder / "images", folder / "without_landmarks.html", **options)
    why = ki.explain(
        model, data.images[0], [EVIL, "b"], methods=["grad_cam"], names=[EVIL] * 10
    )
    why.to_html(folder / "explanation.html")
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:The accuracy")
def test_a_page_fits_the_screen_and_needs_nothing_else(
    browser, folder, kind, viewport, scheme
):
    address = f"file://{folder}/"
    with opened(browser, address, f"{kind}.html", viewport, scheme) as tab:
        # No name has become a tag: they stand on the page as they are written.
        assert tab.locator("h1").inner_text().count("<script>alert(1)") == 1
        assert tab.locator("script").count() == 1
        assert tab.locator("img[onerror]").count() == 0
        assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        red = int(ground.removeprefix("rgb(").split(",")[0])
        assert (red > 128) == (scheme == "light")
        images = tab.evaluate(
            """async () => Promise.all(Array.from(document.images, async image => {
                image.loading = "eager"; await image.decode();
                return [image.naturalWidth, image.alt]; }))"""
        )
        assert images and all(width > 0 for width, _ in images)
        # What is read out tells the pictures apart, and is more than a title.
        words = [alt for _, alt in images]
        assert len(set(words)) == len(words)
        assert all(len(alt) > 25 for alt in words)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_table_is_sorted_and_filtered_by_keyboard(browser, folder, kind):
    with opened(browser, f"file://{folder}/", f"{kind}.html") as tab:
        table = tab.locator("#what-single-filters-see table")
        rows = table.locator("tbody tr")
        filters = table.locator("tbody th")
        assert rows.count() == 10
        # The tabulator reaches the words to filter by, the table, and its headings.
        section = tab.locator("#what-single-filters-see")
        section.locator("input").focus()
        reached = []
        for _ in range(3):
            tab.keyboard.press("Tab")
            reached.append(tab.evaluate("document.activeElement.className"))
            shape = tab.evaluate(
                "getComputedStyle(document.activeElement).outlineStyle"
            )
            assert shape != "none"
        assert "scroll" in reached[0]
        tab.keyboard.press("Shift+Tab")
        assert tab.evaluate("document.activeElement.textContent") == "filter"
        tab.keyboard.press("Enter")
        assert filters.all_inner_texts() == sorted(filters.all_inner_texts(), key=int)
        heading = table.locator("thead th").first
        assert heading.get_attribute("aria-sort") == "ascending"
        tab.keyboard.press("Enter")
        assert filters.first.inner_text() == "9"
        assert heading.get_attribute("aria-sort") == "descending"
        tab.keyboard.press("Shift+Tab")
        tab.keyboard.press("Shift+Tab")
        tab.keyboard.type("filter 3")
        seen = [row for row in rows.all() if row.is_visible()]
        assert 1 <= len(seen) < 10
        assert f"{len(seen)} of 10 rows" in section.locator("output").inner_text()


def test_mistakes_come_first_and_the_surest_of_them(browser, folder):
    with opened(browser, f"file://{folder}/", "without_landmarks.html") as tab:
        table = tab.locator("#what-the-model-says table")
        said = [
            row.locator("td").all_inner_texts() for row in table.locator("tr").all()
        ]
        wrong = [line[-1] == "yes" for line in said if line]
        sure = [float(line[2].removesuffix("%")) for line in said if line]
        assert wrong == sorted(wrong, reverse=True) and 0 < sum(wrong) < 24
        assert sure[: sum(wrong)] == sorted(sure[: sum(wrong)], reverse=True)
        assert sure[sum(wrong) :] == sorted(sure[sum(wrong) :])


def test_a_notebook_shows_the_page_itself(browser, folder, tmp_path):
    model, images = network(), dots().images
    shown = ki.report(model, images, tmp_path / "report.html", verbose=0)
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html><link rel=icon href=data:,>{shown._repr_html_()}")
    with opened(browser, f"file://{tmp_path}/", page.name) as tab:
        frame = tab.frame_locator("iframe")
        frame.locator("h1").wait_for()
        frame.locator("#what-single-filters-see thead button").first.click()
        cell = frame.locator("#what-single-filters-see tbody th").first
        assert cell.inner_text() == "0"


def test_512_filters_are_written_quickly_and_small(tmp_path):
    """The pictures, figures and tables of a page, once the filters are measured."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (100, 224, 224, 3), np.uint8)
    maps = np.maximum(rng.normal(size=(100, 14, 14, 512)), 0).astype("float32")
    field = ki.ReceptiveField(size=196, stride=16, start=7.5)
    layer = LayerMaps("conv", maps, None, None, 0)
    activity = measure_activity(layer, field, (224, 224))
    titles = [f"image_{place}.jpg" for place in range(100)]

    def written():
        # Seconds of the processor: other programs on the machine do not count.
        start = time.process_time()
        found = without_landmarks(activity, images, titles)
        content = ReportContent("512", found.summary, found.sections, lead=found.lead)
        path = ki.reporting.write_report(content, tmp_path / "report.html")
        return time.process_time() - start, path.stat().st_size

    seconds, size = min(written() for _ in range(2))
    print(f"{seconds:.2f} s of the processor, {size / 2**20:.1f} MiB")
    assert seconds < 2
    assert size < 25 * 2**20

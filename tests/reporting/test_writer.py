"""One file, complete, safe and without anything from elsewhere."""

from __future__ import annotations

import re

import numpy as np
import pytest

from keras_interp.plotting import overlay
from keras_interp.reporting import (
    ReportBars,
    ReportContent,
    ReportFigure,
    ReportSection,
    ReportTable,
    write_report,
)

from .page import Page


@pytest.fixture
def content():
    figure = ReportFigure.drawn(overlay(np.zeros((4, 4)), np.eye(4)), "A map.", dpi=20)
    sections = [
        ReportSection(
            "Everything & more",
            ["A paragraph."],
            points=["A point."],
            tables=[
                ReportTable(["name", "value"], [["head", "0.5"]], "Shown."),
                ReportTable(
                    ["name", "value"], [["tail", "0.1"]], "Folded.", folded=True
                ),
            ],
            bars=[
                ReportBars(["net", "none"], [0.5, float("nan")], [True, False], "B.")
            ],
            figures=[figure],
            terms=[("Filter", "A pattern.")],
        ),
        ReportSection("Second"),
        ReportSection("Third"),
    ]
    return ReportContent(
        "A <b>title</b>", "Summary.", sections, [("tracking", "0.8")], "The end."
    )


def test_everything_is_on_the_page(content, tmp_path):
    path = write_report(content, tmp_path / "new" / "report.html")
    page = Page(path)
    assert page.headings == ["Everything & more", "Second", "Third"]
    for text in ["A paragraph.", "A point.", "head", "0.5", "Shown.", "Folded."]:
        assert text in page.text
    for text in ["0.500", "B.", "A map.", "A pattern.", "0.8", "The end.", "Summary."]:
        assert text in page.text
    assert "width: 100.0%" in path.read_text(encoding="utf-8")
    assert len(page.all("details", "class")) == 0 and ("details", {}) in page.tags


def test_nothing_comes_from_elsewhere(content, tmp_path):
    path = write_report(content, tmp_path / "report.html")
    page = Page(path)
    sources = [
        value for tag in ("img", "script", "link") for value in page.all(tag, "src")
    ]
    assert sources and all(
        source.startswith("data:image/png;base64,") for source in sources
    )
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|@import|url\(|<script[^>]", text)
    assert re.findall("<link[^>]*>", text) == ['<link rel="icon" href="data:,">']


def test_text_is_escaped(content, tmp_path):
    text = write_report(content, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "A &lt;b&gt;title&lt;/b&gt;" in text and "<b>title" not in text


def test_the_table_of_contents_leads_to_the_sections(content, tmp_path):
    page = Page(write_report(content, tmp_path / "report.html"))
    anchors = page.all("section", "id")
    assert len(anchors) == len(set(anchors))
    assert page.all("a", "href") == [f"#{anchor}" for anchor in anchors]


def test_images_can_be_read_out(content, tmp_path):
    page = Page(write_report(content, tmp_path / "report.html"))
    assert page.all("img", "alt") == ["A map."]
    assert page.all("html", "lang") == ["en"]


def test_an_old_file_is_replaced_and_no_draft_stays(content, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(content, path)
    assert "Everything" in path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_folder_is_refused(content, tmp_path):
    with pytest.raises(ValueError, match="path as the name of a file"):
        write_report(content, tmp_path)

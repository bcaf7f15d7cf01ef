"""The documentation names what there is."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "attribution",
    "callbacks",
    "datasets",
    "graphs",
    "layers",
    "losses",
    "metrics",
    "models",
    "plotting",
    "reporting",
)


def public(package: str) -> dict[str, object]:
    """Public classes and functions of a subpackage."""
    module = importlib.import_module(f"keras_interp.{package}")
    names = {name: getattr(module, name) for name in module.__all__}
    return {
        name: value
        for name, value in names.items()
        if inspect.isclass(value) or inspect.isfunction(value)
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_its_entry(package):
    text = (ROOT / "docs" / "api" / f"{package}.md").read_text(encoding="utf-8")
    entries = set(re.findall(r"^::: (\S+)$", text, flags=re.MULTILINE))
    wanted = {f"{v.__module__}.{v.__qualname__}" for v in public(package).values()}
    assert entries == wanted


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_documented(package):
    undocumented = [
        name
        for name, value in public(package).items()
        if not inspect.getdoc(value) or "." not in inspect.getdoc(value).split("\n")[0]
    ]
    assert undocumented == []


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/index.md"]
)
def test_links_between_files_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [t for t in targets if not ((ROOT / page).parent / t).exists()]
    assert missing == []

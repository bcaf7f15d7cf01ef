"""What the methods share in their arguments: their texts, and progress."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from keras_interp import attribution
from keras_interp.attribution._shared_arguments import TEXTS, Progress, filled

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = [
    name for name in attribution.__all__ if inspect.isfunction(vars(attribution)[name])
]


def test_a_text_takes_its_place_and_is_wrapped():
    docstring = """What it does.

    Args:
        index: {call_index}
        other: {unknown}
    """
    assert filled(docstring).split("\n") == [
        "What it does.",
        "",
        "Args:",
        "    index: which call of the layer `layer_name`, where the model calls it "
        "several",
        "        times, from 0. Default: the only one.",
        "    other: {unknown}",
    ]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_help_explains_every_argument_in_full(name):
    function = vars(attribution)[name]
    text = inspect.getdoc(function)
    assert not re.search(
        "likewise|as for|" + "|".join(f"{{{key}}}" for key in TEXTS), text
    )
    entries = text.split("Args:\n")[1].split("\n\n")[0]
    described = re.findall(r"^    (\w+): (\S+ \S+ \S+)", entries, flags=re.MULTILINE)
    assert [key for key, _ in described] == [*inspect.signature(function).parameters]


def test_the_site_shows_what_help_shows():
    griffe = pytest.importorskip("griffe")
    extensions = griffe.load_extensions(ROOT / "docs" / "griffe_shared_arguments.py")
    package = griffe.load("keras_interp", extensions=extensions, search_paths=[ROOT])
    for name in FUNCTIONS:
        shown = package[f"attribution.{name}"].docstring.value
        assert shown == inspect.getdoc(vars(attribution)[name]), name


LONG = {
    "smooth_grad": ({"samples": 4, "batch_size": 3}, "20/20"),
    "integrated_gradients": ({"steps": 3}, "15/15"),
    "occlusion": ({"patch_size": 6, "stride": 6}, "20/20"),
}


@pytest.mark.parametrize("name", LONG)
def test_progress_counts_every_copy_and_changes_no_map(name, model, images, capsys):
    keywords, last = LONG[name]
    method = vars(attribution)[name]
    quiet = method(model, images, **keywords)
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(method(model, images, verbose=1, **keywords), quiet)
    shown = capsys.readouterr().out
    # The bar stands there before the first result.
    assert re.search(r"\b0/" + last.split("/")[1], shown)
    assert last in shown


@pytest.mark.parametrize(
    "name", ["input_shift_report", "parameter_randomization_report"]
)
def test_the_sanity_checks_count_what_they_compare(name, model, images, capsys):
    keywords = {"stages": 1} if "parameter" in name else {}
    methods = ["saliency", "gradient"]
    vars(attribution)[name](model, images, methods, verbose=1, **keywords)
    assert "4/4" in capsys.readouterr().out


@pytest.mark.parametrize("name", [*LONG, "input_shift_report"])
def test_another_verbose_is_refused(name, model, images):
    with pytest.raises(ValueError, match="Expected verbose as 0.*Received: verbose=3"):
        vars(attribution)[name](model, images, verbose=3)


def test_nothing_to_do_shows_no_bar(capsys):
    Progress(0, 1)
    assert capsys.readouterr().out == ""

"""The command `keras-interp explain`."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np

    from keras_interp.reporting import Explanation


def explain(
    model: Annotated[Path, typer.Argument(help="A .keras file.")],
    images: Annotated[
        list[Path],
        typer.Argument(help="Image files that Pillow reads, or folders of them."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for pages and figures.")] = Path(
        "explanations"
    ),
    methods: Annotated[
        str | None,
        typer.Option(help="Functions of ki.attribution, with commas between."),
    ] = None,
    class_names: Annotated[
        str | None,
        typer.Option(
            help="Names with commas between, or a file: one a line, or JSON, a list or "
            "a dict by class index; or the folder that holds a folder for each class."
        ),
    ] = None,
    class_index: Annotated[
        int | None,
        typer.Option(help="Class to explain; the one predicted if not given."),
    ] = None,
    preprocess: Annotated[
        str | None,
        typer.Option(
            help="What the model wants of images from 0 to 255: none, unit (0 to 1), "
            "tf (-1 to 1), caffe or torch (as in keras.applications), or a network of "
            "ki.models. Not needed where the model prepares them itself."
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="Layer of the filters; the last one if not given."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Pixels of each side, for a model that takes any size."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to show.")] = 5,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import", help="Module that registers the model's own layers with Keras."
        ),
    ] = None,
) -> None:
    """Say why a saved model gives images their class: a page and a figure for each."""
    names = None if class_names is None else class_names_of(class_names)
    files = _image_files(images)
    typer.echo(f"Loading {model}")
    from keras_interp.reporting._explain import METHODS
    from keras_interp.reporting._explain import explain as explain_image
    from keras_interp.reporting._preparation import preparation_of, shown_image
    from keras_interp.reporting._saved_model import load_saved_model

    import_modules(modules or [])
    network = load_saved_model(model)
    side = image_size(network, size)
    preparation = preparation_of(network, preprocess)
    typer.echo(f"Images are prepared as {preparation.name!r}. {preparation.reason}")
    pages = _pages(out, files)
    written = 0
    for file, page in zip(files, pages, strict=True):
        pixels = _read(file, side)
        if pixels is None:
            continue
        why = explain_image(
            network,
            shown_image(network, pixels),
            names,
            class_index=class_index,
            methods=METHODS if methods is None else _split(methods),
            layer_name=layer,
            preprocess=preparation,
            top=top,
        )
        _say(file, why)
        figure = _write(why, page)
        typer.echo(f"Written to {page} and {figure}\n")
        written += 1
    if names is None and network.output_shape[-1] != 1:
        typer.echo(
            "Classes are shown by their numbers. Give --class-names a file with a name "
            "a line, or the folder that holds a folder for each class."
        )
    if written < len(files):
        typer.echo(f"{len(files) - written} of {len(files)} files left out", err=True)
        raise typer.Exit(1)


def _split(names: str) -> list[str]:
    return [name for name in map(str.strip, names.split(",")) if name]


def class_names_of(given: str) -> list[str]:
    """Names of classes from a file, a folder of theirs, or the command line itself."""
    path = Path(given)
    if path.is_dir() and (folders := _folders(path)):
        return [folder.name for folder in folders]
    if not path.is_file():
        named_a_file = path.suffix.lower() in (".txt", ".json") or os.sep in given
        if named_a_file and "," not in given:
            raise FileNotFoundError(
                f"No file {given}: give --class-names a file, or the names with commas "
                "between."
            )
        return _split(given)
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() != ".json":
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            # imagenet_class_index.json of Keras: {"0": ["n01440764", "tench"], ...}
            found = [found[str(place)] for place in range(len(found))]
        return [name[-1] if isinstance(name, list) else str(name) for name in found]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            "Expected --class-names as a JSON list of names, or a dict by class index. "
            f"Received: {given} ({type(error).__name__}: {error}). Write one name a "
            "line into a .txt file, say."
        ) from error


def _folders(path: Path) -> list[Path]:
    """The folders in a folder in the order of their names, as Keras numbers classes."""
    return sorted(
        inside
        for inside in path.iterdir()
        if inside.is_dir() and not inside.name.startswith(".")
    )


def _image_files(given: Sequence[Path]) -> list[Path]:
    """The files, and those inside the folders."""
    from keras_interp.datasets._images import list_images

    files: list[Path] = []
    for path in given:
        inside = list_images(path) if path.is_dir() else [path]
        if not inside:
            below = [folder for folder in _folders(path) if list_images(folder)]
            advice = f"those of one class, {below[0]}" if below else "the files"
            raise ValueError(
                f"Expected image files. Received: {path}, a folder without any. Give "
                f"{advice}."
            )
        files += inside
    missing = [str(path) for path in files if not path.exists()]
    if missing:
        raise FileNotFoundError(f"No file {', '.join(missing)}: give image files.")
    return files


def import_modules(modules: Sequence[str]) -> None:
    if modules:
        # As `python -m` does: modules of the folder that the user stands in.
        sys.path.insert(0, os.getcwd())
    for module in modules:
        importlib.import_module(module)


def image_size(network: Any, side: int | None) -> tuple[int, int] | None:
    """(height, width) of the images of a model, `None` for that of each file."""
    inputs = getattr(network, "inputs", None) or []
    shapes = [tuple(tensor.shape) for tensor in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] not in (1, 3):
        raise ValueError(
            "Expected a model of one input of images (height, width, 1 or 3). "
            f"Received: model {network.name!r} with inputs of the shapes {shapes}. "
            "Call ki.explain in Python with the inputs that it takes."
        )
    height, width = shapes[0][1:3]
    if height is None or width is None:
        return None if side is None else (height or side, width or side)
    if side not in (None, height) or side not in (None, width):
        raise ValueError(
            f"Expected --size only for a model that takes any size. Received: --size "
            f"{side} for one of {height} x {width} pixels. Leave it out."
        )
    return height, width


def _pages(out: Path, files: Sequence[Path]) -> list[Path]:
    """A page for each file; files of the same name in several folders are numbered."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"Expected --out as a folder. Received: {out}, a file.")
    pages: list[Path] = []
    for file in files:
        number, page = 1, out / f"{file.stem}.html"
        while page in pages:
            number += 1
            page = out / f"{file.stem}-{number}.html"
        pages.append(page)
    return pages


def _read(file: Path, size: tuple[int, int] | None) -> np.ndarray | None:
    """The pixels of a file, or `None` after a line that says why there are none."""
    from keras_interp.datasets._images import read_photograph

    try:
        return read_photograph(file, size)
    except (ValueError, OSError) as error:
        typer.echo(f"keras-interp: {error}\n", err=True)
        return None


def _say(file: Path, why: Explanation) -> None:
    typer.echo(f"{file}: why {why.class_name}?")
    for line in str(why).splitlines():
        typer.echo(f"  {line}")


def _write(why: Explanation, page: Path) -> Path:
    """The page, and beside it the figure that it opens with."""
    why.to_html(page)
    picture = page.with_suffix(".png")
    handle, draft = tempfile.mkstemp(dir=page.parent, suffix=".png")
    try:
        with os.fdopen(handle, "wb") as file:
            why.plot().savefig(file, format="png", dpi=110)
        # mkstemp makes a file for its owner alone; a figure is made to be passed on.
        os.chmod(draft, 0o644)
        os.replace(draft, picture)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return picture

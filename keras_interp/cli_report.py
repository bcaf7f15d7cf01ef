"""The command `keras-interp report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from keras_interp.cli_explain import class_names_of, image_size, import_modules


def report(
    model: Annotated[Path, typer.Argument(help="A .keras file.")],
    images: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of image files without landmarks, or with a folder of them "
            "for each class. Left out: drawn images with landmarks."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Dataset with landmarks, in place of a folder."),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The dataset's folder, extracted.")
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Layer to look at; the last one if not given.")
    ] = None,
    class_names: Annotated[
        str | None,
        typer.Option(
            help="Names with commas between, or a file: one a line, or JSON, a list or "
            "a dict by class index; or the folder that holds a folder for each class."
        ),
    ] = None,
    preprocess: Annotated[
        str | None,
        typer.Option(
            help="What the model wants of images from 0 to 255: none, unit (0 to 1), "
            "tf (-1 to 1), caffe or torch (as in keras.applications), or a network of "
            "ki.models. Not needed where the model prepares them itself."
        ),
    ] = None,
    modules: Annotated[
        list[str] | None,
        typer.Option(
            "--import", help="Module that registers the model's own layers with Keras."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
) -> None:
    """Measure a saved model's filters and write one HTML page about them."""
    if images is not None and data is not None:
        raise ValueError(
            f"Expected a folder of images or --data. Received: {images} and --data "
            f"{data}. Leave one of them out."
        )
    names = None if class_names is None else class_names_of(class_names)
    typer.echo(f"Loading {model}")
    import keras_interp as ki
    from keras_interp.reporting._preparation import preparation_of
    from keras_interp.reporting._saved_model import load_saved_model

    import_modules(modules or [])
    network = load_saved_model(model)
    height, width = image_size(network, None) or (None, None)
    dataset: Any
    prepare: Any = preprocess
    if images is not None:
        preparation = preparation_of(network, preprocess)
        typer.echo(f"Images are prepared as {preparation.name!r}. {preparation.reason}")
        dataset, prepare = images, preparation
    elif data in (None, "synthetic_parts"):
        dataset = ki.datasets.load("synthetic_parts", image_size=height)
    else:
        dataset = ki.datasets.load(data, root, size=(height, width))
    ki.report(
        network,
        dataset,
        out,
        layer_name=layer,
        preprocess=prepare,
        class_names=names,
    )
    typer.echo(f"Written to {out}")

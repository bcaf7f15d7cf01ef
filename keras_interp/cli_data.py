"""The commands `keras-interp data list` and `keras-interp data prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(
    no_args_is_help=True, help="Find, download and prepare the datasets."
)


@data_app.command("list")
def list_datasets() -> None:
    """Say of each dataset what it holds, its size and licence, and where it is."""
    from rich.console import Console

    from keras_interp.datasets import catalogue
    from keras_interp.datasets._progress import announce
    from keras_interp.datasets.preparation._weights import WEIGHTS, find_weights
    from keras_interp.datasets.preparation.entries import (
        dataset_table,
        whereabouts,
    )

    Console().print(dataset_table())
    # Not in the table, which would break paths and commands into pieces.
    for entry in catalogue().values():
        announce(f"{entry.name}: {whereabouts(entry)}")
    for weights in WEIGHTS.values():
        path = find_weights(weights)
        place = f"run keras-interp data prepare {weights.name}"
        place = place if path is None else f"found in {path.parent}"
        announce(
            f"{weights.name}: weights ({weights.holds}; {weights.licence}); {place}"
        )


@data_app.command("prepare")
def prepare_dataset(
    name: Annotated[
        str,
        typer.Argument(help="A name that `keras-interp data list` prints."),
    ],
    root: Annotated[
        Path | None,
        typer.Option(help="The dataset extracted already, which must stay there."),
    ] = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option(help="An archive downloaded by hand; may be given several times."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; $KERAS_INTERP_HOME/NAME if not given."),
    ] = None,
    tfds: Annotated[
        bool, typer.Option("--tfds", help="Write TFRecord files for tfds.load.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="With --tfds: folder to write.")
    ] = None,
    beam_runner: Annotated[
        str | None, typer.Option(help="With --tfds: a runner of Apache Beam.")
    ] = None,
    beam_options: Annotated[
        str | None,
        typer.Option(help="With --tfds: options of the runner, spaces between."),
    ] = None,
    recipes: Annotated[
        Path | None,
        typer.Option(help="With --tfds: the folder data_recipes of the source."),
    ] = None,
) -> None:
    """Download a dataset, check and extract it; or build it for TensorFlow Datasets."""
    from keras_interp import datasets

    for_tfds = (data_dir, beam_runner, beam_options, recipes)
    if not tfds:
        if any(option is not None for option in for_tfds):
            raise ValueError(
                "--data-dir, --beam-runner, --beam-options and --recipes need --tfds"
            )
        datasets.prepare(name, root=root, archives=archive or [], out=out)
        return
    if archive or out is not None:
        raise ValueError(
            "--tfds takes no --archive and no --out: prepare the archive first, "
            "without --tfds; the files for tfds.load are written to --data-dir"
        )
    folder = datasets.prepare_tfds(
        name,
        root=root,
        data_dir=data_dir,
        beam_runner=beam_runner,
        beam_options=(beam_options or "").split(),
        recipes=recipes,
    )
    typer.echo(f"Written to {folder}")

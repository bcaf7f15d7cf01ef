"""The command `keras-interp`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_interp.cli_data import data_app
from keras_interp.cli_explain import explain
from keras_interp.cli_process import ComputingCommand, run_as_batch_job
from keras_interp.cli_report import report

# Options that several commands have.
Root = Annotated[Path | None, typer.Option(help="The dataset's folder, extracted.")]
Weights = Annotated[str | None, typer.Option(help="Path of the backbone's weights.")]
Seed = Annotated[int, typer.Option(help="First seed.")]
Seeds = Annotated[int | None, typer.Option(help="How many seeds.")]
Out = Annotated[Path, typer.Option(help="Folder for tables and figures.")]
Quick = Annotated[bool, typer.Option("--quick", help="Under four minutes.")]
Development = Annotated[
    bool, typer.Option("--development", help="Score on held-back training images.")
]
Backbone = Annotated[str, typer.Option(help="squeezenet or mobilenet.")]
Negatives = Annotated[
    Path | None, typer.Option(help="With cub: photographs without birds.")
]
FilterLoss = Annotated[
    str, typer.Option(help="Mode of the filter loss, or none: the mask alone.")
]
FilterLossWeight = Annotated[
    float | None, typer.Option(help="Weight of the filter loss.")
]
Fraction = Annotated[float, typer.Option(help="Share of such filters.")]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Keras layers, models and measures that make neural networks explain "
    "themselves.",
)
reproduce_app = typer.Typer(
    no_args_is_help=True, help="Measure a paper's tables again with this library."
)
app.add_typer(reproduce_app, name="reproduce")
app.add_typer(data_app, name="data")
app.command("explain")(explain)
app.command("report")(report)


def _say_version(wanted: bool) -> None:
    if wanted:
        from keras_interp import __version__

        typer.echo(f"keras-interp {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_say_version,
            is_eager=True,
            help="Say the version and leave.",
        ),
    ] = False,
) -> None:
    """Take the options that stand before the name of a command."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for figures and report.html.")] = (
        Path("demo_output")
    ),
    images: Annotated[int, typer.Option(help="Images to draw.")] = 2400,
    epochs: Annotated[int, typer.Option(help="Passes over the images.")] = 10,
    seed: Annotated[int, typer.Option(help="Of images and weights.")] = 0,
) -> None:
    """Train an ordinary and an interpretable network on drawn birds, and compare."""
    from keras_interp.reproduce._demo import run_demo

    run_demo(out, num_images=images, epochs=epochs, seed=seed)


@reproduce_app.command()
def icnn(
    data: Annotated[str, typer.Option(help="cub or animal_part.")] = "cub",
    root: Root = None,
    backbone: Backbone = ("squeezenet"),
    weights: Weights = None,
    categories: Annotated[
        str | None, typer.Option(help="Animals or tasks, with commas between.")
    ] = None,
    negatives: Negatives = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the images.")] = None,
    seed: Seed = 0,
    seeds: Seeds = None,
    out: Out = Path("icnn_output"),
    quick: Quick = False,
    development: Development = False,
    filter_loss: FilterLoss = "posterior",
    filter_loss_weight: FilterLossWeight = None,
    weight_schedule: Annotated[
        str | None, typer.Option(help="constant or inverse_epoch.")
    ] = None,
    fraction: Fraction = 0.5,
    targets: Annotated[
        str,
        typer.Option(help="Which images a filter stands for: labels or response."),
    ] = "labels",
    without_labels: Annotated[
        bool | None, typer.Option(help="Also train without labels for the filter loss.")
    ] = None,
) -> None:
    """Interpretable CNN: tables 1 and 3 to 7 of Zhang, Wu and Zhu, CVPR 2018."""
    from keras_interp.reproduce import IcnnSettings, reproduce_icnn

    settings = IcnnSettings(
        data=data,
        root=root,
        backbone=backbone,
        weights=weights,
        categories=_names(categories),
        negatives=negatives,
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        quick=quick,
        development=development,
        filter_loss=None if filter_loss == "none" else filter_loss,
        filter_loss_weight=filter_loss_weight,
        weight_schedule=weight_schedule,
        fraction=fraction,
        targets=targets,
        without_labels=without_labels,
    )
    results = reproduce_icnn(settings, out)
    typer.echo(results.markdown())
    typer.echo(f"Written to {out}")


@reproduce_app.command()
def explainer(
    data: Annotated[
        str, typer.Option(help="cub, animal_part or synthetic_parts.")
    ] = "cub",
    root: Root = None,
    backbone: Backbone = ("squeezenet"),
    weights: Weights = None,
    categories: Annotated[
        str | None, typer.Option(help="Tasks, with commas between.")
    ] = None,
    negatives: Negatives = None,
    epochs: Annotated[int | None, typer.Option(help="Passes of the explainer.")] = None,
    seed: Seed = 0,
    seeds: Seeds = None,
    out: Out = Path("explainer_output"),
    quick: Quick = False,
    development: Development = False,
    filter_loss: FilterLoss = "posterior",
    filter_loss_weight: FilterLossWeight = None,
    fraction: Fraction = 0.5,
    ratio_reward: Annotated[
        float, typer.Option(help="Weight of the reward for a large ratio.")
    ] = 0.1,
    targets: Annotated[
        str | None,
        typer.Option(help="response or labels: where a filter's part is looked for."),
    ] = None,
    unlabelled: Annotated[
        bool, typer.Option(help="Learn from images of other species, too.")
    ] = True,
) -> None:
    """Explainer network: tables 1 to 3 of Zhang, Yang and Wu, 2018."""
    from keras_interp.reproduce import ExplainerSettings, reproduce_explainer

    settings = ExplainerSettings(
        data=data,
        root=root,
        backbone=backbone,
        weights=weights,
        categories=_names(categories),
        negatives=negatives,
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        quick=quick,
        development=development,
        filter_loss=None if filter_loss == "none" else filter_loss,
        filter_loss_weight=filter_loss_weight,
        fraction=fraction,
        ratio_reward=ratio_reward,
        targets=targets,
        unlabelled=unlabelled,
    )
    results = reproduce_explainer(settings, out)
    typer.echo(results.markdown())
    typer.echo(f"Written to {out}")


@reproduce_app.command("decision-tree")
def decision_tree(
    data: Annotated[
        str, typer.Option(help="cub, animal_part or synthetic_parts.")
    ] = "cub",
    root: Root = None,
    backbone: Backbone = ("squeezenet"),
    weights: Weights = None,
    categories: Annotated[
        str | None, typer.Option(help="Tasks of one category, with commas between.")
    ] = None,
    negatives: Negatives = None,
    epochs: Annotated[int | None, typer.Option(help="Passes of the network.")] = None,
    seed: Seed = 0,
    seeds: Seeds = None,
    out: Out = Path("decision_tree_output"),
    quick: Quick = False,
    development: Development = False,
    filter_loss: FilterLoss = "posterior",
    ordinary: Annotated[
        bool, typer.Option(help="Also an ordinary network of the same layers.")
    ] = True,
) -> None:
    """Decision tree of an interpretable CNN: Zhang, Yang, Ma and Wu, 2018."""
    from keras_interp.reproduce import DecisionTreeSettings, reproduce_decision_tree

    settings = DecisionTreeSettings(
        data=data,
        root=root,
        backbone=backbone,
        weights=weights,
        categories=_names(categories),
        negatives=negatives,
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        quick=quick,
        development=development,
        filter_loss=None if filter_loss == "none" else filter_loss,
        ordinary=ordinary,
    )
    results = reproduce_decision_tree(settings, out)
    typer.echo(results.markdown())
    typer.echo(f"Written to {out}")


@reproduce_app.command("explanatory-graph")
def explanatory_graph(
    data: Annotated[
        str, typer.Option(help="cub, animal_part or synthetic_parts.")
    ] = "cub",
    root: Root = None,
    backbone: Annotated[str, typer.Option(help="squeezenet.")] = "squeezenet",
    weights: Weights = None,
    categories: Annotated[
        str | None, typer.Option(help="Animals, with commas between.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Of the small network for drawn images.")
    ] = None,
    seed: Seed = 0,
    seeds: Seeds = None,
    out: Out = Path("explanatory_graph_output"),
    quick: Quick = False,
    development: Development = False,
    filters: Annotated[
        int | None, typer.Option(help="Most filters of a layer that get nodes.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(help="Of learning, for each layer.")
    ] = None,
    top_search: Annotated[
        float, typer.Option(help="Window of the top layer, as a share of its side.")
    ] = 0.15,
    focus: Annotated[
        float | None, typer.Option(help="Power of votes that a part is the mean of.")
    ] = None,
) -> None:
    """Explanatory graph of Zhang, Cao, Shi, Wu and Zhu, 2018: nodes beside filters."""
    from keras_interp.reproduce import (
        ExplanatoryGraphSettings,
        reproduce_explanatory_graph,
    )

    settings = ExplanatoryGraphSettings(
        data=data,
        root=root,
        backbone=backbone,
        weights=weights,
        categories=_names(categories),
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        quick=quick,
        development=development,
        filters=filters,
        iterations=iterations,
        top_search=top_search,
        focus=focus,
    )
    results = reproduce_explanatory_graph(settings, out)
    typer.echo(results.markdown())
    typer.echo(f"Written to {out}")


@reproduce_app.command()
def srae(
    data: Annotated[
        str, typer.Option(help="cub, synthetic_birds or planted_parts.")
    ] = "cub",
    root: Root = None,
    backbone: Backbone = ("squeezenet"),
    weights: Weights = None,
    categories: Annotated[
        str | None,
        typer.Option(help="Performers, with commas between: fc6, part_filters, peaks."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes of the modules.")] = None,
    seed: Seed = 0,
    seeds: Seeds = None,
    out: Out = Path("srae_output"),
    quick: Quick = False,
    development: Development = False,
    performer_epochs: Annotated[
        int | None, typer.Option(help="Passes of the performers.")
    ] = None,
    pull_away: Annotated[
        float, typer.Option(help="Weight of SRAE's pull-away term; the paper's is 5.")
    ] = 0.0,
) -> None:
    """Explain class scores by five x-features, beside baselines and controls."""
    from keras_interp.reproduce import SraeSettings, reproduce_srae

    settings = SraeSettings(
        data=data,
        root=root,
        backbone=backbone,
        weights=weights,
        categories=_names(categories),
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        quick=quick,
        development=development,
        performer_epochs=performer_epochs,
        pull_away=pull_away,
    )
    results = reproduce_srae(settings, out)
    typer.echo(results.markdown())
    typer.echo(f"Written to {out}")


@reproduce_app.command()
def interpnet(
    data: Annotated[str, typer.Option(help="cub or synthetic_birds.")] = "cub",
    root: Root = None,
    backbone: Annotated[str, typer.Option(help="squeezenet.")] = "squeezenet",
    weights: Weights = None,
    categories: Annotated[
        str | None,
        typer.Option(
            help="Rows, commas between: InterpNet_0 to InterpNet_3, captioning, GVE."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Most passes of the decoders.")
    ] = None,
    seed: Seed = 0,
    seeds: Seeds = None,
    out: Out = Path("interpnet_output"),
    quick: Quick = False,
    development: Development = False,
    units: Annotated[int, typer.Option(help="Of each LSTM; 512 in the paper.")] = 128,
    embedding_dim: Annotated[
        int, typer.Option(help="Numbers for a word; 256 in the paper.")
    ] = 128,
    min_count: Annotated[
        int, typer.Option(help="How often a word must come to be known.")
    ] = 3,
    learning_rate: Annotated[
        float, typer.Option(help="Of the decoders at first; 0.0005 in the paper.")
    ] = 0.002,
    patience: Annotated[
        int, typer.Option(help="Passes without improvement before the end.")
    ] = 4,
    normalize_blocks: Annotated[
        bool,
        typer.Option("--normalize-blocks", help="Activations of each layer to 1."),
    ] = False,
    beam_width: Annotated[int, typer.Option(help="Of the second decoding.")] = 3,
    samples: Annotated[
        int | None,
        typer.Option(help="Sentences drawn for the consensus of each image."),
    ] = None,
) -> None:
    """Train sentences that say why a class was chosen, and score them."""
    from keras_interp.reproduce import InterpnetSettings, reproduce_interpnet

    settings = InterpnetSettings(
        data=data,
        root=root,
        backbone=backbone,
        weights=weights,
        categories=_names(categories),
        epochs=epochs,
        seed=seed,
        seeds=seeds,
        quick=quick,
        development=development,
        units=units,
        embedding_dim=embedding_dim,
        min_count=min_count,
        learning_rate=learning_rate,
        patience=patience,
        normalize_blocks=normalize_blocks,
        beam_width=beam_width,
        samples=samples,
    )
    results = reproduce_interpnet(settings, out)
    typer.echo(results.markdown())
    typer.echo(f"Written to {out}")


for _commands in (app, data_app, reproduce_app):
    for _command in _commands.registered_commands:
        _command.cls = ComputingCommand


def _names(categories: str | None) -> tuple[str, ...] | None:
    """The names of a list with commas between, spaces at the commas or not."""
    if categories is None:
        return None
    return tuple(name.strip() for name in categories.split(","))


def main() -> None:
    """Run the command; a wrong argument is one line, not a traceback."""
    run_as_batch_job()
    try:
        app()
    except (ValueError, OSError, ImportError) as error:
        typer.echo(f"keras-interp: {error}", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()

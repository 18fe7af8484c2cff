"""`beadscope batch fit`: its options. What it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Overwrite, Verbose
from napari_beadscope.cli.output import Output


def fit(
    place: Annotated[
        Path, typer.Argument(metavar="DIR|TABLE.csv", help="A batch's folder, or a table.")
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="exponential, growth, maturation, worm-like-chain, or FILE.py:NAME.",
        ),
    ],
    y: Annotated[str, typer.Option(metavar="COLUMN", help="What is fitted.")] = "",
    x: Annotated[str, typer.Option(metavar="COLUMN", help="Against what; default: time_s.")] = "",
    table: Annotated[str, typer.Option(metavar="STEP", help="Which table of the batch.")] = "",
    fix: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Keep a parameter at a value.")
    ] = None,
    free: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Find a parameter that is fixed.")
    ] = None,
    bound: Annotated[
        list[str] | None, typer.Option(metavar="NAME=LOW:HIGH", help="Bounds of a parameter.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also traces that are flagged as bad.")
    ] = False,
    picture: Annotated[bool, typer.Option(help="Draw the fits too.")] = True,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Fit a curve to every trace of a batch: values, errors and R² as a table and a picture."""
    from napari_beadscope.cli.batch.fitting import FitRequest, fit

    parameters = (tuple(fix or ()), tuple(free or ()), tuple(bound or ()))
    fit(
        FitRequest(place, model, table, x, y, *parameters, all_, picture, overwrite),
        Output(as_json),
    )

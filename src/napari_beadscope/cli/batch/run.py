"""`beadscope batch run`: its options. What it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Verbose
from napari_beadscope.cli.output import Output


def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN.yaml", help="What to process, and how.")],
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Worker processes; default: the plan's.")
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Compute on the cluster of this Dask scheduler.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the results; default: the plan's.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read everything that is done and compare checksums.")
    ] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the merged tables as Parquet, too.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Process everything a plan names; what is done already is left as it is.

    Ctrl-C finishes what is being computed and ends; a second one ends at once. Run it again to
    go on. Exit code 1: something has failed, the rest is done.
    """
    from napari_beadscope.cli.batch.running import RunRequest, run

    run(RunRequest(plan, workers, scheduler, output, verify, parquet, verbose), Output(as_json))

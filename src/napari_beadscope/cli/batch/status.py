"""`beadscope batch status`: its options. What it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Verbose
from napari_beadscope.cli.output import Output


def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The batch's output folder.")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show how far a batch is, whether it is running or over."""
    from napari_beadscope.cli.batch.showing import show_status

    show_status(folder, Output(as_json), verbose)

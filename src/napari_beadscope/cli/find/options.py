"""The command `beadscope find` and its options, as `--help` shows them.

Owns names, types and help texts; what the command does is imported when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Overwrite, Verbose
from napari_beadscope.cli.output import Output


def find(
    image: Annotated[
        Path,
        typer.Argument(metavar="IMAGE", help="TIFF, PNG, JPEG, movie, folder, or recording."),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="The bead list to write.")
    ] = None,
    frame: Annotated[
        int, typer.Option(metavar="N", help="Which frame of a movie, from 0; -1 is the last.")
    ] = 0,
    min_score: Annotated[
        float | None, typer.Option(metavar="S", help="Least score, 0 to 1; default 0.6.")
    ] = None,
    max_beads: Annotated[
        int | None, typer.Option(metavar="N", help="Keep the best scores only.")
    ] = None,
    roi_size: Annotated[
        int | None,
        typer.Option(metavar="PX", help="Edge of the ROIs; default: as the beads need."),
    ] = None,
    isolated_only: Annotated[
        bool,
        typer.Option(
            "--isolated-only", help="Leave out beads whose ROI is cut or holds another's rings."
        ),
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw what was found (PNG, SVG or PDF).")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Find beads in an image, or in one frame of a movie: position, radius, score, who is alone.

    The list is what `track`, `record` and `zlut build` take with --beads.
    """
    from napari_beadscope.cli.find.command import FindRequest, find

    request = FindRequest(
        image, out, frame, min_score, max_beads, roi_size, isolated_only, picture, overwrite
    )
    find(request, Output(as_json))

"""`beadscope batch report`: its options. What it does is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Verbose
from napari_beadscope.cli.output import Output


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A batch's output folder.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Default: report.html in the folder.")
    ] = None,
    pictures: Annotated[bool, typer.Option(help="With pictures of segmented frames.")] = True,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write what became of a batch as one HTML file: failures, traces, pictures, timings."""
    from napari_beadscope.batch.report.write import REPORT_NAME, write_report
    from napari_beadscope.cli.choices import refuse_existing

    place = folder.expanduser().absolute()
    target = out.expanduser().absolute() if out is not None else None
    if target is not None and target != place / REPORT_NAME:
        refuse_existing([target], overwrite=False)
    path = write_report(place, target, pictures=pictures)
    Output(as_json).result({"report": path}, [str(path)])

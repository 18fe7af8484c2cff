"""`beadscope bench ...` on the command line: names, types and help texts.

Must not import anything slow, nor numpy, before the threads of its libraries are fixed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Overwrite, Verbose
from napari_beadscope.cli.output import Output

bench = typer.Typer(
    name="bench", help="Measure speed and accuracy on this machine.", no_args_is_help=True
)


@bench.callback()
def root() -> None:
    """Measure speed and accuracy on this machine."""


@bench.command(short_help="Measure the trackers beside magtrack.")
def track(
    quick: Annotated[bool, typer.Option("--quick", help="Under a minute.")] = False,
    sizes: Annotated[
        str, typer.Option(metavar="PX,PX,...", help="ROI sizes; default 32,50,64,100,128.")
    ] = "",
    beads: Annotated[
        str, typer.Option(metavar="N,N,...", help="Beads in a batch; default 1,10,100,500.")
    ] = "",
    backends: Annotated[
        str, typer.Option(metavar="NAME,...", help="Default: all that can run here.")
    ] = "",
    methods: Annotated[str, typer.Option(metavar="NAME,...", help="Default: all.")] = "",
    parts: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="headline, table, latency, threads, rois, capture; default: all.",
        ),
    ] = "",
    scene: Annotated[
        str, typer.Option(metavar="waves|magtrack", help="Whose optics make the beads.")
    ] = "waves",
    accuracy_beads: Annotated[
        int | None, typer.Option(metavar="N", help="Beads whose errors are measured.")
    ] = None,
    lut_frames: Annotated[
        int | None,
        typer.Option(metavar="N", help="Images per plane of which Z-LUTs are made; default 16."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="To time each tracker in each row.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="K", min=0, help="Of everything random.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="The rows of the table as CSV.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure the trackers on beads with known places, beside magtrack in the same run."""
    del verbose  # looked up by whoever runs the command
    from napari_beadscope.cli.bench.threads import pin_threads

    pin_threads()
    from napari_beadscope.cli.bench.run import BenchRequest, bench_track

    request = BenchRequest(
        quick,
        sizes,
        beads,
        backends,
        methods,
        parts,
        scene,
        accuracy_beads,
        lut_frames,
        seconds,
        seed,
        out,
        overwrite,
    )
    bench_track(request, Output(as_json))


@bench.command(short_help="Measure the live view beside others.")
def view(
    sizes: Annotated[
        str, typer.Option(metavar="PX,PX,...", help="Frame edges; default 512,1024,2048.")
    ] = "",
    beads: Annotated[
        str, typer.Option(metavar="N,N,...", help="Beads shown; default 0,100,500.")
    ] = "",
    contestants: Annotated[
        str, typer.Option(metavar="NAME,...", help="beadscope, plain, ...; default: all.")
    ] = "",
    seconds: Annotated[float, typer.Option(metavar="S", help="To measure each case.")] = 10.0,
    micromanager: Annotated[
        Path | None,
        typer.Option(metavar="PYTHON", help="A Python that has napari-micromanager, to compare."),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Measure what live frames and overlays cost the viewer's GUI thread; needs a display."""
    del verbose  # looked up by whoever runs the command
    from napari_beadscope.cli.bench.view import ViewRequest, bench_view

    bench_view(ViewRequest(sizes, beads, contestants, seconds, micromanager), Output(as_json))

"""The commands and their options, as `beadscope --help` shows them.

Owns names, types and help texts. Must not know how anything is done: the modules that do it are
imported when their command runs, so that help comes at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.batch import batch
from napari_beadscope.cli.bench.command import bench
from napari_beadscope.cli.common_options import Json, Verbose
from napari_beadscope.cli.find.options import find
from napari_beadscope.cli.output import Output
from napari_beadscope.cli.scripts.options import script
from napari_beadscope.cli.scripts.recipes import recipe
from napari_beadscope.cli.settings.options import settings as settings_commands
from napari_beadscope.cli.zlut.options import zlut

app = typer.Typer(
    name="beadscope",
    help="Live microscope control and 3-D bead tracking.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(batch)
app.add_typer(bench)
app.add_typer(zlut)
app.add_typer(settings_commands)
app.add_typer(script)
app.add_typer(recipe)
app.command(short_help="Find beads in an image.")(find)

Beads = Annotated[
    str, typer.Option(metavar="FILE.csv|auto", help="Bead list (bead,y_px,x_px), or find them.")
]
Zlut = Annotated[Path | None, typer.Option(metavar="FILE", help="Z-LUT in MagTrack's layout.")]
RoiSize = Annotated[
    int | None, typer.Option(metavar="PX", help="Edge of the ROIs; default: as the beads need.")
]
NmPerPx = Annotated[
    float | None,
    typer.Option(
        "--nm-per-px",
        metavar="F",
        help="Size of a pixel in the sample; default: a recording's own, or the settings' (100).",
    ),
]
BackendName = Annotated[
    str | None,
    typer.Option("--backend", metavar="auto|NAME", help="Tracker, see `beadscope info`."),
]
MethodName = Annotated[
    str | None,
    typer.Option("--method", metavar="precise|magtrack-compatible", help="How to find a position."),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", help="Settings instead of your own.")
]


def _version(wanted: bool) -> None:
    if wanted:
        from napari_beadscope import __version__

        typer.echo(f"beadscope {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Live microscope control and 3-D bead tracking."""


@app.command(short_help="Run the simulated microscope end to end.")
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="No window.")] = False,
    seconds: Annotated[float, typer.Option(metavar="S", help="How long to record.")] = 6.0,
    beads: Annotated[int, typer.Option(metavar="N", help="Beads under the microscope.")] = 16,
    seed: Annotated[int, typer.Option(metavar="K", help="Seed of everything random.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A new folder; default beadscope-demo, -2, ..."),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run the simulated microscope end to end and compare with the truth."""
    from napari_beadscope.cli.demo.run import DemoRequest, demo

    demo(DemoRequest(seconds, beads, seed, out, headless or as_json, verbose), Output(as_json))


@app.command(short_help="Record a camera or a replay.")
def record(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The recording's own new folder.")],
    camera: Annotated[
        str | None, typer.Option(metavar="ID", help="simulated, replay:FILE, ...")
    ] = None,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="How long.")] = None,
    frames: Annotated[int | None, typer.Option(metavar="N", help="How many frames.")] = None,
    mode: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="track, track+rois, track+full, rois or full."),
    ] = None,
    beads: Beads = "auto",
    zlut: Zlut = None,
    roi_size: RoiSize = None,
    nm_per_px: NmPerPx = None,
    method: MethodName = None,
    backend: BackendName = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="K=V", help="An option of the camera; repeat for more."),
    ] = None,
    settings: SettingsFile = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Record a camera, with or without tracking; Ctrl-C ends it with all files closed.

    Without --seconds or --frames a replay is recorded to its end, as fast as it can be, and a
    live camera until Ctrl-C.
    """
    from napari_beadscope.cli.choices import Wanted
    from napari_beadscope.cli.record import RecordRequest, record

    wanted = Wanted(beads, zlut, roi_size, nm_per_px, backend, method)
    request = RecordRequest(
        out, camera, seconds, frames, mode, wanted, tuple(option or ()), settings, verbose
    )
    record(request, Output(as_json))


@app.command(short_help="Track beads in a file or recording.")
def track(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="TIFF, movie, folder of images, or recording.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="New folder for the tracks.")],
    beads: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.csv|auto",
            help="Bead list (bead,y_px,x_px), or find them; default: a recording's own, or auto.",
        ),
    ] = None,
    zlut: Zlut = None,
    roi_size: RoiSize = None,
    nm_per_px: NmPerPx = None,
    method: MethodName = None,
    backend: BackendName = None,
    fps: Annotated[
        float | None, typer.Option(metavar="F", help="Frame rate; default: the file's, or 30.")
    ] = None,
    settings: SettingsFile = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Track beads in a file or recording; frames are streamed, however long it is."""
    from napari_beadscope.cli.choices import Wanted
    from napari_beadscope.cli.track import TrackRequest, track

    wanted = Wanted(beads, zlut, roi_size, nm_per_px, backend, method)
    track(TrackRequest(source, out, wanted, fps, settings, verbose), Output(as_json))


@app.command()
def cameras(as_json: Json = False, verbose: Verbose = False) -> None:
    """List the cameras that are connected, and why others are not."""
    from napari_beadscope.cli.look import cameras

    cameras(Output(as_json))


@app.command()
def motors(as_json: Json = False, verbose: Verbose = False) -> None:
    """List the motors and sensors that are connected, and why others are not."""
    from napari_beadscope.cli.look import motors

    motors(Output(as_json))


@app.command(short_help="Show versions, backends, folders, engines.")
def info(as_json: Json = False, verbose: Verbose = False) -> None:
    """Show versions, backends, folders, running engines and their commands."""
    from napari_beadscope.cli.look import info

    info(Output(as_json))


@app.command(short_help="List all commands, and what scripts use.")
def commands(
    name: Annotated[
        str | None, typer.Argument(metavar="[COMMAND]", help="Show this one in full.")
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List every command that engines understand, with owner, words and what scripts use."""
    from napari_beadscope.cli.look import commands

    commands(name, Output(as_json))


@app.command()
def engines(as_json: Json = False, verbose: Verbose = False) -> None:
    """List the engines that run on this machine."""
    from napari_beadscope.cli.engines import engines

    engines(Output(as_json))


@app.command()
def stop(
    engine: Annotated[
        str | None, typer.Argument(metavar="[ENGINE]", help="Its ID; default: the only one.")
    ] = None,
    recording: Annotated[
        bool, typer.Option("--recording", help="End only its recording; the engine goes on.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Stop an engine, finishing its recording first; or only the recording."""
    from napari_beadscope.cli.engines import stop

    stop(engine, recording, Output(as_json))


@app.command(short_help="Make a recording that was cut short readable.")
def recover(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The recording's folder.")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Make a recording that was cut short readable, and say what is lost."""
    from napari_beadscope.cli.engines import recover

    recover(folder, Output(as_json))

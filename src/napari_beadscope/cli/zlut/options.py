"""The commands `beadscope zlut …` and their options, as `--help` shows them.

Owns names, types and help texts; what the commands do is imported when they run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_beadscope.cli.common_options import Json, Overwrite, Verbose
from napari_beadscope.cli.output import Output

zlut = typer.Typer(
    name="zlut",
    help="Build, convert and look at Z-LUTs (ring pattern by height).",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[Path, typer.Option(metavar="FILE", help="The Z-LUT to write, such as zlut.txt.")]
Plot = Annotated[Path | None, typer.Option(metavar="PNG", help="Draw it, too (PNG, SVG or PDF).")]
HEIGHTS = "FILE|START:STOP:STEP"


@zlut.command(short_help="Build a Z-LUT from a focus sweep.")
def build(
    stack: Annotated[
        Path, typer.Argument(metavar="STACK", help="TIFF, movie, folder of images, or recording.")
    ],
    z_nm: Annotated[
        str,
        typer.Option(
            "--z-nm", metavar=HEIGHTS, help="Height of every frame in nm: one a line, or a range."
        ),
    ],
    out: Out,
    beads: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.csv|auto",
            help="Beads (bead,y_px,x_px) of full frames; default: the frame is one bead's ROI.",
        ),
    ] = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="One Z-LUT for all beads, which are of one kind.")
    ] = False,
    roi_size: Annotated[
        int | None, typer.Option(metavar="PX", help="Edge of the ROIs; default: as beads need.")
    ] = None,
    frames_per_height: Annotated[
        int, typer.Option(metavar="N", help="Consecutive frames at each height of a range.")
    ] = 1,
    smooth: Annotated[
        bool, typer.Option(help="Let neighbouring heights reduce each other's noise.")
    ] = True,
    plot: Plot = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Build a Z-LUT from a focus sweep: one for each bead (zlut_0007.txt), or one for all."""
    from napari_beadscope.cli.zlut.build import BuildRequest, build

    request = BuildRequest(
        stack, z_nm, out, beads, shared, roi_size, frames_per_height, smooth, plot, overwrite
    )
    build(request, Output(as_json))


@zlut.command(short_help="Convert between MagTrack, MagScope, QTrk and ours.")
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Text of any kind, or QTrk's .radialzlut.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Text, or .radialzlut for QTrk.")],
    z_nm: Annotated[
        str | None,
        typer.Option("--z-nm", metavar=HEIGHTS, help="Heights of the planes in nm (QTrk: needed)."),
    ] = None,
    radial_step_px: Annotated[
        float | None,
        typer.Option(metavar="PX", help="Radial step of a QTrk file (1/3 px unless configured)."),
    ] = None,
    first_radius_px: Annotated[
        float, typer.Option(metavar="PX", help="Radius of a QTrk file's first sample.")
    ] = 1.0,
    bead: Annotated[
        int | None, typer.Option(metavar="N", help="Only this bead of a QTrk file; the first is 0.")
    ] = None,
    magtrack: Annotated[
        bool, typer.Option("--magtrack", help="Bins of 1 px, for MagTrack and MagScope.")
    ] = False,
    roi_size: Annotated[
        int | None,
        typer.Option(metavar="PX", help="ROIs that --magtrack is for; default: largest."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Convert a Z-LUT: what goes in and out is told from the names' endings."""
    from napari_beadscope.cli.zlut.files import ConvertRequest, convert

    request = ConvertRequest(
        source, out, z_nm, radial_step_px, first_radius_px, bead, magtrack, roi_size, overwrite
    )
    convert(request, Output(as_json))


@zlut.command(short_help="Say what a Z-LUT is good for.")
def show(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A Z-LUT as text.")],
    noise: Annotated[
        float | None,
        typer.Option(metavar="F", help="Noise of a pixel of your frames, in the Z-LUT's units."),
    ] = None,
    plot: Plot = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say what a Z-LUT is good for: planes, range, reach, usable range, precision."""
    from napari_beadscope.cli.zlut.files import show

    show(source, noise, plot, overwrite, Output(as_json))


@zlut.command(short_help="Make one at the microscope: it sweeps the focus.")
def sweep(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the Z-LUTs.")],
    engine: Annotated[
        str | None, typer.Option(metavar="ID", help="Which engine; default: the newest that runs.")
    ] = None,
    beads: Annotated[
        str | None,
        typer.Option(metavar="IDS", help="Such as 0,3,7; default: up to 5 that stand alone."),
    ] = None,
    low_um: Annotated[
        float, typer.Option(metavar="UM", help="First position, µm above where the focus is.")
    ] = -1.5,
    high_um: Annotated[float, typer.Option(metavar="UM", help="Last position.")] = 1.5,
    step_nm: Annotated[float, typer.Option(metavar="NM", help="Distance between planes.")] = 50.0,
    frames: Annotated[int, typer.Option(metavar="N", help="Frames of each plane.")] = 10,
    motor: Annotated[
        str, typer.Option(metavar="NAME", help="The motor that moves the focus.")
    ] = "focus",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Sweep the focus of a running microscope, and measure z with the result from then on.

    The focus comes back to where it was, also after Ctrl-C. Nothing is replaced in the folder.
    """
    from napari_beadscope.cli.zlut.sweep import SweepRequest, sweep

    request = SweepRequest(out, engine, beads, low_um, high_um, step_nm, frames, motor)
    sweep(request, Output(as_json))

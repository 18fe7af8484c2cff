"""`beadscope zlut convert` and `show`: files in, files or words out. Reads no frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.cli.choices import refuse_existing
from napari_beadscope.cli.output import Output
from napari_beadscope.cli.zlut.common import numbered, read_heights, report_lines
from napari_beadscope.core.errors import InputError

if TYPE_CHECKING:
    from napari_beadscope.tracking import ZLut


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """The command's options as given."""

    source: Path
    out: Path
    z_nm: str | None = None
    radial_step_px: float | None = None
    first_radius_px: float = 1.0
    bead: int | None = None
    magtrack: bool = False
    roi_size_px: int | None = None
    overwrite: bool = False


def convert(request: ConvertRequest, output: Output) -> None:
    """Convert as asked, and say what was written.

    Raises
    ------
    BeadscopeError
        A file cannot be read or written, or something that is not in the file was not given.
    """
    from napari_beadscope.tracking.zlut_formats import (
        ENDING,
        RADIAL_STEP_PX,
        write_radialzlut,
    )

    source, out = request.source.expanduser(), request.out.expanduser()
    zluts = _load(request, source, ENDING)
    to_qtrk = out.suffix.lower() == ENDING
    if request.magtrack:
        zluts = {bead: _coarse(zlut, request.roi_size_px) for bead, zlut in zluts.items()}
    names = {bead: out if len(zluts) == 1 or to_qtrk else numbered(out, bead) for bead in zluts}
    refuse_existing(set(names.values()), request.overwrite, [source])
    if to_qtrk:
        step = request.radial_step_px or RADIAL_STEP_PX
        write_radialzlut(out, list(zluts.values()), step, request.first_radius_px)
    else:
        for bead, zlut in zluts.items():
            zlut.save(names[bead])
    first = next(iter(zluts.values()))
    written = sorted({str(name) for name in names.values()})
    data = {
        "files": written,
        "beads": len(zluts),
        "planes": first.planes,
        "radial_step_px": first.radial_step_px,
        "reach_px": first.reach_px,
    }
    lines = [
        f"{', '.join(written)}: {first.planes} planes from {first.z_nm[0]:g} to "
        f"{first.z_nm[-1]:g} nm, {first.reach_px:g} px in steps of {first.radial_step_px:g} px"
    ]
    output.result(data, lines)


def _load(request: ConvertRequest, source: Path, ending: str) -> dict[int, ZLut]:
    """Return the Z-LUTs of the source by bead."""
    from napari_beadscope.tracking import ZLut

    heights = read_heights(request.z_nm)[0] if request.z_nm is not None else None
    if source.suffix.lower() == ending:
        return _load_qtrk(request, source, heights)
    if request.bead is not None:
        raise InputError(f"{source} holds one bead", "leave out --bead")
    zlut = ZLut.load(source)
    if heights is not None:
        if len(heights) != zlut.planes:
            raise InputError(
                f"{source} has {zlut.planes} planes, but {len(heights)} heights are given",
                "give one height per plane, or leave out --z-nm",
            )
        zlut = ZLut(heights, zlut.profiles, zlut.radial_step_px)
    return {0: zlut}


def _load_qtrk(
    request: ConvertRequest, source: Path, heights: np.ndarray | None
) -> dict[int, ZLut]:
    from napari_beadscope.tracking.zlut_formats import from_samples, read_radialzlut

    samples = read_radialzlut(source)
    if heights is None or request.radial_step_px is None:
        option = "--z-nm START:STOP:STEP" if heights is None else "--radial-step-px PX"
        raise InputError(
            f"{source} holds {samples.shape[1]} planes of {samples.shape[2]} radial steps, but "
            "neither their heights nor radii",
            f"give {option} as the tracker was set when it was made",
        )
    beads = range(len(samples)) if request.bead is None else [request.bead]
    if not all(0 <= bead < len(samples) for bead in beads):
        raise InputError(
            f"{source} has no bead {request.bead}", f"choose one from 0 to {len(samples) - 1}"
        )
    return {
        bead: from_samples(samples[bead], heights, request.radial_step_px, request.first_radius_px)
        for bead in beads
    }


def _coarse(zlut: ZLut, size_px: int | None) -> ZLut:
    """Return the same with bins of 1 px, as many as ROIs of `size_px` give."""
    from napari_beadscope.tracking import ZLut

    size = zlut.size_px if size_px is None else size_px
    zlut.check_matches(size)
    return ZLut(zlut.z_nm, zlut.at_one_px(size // 2))


def show(
    source: Path, noise: float | None, plot: Path | None, overwrite: bool, output: Output
) -> None:
    """Print, and draw, what a Z-LUT is good for.

    Raises
    ------
    BeadscopeError
        The file cannot be read, or the picture not be drawn.
    """
    from napari_beadscope.tracking import ZLut
    from napari_beadscope.tracking.zlut import load_notes
    from napari_beadscope.tracking.zlut_plot import check_ending
    from napari_beadscope.tracking.zlut_words import report_data, report_from_notes

    source = source.expanduser()
    zlut = ZLut.load(source)
    notes = load_notes(source)
    if noise is not None and not (np.isfinite(noise) and noise > 0):
        raise InputError(f"--noise is {noise:g}", "give a number above 0")
    if plot is not None:
        plot = plot.expanduser()
        check_ending(plot)
        refuse_existing([plot], overwrite, [source])
    report = report_from_notes(zlut, notes, noise)
    data = {"file": str(source), **report_data(report)}
    lines = report_lines(data)
    if plot is not None:
        report.plot(plot)
        data["plot"] = str(plot)
        lines.append(f"drawn in {plot}")
    output.result(data, lines)

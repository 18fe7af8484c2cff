"""`beadscope zlut build`: a focus sweep in, Z-LUTs out.

Owns which ROIs are cut and what is written where. Must not know how a Z-LUT is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.cli.choices import refuse_existing
from napari_beadscope.cli.output import Output
from napari_beadscope.cli.sources import Footage, open_footage
from napari_beadscope.cli.zlut.common import numbered, read_heights, report_lines
from napari_beadscope.core.errors import BeadscopeError, InputError
from napari_beadscope.core.types import Bead, Roi

if TYPE_CHECKING:
    from napari_beadscope.tracking import FoundBeads
    from napari_beadscope.tracking.zlut_report import ZLutReport

_AUTO = "auto"
_NAMED = 8  # beads left out, in one message
_CROP_BYTES = 512 << 20  # of ROIs in memory at a time


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """The command's options as given."""

    stack: Path
    z_nm: str
    out: Path
    beads: str | None = None
    shared: bool = False
    roi_size_px: int | None = None
    frames_per_height: int = 1
    smooth: bool = True
    plot: Path | None = None
    overwrite: bool = False


def _inputs(request: BuildRequest) -> list[Path]:
    """Return the files that are read."""
    return [request.stack, Path(request.z_nm), Path(request.beads or "auto")]


def build(request: BuildRequest, output: Output) -> None:
    """Build as asked, and say how good it is.

    Raises
    ------
    BeadscopeError
        The request cannot be met: nothing is written then. Of several beads, those that make no
        Z-LUT are named, and the others written.
    """
    from napari_beadscope.tracking.zlut_plot import check_ending

    heights, is_range = read_heights(request.z_nm)
    request = replace(request, out=request.out.expanduser())
    if request.out.suffix.lower() == ".radialzlut":
        raise InputError(
            f"{request.out.name} would be no file of QTrk", "build a .txt and run zlut convert"
        )
    if request.plot is not None:
        request = replace(request, plot=request.plot.expanduser())
        check_ending(request.plot or request.out)
    with open_footage(request.stack) as footage:
        z_nm = _heights_of_frames(heights, is_range, request.frames_per_height, len(footage))
        beads = _beads(footage, request, output)
        single = len(beads) == 1 or request.shared
        names = [request.out] if single else [numbered(request.out, b.bead) for b in beads]
        plots = _plots(request.plot, beads, single)
        refuse_existing(
            [*names, *(plot for plot in plots if plot)], request.overwrite, _inputs(request)
        )
        made, failed = _measure(footage, beads, z_nm, request.smooth, output)
    if not made:
        bead = next(iter(failed))
        also = f", nor of {', '.join(map(str, list(failed)[1:]))}" if len(failed) > 1 else ""
        what = f"no Z-LUT can be made of bead {bead}{also} of {request.stack}"
        raise InputError(f"{what}: {failed[bead]}")
    if request.shared:
        results = [_share(made, names[0], plots[0], output)]
    else:
        results = [
            {"bead": bead.bead, **_save(report, name, plot)}
            for (bead, name, plot) in zip(beads, names, plots, strict=True)
            if (report := made.get(bead.bead)) is not None
        ]
    data: dict[str, Any] = {"zluts": results, "failed": {str(k): v for k, v in failed.items()}}
    output.result(data, _lines(results, failed))


def _lines(results: Sequence[dict[str, Any]], failed: dict[int, str]) -> list[str]:
    lines = []
    for result in results:
        lines.append(str(result["file"]))
        lines += [f"  {line}" for line in report_lines(result)]
        if "plot" in result:
            lines.append(f"  drawn in {result['plot']}")
    lines += [f"no Z-LUT of bead {bead}: {why}" for bead, why in failed.items()]
    return lines


def _heights_of_frames(
    heights: np.ndarray, is_range: bool, per_height: int, frames: int
) -> np.ndarray:
    """Return one height per frame."""
    if per_height < 1:
        raise InputError(f"--frames-per-height is {per_height}", "give 1 or more")
    if is_range:
        heights = np.repeat(heights, per_height)
    if len(heights) == frames:
        return heights
    remedy = "give a file with one height per frame"
    if is_range and frames % (len(heights) // per_height) == 0:
        each = frames * per_height // len(heights)
        remedy = f"if each height was held for {each} frames, add --frames-per-height {each}"
    raise InputError(
        f"the sweep has {frames} frames, but --z-nm gives {len(heights)} heights", remedy
    )


def _beads(footage: Footage, request: BuildRequest, output: Output) -> tuple[Bead, ...]:
    """Return the beads asked for, those of a recording, or the frame as one bead's ROI."""
    from napari_beadscope.tracking.stack import MAX_SIZE_PX, MIN_SIZE_PX

    height, width = footage.format.shape
    size = request.roi_size_px
    if size is not None and not MIN_SIZE_PX <= size <= MAX_SIZE_PX:
        raise InputError(
            f"ROIs of {size} px cannot be tracked", f"use {MIN_SIZE_PX} to {MAX_SIZE_PX} px"
        )
    if request.beads is None and footage.beads:
        return footage.resized_beads(size)
    if request.beads is None:
        if height != width or height > MAX_SIZE_PX:
            raise InputError(
                f"frames of {width} × {height} px are no ROIs of one bead",
                "say where the beads are with --beads FILE.csv, or --beads auto",
            )
        whole = Bead(0, Roi(0, 0, height))
        if size is not None and size > height:
            raise InputError(
                f"ROIs of {size} px do not fit in frames of {height} px", "use smaller ROIs"
            )
        return (whole if size is None else Bead(0, Roi.around(*whole.roi.centre_px, size)),)
    beads = _chosen(footage, request.beads, size, output)
    footage.check_beads(beads)
    return beads


def _chosen(footage: Footage, listed: str, size: int | None, output: Output) -> tuple[Bead, ...]:
    """Return the beads of a list, or those found in the middle of the sweep."""
    from napari_beadscope.storage import read_beads
    from napari_beadscope.tracking import (
        FoundBeads,
        beads_from_found,
        find_beads,
        suggest_roi_size,
    )

    middle = len(footage) // 2
    image = next(islice(footage.first_images(middle + 1), middle, None))
    if listed == _AUTO or size is None:
        found = find_beads(image, size_px=size)
        size = size or suggest_roi_size(found)
    if listed != _AUTO:
        return read_beads(Path(listed).expanduser(), size, footage.format.shape)
    alone = FoundBeads(*(getattr(found, one.name)[found.isolated] for one in fields(found)))
    beads = beads_from_found(alone, footage.format.shape, size)
    if not beads:
        raise InputError(
            f"no bead stands alone in the middle of {footage.name} (ROIs of {size} px)",
            "give a bead list with --beads FILE.csv, or another --roi-size",
        )
    _name_dropped(found, beads, size, output)
    return beads


def _name_dropped(found: FoundBeads, beads: Sequence[Bead], size: int, output: Output) -> None:
    """Say which of the beads found are not used, by where they are."""
    used = {bead.roi for bead in beads}
    dropped = [
        f"{'too near the edge' if alone else 'not alone'} at y {y:.0f}, x {x:.0f} px"
        for y, x, alone in zip(found.y_px, found.x_px, found.isolated, strict=True)
        if not alone or Roi.around(float(y), float(x), size) not in used
    ]
    if dropped:
        some = "; ".join(dropped[:_NAMED]) + ("; …" if len(dropped) > _NAMED else "")
        beads_ = "bead" if len(dropped) == 1 else "beads"
        output.warn(f"{len(dropped)} {beads_} left out (ROIs of {size} px): {some}")


def _plots(plot: Path | None, beads: Sequence[Bead], single: bool) -> list[Path | None]:
    if plot is None or single:
        return [plot] * (1 if single else len(beads))
    return [numbered(plot, bead.bead) for bead in beads]


def _measure(
    footage: Footage, beads: Sequence[Bead], z_nm: np.ndarray, smooth: bool, output: Output
) -> tuple[dict[int, ZLutReport], dict[int, str]]:
    """Return the report of each bead that makes a usable Z-LUT, and why the others do not."""
    from napari_beadscope.tracking.zlut_build import measure_sweep
    from napari_beadscope.tracking.zlut_report import check_usable, report_sweep

    made: dict[int, ZLutReport] = {}
    failed: dict[int, str] = {}

    def work(bead: Bead, crops: np.ndarray) -> None:
        try:
            report = report_sweep(measure_sweep(crops, z_nm, smooth=smooth))
            check_usable(report)
            made[bead.bead] = report
        except BeadscopeError as error:
            failed[bead.bead] = str(error)

    with output.progress("{task.completed:.0f}/{task.total:.0f} beads") as progress:
        task = progress.add_task("Z-LUT", total=len(beads))
        for some, crops in _crops(footage, beads):
            with ThreadPoolExecutor() as pool:
                for _ in pool.map(work, some, crops):
                    progress.advance(task)
    order = [bead.bead for bead in beads]
    return (
        {bead: made[bead] for bead in order if bead in made},
        {bead: failed[bead] for bead in order if bead in failed},
    )


def _crops(footage: Footage, beads: Sequence[Bead]) -> Iterator[tuple[Sequence[Bead], np.ndarray]]:
    """Yield some beads and their crops ``(beads, frames, size, size)`` at a time."""
    size, dtype = beads[0].roi.size, np.dtype(footage.format.dtype)
    one = len(footage) * size * size * dtype.itemsize
    at_once = max(1, _CROP_BYTES // one)
    for start in range(0, len(beads), at_once):
        some = beads[start : start + at_once]
        crops = np.empty((len(footage), len(some), size, size), dtype)
        for number in range(len(footage)):
            footage.crop_into(number, some, crops[number])
        yield some, crops.transpose(1, 0, 2, 3)


def _share(
    made: dict[int, ZLutReport], name: Path, plot: Path | None, output: Output
) -> dict[str, Any]:
    """Write one Z-LUT for all beads that are alike."""
    from napari_beadscope.tracking.zlut_report import check_usable, report_zlut
    from napari_beadscope.tracking.zlut_shared import share

    shared = share([report.zlut for report in made.values()])
    numbers = np.array(list(made))
    strangers = numbers[~shared.used].tolist()
    if strangers:
        listed = ", ".join(map(str, strangers))
        output.warn(f"not like the others, left out: bead {listed}")
    noise = float(np.median(np.concatenate([report.noise for report in made.values()])))
    report = report_zlut(shared.zlut, noise)
    check_usable(report)
    result = _save(report, name, plot)
    return {
        "beads": numbers[shared.used].tolist(),
        "left_out_beads": strangers,
        "higher_nm": dict(zip(map(str, numbers.tolist()), shared.shift_nm.tolist(), strict=True)),
        **result,
    }


def _save(report: ZLutReport, name: Path, plot: Path | None) -> dict[str, Any]:
    from napari_beadscope.tracking.zlut_words import report_data, report_notes

    report.zlut.save(name, report_notes(report))
    data = {"file": str(name), **report_data(report)}
    if plot is not None:
        report.plot(plot)
        data["plot"] = str(plot)
    return data

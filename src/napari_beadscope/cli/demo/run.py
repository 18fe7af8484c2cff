"""The demo's course: start, find, record with a pull, read back, judge, report.

Owns the order of steps. Must not know how the report looks.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import typer

from napari_beadscope.cli.choices import check_new_folder, check_positive
from napari_beadscope.cli.demo.report import write_report
from napari_beadscope.cli.demo.scene import (
    MAGNET,
    Pull,
    scene_options,
)
from napari_beadscope.cli.demo.truth import Comparison, compare
from napari_beadscope.cli.output import Output
from napari_beadscope.cli.record import run_recording
from napari_beadscope.cli.running import running, said_if_slow
from napari_beadscope.cli.summary import summarise
from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.settings import Settings
from napari_beadscope.core.types import AcquisitionMode
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope
from napari_beadscope.script.simulated_zlut import simulated_zlut
from napari_beadscope.storage import Recording, open_recording
from napari_beadscope.tracking import (
    beads_from_found,
    find_beads,
    suggest_roi_size,
)

_MOST_BEADS = 400
_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """The command's options as given."""

    seconds: float
    beads: int
    seed: int
    out: Path | None
    headless: bool
    verbose: bool = False


def demo(request: DemoRequest, output: Output) -> None:
    """Run the demo in napari where that can be, else headless with a report.

    Raises
    ------
    BeadscopeError
        An option cannot be met, or something failed; the message says what.
    typer.Exit
        With 130 or 143 after a signal.
    """
    check_positive("--seconds", request.seconds)
    if not 1 <= request.beads <= _MOST_BEADS:
        raise InputError(f"--beads is {request.beads}", f"give 1 to {_MOST_BEADS}")
    if request.seed < 0:
        raise InputError(f"--seed is {request.seed}", "give 0 or more")
    why_not = "" if request.headless else why_no_window()
    if not request.headless and not why_not:
        from napari_beadscope.cli.demo.window import show

        options = scene_options(request.beads, request.seed)
        show(options, prepare, request.verbose, output)
        return
    if why_not:
        output.note(f"{why_not}: running headless")
    settings = Settings()
    folder = new_folder(request.out, settings)
    _headless(request, folder, settings, output)


def why_no_window() -> str:
    """Return '' if a window can be opened here, else why not."""
    if sys.platform not in ("darwin", "win32") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display"
    if not any(find_spec(name) for name in _BINDINGS):
        return "there is no Qt binding (pip install 'napari-beadscope[pyqt6]')"
    return ""


def new_folder(out: Path | None, settings: Settings) -> Path:
    """Return the demo's folder, which is new or empty; nothing is made yet.

    Raises
    ------
    StorageError
        `out` holds something, or cannot be written.
    """
    if out is None:
        number = 1
        out = Path("beadscope-demo")
        while out.exists():
            number += 1
            out = Path(f"beadscope-demo-{number}")
    folder = check_new_folder(out, settings)
    if folder.exists() and any(folder.iterdir()):
        raise StorageError(
            f"the folder {folder} is not empty", "choose another: nothing is ever overwritten"
        )
    return folder


def _headless(request: DemoRequest, folder: Path, settings: Settings, output: Output) -> None:
    began = time.perf_counter()
    options = scene_options(request.beads, request.seed)
    scope = Scope("simulated", options=options, settings=settings, verbose=request.verbose)
    scope.add_hardware(MAGNET, "simulated-magnet", speed=1e6)
    output.note(f"starting a simulated microscope with {request.beads} beads")
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(SimulatedMicroscope, options)  # while the engine starts
        with running(scope):
            microscope = building.result()
            pull = Pull(scope, request.seconds)
            prepare(scope, microscope, folder, output)
            stopped = run_recording(
                scope,
                folder / "recording",
                AcquisitionMode.TRACK_FULL,
                output,
                seconds=request.seconds,
                note=f"beadscope demo, seed {request.seed}",
                meanwhile=pull.step,
            )
    if stopped is not None:
        output.warn(f"{stopped}; what was recorded is in {folder}, without a report")
        raise typer.Exit(stopped.exit_code)
    recording = open_recording(folder / "recording")
    output.note("comparing with the truth, drawing the report")
    comparison = compare(recording, microscope, pull.moves)
    facts = facts_of(request, folder, recording, comparison)
    _draw(folder, recording, comparison, facts)
    left = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    facts["files"] = sorted([*left, "report.html", "report.json"])
    facts["wall_s"] = time.perf_counter() - began
    write_report(folder, facts)
    output.result(facts, demo_lines(facts))


def prepare(scope: Scope, microscope: SimulatedMicroscope, folder: Path, output: Output) -> None:
    """Start the live view, find beads, measure a Z-LUT by a focus sweep, and use all of it."""
    scope.start_live()
    image = next(scope.frames(1)).image
    found = find_beads(image)
    if not len(found):
        raise InputError("no bead was found", "try another --seed")
    size = suggest_roi_size(found)
    beads = beads_from_found(found, image.shape, size)
    if not beads:
        raise InputError("every bead found is cut off by the edge", "try another --seed")
    output.note(f"found {len(beads)} beads, ROIs of {size} px")
    with said_if_slow(output, lambda: scope.tracking.step):
        scope.set_beads(beads)
    folder.mkdir(parents=True, exist_ok=True)
    zlut = folder / "zlut.txt"
    with said_if_slow(output, lambda: "compiling kernels"):
        simulated_zlut(microscope, size).save(zlut)
    scope.set_calibration(nm_per_px=microscope.options.nm_per_px, zlut=zlut)


def facts_of(
    request: DemoRequest, folder: Path, recording: Recording, comparison: Comparison
) -> dict[str, Any]:
    """Return what the demo found, with the keys that `--json` prints."""
    summary = summarise(recording.folder)
    rmse = comparison.rmse_nm
    known = np.isfinite(comparison.magnet_mm)
    return {
        "frames": summary["frames"],
        "dropped": summary["dropped"],
        "rows": summary["rows"],
        "fps": summary["fps"],
        "beads": request.beads,
        "beads_found": len(recording.beads),
        "beads_matched": len(comparison.matches),
        "rmse_x_nm": float(rmse[0]),
        "rmse_y_nm": float(rmse[1]),
        "rmse_z_nm": float(rmse[2]),
        "rows_without_position": comparison.lost_rows,
        "frames_compared": comparison.frames_compared,
        "frames_identical": comparison.frames_identical,
        "frames_in_motion": int((~known).sum()),
        "roi_size_px": summary["roi_size_px"],
        "seconds": summary["seconds"],
        "seed": request.seed,
        "state": summary["state"],
        "gaps": summary["gaps"],
        "untracked": summary["untracked"],
        "out": str(folder),
        "recording": str(recording.folder),
    }


def demo_lines(facts: dict[str, Any]) -> list[str]:
    """Return the facts as lines for people."""
    return [
        f"frames      {facts['frames']} at {facts['fps']:.1f} frames/s, {facts['dropped']} "
        f"dropped; {facts['frames_identical']} of {facts['frames_compared']} compared are pixel "
        "for pixel what was simulated",
        f"beads       {facts['beads_found']} found, {facts['beads_matched']} of {facts['beads']} "
        f"true ones; {facts['rows']} track rows, {facts['rows_without_position']} without position",
        f"RMSE        x {facts['rmse_x_nm']:.1f} nm, y {facts['rmse_y_nm']:.1f} nm, "
        f"z {facts['rmse_z_nm']:.1f} nm against the truth",
        f"saved in    {facts['out']}",
        "look at     story.png, report.html, preview.mp4",
    ]


def _draw(
    folder: Path, recording: Recording, comparison: Comparison, facts: dict[str, Any]
) -> None:
    from napari_beadscope.cli.demo.movie import write_preview
    from napari_beadscope.cli.demo.picture import draw_story
    from napari_beadscope.tracking import ZLut

    draw_story(folder / "story.png", recording, comparison, facts, ZLut.load(folder / "zlut.txt"))
    write_preview(folder / "preview.mp4", recording)

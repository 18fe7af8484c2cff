"""From what a live sweep captured to Z-LUTs on disk, and what they are good for.

Must not know engines, motors, Qt or napari.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_beadscope.core.errors import BeadscopeError, InputError, StorageError
from napari_beadscope.core.types import Bead
from napari_beadscope.core.whole_file import whole_file

if TYPE_CHECKING:
    from napari_beadscope.tracking.sweeping import Drift, SweepPlan, SweepTimes
    from napari_beadscope.tracking.zlut_build import Sweep
    from napari_beadscope.tracking.zlut_report import ZLutReport

COMMON = "zlut.txt"
REPORT = "sweep.yaml"
_THREADS = 2  # the engine needs the other cores


@dataclass(frozen=True, slots=True, eq=False)
class SweptPlane:
    """One plane of a sweep that goes on, for who looks on.

    Attributes
    ----------
    number, planes : int
        Which one, from 1, of how many.
    focus_um, z_nm : float
        Where the motor was, and the height of beads over the focus, less that at the start.
    profiles : dict of int to ndarray (r,)
        Median radial profile of each bead, bin ``k`` at ``k`` px; NaN where it was not seen.
    frames : dict of int to int
        In how many frames each bead was seen.
    """

    number: int
    planes: int
    focus_um: float
    z_nm: float
    profiles: dict[int, np.ndarray]
    frames: dict[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """The ROIs of a sweep.

    ``crops`` are ``(planes * frames, beads, y, x)``, plane by plane; ``before`` and ``after``
    ``(n, beads, y, x)``, both at the middle of the range.
    """

    beads: tuple[Bead, ...]
    plan: SweepPlan
    crops: np.ndarray
    before: np.ndarray
    after: np.ndarray
    frames: int
    times: SweepTimes


@dataclass(frozen=True, slots=True, eq=False)
class ZLutSweep:
    """What has become of a sweep.

    Attributes
    ----------
    zlut : Path
        The Z-LUT to use: of one bead, or of all that are alike.
    report : ZLutReport
        What that one is good for.
    files : dict of int to Path
        The Z-LUT of each bead.
    failed : dict of int to str
        Why the other beads make none.
    drift_nm : float
        By how much the beads rose during the sweep, which was taken off; 0 if that was not sure.
    """

    zlut: Path
    report: ZLutReport
    files: dict[int, Path]
    failed: dict[int, str]
    drift_nm: float


def refuse_old(folder: Path, beads: Sequence[Bead]) -> None:
    """Raise `InputError` if something of a sweep would be replaced in `folder`."""
    names = [_name(folder, bead.bead) for bead in beads]
    names += [folder / COMMON, folder / REPORT]
    old = next((name for name in names if name.exists()), None)
    if old is not None:
        raise InputError(f"{old} exists already", "choose a new folder for the sweep")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "choose another one")


def build_swept(captured: Captured, folder: Path, built: Callable[[int], None]) -> ZLutSweep:
    """Make the Z-LUTs, write them into `folder`, and return what was made.

    Parameters
    ----------
    captured : Captured
    folder : Path
        Made if need be.
    built : callable
        Called with the number of beads done; what it raises ends the work, with nothing written.

    Raises
    ------
    InputError
        No bead makes a Z-LUT, or files are in the way.
    StorageError
        The folder cannot be written to.
    """
    from napari_beadscope.tracking.sweeping import without_drift
    from napari_beadscope.tracking.zlut_report import check_usable, report_sweep

    sweeps, failed = _measure(captured, built)
    drift = _drift(captured, sweeps)
    made: dict[int, ZLutReport] = {}
    for bead, sweep in sweeps.items():
        try:
            if drift is not None:
                sweep = without_drift(sweep, drift, captured.times)
            report = report_sweep(sweep)
            check_usable(report)
            made[bead] = report
        except BeadscopeError as error:
            failed[bead] = str(error)
    if not made:
        bead, why = next(iter(failed.items()))
        which = "any of the beads" if len(failed) > 1 else f"bead {bead}"
        raise InputError(f"the sweep makes no Z-LUT of {which}: {why}")
    refuse_old(folder, captured.beads)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(captured, folder, made, failed, drift)
    except OSError as error:
        raise StorageError(
            f"the Z-LUT cannot be written into {folder} ({error.strerror or error})",
            "choose another folder",
        ) from error


def _measure(
    captured: Captured, built: Callable[[int], None]
) -> tuple[dict[int, Sweep], dict[int, str]]:
    """Return the sweep of each bead in their order, and why others make none."""
    from napari_beadscope.tracking.zlut_build import measure_sweep

    z_nm = np.repeat(captured.plan.heights_nm, captured.frames)
    ids = [bead.bead for bead in captured.beads]
    sweeps: dict[int, Sweep] = {}
    failed: dict[int, str] = {}
    built(0)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="beadscope-zlut") as pool:
        tasks = {
            pool.submit(measure_sweep, np.ascontiguousarray(captured.crops[:, row]), z_nm): bead
            for row, bead in enumerate(ids)
        }
        try:
            for done, task in enumerate(as_completed(tasks), 1):
                try:
                    sweeps[tasks[task]] = task.result()
                except BeadscopeError as error:
                    failed[tasks[task]] = str(error)
                built(done)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return {bead: sweeps[bead] for bead in ids if bead in sweeps}, failed


def _drift(captured: Captured, sweeps: dict[int, Sweep]) -> Drift | None:
    """Return the drift, None if it is not known or may be chance."""
    from napari_beadscope.tracking.backend import open_backend
    from napari_beadscope.tracking.sweeping import measure_drift

    backend = open_backend("cpu", method="precise")
    before, after = [], []
    for row, bead in enumerate(captured.beads):
        if bead.bead in sweeps:
            zlut = sweeps[bead.bead].zlut
            before.append(backend.track(np.ascontiguousarray(captured.before[:, row]), zlut))
            after.append(backend.track(np.ascontiguousarray(captured.after[:, row]), zlut))
    drift = measure_drift(before, after, captured.times)
    return drift if drift is not None and drift.is_sure else None


def _write(
    captured: Captured,
    folder: Path,
    made: dict[int, ZLutReport],
    failed: dict[int, str],
    drift: Drift | None,
) -> ZLutSweep:
    import yaml

    from napari_beadscope.tracking.zlut_words import report_data, report_notes

    files = {bead: _name(folder, bead) for bead in made}
    for bead, report in made.items():
        report.zlut.save(files[bead], report_notes(report))
    best, common = _best(made)
    alone = next((bead for bead, report in made.items() if report is best), None)
    zlut = folder / COMMON if alone is None else files[alone]
    if common:
        best.zlut.save(zlut, report_notes(best))
    best.plot(zlut.with_suffix(".png"))
    plan = captured.plan
    data: dict[str, Any] = {
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "zlut": zlut.name,
        "start_um": plan.start_um,
        "first_um": float(plan.positions_um[0]),
        "last_um": float(plan.positions_um[-1]),
        "planes": len(plan.positions_um),
        "frames_per_plane": captured.frames,
        "drift_nm": 0.0 if drift is None else drift.nm_per_s * captured.times.duration_s,
        "common": {"beads": common, **report_data(best)} if common else {},
        "beads": {bead: report_data(report) for bead, report in made.items()},
        "failed": failed,
    }
    with whole_file(folder / REPORT) as part:
        part.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return ZLutSweep(zlut, best, files, failed, data["drift_nm"])


def _best(made: dict[int, ZLutReport]) -> tuple[ZLutReport, list[int]]:
    """Return the report of the Z-LUT to use, and of which beads it is if it is a common one."""
    from napari_beadscope.tracking.zlut_report import check_usable, report_zlut
    from napari_beadscope.tracking.zlut_shared import share

    reports = list(made.values())
    if len(reports) == 1:
        return reports[0], []
    try:
        shared = share([report.zlut for report in reports])
        noise = float(np.median(np.concatenate([report.noise for report in reports])))
        used = [report for report, use in zip(reports, shared.used) if use]
        own = float(np.sqrt(np.mean([np.nanmean(r.error_nm**2) for r in used]) / len(used)))
        error = np.full(shared.zlut.planes, own) if np.isfinite(own) else None
        report = report_zlut(shared.zlut, noise, error)
        check_usable(report)
    except InputError:  # they are not alike, or have too few heights in common
        return min(reports, key=lambda report: report.usable_sigma_nm[1]), []
    return report, [bead for bead, use in zip(made, shared.used) if use]


def _name(folder: Path, bead: int) -> Path:
    return folder / f"zlut_{bead:04d}.txt"

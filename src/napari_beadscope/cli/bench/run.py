"""`beadscope bench track` itself: what is asked for, in which order, to where.

Owns the request and its checks. Must not know how anything is measured.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_beadscope.cli.bench.cases import GREY, Plan, Stage, headline, table
from napari_beadscope.cli.bench.contestants import Contestant, contestants
from napari_beadscope.cli.bench.extras import capture, latency, small_rois, stage_of, threads
from napari_beadscope.cli.bench.report import lines, write_csv
from napari_beadscope.cli.bench.scenes import Exposure, open_optics
from napari_beadscope.cli.choices import refuse_existing
from napari_beadscope.cli.output import Output
from napari_beadscope.core.errors import InputError

SIZES_PX, BEADS = (32, 50, 64, 100, 128), (1, 10, 100, 500)
PARTS = ("headline", "table", "latency", "threads", "rois", "capture")
#: At which ROI size everything but the table is measured.
SIZE_PX = 64


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """Options as given; empty where nothing was."""

    quick: bool = False
    sizes: str = ""
    beads: str = ""
    backends: str = ""
    methods: str = ""
    parts: str = ""
    scene: str = "waves"
    accuracy_beads: int | None = None
    lut_frames: int | None = None
    seconds: float | None = None
    seed: int = 0
    out: Path | None = None
    overwrite: bool = False


def bench_track(request: BenchRequest, output: Output) -> None:
    """Measure the trackers and print what came out.

    Raises
    ------
    InputError
        An option cannot be used; nothing has been measured then.
    TrackingError
        A backend that was asked for cannot run here.
    StorageError
        The CSV file cannot be written.
    """
    plan, parts = _plan(request)
    opened = contestants(_words(request.backends), _words(request.methods))
    open_optics(request.scene)
    if request.out is not None:
        refuse_existing([request.out.expanduser()], request.overwrite)
    began = time.perf_counter()
    data: dict[str, Any] = {"machine": _machine(), "settings": _settings(request, plan)}
    with output.progress() as progress:
        task = progress.add_task("", total=None)

        def step(text: str) -> None:
            progress.update(task, description=text)

        stages = _Stages(plan, step)
        for part in parts:
            data[part] = _measure(part, plan, opened, step, stages)
    data["seconds"] = time.perf_counter() - began
    if request.out is not None:
        write_csv(request.out, [*data.get("headline", ()), *data.get("table", ())])
    output.result(data, lines(data))


def _plan(request: BenchRequest) -> tuple[Plan, tuple[str, ...]]:
    from napari_beadscope.tracking.stack import MIN_SIZE_PX

    quick = request.quick
    sizes = _numbers("--sizes", request.sizes, MIN_SIZE_PX, 128) or ((64,) if quick else SIZES_PX)
    beads = _numbers("--beads", request.beads, 1, 5000) or ((1, 100) if quick else BEADS)
    parts = _words(request.parts) or PARTS
    for part in parts:
        if part not in PARTS:
            raise InputError(f"there is no part {part!r}", f"choose {', '.join(PARTS)}")
    seconds = request.seconds if request.seconds is not None else (0.3 if quick else 0.6)
    if not 0.01 <= seconds <= 100:
        raise InputError(f"--seconds is {seconds:g}", "give 0.01 to 100")
    accuracy = request.accuracy_beads or (150 if quick else 300)
    if not 10 <= accuracy <= 100_000:
        raise InputError(f"--accuracy-beads is {accuracy}", "give 10 or more")
    frames = request.lut_frames if request.lut_frames is not None else (8 if quick else 16)
    if not 1 <= frames <= 1000:
        raise InputError(f"--lut-frames is {frames}", "give 1 to 1000")
    plan = Plan(
        request.scene,
        sizes,
        beads,
        seconds,
        accuracy,
        seed=request.seed,
        quick=quick,
        lut_frames=frames,
    )
    return plan, parts


def _numbers(name: str, text: str, low: int, high: int) -> tuple[int, ...]:
    try:
        values = tuple(int(word) for word in _words(text))
    except ValueError as error:
        raise InputError(f"{name} is {text!r}", "give whole numbers, as in 32,64") from error
    for value in values:
        if not low <= value <= high:
            raise InputError(f"{name} has {value}", f"give numbers from {low} to {high}")
    return values


def _words(text: str) -> tuple[str, ...]:
    """Return the parts of ``a,b``.

    Examples
    --------
    >>> _words("64, 100")
    ('64', '100')
    """
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _settings(request: BenchRequest, plan: Plan) -> dict[str, Any]:
    exposure = Exposure(10_000, GREY[request.scene])
    return {
        "scene": plan.optics,
        "background_e": exposure.background_e,
        "background_counts": exposure.grey,
        "bits": exposure.bits,
        "within_px": 3.0,
        "within_nm": 3000.0,
        "zlut_pitch_nm": 50.0,
        "zlut_frames_per_plane": plan.lut_frames,
        "accuracy_beads": plan.accuracy_beads,
        "threads": 1,
        "seed": plan.seed,
        "quick": request.quick,
    }


def _machine() -> dict[str, Any]:
    from importlib.metadata import version

    from napari_beadscope import __version__

    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "napari-beadscope": __version__,
        **{name: version(name) for name in ("numpy", "numba", "magtrack")},
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.processor()


_Rows = list[dict[str, Any]]
_Step = Callable[[str], None]


def _headline(plan: Plan, opened: list[Contestant], step: _Step) -> _Rows:
    return list(headline(plan, opened, step))


def _table(plan: Plan, opened: list[Contestant], step: _Step) -> _Rows:
    return list(table(plan, opened, step))


class _Stages:
    """What most parts are measured on: beads and sweeps, made once per ROI size."""

    def __init__(self, plan: Plan, step: _Step) -> None:
        self.optics = open_optics(plan.optics)
        self.exposure = Exposure(10_000, GREY[plan.optics])
        self._plan, self._step = plan, step
        self._made: dict[int, tuple[Stage, Stage]] = {}

    def at(self, size_px: int) -> tuple[Stage, Stage]:
        """Return ROIs of `size_px`, and the middle 50 px of them."""
        if size_px not in self._made:
            self._step(f"beads and sweep, {size_px} px")
            self._made[size_px] = stage_of(self.optics, self.exposure, size_px, self._plan)
        return self._made[size_px]


def _measure(
    part: str, plan: Plan, opened: list[Contestant], step: _Step, stages: _Stages
) -> _Rows:
    """Return the rows of one part."""
    if part == "headline":
        return list(headline(plan, opened, step))
    if part == "table":
        return list(table(plan, opened, step))
    if part == "capture":
        return _capture(plan, opened, step, stages)
    wide, narrow = stages.at(SIZE_PX)
    step(part)
    if part == "latency":
        return latency(wide, opened, plan)
    if part == "threads":
        return threads(wide, opened, plan)
    return small_rois(wide, narrow, opened)


def _capture(plan: Plan, opened: list[Contestant], step: _Step, stages: _Stages) -> _Rows:
    rows: _Rows = []
    beads = 60 if plan.quick else plan.accuracy_beads
    for size_px in (64,) if plan.quick else (64, 100):
        wide, narrow = stages.at(size_px)
        for stage in (narrow, wide) if size_px == 64 else (wide,):
            step(f"capture range, {stage.name}")
            rows += capture(
                stages.optics, stages.exposure, stage, opened, beads=beads, seed=plan.seed
            )
    return rows

"""The table: every backend and method, ROI size and number of beads, beside magtrack.

Owns what a row holds. Must not know how it is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from napari_beadscope.cli.bench.contestants import Contestant, Zluts
from napari_beadscope.cli.bench.errors import errors_of
from napari_beadscope.cli.bench.scenes import (
    Exposure,
    Optics,
    Rendered,
    Scene,
    Sweep,
    open_optics,
    render,
    scatter,
    sweep,
)
from napari_beadscope.cli.bench.speed import take_turns

#: Beads on which accuracy is measured, whatever the number of beads in a batch.
ACCURACY_BEADS = 300


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes
    ----------
    optics : str
    sizes_px, beads : tuple of int
    seconds : float
        Wall time to measure the speed of each contestant in each row.
    accuracy_beads : int
        On how many beads errors are measured.
    reference_rois : int
        At most so many are given to magtrack at once where the batch is larger.
    quick : bool
        Whether to leave out what takes long.
    lut_frames : int
        Noisy images per plane of which Z-LUTs are made, each with the bead elsewhere.
    """

    optics: str
    sizes_px: tuple[int, ...]
    beads: tuple[int, ...]
    seconds: float
    accuracy_beads: int = ACCURACY_BEADS
    reference_rois: int = 100
    seed: int = 0
    quick: bool = False
    lut_frames: int = 16


#: Counts of the background by optics: beads in focus just about reach full scale.
GREY = {"waves": 100.0, "magtrack": 88.0}


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """All that is needed to measure one ROI size."""

    name: str
    scene: Scene
    luts: Zluts


def table(
    plan: Plan, opened: list[Contestant], step: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Yield the table's rows; `step` is told what is done at the moment."""
    optics = open_optics(plan.optics)
    exposure = Exposure(10_000, GREY[plan.optics])
    largest = max(plan.sizes_px)
    step(f"focus sweep, {largest} px")
    recorded = record_sweep(optics, exposure, largest, plan)
    for size in plan.sizes_px:
        step(f"beads, {size} px")
        places = scatter(max(*plan.beads, plan.accuracy_beads), size, seed=plan.seed)
        scene = render(optics, places, size).seen_by(exposure, plan.seed)
        stage = Stage(f"{plan.optics}, {size} px", scene, Zluts(recorded.cropped(size)))
        yield from measure(stage, opened, plan.beads, plan, step)


def headline(
    plan: Plan, opened: list[Contestant], step: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the case that the trackers are held to.

    magtrack's simulator, 64 px, 300 beads within ± 3 px and ± 3 um, Z-LUT pitch 50 nm, 8 bit; once
    with 10,000 electrons where the simulator's image is 1 (4,000 at its background of 0.4), once
    with 10,000 at the background.
    """
    optics: Optics = open_optics("magtrack")
    step("the headline case: beads and sweep")
    rendered: Rendered = render(optics, scatter(plan.accuracy_beads, 64, seed=plan.seed), 64)
    swept = sweep(optics, 64, places=plan.lut_frames, seed=plan.seed)
    cases = [("10 ke- at full scale", 4_000.0), ("10 ke- at the background", 10_000.0)]
    for name, background_e in cases[:1] if plan.quick else cases:
        exposure = Exposure(background_e, GREY["magtrack"])
        scene = rendered.seen_by(exposure, plan.seed)
        recorded = swept.seen_by(exposure, plan.seed)
        stage = Stage(name, scene, Zluts(recorded))
        yield from measure(stage, opened, (len(scene),), plan, step)


def record_sweep(optics: Optics, exposure: Exposure, size_px: int, plan: Plan) -> Sweep:
    """Return a noisy focus sweep."""
    clean = sweep(optics, size_px, places=plan.lut_frames, seed=plan.seed)
    return clean.seen_by(exposure, plan.seed)


def measure(
    stage: Stage,
    opened: list[Contestant],
    beads: tuple[int, ...],
    plan: Plan,
    step: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    """Yield one row per number of beads and contestant."""
    scene, size = stage.scene, stage.scene.stack.shape[1]
    luts, accuracies = [], []
    for one in opened:
        step(f"{stage.name}: Z-LUT and errors of {one.name}, {one.method}")
        luts.append(stage.luts.of(one))
        count = min(len(scene), max(plan.accuracy_beads, 1))
        errors = errors_of(one.track(scene.stack[:count], luts[-1]), scene.truth[:count])
        accuracies.append(
            {
                "accuracy_beads": count,
                "lost": errors.lost,
                "wrong": errors.wrong,
                **errors.figures(scene.bound[:count]),
            }
        )
    for number in beads:
        step(f"{stage.name}: speed with {number} beads")
        counts = [
            min(number, plan.reference_rois) if one.is_reference else number for one in opened
        ]
        calls = [
            one.prepared(scene.stack[:count], lut)
            for one, lut, count in zip(opened, luts, counts, strict=True)
        ]
        cpu = [t / n for t, n in zip(take_turns(calls, seconds=plan.seconds), counts, strict=True)]
        wall = [
            t / n
            for t, n in zip(
                take_turns(calls, seconds=plan.seconds / 2, least=3, clock=time.perf_counter),
                counts,
                strict=True,
            )
        ]
        yardstick = next(
            (t for one, t in zip(opened, cpu, strict=True) if one.name == "magtrack"), float("nan")
        )
        for at, one in enumerate(opened):
            yield {
                "case": stage.name,
                "size_px": size,
                "beads": number,
                "backend": one.name,
                "method": one.method,
                "rois_per_cpu_s": 1 / cpu[at],
                "rois_per_s": 1 / wall[at],
                "ratio": yardstick / cpu[at],
                "timed_rois": counts[at],
                **accuracies[at],
            }

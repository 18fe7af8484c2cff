"""What the table does not tell: one frame's latency, one ROI alone, threads, small ROIs, capture.

Owns these measurements, each a function that returns rows of figures. Must not know how they are
shown.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from napari_beadscope.cli.bench.cases import Plan, Stage, record_sweep
from napari_beadscope.cli.bench.contestants import Contestant, Zluts
from napari_beadscope.cli.bench.errors import WRONG, errors_of
from napari_beadscope.cli.bench.scenes import Exposure, Optics, Scene, render, scatter
from napari_beadscope.cli.bench.speed import take_turns, times_of
from napari_beadscope.core.types import Bead, FrameStamp, Roi
from napari_beadscope.tracking import open_backend
from napari_beadscope.tracking.rows import to_rows

Rows = list[dict[str, Any]]
FRAME_PX, FRAME_BEADS = 2048, 50
SMALL_PX = 50
#: ROIs in a batch that threads share.
BATCH_ROIS = 1000
#: Offsets of the capture range, as shares of the ROI's edge.
OFFSETS = np.arange(0.0, 0.451, 0.05)


def latency(stage: Stage, opened: list[Contestant], plan: Plan) -> Rows:
    """Return how long one 2048² frame with 50 beads takes from its slot to track rows, and one ROI.

    Wall time in one thread: crops are cut, tracked, and put into rows, as a tracker process does.
    """
    size = stage.scene.stack.shape[1]
    frame, beads = _frame_of(stage.scene.stack[:FRAME_BEADS])
    rows = []
    for one in opened:
        lut = stage.luts.of(one)

        def whole(one: Contestant = one, lut: Any = lut) -> None:
            crops = np.empty((len(beads), size, size), frame.dtype)
            for crop, bead in zip(crops, beads, strict=True):
                crop[...] = bead.roi.crop(frame)
            to_rows(one.track(crops, lut), beads, [0], [FrameStamp(0, 0)])

        def alone(one: Contestant = one, lut: Any = lut) -> None:
            one.track(stage.scene.stack[:1], lut)

        row: dict[str, Any] = {"backend": one.name, "method": one.method, "beads": len(beads)}
        for name, call, unit in (("frame_ms", whole, 1e3), ("one_roi_us", alone, 1e6)):
            took = times_of(call, seconds=plan.seconds) * unit
            row |= {name: float(np.median(took)), f"{name}_best": float(took.min())}
            row[f"{name}_p95"] = float(np.percentile(took, 95))
        rows.append(row)
    return rows


def _frame_of(crops: np.ndarray) -> tuple[np.ndarray, tuple[Bead, ...]]:
    """Return a frame with the crops on it, side by side, and their beads."""
    size, across = crops.shape[1], FRAME_PX // crops.shape[1]
    frame = np.full((FRAME_PX, FRAME_PX), 88, crops.dtype)
    beads = []
    for number, crop in enumerate(crops):
        roi = Roi(number // across * size, number % across * size, size)
        roi.crop(frame)[...] = crop
        beads.append(Bead(number, roi))
    return frame, tuple(beads)


def threads(stage: Stage, opened: list[Contestant], plan: Plan) -> Rows:
    """Return ROI per second of wall time with one thread and with two, the best of many turns."""
    rows = []
    for one in opened:
        if one.is_reference or one.backend.device != "cpu":
            continue
        lut = stage.luts.of(one)
        stack = np.resize(stage.scene.stack, (BATCH_ROIS, *stage.scene.stack.shape[1:]))

        calls = [
            partial(open_backend(one.name, method=one.method, threads=count).track, stack, lut)
            for count in (1, 2)
        ]
        single, double = take_turns(
            calls, seconds=2 * plan.seconds, least=9, clock=time.perf_counter, pick=np.min
        )
        cpu = take_turns(calls, seconds=plan.seconds)
        rows.append(
            {
                "backend": one.name,
                "method": one.method,
                "beads": len(stack),
                "rois_per_s_1": len(stack) / single,
                "rois_per_s_2": len(stack) / double,
                "ratio": single / double,
                "cpu_ratio": cpu[1] / cpu[0],
            }
        )
    return rows


def small_rois(stage: Stage, narrow: Stage, opened: list[Contestant]) -> Rows:
    """Return how many beads small ROIs lose that larger ROIs of the same pixels keep.

    `narrow` is the middle of what `stage` shows.
    """
    sizes = [which.scene.stack.shape[1] for which in (stage, narrow)]
    rows = []
    for one in opened:
        errors = [
            errors_of(one.track(which.scene.stack, which.luts.of(one)), which.scene.truth)
            for which in (stage, narrow)
        ]
        kept = [e.trusted & (np.abs(e.off) <= WRONG).all(axis=1) for e in errors]
        rows.append(
            {
                "backend": one.name,
                "method": one.method,
                "beads": len(stage.scene),
                "size_px": sizes[0],
                "small_px": sizes[1],
                "kept": int(kept[0].sum()),
                "kept_small": int(kept[1].sum()),
                "lost_by_small_only": int((kept[0] & ~kept[1]).sum()),
                "wrong": errors[0].wrong,
                "wrong_small": errors[1].wrong,
            }
        )
    return rows


def capture(
    optics: Optics,
    exposure: Exposure,
    stage: Stage,
    opened: list[Contestant],
    *,
    beads: int,
    seed: int = 0,
) -> Rows:
    """Return, by how far off the ROI's centre beads are, the shares found right and found wrong.

    Offsets point in random directions; right is within 1 px and 500 nm and without a reason not
    to be trusted, wrong is neither right nor refused.
    """
    size_px = stage.scene.stack.shape[1]
    rng = np.random.default_rng([seed, 5])
    rows = []
    for share in OFFSETS:
        angle = rng.uniform(0, 2 * np.pi, beads)
        places = scatter(beads, size_px, reach_px=0.5, seed=seed)
        places[:, 0] += share * size_px * np.cos(angle)
        places[:, 1] += share * size_px * np.sin(angle)
        stack = exposure.shoot(optics.images(places, size_px), rng)
        for one in opened:
            errors = errors_of(one.track(stack, stage.luts.of(one)), places)
            right = errors.trusted & (np.abs(errors.off) <= WRONG).all(axis=1)
            rows.append(
                {
                    "backend": one.name,
                    "method": one.method,
                    "size_px": size_px,
                    "offset_share": float(share),
                    "offset_px": float(share * size_px),
                    "beads": beads,
                    "right": float(right.mean()),
                    "wrong": float((errors.trusted & ~right).mean()),
                    "refused": float((~errors.trusted).mean()),
                }
            )
    return rows


def stage_of(optics: Optics, exposure: Exposure, size_px: int, plan: Plan) -> tuple[Stage, Stage]:
    """Return beads and a sweep in ROIs of `size_px`, and the middle 50 px of the same images."""
    swept = record_sweep(optics, exposure, size_px, plan)
    rendered = render(optics, scatter(plan.accuracy_beads, size_px, seed=plan.seed), size_px)
    wide = rendered.seen_by(exposure, plan.seed)
    low = (size_px - SMALL_PX) // 2
    window = (slice(None), slice(low, low + SMALL_PX), slice(low, low + SMALL_PX))
    narrow = Scene(
        wide.stack[window], wide.truth - (low, low, 0), wide.bound, wide.bound_known_light
    )
    return (
        Stage(f"{size_px} px", wide, Zluts(swept)),
        Stage(f"{SMALL_PX} px", narrow, Zluts(swept.cropped(SMALL_PX))),
    )

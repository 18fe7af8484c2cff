"""How long the Z-lock takes from a frame's exposure to the motor's move, end to end.

``python benchmarks/lock_latency.py`` runs the simulated microscope at 100 Hz with a Z-lock that
corrects upon every frame, and takes the times at which the motor was told from its history. Which
frame a move came from is read off the number itself: the law is linear, and no two heights are
the same. ``--micromanager`` measures over the Z stage of Micro-Manager's simulated devices instead,
whose beads have no noise: there the target jumps all the time. Prints a table; ``--json`` JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope
from napari_beadscope.script.simulated_zlut import simulated_zlut

_ROI_PX = 64
_GAIN = 0.5
_CLOSE_NM = 1e-6


#: Rows older than this before a move are not what it came from.
_OLDEST_NS = 200e6
#: Without noise, frames of a bead at rest are all the same: only moves that are larger tell, um.
_SMALL_UM = 0.005
_MICROMANAGER = {
    "Camera.Mode": "Fluorescent Beads",
    "Camera.BeadDensity": 10,
    "Camera.OnCameraCCDXSize": 512,
    "Camera.OnCameraCCDYSize": 512,
}


def measure_micromanager(fps: float, seconds: float) -> dict[str, Any]:
    """Return the latencies over a stage of Micro-Manager, with one bead, ms."""
    scope = Scope("micromanager:demo", options={"properties": _MICROMANAGER})
    scope.add_hardware("focus", "micromanager:demo:Z", low=0, high=50)
    with tempfile.TemporaryDirectory() as folder, scope:
        scope.set_camera(exposure_ms=1000 / fps)
        scope.move("focus", 10)
        scope.start_live()
        bead = scope.find_beads(size_px=_ROI_PX, max_beads=1)[0].bead
        scope.sweep_zlut(low_um=-2, high_um=2, step_nm=100, frames_per_step=2, folder=folder)
        late: list[float] = []
        moves = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            target = random.uniform(-1000, 1000)
            scope.set_z_lock(
                bead=bead, interval_s=0, window=1, gain=_GAIN, max_step_nm=1e5, target_nm=target
            )
            done, rows = _watch(scope, 0.5, bead)
            done = [move for move in done if abs(move[1] - move[0]) > _SMALL_UM]
            moves += len(done)
            late += _latencies(done, rows, target)
    return _summary(1, fps, False, moves, late)


def measure(beads: int, fps: float, seconds: float, recording: bool) -> dict[str, Any]:
    """Return the latencies with so many beads tracked, ms."""
    options = {
        "height_px": 512, "width_px": 512, "spacing_px": 60.0, "beads": beads, "fps": fps,
        "seed": 5, "drift_z_nm": 0.0, "drift_nm": 0.0,
    }  # fmt: skip
    microscope = SimulatedMicroscope(options)
    scope = Scope("simulated", options=options)
    scope.add_hardware("focus", "simulated-focus", speed=1e6)
    with tempfile.TemporaryDirectory() as folder, scope:
        simulated_zlut(microscope, _ROI_PX).save(Path(folder) / "zlut.txt")
        scope.set_calibration(100.0, Path(folder) / "zlut.txt")
        scope.start_live()
        places = microscope.bead_positions_px()
        scope.set_beads([Bead(k, Roi.around(y, x, _ROI_PX)) for k, (x, y) in enumerate(places)])
        if recording:
            scope.start_recording(Path(folder) / "r", "track")
        scope.set_z_lock(bead=0, interval_s=0, window=1, gain=_GAIN, max_step_nm=1e5)
        scope.wait_for(lambda s: s.locks.z_state.corrections > 20, 30)
        moves, rows = _watch(scope, seconds)
        late = _latencies(moves, rows, float(scope.locks.z_state.target_nm or 0.0))
        if recording:
            scope.stop_recording()
    return _summary(beads, fps, recording, len(moves), late)


def _summary(
    beads: int, fps: float, recording: bool, corrections: int, late: list[float]
) -> dict[str, Any]:
    late.sort()
    return {
        "beads": beads,
        "fps": fps,
        "recording": recording,
        "corrections": corrections,
        "matched": len(late),
        "median_ms": round(statistics.median(late), 2),
        "p95_ms": round(late[int(0.95 * len(late))], 2),
        "max_ms": round(late[-1], 2),
        "frame_periods_p95": round(late[int(0.95 * len(late))] * fps / 1000, 2),
        "within_two_periods": round(sum(one < 2000 / fps for one in late) / len(late), 4),
    }


def _watch(
    scope: Scope, seconds: float, bead: int = 0
) -> tuple[list[tuple[float, float, int]], np.ndarray]:
    """Return the motor's moves (from, to, when told in ns) and the rows of a bead."""
    begun_ns = time.monotonic_ns()
    parts, seq = [], -1
    while time.monotonic_ns() < begun_ns + seconds * 1e9:
        time.sleep(0.5)
        rows = scope.tracks(seq)
        if len(rows):
            seq = int(rows["seq"].max())
            parts.append(rows[rows["bead"] == bead])
    history = scope.motor_history("focus", begun_ns)
    changed = np.flatnonzero(np.diff(history["value"])) + 1
    places, times = history["value"].tolist(), history["time_ns"].tolist()
    moves = [(places[k - 1], places[k], times[k]) for k in changed.tolist()]
    return moves, np.concatenate(parts)


def _latencies(
    moves: list[tuple[float, float, int]], rows: np.ndarray, target_nm: float
) -> list[float]:
    """Match each move to the frame it came from; return exposure to new target, ms."""
    late = []
    for before, after, seen_ns in moves:
        height_nm = target_nm + (after - before) * 1000 / _GAIN
        recent = (rows["time_ns"] < seen_ns) & (rows["time_ns"] > seen_ns - _OLDEST_NS)
        off = np.where(recent, np.abs(rows["z_nm"] - height_nm), np.inf)
        best = int(np.nanargmin(off))
        if off[best] < _CLOSE_NM + 1e-7 * abs(height_nm):
            late.append((seen_ns - int(rows["time_ns"][best])) / 1e6)
    return late


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--fps", type=float, default=100.0)
    parser.add_argument("--micromanager", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.micromanager:
        results = [measure_micromanager(options.fps, options.seconds)]
    else:
        results = [
            measure(beads, options.fps, options.seconds, recording)
            for beads, recording in ((1, False), (10, False), (50, False), (50, True))
        ]
    if options.json:
        print(json.dumps(results, indent=2))
        return 0
    for result in results:
        name = f"{result['beads']} beads{', recording tracks' if result['recording'] else ''}"
        print(
            f"{name:28} median {result['median_ms']:6.2f} ms  95 % {result['p95_ms']:6.2f} ms  "
            f"max {result['max_ms']:6.2f} ms  = {result['frame_periods_p95']:.2f} frame periods, "
            f"{result['within_two_periods']:.1%} within two "
            f"({result['matched']} of {result['corrections']} corrections)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

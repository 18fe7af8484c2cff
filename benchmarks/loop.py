"""How well the closed loop holds: both locks against a stage that drifts, in real time.

``python benchmarks/loop.py`` lets the simulated stage drift by 50 nm/s to the side (30 in x, 40 in
y) and by 20 nm/s upwards for ten minutes, at 100 frames/s, with every process real, and all of
twenty beads that stay in the frame. The Z-lock holds one that sticks to the surface; a second
one, which it does not know, is the witness: how far it is from its mean height is the error of
the focus, plus the noise of the measurement. XY-lock and recording are on; a bead counts as lost
in a frame in which it has no position that can be trusted. ``--minutes`` for another length;
``--json`` JSON.
"""

from __future__ import annotations

import argparse
import json
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
from napari_beadscope.storage import open_recording

_ROI_PX = 60
_SETTLE_S = 5.0
_STUCK = 8
_DRIFT_NM_PER_S = (30.0, 40.0, 20.0)
_OPTIONS = {
    "height_px": 768, "width_px": 768, "spacing_px": 75.0, "beads": 20, "stuck_beads": _STUCK,
    "fps": 100, "seed": 5, "drift_nm": 0.0, "drift_z_nm": 0.0,
    **{f"drift_rate_{axis}_nm_per_s": rate for axis, rate in zip("xyz", _DRIFT_NM_PER_S)},
}  # fmt: skip


def measure(minutes: float) -> dict[str, Any]:
    """Return how both locks have held for so long."""
    microscope = SimulatedMicroscope(_OPTIONS)
    beads = _beads(microscope, minutes)
    held, witness = (bead.bead for bead in beads[:2])
    scope = Scope("simulated", options=_OPTIONS)
    scope.add_hardware("focus", "simulated-focus")
    with tempfile.TemporaryDirectory() as folder, scope:
        simulated_zlut(microscope, _ROI_PX).save(Path(folder) / "zlut.txt")
        scope.set_calibration(100.0, Path(folder) / "zlut.txt")
        scope.start_live()
        scope.set_beads(beads)
        scope.set_xy_lock(interval_s=2.0)
        scope.set_z_lock(bead=held, interval_s=0.1)
        scope.wait_for(lambda s: s.locks.z_state.corrections > 0, 30)
        scope.start_recording(Path(folder) / "r", "track", seconds=60 * minutes + _SETTLE_S)
        stopped, looks, z_state = _watch(scope)
        recording = open_recording(scope.wait_recorded(60).folder)
        tracks = recording.tracks[recording.tracks["time_s"] > _SETTLE_S]
        missed = sum(gap.last - gap.first + 1 for gap in recording.gaps)
    return {
        "minutes": minutes,
        "beads": len(beads),
        "looks": looks,
        "beads_held_back": stopped,
        "frames_the_camera_lost": missed,
        "rows": len(tracks),
        "rows_without_position": int((tracks["reason"] != 0).sum()),
        "drifted_px": [round(rate * 0.6 * minutes, 1) for rate in _DRIFT_NM_PER_S[:2]],
        "z_lock": z_state.phase,
        "corrections": z_state.corrections,
        "drifted_z_um": round(1.2 * minutes, 2),
        **_focus(tracks, held, witness, float(z_state.target_nm or 0.0)),
    }


def _beads(microscope: SimulatedMicroscope, minutes: float) -> list[Bead]:
    """Return the beads whose ROIs stay in the frame, those that stick first."""
    way = np.array(_DRIFT_NM_PER_S[:2]) * 0.6 * (minutes + 1) + _ROI_PX
    shape = np.array(microscope.format.shape)[::-1]
    places = microscope.bead_positions_px()
    stay = np.flatnonzero(((places > _ROI_PX) & (places + way < shape)).all(axis=1)).tolist()
    if len(stay) < 2 or stay[1] >= _STUCK:
        raise SystemExit("the beads leave the frame: choose fewer minutes")
    return [Bead(k, Roi.around(places[k, 1], places[k, 0], _ROI_PX)) for k in stay]


def _watch(scope: Scope) -> tuple[dict[str, int], int, Any]:
    """Return who was held back at how many looks, the XY-lock's looks, and the Z-lock's state."""
    held: dict[str, int] = {}
    looks = -1
    while True:
        locks = scope.locks
        if locks.xy_state.looks != looks:
            looks = locks.xy_state.looks
            for one in locks.xy_state.held:
                words = f"{one.bead}: {one.why}"
                held[words] = held.get(words, 0) + 1
        if not scope.status().recording:
            return held, locks.xy_state.looks, locks.z_state
        time.sleep(0.2)


def _focus(tracks: np.ndarray, held: int, witness: int, target_nm: float) -> dict[str, float]:
    """Return how far the held bead is from its target, and the witness from its mean, nm."""
    height = tracks["z_nm"][tracks["bead"] == held] - target_nm
    other = tracks["z_nm"][tracks["bead"] == witness]
    off = other - np.nanmean(other)
    return {
        "held_rms_nm": round(float(np.sqrt(np.nanmean(height**2))), 2),
        "held_mean_nm": round(float(np.nanmean(height)), 2),
        "witness_rms_nm": round(float(np.sqrt(np.nanmean(off**2))), 2),
        "witness_worst_nm": round(float(np.nanmax(np.abs(off))), 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.minutes)
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    for name, value in result.items():
        print(f"{name:24} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

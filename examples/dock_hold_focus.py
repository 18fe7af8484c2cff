"""Both locks from a script: beads stay in their ROIs and in focus while the stage drifts.

Open it in the Script dock of a microscope with a focus motor and a Z-LUT, or run it by itself: then
it starts a simulated microscope whose stage drifts, and measures a Z-LUT of it.
"""

from __future__ import annotations

import time
from pathlib import Path

from napari_beadscope import Scope
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script.simulated_zlut import simulated_zlut

OPTIONS = {"beads": 3, "fps": 100, "margin_px": 120.0, "drift_nm": 3000.0, "drift_z_nm": 400.0}
SECONDS = 6

with Scope.attach_or_start("simulated", options=OPTIONS) as scope:
    if "focus" not in scope.motor_positions():
        scope.add_hardware("focus", "simulated-focus")
    scope.start_live()
    next(scope.frames(1))
    if not scope.beads:
        scope.find_beads()
    if not scope.calibration.zlut:
        zlut = simulated_zlut(SimulatedMicroscope(OPTIONS), scope.beads[0].roi.size)
        zlut.save(Path("zlut.txt"))
        scope.set_calibration(zlut="zlut.txt")

    scope.set_xy_lock(interval_s=0.5)
    scope.set_z_lock(bead=scope.beads[0].bead)  # or bead="reference", if some are marked
    scope.wait_for(lambda it: it.locks.z_state.phase == "locked")
    for _ in range(SECONDS):
        time.sleep(1)
        z, xy = scope.locks.z_state, scope.locks.xy_state
        print(f"height off by {z.error_nm:+.0f} nm, {len(xy.followed)} beads followed")
    assert scope.locks.z_state.phase == "locked", scope.locks.z_state.why
    scope.set_z_lock(False)
    scope.set_xy_lock(False)

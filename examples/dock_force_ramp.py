"""A force ramp for the Script dock: the magnet comes nearer in steps while tracks are recorded.

Open it in the Script dock, or run it by itself: then it starts a simulated microscope.
"""

from __future__ import annotations

import time

from napari_beadscope import Scope, open_recording

STEPS_MM = (0.0, 2.0, 4.0)
SECONDS_EACH = 1.0

with Scope.attach_or_start("simulated", options={"beads": 4, "fps": 100}) as scope:
    if "magnet" not in scope.motor_positions():
        scope.add_hardware("magnet", "simulated-magnet", speed=20.0)
    scope.start_live()
    next(scope.frames(1))
    if not scope.beads:
        scope.find_beads()
    print(f"{len(scope.beads)} beads")

    folder = scope.start_recording("recordings", mode="track", name="ramp")
    try:
        for step_mm in STEPS_MM:
            scope.move("magnet", step_mm)  # and wait until it is there
            print(f"magnet at {scope.motor_positions()['magnet']:.1f} mm")
            time.sleep(SECONDS_EACH)
    finally:  # also when the script is stopped
        scope.stop_recording()
        scope.move("magnet", 0.0)

print(f"{len(open_recording(folder).tracks):,} track rows in {folder}")

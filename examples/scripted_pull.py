"""A force ramp from a script: move the magnet in steps while every bead is recorded.

The same lines drive a real magnet: give its motor ID in place of ``simulated-magnet``.
"""

from __future__ import annotations

import time

import numpy as np

from napari_beadscope import Scope, open_recording

STEPS_MM = (0.0, 2.0, 4.0, 6.0)
PAUSE_S = 0.4

with Scope("simulated", options={"beads": 6, "fps": 100, "force_pn": 0.15}) as scope:
    scope.add_hardware("magnet", "simulated-magnet", speed=20.0)
    scope.add_hardware("focus", "simulated-focus")
    scope.start_live()
    next(scope.frames(1))  # wait for the first one
    scope.move("focus", 0.5)  # um, and wait until it is there
    scope.find_beads()

    folder = scope.start_recording("recordings", mode="track", name="pull")
    log = []
    for target_mm in STEPS_MM:
        scope.move("magnet", target_mm)
        began = scope.status().recorded_s
        time.sleep(PAUSE_S)
        log.append((target_mm, began, scope.status().recorded_s))
        print(f"magnet at {scope.motor_positions()['magnet']:.1f} mm")
    scope.stop_recording()

# The nearer the magnet, the stiffer the tether: beads jitter less.
tracks = open_recording(folder).tracks
jitter_nm = []
for target_mm, began_s, ended_s in log:
    rows = tracks[(tracks["time_s"] > began_s) & (tracks["time_s"] < ended_s)]
    spread = [rows["x_nm"][rows["bead"] == bead].std() for bead in np.unique(rows["bead"])]
    jitter_nm.append(float(np.mean(spread)))
    print(f"{target_mm:.0f} mm: x jitters by {jitter_nm[-1]:.0f} nm")
assert jitter_nm[-1] < jitter_nm[0] / 1.5

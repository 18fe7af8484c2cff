"""Micro-Manager's camera and stages: find beads, sweep the focus, hold it, and record.

Runs on the simulated devices that come with Micro-Manager, whose beads blur when the Z stage moves.
For your own microscope, put the path of its configuration in the place of ``demo``.
"""

from __future__ import annotations

from napari_beadscope import Scope
from napari_beadscope.storage import open_recording

START_UM, HIGHER_NM = 10.0, 500.0

beads = {"Camera.Mode": "Fluorescent Beads", "Camera.BeadDensity": 30}
scope = Scope("micromanager:demo", options={"properties": beads})
scope.add_hardware("focus", "micromanager:demo:Z", low=0, high=50)

with scope:
    scope.set_camera(exposure_ms=10, **{"preset Channel": "FITC"})
    scope.move("focus", START_UM)
    scope.start_live()
    found = scope.find_beads(size_px=48, max_beads=1)
    scope.sweep_zlut(
        low_um=-1.5, high_um=1.5, step_nm=150, frames_per_step=3, folder="recordings", name="zlut"
    )

    # the lock moves the stage until the bead is seen half a micrometre higher
    scope.set_z_lock(bead=found[0].bead, target_nm=HIGHER_NM)
    scope.wait_for(lambda it: it.locks.z_state.corrections > 10, timeout_s=60)
    moved_nm = (START_UM - scope.motor_positions()["focus"]) * 1000
    print(f"the stage went down by {moved_nm:.0f} nm")

    recording = open_recording(scope.record("recordings", "track+full", frames=100, name="held"))
    scope.set_z_lock(False)

heights = recording.tracks["z_nm"][recording.tracks["bead"] == found[0].bead]
print(f"{len(recording.frames)} frames, z = {heights.mean():.0f} ± {heights.std():.1f} nm")

"""Make a Z-LUT at the microscope by sweeping its focus, and compare z with the truth.

The microscope is a simulated one; with another camera, add the motor that moves its focus.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope import Scope
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.storage import open_recording

options = {"beads": 1, "height_px": 160, "width_px": 160, "fps": 200, "seed": 4}
scope = Scope("simulated", options=options)
scope.add_hardware("focus", "simulated-focus")

with scope:
    scope.start_live()
    scope.find_beads(size_px=48)
    swept = scope.sweep_zlut(
        low_um=-0.6,
        high_um=0.6,
        frames_per_step=8,
        folder="recordings",
        name="zlut",
        on_plane=lambda plane: print(f"plane {plane.number} of {plane.planes}", end="\r"),
    )
    low_nm, high_nm = swept.report.usable_nm
    print(f"{swept.zlut.name}: usable from {low_nm:.0f} to {high_nm:.0f} nm")
    recording = open_recording(scope.record("recordings", "track", seconds=1, name="z"))

rows = recording.tracks
frames = rows["frame"] + recording.manifest.first_frame
truth = SimulatedMicroscope(options).truth(frames)[:, 0, 2]
error = rows["z_nm"] - truth
error -= error.mean()  # z = 0 is where the bead was when the sweep began
print(f"z is {np.sqrt((error**2).mean()):.1f} nm off; the bead moves by {truth.std():.0f} nm")

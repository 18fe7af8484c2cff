"""A whole experiment by a script: find beads, sweep a Z-LUT, lock, and pull with the magnet.

The microscope is a simulated one whose stage drifts by 50 nm/s to the side and 20 nm/s upwards.
With your own, change the first lines; the rest stays as it is.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope import Scope, open_recording
from napari_beadscope.analysis import drift_of, force_from_variance, stokes_drag

MICROSCOPE = {
    "height_px": 384, "width_px": 384, "fps": 100, "seed": 3, "beads": 7, "stuck_beads": 2,
    "spacing_px": 80.0, "margin_px": 70.0, "height_spread_nm": 0.0, "exposure_ms": 0.2,
    "drift_rate_x_nm_per_s": 50.0, "drift_rate_z_nm_per_s": 20.0,
}  # fmt: skip
HEIGHTS_MM = np.linspace(0, 9, 10)
SECONDS_EACH = 1.0
STILL_PX = 0.1
# An exposure hides fast jitter; how much depends on the bead's drag.
SEEN = {"exposure_s": 2e-4, "drag_pn_s_per_nm": stokes_drag(radius_nm=500)}

scope = Scope("simulated", options=MICROSCOPE)
scope.add_hardware("focus", "simulated-focus")
scope.add_hardware("magnet", "simulated-magnet", speed=20.0)

with scope:
    # Find the beads, and let their ROIs follow them.
    scope.start_live()
    beads = [bead.bead for bead in scope.find_beads(size_px=60)]
    scope.set_xy_lock(interval_s=0.5)

    # Those that hardly move from frame to frame stick to the surface: references.
    scope.sleep(1.0)
    rows = scope.tracks()
    jitter_px = {bead: np.diff(rows["x_px"][rows["bead"] == bead]).std() for bead in beads}
    stuck = [bead for bead in beads if jitter_px[bead] < STILL_PX]
    scope.annotate(stuck, reference=True)
    print(f"{len(beads)} beads, {len(stuck)} of them stick to the surface")

    # z = 0 is where they are, the surface; the others are above it by the length of their tether.
    swept = scope.sweep_zlut(
        stuck, low_um=-1.3, high_um=0.3, frames_per_step=8, folder="recordings", name="zlut"
    )
    low_nm, high_nm = swept.report.usable_nm
    print(f"{swept.zlut.name}: usable from {low_nm:.0f} to {high_nm:.0f} nm")

    # Hold the surface in focus: z = 0. The stage has drifted during the sweep.
    scope.set_z_lock(bead="reference", target_nm=0, interval_s=0.1)
    scope.wait_for(
        lambda it: it.locks.z_state.phase == "locked" and abs(it.locks.z_state.error_nm) < 20,
        timeout_s=30,
        what="the surface in focus",
    )

    # Pull.
    held = []
    scope.start_recording("recordings", mode="track", name="force-ramp")
    for step, height_mm in enumerate(HEIGHTS_MM):
        scope.progress(step, len(HEIGHTS_MM), f"magnet at {height_mm:.0f} mm")
        scope.move("magnet", height_mm)
        began_s = scope.status().recorded_s
        scope.sleep(SECONDS_EACH)
        held.append((began_s, scope.status().recorded_s))
    folder = scope.stop_recording()
    scope.move("magnet", 0.0)

# The harder the pull, the longer the tether and the less the bead jitters.
tracks = open_recording(folder).tracks
of = {bead: tracks[tracks["bead"] == bead] for bead in beads}
time_s = of[beads[0]]["time_s"]
x_nm, z_nm = (
    {bead: of[bead][axis] - drift_of(np.column_stack([of[one][axis] for one in stuck]))
     for bead in beads}
    for axis in ("x_nm", "z_nm")
)  # fmt: skip
results = []
print("magnet mm   tether nm   force pN")
for height_mm, (began_s, ended_s) in zip(HEIGHTS_MM, held, strict=True):
    then = (time_s > began_s) & (time_s < ended_s)
    surface_nm = np.mean([np.nanmean(z_nm[bead][then]) for bead in stuck])
    lengths_nm, forces_pn = [], []
    for bead in set(beads) - set(stuck):
        lengths_nm.append(np.nanmean(z_nm[bead][then]) - surface_nm)
        fit = force_from_variance(x_nm[bead][then], lengths_nm[-1], **SEEN)
        forces_pn.append(fit.force_pn)
    results.append((height_mm, np.mean(lengths_nm), np.mean(forces_pn)))
    print("{:9.0f}   {:9.0f}   {:8.2f}".format(*results[-1]))

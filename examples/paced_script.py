"""A script that can be paused, tells its progress, and waits for what it needs.

Open it in the Script dock, or run it by itself: then it starts a simulated microscope. From a
terminal: ``beadscope script run paced_script.py``.
"""

from __future__ import annotations

from napari_beadscope import Scope

STEPS_MM = (0.0, 1.0, 2.0)

with Scope.attach_or_start("simulated", options={"beads": 3, "fps": 100}) as scope:
    if "magnet" not in scope.motor_positions():
        scope.add_hardware("magnet", "simulated-magnet", speed=20.0)
    scope.start_live()
    scope.wait_for("live")
    scope.newest_frame()
    if not scope.beads:
        scope.find_beads()
    scope.wait_for("tracking", timeout_s=60)

    for number, step_mm in enumerate(STEPS_MM):
        scope.progress(number, len(STEPS_MM), f"magnet to {step_mm:g} mm")
        scope.move("magnet", step_mm, wait=False)
        scope.wait_for(
            lambda it, goal=step_mm: abs(it.motor_positions()["magnet"] - goal) < 1e-3,
            timeout_s=60,
            what=f"the magnet at {step_mm:g} mm",
        )
        scope.sleep(0.5)
        print(f"{step_mm:g} mm: {scope.status().tracked_fps:.0f} frames/s are tracked")
    scope.move("magnet", 0.0)

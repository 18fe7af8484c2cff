"""A time lapse for the Script dock: a short recording every now and then.

Open it in the Script dock, or run it by itself: then it starts a simulated microscope.
"""

from __future__ import annotations

import time

from napari_beadscope import Scope, open_recording

RECORDINGS = 3
EVERY_S = 2.0
SECONDS_EACH = 0.5

folders = []
with Scope.attach_or_start("simulated", options={"beads": 4, "fps": 50}) as scope:
    scope.start_live()
    next(scope.frames(1))
    if not scope.beads:
        scope.find_beads()
    begun = time.monotonic()
    for number in range(RECORDINGS):
        due = begun + number * EVERY_S
        time.sleep(max(0.0, due - time.monotonic()))
        folder = scope.record("lapse", mode="track", seconds=SECONDS_EACH, name=f"t{number:03d}")
        folders.append(folder)
        print(f"{number + 1} of {RECORDINGS}: {folder.name}")

for folder in folders:
    assert len(open_recording(folder).frame_numbers) > 0

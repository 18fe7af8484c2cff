"""Say which beads are good while they are recorded, and read it back."""

from __future__ import annotations

import numpy as np

from napari_beadscope import Scope, open_recording

with Scope("simulated", options={"beads": 6, "fps": 100}) as scope:
    scope.start_live()
    next(scope.frames(1))  # wait for the first one
    beads = scope.find_beads()
    scope.annotate([bead.bead for bead in beads], good=True)
    scope.annotate(beads[0].bead, label="stuck", reference=True)

    folder = scope.start_recording("recordings", mode="track", name="annotated")
    scope.annotate(beads[1].bead, good=False, note="jumps, see 0.5 s")  # goes on meanwhile
    scope.wait_for(lambda scope: scope.status().recorded_s > 1)
    scope.stop_recording()

recording = open_recording(folder)
said = recording.annotations
good = [bead for bead, words in said.items() if words.good and not words.reference]
rows = recording.tracks[np.isin(recording.tracks["bead"], good)]
print(f"{len(good)} of {len(recording.beads)} beads are good: {len(rows)} rows")
assert said[beads[1].bead].note == "jumps, see 0.5 s"
assert beads[1].bead not in good

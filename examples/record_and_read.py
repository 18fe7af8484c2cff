"""Record the simulated microscope with its tracks, and read the recording back."""

from __future__ import annotations

from napari_beadscope import Scope, open_recording

with Scope("simulated", options={"beads": 8, "fps": 50}) as scope:
    scope.start_live()
    next(scope.frames(1))  # wait for the first one
    beads = scope.find_beads()
    folder = scope.record("recordings", mode="track+full", frames=100, name="example")

recording = open_recording(folder)
print(folder)
print("frames", recording.frames.shape, recording.frames[0].dtype)
print("tracks", len(recording.tracks), "rows of", len(beads), "beads")
print("missing frames:", recording.gaps or "none")

assert len(recording.frames) + sum(gap.last - gap.first + 1 for gap in recording.gaps) == 100
assert set(recording.tracks["bead"]) == {bead.bead for bead in beads}

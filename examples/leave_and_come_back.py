"""Start a recording, leave, attach again from a new Scope: the recording has gone on."""

from __future__ import annotations

from napari_beadscope import Scope, open_recording

scope = Scope("simulated", options={"beads": 4, "fps": 50})
scope.start()
scope.start_live()
next(scope.frames(1))
scope.find_beads()
folder = scope.start_recording("recordings", mode="track", name="unattended")
engine = scope.engine.engine_id
scope.detach()  # as when the viewer is closed, or crashes

with Scope.attach(engine) as again:  # a guest: the engine would go on afterwards
    again.wait_for(lambda it: it.status().recorded_frames >= 50)
    again.stop_recording()
    again.stop()  # ends the engine

print(len(open_recording(folder).frame_numbers), "frames saved, attended or not")

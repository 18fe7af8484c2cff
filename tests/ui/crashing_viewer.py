"""napari on a new engine that records: run by a test, which kills it. Arguments: root, frames."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QTimer

from napari_beadscope.core.types import Annotation
from napari_beadscope.ui.host import host_of
from napari_beadscope.ui.workspace import open_workspace

OPTIONS = {"width_px": 256, "height_px": 256, "beads": 4, "fps": 50.0, "seed": 5}


def main(root: str, frames: int) -> None:
    """Go live, find beads, say something about one, record, and show frames until killed."""
    viewer = napari.Viewer()
    open_workspace(viewer)
    host = host_of(viewer)
    session, model = host.session, host.session.model
    model.options = dict(OPTIONS)
    session.start_live()
    session.on_scope("Finding beads", find)
    session.on_scope(
        "Starting the recording",
        lambda scope: scope.start_recording(root, "track+full", frames=frames, name="crash"),
        session.started_recording,
    )

    def tell() -> None:
        if model.recording is not None and model.screen.shown > 3:
            timer.stop()
            sys.stdout.write(f"{model.recording}\n")
            sys.stdout.flush()

    timer = QTimer()
    timer.timeout.connect(tell)
    timer.start(50)
    napari.run()


def find(scope: Any) -> None:
    """Find beads as soon as there is a frame, and annotate the first."""
    while scope.latest_frame() is None:
        time.sleep(0.05)
    beads = scope.find_beads()
    scope.set_annotations({beads[0].bead: Annotation(label="tether 1", good=True)})


if __name__ == "__main__":
    main(str(Path(sys.argv[1])), int(sys.argv[2]))

"""napari in a process of its own, on an engine that runs: what `beadscope demo` opens.

Owns the window's life. Must not know who started the engine; closing the window leaves it running.
"""

from __future__ import annotations

import signal
from types import FrameType

import napari

from napari_beadscope.ui.host import host_of
from napari_beadscope.ui.workspace import open_workspace


def show_engine(engine_id: str, title: str = "BeadScope") -> None:
    """Open napari with all docks, attached to an engine; return when the window is closed.

    Ctrl-C and SIGTERM close the window.
    """
    viewer = napari.Viewer(title=title)

    def close(number: int, frame: FrameType | None) -> None:
        viewer.close()

    before = {number: signal.signal(number, close) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        open_workspace(viewer)
        host_of(viewer).session.attach(engine_id)
        napari.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Your own plot and your own panel in napari's docks, from a script that opens the viewer.

The window closes by itself after a few seconds; leave out the line that says so to stay.
"""

from __future__ import annotations

import math
import time

import napari
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QPushButton

from napari_beadscope import Scope
from napari_beadscope.ui import show


def room_temperature() -> float:
    """Read your instrument here; this is called ten times a second."""
    return 21.0 + 0.5 * math.sin(time.monotonic())


def panel(scope: Scope) -> QPushButton:
    """Make any Qt or magicgui widget; it can command the microscope."""
    button = QPushButton("Home the magnet")
    button.setToolTip("Move the magnet to 0 mm")
    button.clicked.connect(lambda: scope.move("magnet", 0.0, wait=False))
    return button


scope = Scope("simulated", options={"beads": 6, "width_px": 320, "height_px": 256})
scope.add_timeplot("room", room_temperature, unit="°C")
scope.add_control("My panel", panel)
with scope:
    scope.start_live()
    next(scope.frames(1))
    scope.find_beads()
    viewer = show(scope)
    QTimer.singleShot(8000, viewer.close)  # leave this line out to stay
    napari.run()
    print(f"{len(scope.beads)} beads were tracked, and the engine still is ours")

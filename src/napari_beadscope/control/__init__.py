"""Feedback laws as pure step functions: numbers in, decisions out.

Knows track rows and positions of motors; must not know processes, rings or devices.
"""

from __future__ import annotations

from napari_beadscope.control.xy_lock import XYStep, follow_beads
from napari_beadscope.control.z_lock import FocusReading, ZLoop, hold_height

__all__ = ["FocusReading", "XYStep", "ZLoop", "follow_beads", "hold_height"]

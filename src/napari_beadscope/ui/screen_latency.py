"""How long after its exposure a frame is on the screen.

Owns the measurement: from the frame's stamp to the moment its picture is handed to the display.
Both are on the monotonic clock. Must not know layers or engines.
"""

from __future__ import annotations

import statistics
import time

from qtpy.QtCore import QObject
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow

_EVERY_NS = 1_000_000_000


class ScreenLatency(QObject):
    """Measures the canvases of the windows it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.median_ms = -1.0  # of the last second; -1 while no frame is shown
        self._exposed_ns = 0
        self._late_ns: list[int] = []
        self._since_ns = 0

    def watch(self, window: QMainWindow) -> None:
        """Measure this window's canvas too."""
        for canvas in window.findChildren(QOpenGLWidget):
            canvas.frameSwapped.connect(self._swapped)

    def drew(self, exposed_ns: int) -> None:
        """Take note that the canvas' next picture has the frame that was exposed then."""
        self._exposed_ns = exposed_ns

    def reset(self) -> None:
        """Forget what was measured: frames have stopped."""
        self.median_ms, self._exposed_ns, self._late_ns = -1.0, 0, []

    def _swapped(self) -> None:
        if not self._exposed_ns:
            return
        now_ns = time.monotonic_ns()
        self._late_ns.append(now_ns - self._exposed_ns)
        self._exposed_ns = 0
        if now_ns - self._since_ns >= _EVERY_NS:
            self.median_ms = round(statistics.median(self._late_ns) * 1e-6, 1)
            self._since_ns, self._late_ns = now_ns, []

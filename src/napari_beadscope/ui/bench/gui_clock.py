"""What a viewer costs its GUI thread: processor time in all, and in drawing the canvas.

Owns the measurement, by the standard library alone: `micromanager` runs it in another
Python. Must not know what is shown.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spent:
    """Processor time of the GUI thread over a stretch of wall time, in s; draws are counted."""

    wall_s: float
    cpu_s: float
    draw_s: float
    draws: int

    @property
    def share(self) -> float:
        """Part of the time that the GUI thread was at work."""
        return self.cpu_s / self.wall_s

    @property
    def share_besides_drawing(self) -> float:
        """The same without the canvas' own drawing."""
        return (self.cpu_s - self.draw_s) / self.wall_s


class GuiClock:
    """Measures one viewer; call all of it on the GUI thread.

    Parameters
    ----------
    viewer : napari viewer
        Whose canvas is watched.
    """

    def __init__(self, viewer: Any) -> None:
        draw = viewer.window._qt_viewer.canvas._scene_canvas.events.draw  # napari has no public way
        draw.connect(self._before, position="first")
        draw.connect(self._after, position="last")
        self._draw_s = self._began_s = 0.0
        self._draws = 0
        self._start = (0.0, 0.0, 0.0, 0)
        self.start()

    def start(self) -> None:
        """Begin a stretch."""
        self._start = (time.perf_counter(), time.thread_time(), self._draw_s, self._draws)

    def stop(self) -> Spent:
        """Return what the stretch since `start` has cost."""
        wall_s, cpu_s, draw_s, draws = self._start
        return Spent(
            time.perf_counter() - wall_s,
            time.thread_time() - cpu_s,
            self._draw_s - draw_s,
            self._draws - draws,
        )

    def _before(self, _: Any) -> None:
        self._began_s = time.thread_time()

    def _after(self, _: Any) -> None:
        self._draw_s += time.thread_time() - self._began_s
        self._draws += 1

"""Mouse and keys over the image of a live viewer, with places in pixels of the frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_beadscope.core.types import Roi
from napari_beadscope.ui.host import SessionHost

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


class Hand:
    """Mouse and keys on the canvas, at places of the frame."""

    def __init__(self, host: SessionHost) -> None:
        self.host = host
        self.canvas = host.viewer.window._qt_viewer.canvas.native

    def at(self, y_px: float, x_px: float) -> QPoint:
        view = self.host.viewer.scene.camera
        world = np.array(self.host.overlays.boxes.data_to_world((y_px, x_px)))[-2:]
        y, x = (world - view.center[-2:]) * view.zoom
        return QPoint(round(self.canvas.width() / 2 + x), round(self.canvas.height() / 2 + y))

    def click(self, y_px: float, x_px: float, keys: Any = NONE) -> None:
        point = self.at(y_px, x_px)
        QTest.mouseMove(self.canvas, point)
        QTest.qWait(60)
        QTest.mousePress(self.canvas, LEFT, keys, point)
        QTest.mouseRelease(self.canvas, LEFT, keys, point)
        QTest.qWait(60)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        first, last = self.at(*start), self.at(*end)
        QTest.mouseMove(self.canvas, first)
        QTest.qWait(60)
        QTest.mousePress(self.canvas, LEFT, NONE, first)
        for step in range(1, 6):
            QTest.mouseMove(self.canvas, first + (last - first) * step / 5)
            QTest.qWait(30)
        QTest.mouseRelease(self.canvas, LEFT, NONE, last)
        QTest.qWait(60)

    def press(self, key: Any, keys: Any = NONE) -> None:
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, keys)
        QTest.qWait(60)

    def near(self, roi: Roi, y_px: float, x_px: float) -> bool:
        """Whether a box is where it was put, to two pixels of the screen."""
        reach = 2.5 / (self.host.viewer.scene.camera.zoom * self.host.overlays.boxes.scale[-1])
        return bool(np.abs(np.array(roi.centre_px) - (y_px, x_px)).max() <= reach + 0.5)

"""A small curve of a number's recent past, with zero in the middle.

Owns its drawing. Must not know what the number is.
"""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

_HEIGHT_PX = 54
_CURVE = "#3a9bdc"


class HistoryLine(QWidget):
    """Draws values over their ages.

    Parameters
    ----------
    unit : str
        Written behind the ends of the scale.
    span_s : float
        Ages from 0 on the right to this on the left, s.
    least : float
        The scale reaches at least from minus to plus this.
    """

    def __init__(self, unit: str, span_s: float, least: float) -> None:
        super().__init__()
        self._unit, self._span_s, self._least = unit, span_s, least
        self._points: tuple[tuple[float, float], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return a few lines' height."""
        return QSize(200, _HEIGHT_PX)

    def show_points(self, points: Sequence[tuple[float, float]]) -> None:
        """Show ``(age in s, value)``, oldest first."""
        if tuple(points) != self._points:
            self._points = tuple(points)
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the zero line, the ends of the scale and the curve."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, height = self.width(), self.height()
        ink = self.palette().color(self.foregroundRole())
        faint = QColor(ink)
        faint.setAlpha(70)
        painter.setPen(QPen(faint, 1))
        painter.drawRect(0, 0, width - 1, height - 1)
        painter.drawLine(0, height // 2, width, height // 2)
        most = max([self._least, *(abs(value) for _, value in self._points)])
        if self._points:
            curve = QPolygonF(
                [
                    QPointF(
                        width * (1 - age / self._span_s), height / 2 * (1 - 0.92 * value / most)
                    )
                    for age, value in self._points
                ]
            )
            painter.setPen(QPen(QColor(_CURVE), 1.3))
            painter.drawPolyline(curve)
        font = painter.font()
        font.setPointSizeF(max(6.5, 0.8 * font.pointSizeF()))
        painter.setFont(font)
        ink.setAlpha(190)
        painter.setPen(ink)
        inner = self.rect().adjusted(4, 1, -4, -1)
        flags = Qt.AlignmentFlag
        painter.drawText(inner, flags.AlignLeft | flags.AlignTop, f"+{most:.3g} {self._unit}")
        painter.drawText(inner, flags.AlignLeft | flags.AlignBottom, f"−{most:.3g} {self._unit}")
        ago = f"last {self._span_s / 60:g} min"
        painter.drawText(inner, flags.AlignRight | flags.AlignBottom, ago)
        painter.end()

"""Axes whose labels never lie on each other.

Owns which values of a logarithmic axis get a number, and labels that are cut to their axis. Must
not know figures.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QFontMetricsF

#: Between numbers of a logarithmic axis there is so much room at least, from middle to middle.
_ACROSS_PX, _UP_PX = 44.0, 15.0


class PlotAxis(pg.AxisItem):
    """An axis of a small plot."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.setStyle(textFillLimits=[(0, 0.7)])

    def setLogMode(self, *args: Any, **kwargs: Any) -> None:
        """Number the first level of ticks only when logarithmic: see `logTickValues`."""
        super().setLogMode(*args, **kwargs)
        self.setStyle(maxTextLevel=0 if self.logMode else 2)

    def logTickValues(
        self, minVal: float, maxVal: float, size: float, stdTicks: Any
    ) -> list[tuple[float | None, list[float]]]:
        """Return what gets a number, then the other ticks; arguments as pyqtgraph passes them.

        Numbers are powers of ten, not all if there are many; 2 and 5 only where fewer than two
        powers are seen.
        """
        if not maxVal > minVal or maxVal - minVal > 600:
            return []
        room = _ACROSS_PX if self.orientation in ("top", "bottom") else _UP_PX
        per_decade = size / (maxVal - minVal)
        every = max(1, math.ceil(room / per_decade))
        decades = range(math.ceil(minVal), math.floor(maxVal) + 1)
        numbered = [float(decade) for decade in decades if decade % every == 0]
        rough = range(math.floor(minVal), math.ceil(maxVal))
        if len(numbered) < 2:
            for steps in ((1, 2, 5), range(1, 10)):
                between = [decade + math.log10(step) for decade in rough for step in steps]
                seen = [one for one in between if minVal <= one <= maxVal]
                numbered = _apart(numbered, seen, room / per_decade)
                if len(numbered) > 1:
                    break
        fine = [decade + math.log10(step) for decade in rough for step in range(1, 10)]
        others = [one for one in fine if minVal < one < maxVal and one not in numbered]
        return [(1.0, sorted(numbered)), (None, others)]

    def labelString(self) -> str:
        """Return the label as HTML, cut in its middle if the axis is shorter."""
        whole: str = self.labelText  # type: ignore[has-type]
        size = self.size()
        room = size.height() if self.orientation in ("left", "right") else size.width()
        if room > 0 and whole:
            metrics = QFontMetricsF(self.label.font())
            self.labelText = metrics.elidedText(whole, Qt.TextElideMode.ElideMiddle, room - 2)
        try:
            return str(super().labelString())
        finally:
            self.labelText = whole

    def resizeEvent(self, ev: Any = None) -> None:
        """Cut the label anew."""
        if getattr(self, "label", None) is not None and self.labelText:
            self.label.setHtml(self.labelString())
        super().resizeEvent(ev)


def _apart(taken: list[float], more: list[float], distance: float) -> list[float]:
    """Return `taken`, and of `more` what is that far from all others."""
    found = list(taken)
    for one in more:
        if all(abs(one - other) >= distance for other in found):
            found.append(one)
    return [float(one) for one in np.sort(found)]

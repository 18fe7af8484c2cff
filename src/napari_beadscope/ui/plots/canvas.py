"""Figures on the screen.

Owns the widget with its axes, curves and colours; items are kept and fed, not made anew. Must not
know where figures come from.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QFont, QFontMetricsF, QKeyEvent, QPaintEvent, QResizeEvent

from napari_beadscope.ui.plots.axis import PlotAxis
from napari_beadscope.ui.plots.figure import Curve, Figure, Mark, Panel, Picture
from napari_beadscope.ui.plots.palette import bead_colour

_AXIS_PX = 56
_FONT_PT = 8
_GAP_PX = 10.0  # between names in the legend
_GRID = 0.18
#: Panels stand side by side where they would be lower than this above each other, …
_LOW_PX = 58
#: … if each can be this wide.
_WIDE_PX = 128
_FRAME_PX = 50  # of legend and lower axis


class PlotCanvas(pg.GraphicsLayoutWidget):
    """Shows one figure; the user may drag, zoom and range it.

    Signals
    -------
    moved
        The user has dragged or zoomed.
    paused
        The space bar was pressed.
    """

    moved = Signal()
    paused = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFrameStyle(0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Plot")
        self.scene().contextMenu = []  # saving is the dock's
        self.ci.layout.setContentsMargins(0, 0, 8, 0)
        self.ci.layout.setSpacing(1)
        self._background, self._text = "#23242b", "#f0f1f2"
        self._shape: tuple[Any, ...] = ()
        self._panels: list[_PanelItems] = []
        self._legend: pg.LabelItem | None = None
        self._figure: Figure | None = None
        self._names: Mapping[int, str] = {}
        #: Processor time of the last painting.
        self.painting_s = 0.0

    @property
    def columns(self) -> int:
        """Width of the plot in px."""
        if not self._panels:
            return max(100, self.width() - _AXIS_PX)
        return max(100, round(self._panels[0].plot.vb.width()))

    @property
    def seen(self) -> tuple[float, float] | None:
        """What is seen of the axis across."""
        if not self._panels:
            return None
        low, high = self._panels[0].plot.vb.viewRange()[0]
        return float(low), float(high)

    @property
    def theme(self) -> tuple[str, str]:
        """Colours of background and text."""
        return self._background, self._text

    @property
    def figure(self) -> Figure | None:
        """What is shown."""
        return self._figure

    @property
    def plots(self) -> list[pg.PlotItem]:
        """The axes, top first."""
        return [items.plot for items in self._panels]

    def set_theme(self, background: str, text: str) -> None:
        """Take over the colours of the surroundings."""
        self._background, self._text = background, text
        self.setBackground(background)
        for items in self._panels:
            items.paint(text)
        if self._figure is not None:
            self.show_figure(self._figure, self._names, follow=False)

    def show_figure(self, figure: Figure, names: Mapping[int, str], follow: bool = True) -> None:
        """Draw a figure.

        Parameters
        ----------
        figure : Figure
            What to draw.
        names : mapping
            What beads are called, if not by their number.
        follow : bool
            Whether to move to the span of the figure, in place of what the user sees.
        """
        self._figure, self._names = figure, names
        beside = self._beside(len(figure.panels))
        shape = (_shape_of(figure), beside)
        fresh = shape != self._shape
        if fresh:
            self._rebuild(figure, beside)
            self._shape = shape
        self._show_legend(figure)
        for items, panel in zip(self._panels, figure.panels):
            items.show(panel, figure.log_across, self._text)
        if figure.span is not None and (follow or fresh) and figure.span[1] > figure.span[0]:
            self._panels[0].plot.setXRange(*figure.span, padding=0)

    def show_all(self) -> None:
        """Show everything that is drawn."""
        for items in self._panels:
            items.plot.enableAutoRange()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint, and note how long that takes."""
        start_s = time.thread_time()
        super().paintEvent(event)
        self.painting_s = time.thread_time() - start_s

    def resizeEvent(self, ev: QResizeEvent | None) -> None:
        """Fit what is shown into the new size, also if no other figure comes."""
        super().resizeEvent(ev)
        figure = getattr(self, "_figure", None)
        if figure is None or self.closed:  # what is closed has no items left
            return
        if self._beside(len(figure.panels)) != self._shape[1]:
            self.show_figure(figure, self._names, follow=False)
        else:
            self._show_legend(figure)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move and zoom by keys: arrows, plus and minus, Home; the space bar pauses."""
        if event is None or not self._panels:
            return
        key, view = event.key(), self._panels[0].plot.vb
        width = view.viewRect().width()
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            view.translateBy(x=(-0.1 if key == Qt.Key.Key_Left else 0.1) * width)
            self.moved.emit()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            view.scaleBy(x=1.25 if key == Qt.Key.Key_Minus else 0.8)
            self.moved.emit()
        elif key == Qt.Key.Key_Home:
            self.show_all()
        elif key == Qt.Key.Key_Space:
            self.paused.emit()
        else:
            super().keyPressEvent(event)

    def _beside(self, panels: int) -> bool:
        """Whether panels are better seen side by side than above each other."""
        low = (self.height() - _FRAME_PX) / panels < _LOW_PX
        return panels > 1 and low and self.width() / panels > _WIDE_PX

    def _rebuild(self, figure: Figure, beside: bool) -> None:
        layout = self.ci.layout
        for row in range(layout.rowCount()):  # rows that were used once stay
            layout.setRowStretchFactor(row, 0)
        self.clear()
        self._panels = []
        count = len(figure.panels)
        self._legend = self.addLabel(
            "", row=0, col=0, colspan=count if beside else 1, justify="left", size=f"{_FONT_PT}pt"
        )
        for at, panel in enumerate(figure.panels):
            row, column = (1, at) if beside else (at + 1, 0)
            axes = {side: PlotAxis(side) for side in ("left", "bottom")}
            plot = self.addPlot(row=row, col=column, axisItems=axes)
            layout.setRowStretchFactor(row, 10 * panel.height)
            items = _PanelItems(plot, panel, figure, beside or at == count - 1)
            items.paint(self._text)
            plot.vb.sigRangeChangedManually.connect(self._moved)
            if self._panels:
                plot.setXLink(self._panels[0].plot)
            self._panels.append(items)

    def _moved(self, *_: Any) -> None:
        self.moved.emit()

    def _show_legend(self, figure: Figure) -> None:
        assert self._legend is not None
        names = [self._names.get(bead, str(bead)) for bead in figure.beads]
        font = QFont()
        font.setPointSize(_FONT_PT)
        metrics = QFontMetricsF(font)
        ends = np.cumsum([metrics.horizontalAdvance(f"■ {name}") + _GAP_PX for name in names])
        room = self.width() - 2 * _GAP_PX
        count = len(names)
        if count and ends[-1] > room:
            more = metrics.horizontalAdvance(f"+ {count}")
            count = max(1, int(np.searchsorted(ends, room - more, side="right")))
        parts = [
            f"<span style='color:{bead_colour(bead, self._text)}'>■</span> {name}"
            for bead, name in zip(figure.beads[:count], names)
        ]
        if count < len(names):
            parts.append(f"+ {len(names) - count}")
        text = "&nbsp; ".join(parts)
        if text != self._legend.text or self._legend.opts["color"] != self._text:
            self._legend.setText(text, color=self._text)
            self._legend.setMinimumWidth(0)
        self._legend.setVisible(bool(parts))
        self._legend.setMaximumHeight(18 if parts else 0)


class _PanelItems:
    """One pair of axes and what is drawn in it."""

    def __init__(self, plot: pg.PlotItem, panel: Panel, figure: Figure, last: bool) -> None:
        self.plot = plot
        self._items: list[tuple[str, Any, Any]] = []  # style, item, bars
        self._marks: list[pg.InfiniteLine] = []
        self._picture: pg.ImageItem | None = None
        plot.setMenuEnabled(True, enableViewBoxMenu=True)
        plot.ctrlMenu = None
        plot.hideButtons()
        plot.setAspectLocked(figure.equal)
        font = QFont()
        font.setPointSize(_FONT_PT)
        for name in ("left", "bottom"):
            axis = plot.getAxis(name)
            axis.enableAutoSIPrefix(False)
            axis.setTickFont(font)
            axis.setStyle(tickTextOffset=3, tickLength=-4)
            axis.label.setFont(font)
        plot.getAxis("left").setWidth(_AXIS_PX)
        plot.getAxis("left").setLogMode(panel.log_up)
        plot.getAxis("bottom").setLogMode(figure.log_across)
        if last:
            plot.setLabel("bottom", figure.across)
        else:
            plot.getAxis("bottom").setStyle(showValues=False)
            plot.getAxis("bottom").setHeight(4)
        plot.showGrid(x=True, y=True, alpha=_GRID)

    def paint(self, text: str) -> None:
        """Colour the axes."""
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            axis.setPen(text)
            axis.setTextPen(text)

    def show(self, panel: Panel, log_across: bool, text: str) -> None:
        """Draw a panel."""
        self.plot.setLabel("left", panel.up)
        self._show_picture(panel.picture)
        for at, curve in enumerate(panel.curves):
            self._show_curve(at, _logged(curve, log_across, panel.log_up), text, panel.log_up)
        for _, item, bars in self._items[len(panel.curves) :]:
            self.plot.removeItem(item)
            if bars is not None:
                self.plot.removeItem(bars)
        del self._items[len(panel.curves) :]
        self._show_marks(panel.marks, log_across, text)

    def _show_curve(self, at: int, curve: Curve, text: str, log_up: bool) -> None:
        if at < len(self._items) and self._items[at][0] != curve.style:
            for _, item, bars in self._items[at:]:
                self.plot.removeItem(item)
                if bars is not None:
                    self.plot.removeItem(bars)
            del self._items[at:]
        if at == len(self._items):
            self._items.append(self._make(curve))
        style, item, bars = self._items[at]
        colour = pg.mkColor(bead_colour(curve.colour, text))
        if style == "dots":
            good = np.isfinite(curve.x) & np.isfinite(curve.y)
            item.setData(curve.x[good], curve.y[good], brush=colour, pen=None)
        elif style == "steps":
            fill = pg.mkColor(colour)
            fill.setAlpha(70)
            floor = float(np.log10(0.5)) if log_up else 0.0
            item.setData(
                curve.x, curve.y, stepMode="center", fillLevel=floor, brush=fill, pen=colour
            )
        else:
            dash = Qt.PenStyle.DashLine if style == "dashed" else Qt.PenStyle.SolidLine
            pen = pg.mkPen(colour, width=2 if style == "bold" else 1, style=dash)
            item.setData(curve.x, curve.y, connect="finite", pen=pen)
        if bars is not None and curve.low is not None and curve.high is not None:
            bars.setData(
                x=curve.x, y=curve.y, top=curve.high - curve.y, bottom=curve.y - curve.low,
                beam=0.0, pen=pg.mkPen(colour, width=1),
            )  # fmt: skip

    def _make(self, curve: Curve) -> tuple[str, Any, Any]:
        if curve.style == "dots":
            item: Any = pg.ScatterPlotItem(size=3, pxMode=True, symbol="s")
        else:
            item = pg.PlotCurveItem()
        self.plot.addItem(item)
        bars = None
        if curve.low is not None:
            bars = pg.ErrorBarItem()
            self.plot.addItem(bars)
        return (curve.style, item, bars)

    def _show_picture(self, picture: Picture | None) -> None:
        if picture is None:
            return
        if self._picture is None:
            self._picture = pg.ImageItem(axisOrder="row-major")
            self._picture.setZValue(-100)
            self.plot.addItem(self._picture)
        most = float(np.percentile(np.abs(picture.values), 90)) or 1.0
        self._picture.setImage(picture.values, levels=(-most, most))
        width, height = picture.right - picture.left, picture.top - picture.bottom
        self._picture.setRect(QRectF(picture.left, picture.bottom, width, height))

    def _show_marks(self, marks: tuple[Mark, ...], log_across: bool, text: str) -> None:
        while len(self._marks) > len(marks):
            self.plot.removeItem(self._marks.pop())
        for at, mark in enumerate(marks):
            if at == len(self._marks):
                line = pg.InfiniteLine(
                    angle=90 if mark.upright else 0,
                    label="",
                    labelOpts={"position": 0.85, "fill": (0, 0, 0, 110), "color": "#ffffff"},
                )
                self.plot.addItem(line)
                self._marks.append(line)
            line = self._marks[at]
            colour = bead_colour(mark.colour, text)
            line.setPen(pg.mkPen(colour, width=2, style=Qt.PenStyle.DashLine))
            line.setPos(np.log10(mark.at) if log_across and mark.upright else mark.at)
            line.label.setFormat(mark.text)
            line.label.setVisible(bool(mark.text))  # an empty one would be a black box


def _shape_of(figure: Figure) -> tuple[Any, ...]:
    panels = tuple((p.up, p.log_up, p.picture is not None, p.height) for p in figure.panels)
    return (panels, figure.across, figure.log_across, figure.equal)


def _logged(curve: Curve, across: bool, up: bool) -> Curve:
    """Return the curve as it lies on logarithmic axes; what is not positive is left out."""
    if not across and not up:
        return curve

    def log(values: np.ndarray | None, wanted: bool) -> np.ndarray | None:
        if values is None or not wanted:
            return values
        return np.log10(np.where(values > 0, values, np.nan))

    x, y = log(curve.x, across), log(curve.y, up)
    assert x is not None
    assert y is not None
    return Curve(x, y, curve.colour, curve.style, log(curve.low, up), log(curve.high, up))

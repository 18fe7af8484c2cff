"""The Plots dock: what is plotted, of which beads, and how to save it.

Owns its widgets and when the next figure is asked for; all it knows it has from `PlotsPresenter`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QBoxLayout, QFrame, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.ui.docks.base import Dock
from napari_beadscope.ui.docks.parts import toned
from napari_beadscope.ui.docks.plot_controls import PlotControls
from napari_beadscope.ui.docks.plot_saving import PlotSaving
from napari_beadscope.ui.jobs import Outcome
from napari_beadscope.ui.messages import message_of_error
from napari_beadscope.ui.plots.canvas import PlotCanvas
from napari_beadscope.ui.plots.figure import OF_TRACKS, Figure, Kind, Request, empty
from napari_beadscope.ui.plots.worker import PlotWorker
from napari_beadscope.ui.presenters.plots import PlotsPresenter

if TYPE_CHECKING:
    import napari

_TICK_MS = 50
#: Of the GUI thread's time, at most one part in this many goes into drawing.
_GUI_SHARE = 8
#: … but it is never older than this.
_LATEST_S = 3.0
#: Of one core's time, at most one part in this many goes into computing.
_CORE_SHARE = 4
#: Wider than this, controls stand beside the plot.
_BESIDE_PX = 560
_CONTROLS_PX = 250


class PlotsDock(Dock):
    """Curves of what is tracked, live or recorded."""

    min_height_px = 150
    stretches_last = False

    _asked: tuple[Any, ...] | None = None
    _asked_kind = Kind.TIME
    _shown_kind: Kind | None = None
    _due_s = 0.0
    _drawing_s = 0.0
    _seen: tuple[float, float] | None = None
    _zoomed = False

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)

    def build(self) -> None:
        """Make the widgets."""
        layers = self.host.viewer.layers
        self.presenter = PlotsPresenter(self.session, self.host.own.samples, lambda: layers)
        self.choices = self.presenter.choices
        self.canvas = PlotCanvas()
        self.canvas.setMinimumSize(40, 110)
        self.canvas.setToolTip(
            "Drag or arrow keys: move. Wheel or + and -: zoom. Home: show all. Space: pause"
        )
        self.canvas.moved.connect(self._moved)
        self.canvas.paused.connect(self._toggle_pause)
        self.words = QElidingLabel()
        self.controls = PlotControls(self.presenter)
        self.controls.show_all.connect(self.canvas.show_all)
        self.saving = PlotSaving(self.presenter, self.canvas, self._request)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.controls)
        column.addWidget(self.saving)
        column.addStretch(1)
        self._side = side
        plot = QFrame()
        right = QVBoxLayout(plot)
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(2)
        right.addWidget(self.canvas, 1)
        right.addWidget(self.words)
        self._halves = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self._halves.setSpacing(6)
        self._halves.addWidget(side)
        self._halves.addWidget(plot, 1)
        self.body.addLayout(self._halves, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self.tick)
        self._paint()

    def wiring(self) -> tuple[tuple[Any, Callable[..., Any]], ...]:
        """Return pairs of model signal and slot."""
        events, choices = self.model.events, self.choices.events
        layers, viewer = self.host.viewer.layers.events, self.host.viewer.events
        every_choice = (
            choices.kind, choices.source, choices.beads, choices.window_s, choices.halted,
            choices.corrected, choices.place, choices.hidden, choices.added, choices.across,
            choices.up, choices.axis, choices.region,
        )  # fmt: skip
        return (
            *((signal, self._ask_soon) for signal in every_choice),
            *((signal, self.controls.show_choices) for signal in every_choice),
            (events.annotations, self.controls.show_choices),
            (events.phase, self.controls.show_choices),
            (events.selected, self._ask_soon),
            (layers.inserted, self.controls.show_choices),
            (layers.inserted, self.presenter.follow),
            (events.live, self.presenter.follow),
            (layers.removed, self.controls.show_choices),
            (viewer.theme, self._paint),
        )

    def wake(self) -> None:
        """Follow the model, and plot."""
        if self.awake or self.host.closed:
            return
        self._worker = PlotWorker()
        super().wake()
        self._timer.start()

    def rest(self) -> None:
        """Stop to plot."""
        for signal, slot in self._connected:
            _disconnect(signal, slot)
        self._connected = []
        self._timer.stop()
        self._worker.close()

    def tick(self) -> None:
        """Show what was computed, and ask for the next figure when it is time."""
        if self.host.closed:
            self.rest()
            return
        found = self._worker.take()
        if found is not None:
            self._show(found)
        now_s = time.monotonic()
        if self._worker.busy or now_s < self._due_s or not self.isVisible():
            return
        columns = self.canvas.columns
        try:
            request = self._request()
            work = self.presenter.work(request)
        except BeadscopeError as error:
            toned(self.words, str(error), "bad")
            self._due_s = now_s + 0.5
            return
        every_s = self.presenter.every_s(columns)
        drawing_s = self._drawing_s + self.canvas.painting_s
        spent_s = max(_GUI_SHARE * drawing_s, _CORE_SHARE * self._worker.spent_s)
        self._due_s = now_s + max(every_s, min(spent_s, _LATEST_S))
        self.controls.show_rows()
        asked = (request, self.choices.source, self.presenter.data_version)
        if asked != self._asked:
            self._asked, self._asked_kind = asked, request.kind
            self._worker.ask(work)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the controls beside the plot when there is room."""
        super().resizeEvent(event)
        beside = self.width() > _BESIDE_PX
        directions = QBoxLayout.Direction
        self._halves.setDirection(directions.LeftToRight if beside else directions.TopToBottom)
        self._side.setMaximumWidth(_CONTROLS_PX if beside else 16_777_215)

    def event(self, event: QEvent) -> bool:
        """Ask at once when the dock is seen again."""
        if event.type() == QEvent.Type.Show:
            self._ask_soon()
        return bool(super().event(event))

    def _request(self) -> Request:
        of_time = self._shown_kind is Kind.TIME
        if of_time:
            self._seen = self.canvas.seen
        seen = self._seen if self._zoomed else None
        return self.presenter.request(self.canvas.columns, seen)

    def _show(self, found: Outcome) -> None:
        start_s = time.thread_time()
        if found.error is not None:
            figure: Figure = empty(message_of_error(found.error).text)
            tone = "bad"
        else:
            figure = found.value
            tone = figure.tone
        follow = not self._zoomed or self._asked_kind is not Kind.TIME
        self.canvas.show_figure(figure, self.presenter.names(), follow)
        self._shown_kind = self._asked_kind
        self._drawing_s = time.thread_time() - start_s
        toned(self.words, figure.words, tone)
        self.words.setToolTip(figure.words)

    def _moved(self) -> None:
        """The user looks at a part: time stands still until told to run again."""
        if self._shown_kind is not Kind.TIME:
            return
        self._zoomed = True
        self.choices.halted = True
        self._ask_soon()

    def _toggle_pause(self) -> None:
        if self.choices.kind in OF_TRACKS:
            self.choices.halted = not self.choices.halted

    def _ask_soon(self, *_: Any) -> None:
        if not self.choices.halted:
            self._zoomed = False
        self._due_s = 0.0
        self._asked = None

    def _paint(self, *_: Any) -> None:
        theme = get_theme(self.host.viewer.theme)
        self.canvas.set_theme(theme.background.as_hex("long"), theme.text.as_hex("long"))


def _disconnect(signal: Any, slot: Callable[..., Any]) -> None:
    """Disconnect a slot of psygnal's signals or of napari's, which differ in what they allow."""
    try:
        signal.disconnect(slot, missing_ok=True)
    except TypeError:
        signal.disconnect(slot)

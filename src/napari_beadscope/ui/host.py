"""Where a viewer's session lives in Qt: one timer, the layers, and the end of the window.

Owns the clock of the live view and the order of shutting down. Must not know any dock. There is
one host per viewer, a child of the application, so that docks come and go without it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QApplication, QWidget

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.ui.closing import CloseGuard
from napari_beadscope.ui.jobs import Launch
from napari_beadscope.ui.layers import rescale
from napari_beadscope.ui.live_view import LiveView
from napari_beadscope.ui.messages import no_display
from napari_beadscope.ui.model import Message, Phase
from napari_beadscope.ui.notices import Notices
from napari_beadscope.ui.other_engines import records
from napari_beadscope.ui.overlays import Overlays
from napari_beadscope.ui.own import OwnThings
from napari_beadscope.ui.ports import EngineScopes, ScopePort, ScopeSource
from napari_beadscope.ui.preferences import begin_with_settings
from napari_beadscope.ui.qt_jobs import launch_in_thread
from napari_beadscope.ui.screen_latency import ScreenLatency
from napari_beadscope.ui.session import Session

if TYPE_CHECKING:
    import napari

#: At most 30 screen updates per second.
TICK_MS = 34
#: Qt platforms without OpenGL, on which a layer cannot be drawn.
_NO_DISPLAY = ("offscreen", "minimal")
#: How often it is asked whether an engine that is offered runs still.
_LOOK_EVERY_MS = 3000
#: Who opens the viewer may be about to attach it.
_OFFER_AFTER_MS = 400


class SessionHost(QObject):
    """The session of one viewer.

    Parameters
    ----------
    viewer : napari viewer
        Whose session it is.
    scopes : ScopeSource, optional
        Where engines come from.
    launch : callable, optional
        Runs jobs, see `JobLane`.
    """

    #: Emitted before the viewer and its session are let go of.
    ending = Signal()

    def __init__(
        self,
        viewer: napari.viewer.Viewer,
        scopes: ScopeSource | None = None,
        launch: Launch = launch_in_thread,
    ) -> None:
        super().__init__(QApplication.instance())
        self.viewer = unwrapped(viewer)
        self.session = Session(scopes or EngineScopes(), launch, self._show)
        self.live_view = LiveView(self.viewer)
        self.overlays = Overlays(self.viewer, self.session)
        self.closing = CloseGuard(self.session, self.close)
        self.own = OwnThings(self.viewer, self.session)
        self._notices = Notices()
        self._latency = ScreenLatency()
        self._offered: dict[str, str] = {}  # words by engine
        self._can_draw = QApplication.platformName() not in _NO_DISPLAY
        self._begun = False
        self._closed = self._ending = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)
        self._look_timer = QTimer(self)
        self._look_timer.setInterval(_LOOK_EVERY_MS)
        self._look_timer.timeout.connect(self._look)
        events = self.session.model.events
        events.live.connect(self._live_changed)
        events.phase.connect(self._phase_changed)
        events.calibration.connect(self._rescale)
        events.engines.connect(self._engines_found)
        self.viewer.layers.events.inserted.connect(self._rescale)
        QApplication.instance().aboutToQuit.connect(self.close)

    def close(self) -> None:
        """Stop the timer and let go of the engine, which goes on; twice is fine."""
        if self._ending:
            return
        self._ending = True
        self.ending.emit()
        self._closed = True
        self._timer.stop()
        self._look_timer.stop()
        self.session.close()
        self.overlays.close()
        self.own.close()
        events = self.session.model.events
        for signal in (
            events.live,
            events.phase,
            events.calibration,
            events.engines,
        ):
            signal.disconnect()
        self.viewer.layers.events.inserted.disconnect(self._rescale)
        self.closing.rest()
        QApplication.instance().aboutToQuit.disconnect(self.close)
        del self.viewer, self.live_view, self.overlays
        self.deleteLater()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def watch_window(self, widget: QWidget) -> None:
        """Close together with the main window that `widget` is in."""
        window = self.closing.watch(widget)
        if window is not None:
            self._latency.watch(window)

    def tick(self) -> None:
        """Bring model, frame and overlays up to date."""
        session = self.session
        session.tick()
        self.own.look()
        model = session.model
        if not model.live or session.scope is None or model.status is None or not self._can_draw:
            return
        try:
            if not self._begun:
                self._begin(session.scope)
            if self.live_view.update(session.scope):
                self._latency.drew(self.live_view.shown_ns)
        except BeadscopeError as error:
            model.live = False
            session.fail(error)
            return
        if self.live_view.rate is not model.screen:
            model.screen = self.live_view.rate
            model.screen_latency_ms = self._latency.median_ms
        self.overlays.tick()

    def _begin(self, scope: ScopePort) -> None:
        self.live_view.begin(scope.format, self.session.model.calibration)
        self.overlays.begin()
        self._begun = True

    def _live_changed(self, live: bool) -> None:
        self._begun = self._begun and live
        if live and not self._can_draw:
            self.session.say(no_display(QApplication.platformName()))
        self._latency.reset()

    def _phase_changed(self, phase: Phase) -> None:
        if phase is Phase.READY:
            self._timer.start()
        elif phase is not Phase.STARTING:
            self._timer.stop()

    def show_image(self) -> None:
        """Bring back a live image that the user has deleted."""
        scope = self.session.scope
        if scope is not None and self.session.model.live:
            self.live_view.begin(scope.format, self.session.model.calibration)

    def _rescale(self, _: Any = None) -> None:
        rescale(self.viewer, self.session.model.calibration)

    def _show(self, message: Message) -> None:
        """Tell the user at once; good news go to the status line only."""
        if message.severity == "info":
            self.viewer.status = message.text
        else:
            self._notices.show(message)

    def _engines_found(self, engines: tuple[Any, ...]) -> None:
        """Offer an engine that runs, unless this viewer is on its way to one."""
        there = {engine.engine_id for engine in engines}
        for engine_id in self._offered.keys() - there:
            self._notices.withdraw(self._offered.pop(engine_id))
        if engines:
            QTimer.singleShot(_OFFER_AFTER_MS, self._offer)
            self._look_timer.start()
        else:
            self._look_timer.stop()

    def _look(self) -> None:
        if self.session.others.found:
            self.session.look_for_engines()

    def _offer(self) -> None:
        session = self.session
        if self._closed or session.scope is not None or session.model.busy:
            return
        engine = session.others.offered
        if engine is None or engine.engine_id in self._offered:
            return
        since = time.strftime("%H:%M", time.localtime(engine.started_unix_s))
        also = f" and {records(engine)}" if engine.recording else ""
        text = (
            f"BeadScope has run the camera '{engine.camera}' since {since}{also}, "
            "without this window. Attach to see it, with its beads and its recording."
        )
        self._offered[engine.engine_id] = text
        self._notices.offer(text, "Attach", lambda: session.attach(engine.engine_id))


def host_of(
    viewer: napari.viewer.Viewer,
    scopes: ScopeSource | None = None,
    launch: Launch = launch_in_thread,
) -> SessionHost:
    """Return the viewer's host; the first call makes it and looks for running engines."""
    wanted = unwrapped(viewer)
    for host in QApplication.instance().findChildren(SessionHost):
        if not host.closed and host.viewer is wanted:
            return host
    host = SessionHost(viewer, scopes, launch)
    begin_with_settings(host.session)
    host.session.look_for_engines()
    return host


def unwrapped(viewer: Any) -> Any:
    """Return the viewer behind the proxy that napari hands to plugins."""
    return getattr(viewer, "__wrapped__", viewer)

"""Where a viewer's session lives in Qt: one timer, the layers, and the end of the window.

Owns the clock of the live view and the order of shutting down. Must not know any dock. There is
one host per viewer, a child of the application, so that docks come and go without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget

from napari_beadscope.core.errors import BeadscopeError
from napari_beadscope.core.types import Bead
from napari_beadscope.ui.jobs import Launch
from napari_beadscope.ui.layers import rescale
from napari_beadscope.ui.live_view import LiveView
from napari_beadscope.ui.model import Message, Phase
from napari_beadscope.ui.overlays import Overlays
from napari_beadscope.ui.ports import EngineScopes, ScopePort, ScopeSource
from napari_beadscope.ui.presenters.beads import roi_size_for_click
from napari_beadscope.ui.qt_jobs import launch_in_thread
from napari_beadscope.ui.session import Session

if TYPE_CHECKING:
    import napari

#: At most 30 screen updates per second.
TICK_MS = 34


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
        self.overlays = Overlays(self.viewer, self._beads_edited, self._beads_selected)
        self._windows: list[QMainWindow] = []
        self._begun = False
        self._overlay_number = self._vertices_number = -1
        self._closed = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)
        events = self.session.model.events
        events.live.connect(self._live_changed)
        events.phase.connect(self._phase_changed)
        events.beads.connect(self._show_beads)
        events.roi_size_px.connect(self._show_beads)
        events.selected.connect(self.overlays.select)
        events.calibration.connect(self._rescale)
        self.viewer.layers.events.inserted.connect(self._rescale)
        QApplication.instance().aboutToQuit.connect(self.close)

    def close(self) -> None:
        """Stop the timer and let go of the engine, which goes on; twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._timer.stop()
        self.session.close()
        self.overlays.close()
        events = self.session.model.events
        for signal in (
            events.live,
            events.phase,
            events.beads,
            events.roi_size_px,
            events.selected,
            events.calibration,
        ):
            signal.disconnect()
        self.viewer.layers.events.inserted.disconnect(self._rescale)
        for window in self._windows:
            window.removeEventFilter(self)
        self._windows.clear()
        QApplication.instance().aboutToQuit.disconnect(self.close)
        del self.viewer, self.live_view, self.overlays
        self.deleteLater()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def watch_window(self, widget: QWidget) -> None:
        """Close together with the main window that `widget` is in."""
        window = widget.window()
        if isinstance(window, QMainWindow) and window not in self._windows:
            self._windows.append(window)
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """See the main window close."""
        if event is not None and event.type() == QEvent.Type.Close and watched in self._windows:
            if event.spontaneous():
                # napari may still ask the user, who may stay.
                QTimer.singleShot(0, lambda: self._close_if_hidden(watched))
            else:
                self.close()
        return False

    def tick(self) -> None:
        """Bring model, frame and overlays up to date."""
        session = self.session
        session.tick()
        model = session.model
        if not model.live or session.scope is None or model.status is None:
            return
        try:
            if not self._begun:
                self._begin(session.scope)
            self.live_view.update(session.scope)
        except BeadscopeError as error:
            model.live = False
            session.fail(error)
            return
        if self.live_view.rate is not model.screen:
            model.screen = self.live_view.rate
        overlay = session.overlay
        if overlay is None or overlay.number == self._overlay_number:
            return
        self._overlay_number = overlay.number
        self.overlays.show_positions(overlay.newest)
        if overlay.vertices_number != self._vertices_number:
            self._vertices_number = overlay.vertices_number
            self.overlays.show_trails(overlay.vertices)

    def _begin(self, scope: ScopePort) -> None:
        model = self.session.model
        self.live_view.begin(scope.format)
        self.overlays.begin(model.beads, roi_size_for_click(model.beads, model.roi_size_px))
        self._overlay_number = self._vertices_number = -1
        self._begun = True

    def _live_changed(self, live: bool) -> None:
        self._begun = self._begun and live

    def _phase_changed(self, phase: Phase) -> None:
        if phase is Phase.READY:
            self._timer.start()
        elif phase is not Phase.STARTING:
            self._timer.stop()

    def _rescale(self, _: Any = None) -> None:
        rescale(self.viewer, self.session.model.calibration)

    def _show_beads(self, _: Any = None) -> None:
        model = self.session.model
        size = roi_size_for_click(model.beads, model.roi_size_px)
        self.overlays.show_beads(model.beads, size)

    def _beads_edited(self, beads: tuple[Bead, ...]) -> None:
        self.session.set_beads(beads)

    def _beads_selected(self, beads: frozenset[int]) -> None:
        self.session.model.selected = beads

    def _show(self, message: Message) -> None:
        """Tell the user at once; good news go to the status line only."""
        if message.severity == "error":
            show_error(message.text)
        elif message.severity == "warning":
            show_warning(message.text)
        else:
            self.viewer.status = message.text

    def _close_if_hidden(self, window: Any) -> None:
        if not self._closed and not window.isVisible():
            self.close()


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
    host.session.look_for_engines()
    return host


def unwrapped(viewer: Any) -> Any:
    """Return the viewer behind the proxy that napari hands to plugins."""
    return getattr(viewer, "__wrapped__", viewer)

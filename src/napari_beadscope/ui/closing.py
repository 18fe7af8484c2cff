"""What happens when a viewer's window is closed, above all while a recording is on.

Owns the question that is asked then, and the order of Close events. Must not know docks or layers.

A window is closed in three ways. Its × sends a spontaneous Close event, before napari's own
question. napari's menu asks first and then sends a Close event that is not spontaneous. So does
``viewer.close()`` in a script, which nobody sits in front of: by then napari has closed the canvas.
"""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

from napari_beadscope.ui.session import Session


class CloseGuard(QObject):
    """Asks before a window is closed on a recording, and tells when it was closed.

    Parameters
    ----------
    session : Session
        Whose recording it is.
    closed : callable
        Called once a window that is watched was closed.
    """

    def __init__(self, session: Session, closed: Callable[[], None]) -> None:
        super().__init__()
        self._session, self._closed = session, closed
        self._windows: list[QMainWindow] = []
        self._asked: QMainWindow | None = None
        self._decided = self._closing = False
        self.question: ClosingQuestion | None = None

    def watch(self, widget: QWidget) -> QMainWindow | None:
        """Watch the main window that `widget` is in; return it if it is a new one."""
        window = widget.window()
        if not isinstance(window, QMainWindow) or window in self._windows:
            return None
        self._windows.append(window)
        window.installEventFilter(self)
        window.destroyed.connect(self._gone)
        return window

    def rest(self) -> None:
        """Stop to watch; twice is fine."""
        for window in self._windows:
            window.removeEventFilter(self)
        self._windows.clear()
        self._asked = None
        question, self.question = self.question, None
        if question is not None:
            question.close()
            question.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """See a window close, and hold that up if the user has to be asked."""
        if event is None or watched not in self._windows:
            return False
        assert isinstance(watched, QMainWindow)
        if event.type() == QEvent.Type.Close:
            by_user = event.spontaneous() or _shows_canvas(watched)
            if by_user and not self._decided and self._session.model.recording is not None:
                event.ignore()
                self._ask(watched)
                return True
            self._closing = True  # unless napari asks and the user stays
            if not by_user:
                self._closed()
        elif event.type() == QEvent.Type.Hide and self._closing and not event.spontaneous():
            self._closed()
        return False

    def _gone(self) -> None:
        """Take note of a window that was deleted without a word."""
        self._windows.clear()
        self._closed()

    def _ask(self, window: QMainWindow) -> None:
        if self.question is not None:
            self.question.raise_()
            return
        recording = self._session.model.recording
        assert recording is not None
        self._asked = window
        self.question = ClosingQuestion(recording.name, window)
        # Later, when the click is over: what follows may delete the window.
        self.question.finished.connect(lambda _: QTimer.singleShot(0, self._answered))
        self.question.open()

    def _answered(self) -> None:
        question, self.question = self.question, None
        if question is None:
            return
        question.deleteLater()
        if not self._windows:
            return
        if question.choice == "leave" or self._session.model.recording is None:
            self._close()
        elif question.choice == "stop":
            self._session.on_scope(
                "Closing the recording",
                lambda scope: scope.stop_recording(),
                self._stopped,
            )

    def _stopped(self, path: object) -> None:
        self._session.stopped_recording(self._session.model.recording)
        self._close()

    def _close(self) -> None:
        self._decided = True
        if self._asked is not None:
            # Not `_asked.close()`: napari's own would ask anew and forget that it was to quit.
            QWidget.close(self._asked)


class ClosingQuestion(QMessageBox):
    """Leave the recording running, stop it, or stay; ``choice`` is 'leave', 'stop' or 'stay'."""

    def __init__(self, recording: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("A recording is on")
        self.setIcon(QMessageBox.Icon.Question)
        self.setText(f"BeadScope is recording into {recording}.")
        self.setInformativeText(
            "It can go on without this window: to its limit, or until you open napari again, "
            "press Attach in the Camera dock, and stop it."
        )
        roles = QMessageBox.ButtonRole
        self.leave = self.addButton("Leave it running", roles.AcceptRole)
        self.stop = self.addButton("Stop and save, then close", roles.DestructiveRole)
        self.stay = self.addButton("Stay", roles.RejectRole)
        self.setDefaultButton(self.leave)
        self.setEscapeButton(self.stay)
        self.choice = "stay"
        self.buttonClicked.connect(self._clicked)

    def _clicked(self, button: object) -> None:
        if button is self.leave:
            self.choice = "leave"
        elif button is self.stop:
            self.choice = "stop"


def _shows_canvas(window: QMainWindow) -> bool:
    """Return whether a canvas is seen: before ``viewer.close()`` closes the window, none is."""
    return any(canvas.isVisible() for canvas in window.findChildren(QOpenGLWidget))

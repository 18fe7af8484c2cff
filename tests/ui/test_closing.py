"""The ways to close a viewer, with and without a recording on; a script that ends with a job on."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from napari._qt.dialogs.confirm_close_dialog import ConfirmCloseDialog
from napari.settings import get_settings
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.types import AcquisitionMode
from napari_beadscope.ui.host import SessionHost

LEFT = Qt.MouseButton.LeftButton
SCRIPT = """
import sys, threading, time
sys.path.insert(0, sys.argv[1])
import napari
from fake_scope import FakeScope, FakeScopes
from napari_beadscope.ui.host import host_of
from qtpy.QtWidgets import QApplication

searching = threading.Event()

def find_beads(self, max_beads=None, size_px=None):
    searching.set()
    time.sleep(5.0)
    print("found", flush=True)
    return ()

FakeScope.find_beads = find_beads
viewer = napari.Viewer(show=False)
session = host_of(viewer, FakeScopes()).session
session.start_live()
session.on_scope("Finding beads", lambda scope: scope.find_beads())
while not searching.is_set():
    QApplication.processEvents()
    time.sleep(0.01)
viewer.close()
print("closed", flush=True)
"""


def test_a_script_may_end_while_beads_are_being_found() -> None:
    here = str(Path(__file__).parent)
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, here],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["closed", "found"]
    assert "deleted" not in ended.stderr


@pytest.fixture
def recording(live: SessionHost, open_dock: Any, qtbot: Any, tmp_path: Path) -> SessionHost:
    """A host that is live and records, with a dock open."""
    dock = open_dock(live, "Acquisition")
    live.session.model.root, live.session.model.mode = tmp_path, AcquisitionMode.FULL
    dock.button.click()
    qtbot.waitUntil(lambda: live.session.model.recording is not None)
    qtbot.waitUntil(lambda: not live.session.model.busy)
    keep_window(live)
    return live


def keep_window(host: SessionHost) -> None:
    """Let napari's test fixture close the viewer once more: it cannot if the window is deleted."""
    window_of(host).setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    get_settings().application.confirm_close_window = False


class ClientMessage(ctypes.Structure):
    """Xlib's XClientMessageEvent, as large as its XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_long * 24),
    )


def question_of(host: SessionHost, qtbot: Any) -> Any:
    """Return what is asked, once it is."""
    qtbot.waitUntil(lambda: host.closing.question is not None)
    return host.closing.question


def window_of(host: SessionHost) -> Any:
    return host.viewer.window._qt_window


def by_its_x(host: SessionHost) -> None:
    """What the window manager does when its × is clicked: it sends the window a message."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    window = int(window_of(host).winId())
    protocols, delete = (
        x11.XInternAtom(display, name, False) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
    )
    message = ClientMessage(
        33, 0, True, display, window, protocols, 32, (ctypes.c_long * 5)(delete, 0, 0, 0, 0)
    )
    x11.XSendEvent(display, ctypes.c_ulong(window), False, 0, ctypes.byref(message))
    x11.XCloseDisplay(display)


def by_the_menu(host: SessionHost) -> None:
    """What File → Close Window calls."""
    window_of(host).close(quit_app=False, confirm_need=True)


@pytest.fixture(params=[by_its_x, by_the_menu])
def close(request: pytest.FixtureRequest) -> Callable[[SessionHost], None]:
    """A way in which a user closes a window."""
    return request.param


def test_staying_changes_nothing(
    recording: SessionHost, close: Callable[[SessionHost], None], scopes: Any, qtbot: Any
) -> None:
    close(recording)
    question = question_of(recording, qtbot)
    assert recording.session.model.recording.name in question.text()
    close(recording)  # a second time: still one question
    qtbot.wait(100)
    assert recording.closing.question is question
    qtbot.mouseClick(question.stay, LEFT)
    qtbot.waitUntil(lambda: recording.closing.question is None)
    assert window_of(recording).isVisible()
    assert scopes.last.recording
    assert not recording.closed
    shown = recording.session.model.screen.shown
    qtbot.waitUntil(lambda: recording.session.model.screen.shown > shown)
    close(recording)
    qtbot.mouseClick(question_of(recording, qtbot).stay, LEFT)
    qtbot.waitUntil(lambda: recording.closing.question is None)


def test_leaving_it_running(
    recording: SessionHost, close: Callable[[SessionHost], None], scopes: Any, qtbot: Any
) -> None:
    window = window_of(recording)
    close(recording)
    qtbot.mouseClick(question_of(recording, qtbot).leave, LEFT)
    qtbot.waitUntil(lambda: recording.closed)
    assert not window.isVisible()
    assert scopes.last.recording
    assert scopes.last.calls[-1] == "detach"


def test_stopping_and_saving_first(
    recording: SessionHost, close: Callable[[SessionHost], None], scopes: Any, qtbot: Any
) -> None:
    window = window_of(recording)
    close(recording)
    qtbot.mouseClick(question_of(recording, qtbot).stop, LEFT)
    qtbot.waitUntil(lambda: recording.closed)
    assert not window.isVisible()
    assert scopes.last.recording == ""
    calls = [call for call in scopes.last.calls if call in ("stop_recording", "detach")]
    assert calls == ["stop_recording", "detach"]


def test_a_recording_that_cannot_be_saved_keeps_the_window_open(
    recording: SessionHost, scopes: Any, qtbot: Any
) -> None:
    scopes.last.fail_with["stop_recording"] = StorageError("the disk is full", "free some")
    by_its_x(recording)
    qtbot.mouseClick(question_of(recording, qtbot).stop, LEFT)
    model = recording.session.model
    qtbot.waitUntil(lambda: any("disk is full" in one.text for one in model.messages))
    assert not recording.closed
    assert window_of(recording).isVisible()


def test_escape_stays(recording: SessionHost, qtbot: Any) -> None:
    by_its_x(recording)
    question = question_of(recording, qtbot)
    qtbot.keyClick(question, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: recording.closing.question is None)
    assert not recording.closed


def test_a_script_is_not_asked(recording: SessionHost, scopes: Any) -> None:
    recording.viewer.close()
    assert recording.closed
    assert recording.closing.question is None
    assert scopes.last.recording


def test_without_a_recording_nothing_is_asked(
    live: SessionHost, open_dock: Any, close: Callable[[SessionHost], None], qtbot: Any
) -> None:
    qtbot.waitUntil(open_dock(live, "Camera").isVisible)
    keep_window(live)
    close(live)
    qtbot.waitUntil(lambda: live.closed)


def test_napari_asks_as_ever_and_its_answer_counts(
    live: SessionHost, open_dock: Any, scopes: Any, qtbot: Any
) -> None:
    qtbot.waitUntil(open_dock(live, "Camera").isVisible)
    keep_window(live)
    get_settings().application.confirm_close_window = True
    asked: list[bool] = []
    answers = [False, True]

    def answer() -> None:
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, ConfirmCloseDialog) and widget.isVisible():
                asked.append(answers[len(asked)])
                (widget.accept if asked[-1] else widget.reject)()

    timer = QTimer()
    timer.timeout.connect(answer)
    timer.start(100)
    by_its_x(live)
    qtbot.waitUntil(lambda: asked == [False])
    qtbot.wait(50)
    assert window_of(live).isVisible()
    assert not live.closed
    by_its_x(live)
    qtbot.waitUntil(lambda: live.closed)
    assert asked == [False, True]
    assert scopes.last.calls[-1] == "detach"

"""The Status dock: what is measured, what is bad, messages and their tracebacks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from napari.utils.notifications import Notification, notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_beadscope.core import messages
from napari_beadscope.core.errors import InputError
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.model import Message
from napari_beadscope.ui.notices import MessageDialog
from napari_beadscope.ui.presenters.disk import DiskState
from napari_beadscope.ui.presenters.status import StatusPresenter
from napari_beadscope.ui.session import Session

RED, ORANGE = "#e5484d", "#d98c00"
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def told() -> Any:
    """What napari is asked to show."""
    seen: list[Notification] = []
    notification_manager.notification_ready.connect(seen.append)
    yield seen
    notification_manager.notification_ready.disconnect(seen.append)


def test_rates_and_latencies_of_a_frame(live: SessionHost, open_dock: Any, qtbot: Any) -> None:
    status = open_dock(live, "Status")
    tiles = status.tiles
    qtbot.waitUntil(lambda: tiles["camera"].value.text() == "100.0 fps")
    qtbot.waitUntil(lambda: tiles["screen"].value.text().endswith(" fps"))
    # The fake frames are stamped when they are fetched, so what is measured is the drawing alone.
    qtbot.waitUntil(lambda: "screen" in tiles["latency"].detail.text(), timeout=10_000)
    assert 0 < live.session.model.screen_latency_ms < 3000
    assert tiles["latency"].value.text() == "3.2 ms"
    assert tiles["memory"].value.text() == "700 MB"
    assert tiles["memory"].detail.text() == "8 GB free"
    assert tiles["gpu"].detail.text() == "not used"
    assert tiles["dropped"].detail.text() == "none"
    assert status.headline.text() == "Live"
    assert status.notice.isHidden()


def test_drops_are_red_with_their_reason(
    live: SessionHost, open_dock: Any, qtbot: Any, scopes: Any, told: list[Notification]
) -> None:
    status = open_dock(live, "Status")
    scopes.last.dropped = 12
    for _ in range(3):
        scopes.last.emit(messages.FramesDropped(4, 12))
    tile = status.tiles["dropped"]
    qtbot.waitUntil(lambda: tile.value.text() == "12")
    assert RED in tile.value.styleSheet()
    qtbot.waitUntil(status.notice.isVisible)
    assert status.notice.text().startswith("12 frames dropped: ring full")
    assert RED in status.notice.styleSheet()
    assert status.messages.count() == 1  # not one for each of many events
    assert "(3 times)" in status.messages.item(0).text()
    assert "track fewer beads" in status.messages.item(0).text()
    assert [note.message for note in told if "dropped" in note.message] == [
        live.session.model.messages[-1].text
    ]


def test_a_backlog_is_a_warning(live: SessionHost, open_dock: Any, qtbot: Any, scopes: Any) -> None:
    status = open_dock(live, "Status")
    scopes.last.backlog = 400
    tile = status.tiles["backlog"]
    qtbot.waitUntil(lambda: tile.detail.text() == "falling behind")
    assert ORANGE in tile.value.styleSheet()
    qtbot.waitUntil(lambda: "fewer beads" in status.notice.text())


def test_a_disk_is_short_in_bytes_or_in_time() -> None:
    assert DiskState(10**9, 0.0).is_short
    assert DiskState(10**10, 10**8).is_short  # 100 s
    assert not DiskState(10**11, 10**8).is_short
    assert DiskState(10**11, 10**8).left_s == 1000
    assert not DiskState(None, 1.0).is_short


def test_a_full_disk_and_a_full_gpu_are_said(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = StatusPresenter(session)
    monkeypatch.setattr(status._disk, "state", lambda: DiskState(1_500_000_000, 1e7))
    assert status.notice() == (
        "The disk is nearly full: 1.5 GB left, 2.5 min at this rate.",
        "bad",
    )
    disk = {metric.name: metric.reading for metric in status.metrics()}["disk"]
    assert (disk.value, disk.tone) == ("2.5 min", "bad")
    session.start_live()
    scope = session.scope
    assert scope is not None
    full = msgspec.structs.replace(
        scope.status(), gpu_used_bytes=98 * 10**9, gpu_total_bytes=10**11
    )
    session.model.status = full
    gpu = {metric.name: metric.reading for metric in status.metrics()}["gpu"]
    assert (gpu.value, gpu.detail, gpu.tone) == ("98 GB", "of 100 GB", "warn")


def test_a_lost_camera_is_said_with_how_long_it_has_been_away(session: Session) -> None:
    status = StatusPresenter(session)
    session.start_live()
    scope = session.scope
    assert scope is not None
    why = "the camera aravis:GV01 does not answer any more"
    for seconds, away in ((42.0, "42 s"), (300.0, "5.0 min")):
        session.model.status = msgspec.structs.replace(
            scope.status(), camera_lost=why, camera_lost_s=seconds
        )
        words = f"The camera has been lost for {away}; it is looked for until it is back"
        assert status.headline() == (words, "bad")
        assert status.notice() == (f"The camera is lost: {why}.", "bad")
    session.model.status = scope.status()
    assert status.headline()[1] == "ok"


def test_workers_with_pid_state_restarts_heartbeat_and_memory(
    live: SessionHost, open_dock: Any, qtbot: Any
) -> None:
    status = open_dock(live, "Status")
    qtbot.waitUntil(lambda: status.workers.rowCount() == 3)
    table = [[status.workers.item(row, column).text() for column in range(6)] for row in range(3)]
    assert table[0] == ["camera", "101", "running", "0.1 s", "40 MB", "0"]
    assert table[1][5] == "1"
    assert table[2][2] == "silent"
    assert status.workers.item(2, 2).foreground().color().name() == RED
    assert "Last sign of life 5.0 s ago" in status.workers.item(2, 0).toolTip()
    assert status.tabs.tabText(1) == "Workers ⚠"


def test_a_message_opens_with_its_traceback_and_is_copied(
    live: SessionHost, open_dock: Any, qtbot: Any, scopes: Any
) -> None:
    status = open_dock(live, "Status")
    scopes.last.emit(messages.WorkerLost("recorder", "it crashed", "Traceback: disk", False))
    qtbot.waitUntil(lambda: status.messages.count() == 1)
    place = status.messages.visualItemRect(status.messages.item(0)).center()
    qtbot.mouseClick(status.messages.viewport(), LEFT, pos=place)
    qtbot.waitUntil(lambda: bool(status.window().findChildren(MessageDialog)))
    (dialog,) = status.window().findChildren(MessageDialog)
    assert dialog.text.toPlainText() == "Traceback: disk"
    qtbot.mouseClick(dialog.copy, LEFT)
    copied = QApplication.clipboard().text()
    assert copied == "Recorder ended: it crashed; it was not restarted\n\nTraceback: disk"
    dialog.close()
    qtbot.waitUntil(lambda: not status.window().findChildren(MessageDialog))
    status.messages.setCurrentRow(0)
    qtbot.keyClick(status.messages, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(status.window().findChildren(MessageDialog)))
    status.window().findChildren(MessageDialog)[0].close()
    qtbot.mouseClick(status.clear, LEFT)
    assert status.messages.count() == 0
    assert not status.clear.isEnabled()


def test_errors_are_napari_notifications_with_remedy_and_traceback(
    live: SessionHost, open_dock: Any, qtbot: Any, told: list[Notification]
) -> None:
    from napari._qt.dialogs.qt_notification import NapariQtNotification
    from qtpy.QtWidgets import QPushButton

    open_dock(live, "Status")
    live.session.fail(InputError("no Z-LUT at /x.txt", "check the path"), "Traceback: here")
    live.session.fail(InputError("no Z-LUT at /x.txt", "check the path"), "Traceback: here")
    assert [str(note.severity) for note in told] == ["error"]  # not twice in a row
    assert told[0].message == "No Z-LUT at /x.txt: check the path"
    notification = NapariQtNotification.from_notification(
        told[0], live.viewer.window._qt_window._qt_viewer.canvas.native
    )
    buttons = {button.text(): button for button in notification.findChildren(QPushButton)}
    buttons["View Traceback"].click()
    window = live.viewer.window._qt_window
    qtbot.waitUntil(lambda: bool(window.findChildren(MessageDialog)))
    (dialog,) = window.findChildren(MessageDialog)
    assert dialog.text.toPlainText() == "Traceback: here"
    dialog.close()
    notification.close()


def test_the_dock_closed_and_opened_again_keeps_its_messages(live: SessionHost, qtbot: Any) -> None:
    plugin = "napari-beadscope"
    dock, _ = live.viewer.window.add_plugin_dock_widget(plugin, "Status")
    live.session.say(Message("warning", "Hot sensor", 0.0))
    dock.destroyOnClose()  # what its × calls
    again = live.viewer.window.add_plugin_dock_widget(plugin, "Status")[1]
    assert "Hot sensor" in again.messages.item(0).text()
    qtbot.waitUntil(lambda: again.tiles["camera"].value.text() == "100.0 fps")


def test_it_fits_a_laptop(live: SessionHost, open_dock: Any, qtbot: Any) -> None:
    status = open_dock(live, "Status")
    qtbot.waitUntil(lambda: status.tiles["camera"].value.text() == "100.0 fps")
    assert status.minimumSizeHint().width() <= 760  # beside the layer list and the right docks


def test_lines_are_shown_in_full_height_and_details_in_full_length(
    live: SessionHost, open_dock: Any, qtbot: Any
) -> None:
    status = open_dock(live, "Status")
    qtbot.waitUntil(lambda: status.tiles["memory"].detail.text() == "8 GB free")
    status.setFixedHeight(max(status.min_height_px, status.minimumSizeHint().height()))
    qtbot.wait(50)
    for label in (status.headline, status.tracking):
        assert label.height() >= label.sizeHint().height()
    assert status.tiles["memory"].detail.toolTip().startswith("8 GB free")

"""Each dock in real napari on a fake engine: what it shows, what its buttons do, how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, Qt

from napari_beadscope.core import messages
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import AcquisitionMode, Bead, Roi
from napari_beadscope.ui.host import SessionHost

PLUGIN = "napari-beadscope"
NAMES = ("Camera", "Beads", "Acquisition", "Status")


def open_dock(host: SessionHost, name: str) -> Any:
    return host.viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]


@pytest.fixture
def live(shown_host: SessionHost, qtbot: Any) -> SessionHost:
    """A shown host that is live."""
    camera = open_dock(shown_host, "Camera")
    qtbot.mouseClick(camera.live, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown_host.live_view.layer is not None)
    qtbot.waitUntil(lambda: shown_host.live_view.layer.data.any())
    return shown_host


def test_every_dock_is_in_the_plugin_and_shares_one_session(host: SessionHost) -> None:
    docks = [open_dock(host, name) for name in NAMES]
    assert {id(dock.session) for dock in docks} == {id(host.session)}
    assert all(dock.awake for dock in docks)


def test_every_input_has_a_tooltip(host: SessionHost) -> None:
    from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit

    for name in NAMES:
        dock = open_dock(host, name)
        for kind in (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit):
            for widget in dock.findChildren(kind):
                up, found = widget, False
                while up is not None and up is not dock and not found:
                    found, up = bool(up.toolTip()), up.parentWidget()
                assert found or widget.objectName().startswith(("qt_", "Scroll")), (name, widget)


def test_camera_live_by_mouse(live: SessionHost, qtbot: Any, scopes: Any) -> None:
    camera = open_dock(live, "Camera")
    assert camera.live.isChecked()
    assert camera.live.text() == "● Live"
    qtbot.waitUntil(lambda: "512 × 512 px uint8" in camera.state.text())
    assert camera.properties.editor("exposure_ms").suffix() == " ms"
    camera.properties.editor("exposure_ms").setValue(3.5)
    qtbot.waitUntil(lambda: scopes.last.exposure_ms == 3.5)
    qtbot.mouseClick(camera.live, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not live.session.model.live and not live.session.model.busy)
    assert not camera.live.isChecked()


def test_camera_options_and_replay(host: SessionHost, scopes: Any) -> None:
    camera = open_dock(host, "Camera")
    camera.options.editor("width_px").setValue(320)
    camera.options.editor("dtype").setCurrentText("uint16")
    assert "320 × 512 px · 100 fps" in camera.options_button.text()
    camera.live.click()
    assert scopes.last.shape == (512, 320)
    camera.live.click()
    row = camera.camera.findData("replay")
    camera.camera.setCurrentIndex(row)
    camera.camera.activated.emit(row)
    assert camera.options_button.isChecked()
    camera.live.click()
    assert not camera.live.isChecked()
    assert "No file to replay" in host.session.model.messages[-1].text
    camera.options.editor("path").changed.emit("/data/beads.tif")
    assert host.session.model.camera_id == "replay:/data/beads.tif"


def test_a_failed_start_puts_the_button_back(host: SessionHost, scopes: Any) -> None:
    scopes.fail_with["start"] = InputError("no camera", "plug it in")
    camera = open_dock(host, "Camera")
    camera.live.click()
    assert not camera.live.isChecked()
    assert camera.state.text() == "off"


def test_camera_offers_a_running_engine(make_napari_viewer: Any, scopes: Any, qtbot: Any) -> None:
    from fake_scope import FakeEngine

    from napari_beadscope.ui.host import host_of

    scopes.engines = (FakeEngine(),)
    scopes.recording = "/data/20261121_night"
    host = host_of(make_napari_viewer(show=True), scopes)
    camera = open_dock(host, "Camera")
    qtbot.waitUntil(lambda: camera.offer.isVisible())
    assert "simulated" in camera.offer_text.text()
    qtbot.mouseClick(camera.attach, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: host.session.model.live)
    record = open_dock(host, "Acquisition")
    assert "Stop" in record.button.text()
    assert not camera.offer.isVisible()
    host.close()


def test_camera_shows_what_an_attached_engine_runs(host: SessionHost, scopes: Any) -> None:
    scopes.running_options = {"width_px": 544, "height_px": 540, "fps": 80.0}
    camera = open_dock(host, "Camera")
    assert "20 beads" in camera.options_button.text()
    host.session.attach("e1")
    assert camera.options_button.text() == "544 × 540 px uint8 · 80 fps"
    assert not camera.camera.isEnabled()
    assert camera.options.isHidden()
    scopes.last.emit(messages.LiveChanged(False))
    host.session._lost(InputError("no engine", "start one"))
    assert "20 beads" in camera.options_button.text()
    assert camera.camera.isEnabled()


def test_beads_found_added_selected_removed(live: SessionHost, qtbot: Any, scopes: Any) -> None:
    beads = open_dock(live, "Beads")
    beads.at_most.setValue(5)
    qtbot.mouseClick(beads.find_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: beads.rows.rowCount() == 5)
    qtbot.waitUntil(lambda: beads.count.text() == "5 beads, 5 tracked")
    beads.add.setChecked(True)
    layer = live.overlays.boxes
    assert layer.mode == "add"
    assert live.viewer.layers.selection.active is layer
    layer.add([[230.0, 60.0]])
    qtbot.waitUntil(lambda: beads.rows.rowCount() == 6)
    beads.add.setChecked(False)
    assert layer.mode == "pan_zoom"
    beads.table.selectRow(2)
    assert live.session.model.selected == {2}
    assert set(layer.selected_data) == {2}
    qtbot.waitUntil(beads.remove.isEnabled)
    qtbot.mouseClick(beads.remove, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: beads.rows.rowCount() == 5)
    assert 2 not in [bead.bead for bead in scopes.last.beads]
    beads.roi_size.setValue(30)
    qtbot.waitUntil(lambda: {bead.roi.size for bead in scopes.last.beads} == {30})
    qtbot.waitUntil(lambda: set(np.ravel(layer.size)) == {30.0})
    qtbot.mouseClick(beads.clear, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: beads.rows.rowCount() == 0)


def test_a_click_into_the_image_adds_a_bead(live: SessionHost, qtbot: Any, scopes: Any) -> None:
    beads = open_dock(live, "Beads")
    live.session.set_beads((Bead(0, Roi(40, 40, 48)),))
    qtbot.waitUntil(lambda: live.overlays.trails is not None)  # which makes the world 3-D
    qtbot.mouseClick(beads.add, Qt.MouseButton.LeftButton)
    live.viewer.reset_view()
    qtbot.wait(100)
    canvas = live.viewer.window._qt_window._qt_viewer.canvas.native
    qtbot.mouseMove(canvas, canvas.rect().center())
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
    qtbot.waitUntil(lambda: len(scopes.last.beads) == 2)
    added = scopes.last.beads[1]
    assert added.bead == 1
    assert added.roi.size == 48
    assert np.abs(np.array(added.roi.centre_px) - 255.5).max() < 3
    qtbot.mouseClick(beads.add, Qt.MouseButton.LeftButton)
    assert live.overlays.boxes.mode == "pan_zoom"


def test_beads_calibration(live: SessionHost, qtbot: Any, scopes: Any) -> None:
    beads = open_dock(live, "Beads")
    beads.nm_per_px.setValue(72.5)
    qtbot.waitUntil(lambda: scopes.last.calibration.nm_per_px == 72.5)
    beads.zlut.changed.emit("/no/such/file.txt")
    qtbot.waitUntil(lambda: bool(live.session.model.messages))
    assert "No Z-LUT at" in live.session.model.messages[-1].text
    assert beads.zlut.edit.text() == ""


def test_beads_method(live: SessionHost, qtbot: Any, scopes: Any) -> None:
    beads, status = open_dock(live, "Beads"), open_dock(live, "Status")
    assert beads.method.currentText() == "precise"
    assert "photon noise" in beads.method.toolTip()
    qtbot.waitUntil(lambda: "no CUDA device found" in status.tracking.toolTip())
    beads.method.setCurrentIndex(1)
    beads.method.textActivated.emit("magtrack-compatible")
    qtbot.waitUntil(lambda: scopes.last.method == "magtrack-compatible")
    assert "MagScope" in beads.method.toolTip()
    qtbot.waitUntil(lambda: status.tracking.toolTip().startswith("cpu, magtrack-compatible"))
    scopes.last.step = "compiling kernels"
    qtbot.waitUntil(lambda: status.headline.text().startswith("Compiling kernels…"))
    scopes.last.step = ""
    qtbot.waitUntil(lambda: status.headline.text() == "Live")
    live.session.model.recording = Path("/tmp/r")
    assert not beads.method.isEnabled()


def test_record_by_mouse(live: SessionHost, qtbot: Any, scopes: Any, tmp_path: Path) -> None:
    record = open_dock(live, "Acquisition")
    record.root.changed.emit(str(tmp_path))
    record.name.setText("pull")
    record.name.editingFinished.emit()
    record.mode.setCurrentIndex(record.mode.findData(AcquisitionMode.FULL.value))
    record.mode.activated.emit(record.mode.currentIndex())
    qtbot.waitUntil(lambda: "MB/s" in record.disk.text())
    qtbot.mouseClick(record.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: live.session.model.recording == tmp_path / "20261121_pull")
    assert record.button.text() == "■ Stop recording"
    assert not record.mode.isEnabled()
    qtbot.waitUntil(lambda: "frames" in record.progress.text())
    qtbot.waitUntil(record.button.isEnabled)
    qtbot.mouseClick(record.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: record.progress.text() == "Saved: 20261121_pull")
    assert record.mode.isEnabled()


def test_record_says_what_is_missing(host: SessionHost) -> None:
    record = open_dock(host, "Acquisition")
    assert record.progress.text() == "No beads yet: this mode needs some"
    host.session.model.mode = AcquisitionMode.FULL
    assert record.progress.text() == "Not recording"


def test_status_shows_drops_in_red_and_keeps_tracebacks(
    live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    status = open_dock(live, "Status")
    qtbot.waitUntil(lambda: status.tiles["camera"].value.text() == "100.0 fps")
    scopes.last.dropped = 12
    scopes.last.emit(messages.FramesDropped(12, 12))
    scopes.last.emit(messages.WorkerLost("recorder", "it crashed", "Traceback: disk", False))
    tile = status.tiles["dropped"]
    qtbot.waitUntil(lambda: tile.value.text() == "12 frames")
    assert "#e5484d" in tile.value.styleSheet()
    assert "ring full" in tile.detail.text()
    assert status.workers.rowCount() == 3
    assert status.messages.count() == 1
    place = status.messages.visualItemRect(status.messages.item(0)).center()
    qtbot.mouseClick(status.messages.viewport(), Qt.MouseButton.LeftButton, pos=place)
    from napari_beadscope.ui.docks.status import MessageDialog

    qtbot.waitUntil(lambda: bool(status.findChildren(MessageDialog)))
    dialog = status.findChildren(MessageDialog)[0]
    assert dialog.text.toPlainText() == "Traceback: disk"
    dialog.close()
    qtbot.mouseClick(status.clear, Qt.MouseButton.LeftButton)
    assert status.messages.count() == 0


def test_a_closed_dock_rests_and_live_goes_on(live: SessionHost, qtbot: Any, scopes: Any) -> None:
    dock, camera = live.viewer.window.add_plugin_dock_widget(PLUGIN, "Camera")
    dock.destroyOnClose()  # what its × calls
    qtbot.waitUntil(lambda: not camera.awake)
    shown = live.session.model.screen.shown
    qtbot.waitUntil(lambda: live.session.model.screen.shown > shown)
    again = open_dock(live, "Camera")
    assert again is not camera
    assert again.live.isChecked()
    assert len(scopes.made) == 1


def test_closing_the_viewer_lets_go_of_the_engine(
    live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    live.session.model.root = Path("/tmp")
    open_dock(live, "Acquisition").button.click()
    qtbot.waitUntil(lambda: live.session.model.recording is not None)
    live.viewer.close()
    assert live.closed
    assert scopes.last.calls[-1] == "detach"
    assert scopes.last.recording != ""


def test_a_close_that_the_user_takes_back_changes_nothing(
    live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    window = open_dock(live, "Camera").window()

    class Asked(QEvent):
        def spontaneous(self) -> bool:
            return True

    assert not live.eventFilter(window, Asked(QEvent.Type.Close))
    qtbot.wait(50)
    assert not live.closed

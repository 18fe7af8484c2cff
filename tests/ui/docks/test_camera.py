"""The Camera dock in real napari: live, options, window of the sensor, snaps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLineEdit

from napari_beadscope import devices
from napari_beadscope.core import messages
from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.core.window import Window
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.layers import find_layer
from napari_beadscope.ui.snap import METADATA_KEY


@pytest.fixture
def camera(live: SessionHost, open_dock: Callable[[SessionHost, str], Any], qtbot: Any) -> Any:
    """The dock of a camera that is live."""
    dock = open_dock(live, "Camera")
    qtbot.waitUntil(lambda: dock.draw.isEnabled())
    settle(live)
    live.viewer.reset_view()
    return dock


def settle(host: SessionHost) -> None:
    """Wait until the window has made room for what was opened."""
    native = host.viewer.window._qt_viewer.canvas.native
    sizes: list[tuple[int, int]] = []
    while len(sizes) < 5 or len(set(sizes[-5:])) > 1:
        QTest.qWait(100)
        sizes.append((native.width(), native.height()))


def on_canvas(host: SessionHost, y_px: float, x_px: float) -> QPoint:
    """Where a place of the frame is on the canvas."""
    native = host.viewer.window._qt_viewer.canvas.native
    view = host.viewer.scene.camera
    world = np.array(host.live_view.layer.data_to_world((y_px, x_px)))
    y, x = (world - view.center[-2:]) * view.zoom
    return QPoint(round(native.width() / 2 + x), round(native.height() / 2 + y))


def drag(host: SessionHost, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag the mouse over the canvas, between places of the frame."""
    native = host.viewer.window._qt_viewer.canvas.native
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    settle(host)
    first, last = on_canvas(host, *start), on_canvas(host, *end)
    QTest.mouseMove(native, first)
    QTest.mousePress(native, left, none, first)
    for step in range(1, 6):
        QTest.mouseMove(native, first + (last - first) * step / 5)
        QTest.qWait(5)
    QTest.mouseRelease(native, left, none, last)
    QTest.qWait(20)


def test_a_box_dragged_over_the_image_becomes_the_cameras_roi(
    camera: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    live.session.set_beads((Bead(4, Roi(100, 120, 48)), Bead(9, Roi(300, 300, 48))))
    qtbot.waitUntil(lambda: live.overlays.trails is not None)  # they may change the layout
    image, active = live.live_view.layer, live.viewer.layers.selection.active
    image.contrast_limits = (60, 140)
    qtbot.mouseClick(camera.draw, Qt.MouseButton.LeftButton)
    box = find_layer(live.viewer, "roi-box")
    assert box.visible
    assert box.mode == "add_rectangle"
    drag(live, (80.0, 96.0), (239.0, 295.0))
    qtbot.waitUntil(lambda: live.live_view.layer.data.shape == scopes.last.shape != (512, 512))
    wanted = Window(80, 96, 160, 200)
    found = scopes.last.window
    assert np.abs(np.subtract(
        (found.y0, found.x0, found.height, found.width),
        (wanted.y0, wanted.x0, wanted.height, wanted.width),
    )).max() <= 3  # fmt: skip
    assert (live.live_view.layer, box.visible) == (image, False)
    assert not camera.draw.isChecked()
    assert live.viewer.layers.selection.active is active
    assert image.contrast_limits == [60, 140]
    middle = np.array(image.data_to_world((np.array(image.data.shape) - 1) / 2))
    assert live.viewer.scene.camera.center[-2:] == pytest.approx(middle, abs=0.2)
    assert [bead.bead for bead in live.session.model.beads] == [4]
    (bead,) = live.session.model.beads
    assert (bead.roi.y0, bead.roi.x0) == (100 - found.y0, 120 - found.x0)
    said = [message.text for message in live.session.model.messages]
    assert any("9" in text for text in said)
    text = f"Image: {found.width} × {found.height} of 512 × 512 px at x {found.x0}, y {found.y0}"
    qtbot.waitUntil(lambda: camera.window_text.text() == text)
    # a box in a box
    qtbot.mouseClick(camera.draw, Qt.MouseButton.LeftButton)
    assert find_layer(live.viewer, "roi-box") is box
    drag(live, (20.0, 30.0), (99.0, 129.0))
    qtbot.waitUntil(lambda: scopes.last.window != found)
    assert scopes.last.window.y0 - found.y0 == pytest.approx(20, abs=3)
    assert scopes.last.window.x0 - found.x0 == pytest.approx(30, abs=3)
    qtbot.mouseClick(camera.whole, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: live.live_view.layer.data.shape == (512, 512))
    qtbot.waitUntil(lambda: camera.window_text.text() == "Image: whole sensor, 512 × 512 px")
    assert not camera.whole.isEnabled()
    assert "whole sensor" in camera.whole.toolTip()


def test_drawing_can_be_cancelled(camera: Any, live: SessionHost, qtbot: Any, scopes: Any) -> None:
    for end in (
        lambda: qtbot.mouseClick(camera.draw, Qt.MouseButton.LeftButton),
        lambda: live.session.stop_live(),
    ):
        live.session.start_live()
        qtbot.waitUntil(lambda: camera.draw.isEnabled())
        qtbot.mouseClick(camera.draw, Qt.MouseButton.LeftButton)
        assert camera.box.drawing
        end()
        qtbot.waitUntil(lambda: not camera.box.drawing)
        assert not find_layer(live.viewer, "roi-box").visible
        assert not camera.draw.isChecked()
    live.session.start_live()
    qtbot.waitUntil(lambda: camera.draw.isEnabled())
    qtbot.mouseClick(camera.draw, Qt.MouseButton.LeftButton)
    live.viewer.layers.remove(find_layer(live.viewer, "roi-box"))
    assert not camera.box.drawing
    assert not camera.draw.isChecked()
    assert scopes.last.window == scopes.last.sensor


def test_a_click_or_a_box_beside_the_image_changes_nothing(
    camera: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    qtbot.mouseClick(camera.draw, Qt.MouseButton.LeftButton)
    drag(live, (100.0, 100.0), (101.0, 101.0))
    qtbot.waitUntil(lambda: not camera.box.drawing)
    qtbot.waitUntil(lambda: bool(live.session.model.messages))
    assert "too small" in live.session.model.messages[-1].text
    live.viewer.scene.camera.zoom /= 2
    qtbot.mouseClick(camera.draw, Qt.MouseButton.LeftButton)
    drag(live, (-90.0, 10.0), (-20.0, 200.0))
    qtbot.waitUntil(lambda: not camera.box.drawing)
    assert "outside" in live.session.model.messages[-1].text
    assert scopes.last.window == scopes.last.sensor


def test_binning_doubles_the_pixel_size(
    camera: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    live.session.set_beads((Bead(4, Roi(100, 120, 48)),))
    layer = live.live_view.layer
    camera.properties.editor("binning").setCurrentText("2")
    qtbot.waitUntil(lambda: layer.data.shape == (256, 256) and bool(layer.data.any()))
    qtbot.waitUntil(lambda: tuple(layer.scale) == pytest.approx((0.2, 0.2)))
    qtbot.waitUntil(lambda: live.session.model.beads == (Bead(4, Roi(50, 60, 24)),))
    assert "whole sensor" in camera.window_text.text()
    assert live.live_view.layer is layer


def test_another_viewers_change_is_seen_here(camera: Any, qtbot: Any, scopes: Any) -> None:
    scopes.last.set_camera(roi="0,0,100,200")
    qtbot.waitUntil(lambda: "200 × 100 of 512 × 512 px" in camera.window_text.text())


def test_buttons_that_cannot_act_say_why(
    host: SessionHost, open_dock: Any, qtbot: Any, tmp_path: Path
) -> None:
    camera = open_dock(host, "Camera")
    assert camera.window_row.isHidden()
    camera.live.click()
    host.tick()
    assert not camera.window_row.isHidden()
    assert camera.draw.isEnabled()
    host.session.model.recording = tmp_path
    for button in (camera.draw, camera.whole):
        assert not button.isEnabled()
        assert "stop the recording first" in button.toolTip()
    assert not camera.properties.isEnabled()
    host.session.model.recording = None
    camera.live.click()
    assert not camera.draw.isEnabled()
    assert "Press Live first" in camera.draw.toolTip()


def test_a_snap_is_a_layer_with_its_story(
    camera: Any, live: SessionHost, qtbot: Any, scopes: Any
) -> None:
    viewer, active = live.viewer, live.viewer.layers.selection.active
    live.live_view.layer.contrast_limits = (50, 150)
    count = len(viewer.layers)
    qtbot.mouseClick(camera.snap, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(viewer.layers) == count + 1)
    (snap,) = [layer for layer in viewer.layers if METADATA_KEY in layer.metadata]
    story = snap.metadata[METADATA_KEY]
    assert story["camera"] == "simulated"
    assert story["exposure_ms"] == 2.0
    assert story["frame"] <= scopes.last.frame
    assert story["time_utc"].endswith("+00:00")
    assert story["properties"]["roi"] == "0,0,512,512"
    assert snap.name.startswith(f"Snap {story['frame']}, ")
    assert tuple(snap.scale) == pytest.approx((0.1, 0.1))
    assert snap.contrast_limits == [50, 150]
    assert viewer.layers.selection.active is active
    # it is seen at once, with the overlays above it, and stays what it is
    assert viewer.layers.index(live.live_view.layer) == 0
    assert viewer.layers.index(snap) == 1
    assert "hide it to see live frames" in viewer.status
    kept, scale = snap.data.copy(), tuple(snap.scale)
    camera.properties.editor("binning").setCurrentText("2")
    qtbot.waitUntil(lambda: live.live_view.layer.data.shape == (256, 256))
    assert np.array_equal(snap.data, kept)
    assert tuple(snap.scale) == scale


def test_a_snap_needs_no_live_view(host: SessionHost, open_dock: Any, scopes: Any) -> None:
    camera = open_dock(host, "Camera")
    camera.snap.click()
    (snap,) = [layer for layer in host.viewer.layers if METADATA_KEY in layer.metadata]
    assert snap.data.any()
    assert not host.session.model.live
    assert not scopes.last.streaming
    camera.snap.click()  # the engine is there now, and the camera pauses
    assert len([one for one in host.viewer.layers if METADATA_KEY in one.metadata]) == 2
    assert not scopes.last.streaming


def test_camera_live_by_mouse(live: SessionHost, qtbot: Any, scopes: Any, open_dock: Any) -> None:
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


def test_camera_options_and_replay(host: SessionHost, scopes: Any, open_dock: Any) -> None:
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


def test_a_failed_start_puts_the_button_back(
    host: SessionHost, scopes: Any, open_dock: Any
) -> None:
    scopes.fail_with["start"] = InputError("no camera", "plug it in")
    camera = open_dock(host, "Camera")
    camera.live.click()
    assert not camera.live.isChecked()
    assert camera.state.text() == "off"


def test_camera_offers_a_running_engine(
    make_napari_viewer: Any, scopes: Any, qtbot: Any, open_dock: Any
) -> None:
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


def test_an_offer_goes_with_its_engine(
    make_napari_viewer: Any,
    scopes: Any,
    qtbot: Any,
    open_dock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fake_scope import FakeEngine
    from napari._qt.dialogs.qt_notification import NapariQtNotification

    from napari_beadscope.ui import host as host_module

    def notifications() -> list[Any]:
        found = QApplication.allWidgets()
        return [one for one in found if isinstance(one, NapariQtNotification) and one.isVisible()]

    monkeypatch.setattr(host_module, "_LOOK_EVERY_MS", 200)
    scopes.engines = (FakeEngine(recording="/data/night"),)
    host = host_module.host_of(make_napari_viewer(show=True), scopes)
    camera = open_dock(host, "Camera")
    qtbot.waitUntil(lambda: bool(notifications()))
    assert " and records (since " in notifications()[0].message.text()
    assert camera.offer.isVisible()
    scopes.engines = ()
    qtbot.waitUntil(lambda: not notifications())
    assert not camera.offer.isVisible()
    host.close()


def test_camera_shows_what_an_attached_engine_runs(
    host: SessionHost, scopes: Any, open_dock: Any
) -> None:
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


FOUND = (
    devices.DeviceInfo("simulated", "Simulated microscope with ground truth"),
    devices.DeviceInfo("pylon:23450112", "Basler acA1300-200um"),
    devices.DeviceInfo("genicam:DEVICE", "Camera with a GenTL producer", "none is connected"),
)


def lines(dock: Any) -> dict[str, bool]:
    """The list of cameras: what can be chosen, and what not."""
    model = dock.camera.model()
    rows = range(dock.camera.count())
    return {dock.camera.itemText(row): model.item(row).isEnabled() for row in rows}


def pick(dock: Any, camera_id: str) -> None:
    """Choose a line as a click does."""
    dock.camera.setCurrentIndex(dock.camera.findData(camera_id))
    dock.camera.activated.emit(dock.camera.currentIndex())


def test_cameras_that_are_connected_are_found_and_used(
    host: SessionHost,
    open_dock: Callable[[SessionHost, str], Any],
    qtbot: Any,
    scopes: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "find_cameras", lambda: FOUND)
    dock = open_dock(host, "Camera")
    assert "Basler acA1300-200um" not in lines(dock)
    assert dock.camera.currentText() == "Simulated microscope"
    qtbot.mouseClick(dock.search, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Basler acA1300-200um" in lines(dock), timeout=20_000)
    found = lines(dock)
    assert found["Basler acA1300-200um"]
    assert not found["Camera with a GenTL producer"]
    row = dock.camera.findText("Camera with a GenTL producer")
    assert "none is connected" in dock.camera.itemData(row, Qt.ItemDataRole.ToolTipRole)
    assert dock.search.isEnabled()
    assert "1 camera found" in dock.search.toolTip()
    assert dock.camera.currentText() == "Simulated microscope"
    pick(dock, "pylon:23450112")
    assert host.session.model.camera_id == "pylon:23450112"
    assert dock.camera.currentText() == "Basler acA1300-200um"
    qtbot.mouseClick(dock.live, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: host.session.model.live, timeout=20_000)
    assert scopes.last.camera_id == "pylon:23450112"


def test_a_camera_is_named_by_its_id(
    shown_host: SessionHost, open_dock: Callable[[SessionHost, str], Any], qtbot: Any
) -> None:
    host = shown_host
    dock = open_dock(host, "Camera")
    pick(dock, "other")
    assert host.session.model.camera_id == "simulated"
    qtbot.mouseClick(dock.live, Qt.MouseButton.LeftButton)
    assert not dock.live.isChecked()
    assert host.session.scope is None
    known = dock.options.findChildren(QLineEdit)  # also those of fields that are on their way out
    editor = next(one for one in known if "path/to/file.py:ClassName" in one.toolTip())
    qtbot.waitUntil(editor.isVisible, timeout=20_000)
    qtbot.keyClicks(editor, "lab/my_camera.py:MyCamera")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert host.session.model.camera_id == "lab/my_camera.py:MyCamera"
    assert dock.camera.currentText() == "lab/my_camera.py:MyCamera"
    pick(dock, "simulated")
    assert host.session.model.camera_id == "simulated"


def test_a_search_that_fails_says_why(
    host: SessionHost,
    open_dock: Callable[[SessionHost, str], Any],
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> Any:
        raise InputError("no search today", "try tomorrow")

    monkeypatch.setattr(devices, "find_cameras", fail)
    dock = open_dock(host, "Camera")
    qtbot.mouseClick(dock.search, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.search.isEnabled(), timeout=20_000)
    assert dock.search.text() == "Find"
    assert dock.camera.currentText() == "Simulated microscope"

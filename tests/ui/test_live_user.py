"""What a user may do to the live image while frames come: look, point, zoom, hide, delete."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import psutil
import pytest
from qtpy.QtCore import QPoint
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.layers import find_layer

DARK, BRIGHT = 60, 180


def tick_until(host: SessionHost, what: Callable[[], Any], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, "timed out"
        host.tick()
        time.sleep(0.005)


@pytest.fixture
def still(live: SessionHost, scopes: Any, qtbot: Any) -> SessionHost:
    """A live view of frames that all look the same: dark on the left, bright on the right."""
    picture = np.full(scopes.last.shape, DARK, np.uint8)
    picture[:, 256:] = BRIGHT
    picture[100, 300] = 7
    scopes.last._pool = [picture]
    layer = live.live_view.layer
    layer.contrast_limits = (0, 200)
    qtbot.waitUntil(lambda: np.array_equal(layer.data, picture), timeout=20_000)
    return live


def halves(host: SessionHost) -> tuple[float, float]:
    """Mean brightness of the left and the right half of the image on the screen."""
    QTest.qWait(100)
    shot = host.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float)
    height, width = shot.shape[:2]
    rows = slice(2 * height // 5, 3 * height // 5)
    left, right = shot[rows, 2 * width // 5 : width // 2], shot[rows, width // 2 : 3 * width // 5]
    return float(left.mean()), float(right.mean())


def test_a_screenshot_shows_the_frame_in_two_and_three_dimensions(still: SessionHost) -> None:
    expected = 255 * DARK / 200, 255 * BRIGHT / 200
    assert halves(still) == pytest.approx(expected, abs=15)
    shown = still.live_view.shown
    still.viewer.dims.ndisplay = 3
    QTest.qWait(200)
    assert halves(still) == pytest.approx(expected, abs=15)
    assert still.live_view.shown > shown
    still.viewer.dims.ndisplay = 2
    assert halves(still) == pytest.approx(expected, abs=15)


def test_the_value_under_the_mouse_is_the_pixels(still: SessionHost) -> None:
    layer, camera = still.live_view.layer, still.viewer.scene.camera
    native = still.viewer.window._qt_viewer.canvas.native
    camera.center, camera.zoom = tuple(layer.data_to_world((100, 300))), 100.0
    still.viewer.layers.selection.active = layer
    QTest.qWait(100)
    QTest.mouseMove(native, QPoint(native.width() // 2 - 60, native.height() // 2))
    QTest.qWait(50)  # else the next move may be taken for one with this
    QTest.mouseMove(native, QPoint(native.width() // 2, native.height() // 2))
    QTest.qWait(50)
    position = still.viewer.cursor.position
    assert layer.get_value(position, world=True) == layer.data[100, 300] == 7
    # what napari writes into its status bar, in um
    assert layer.get_status(position, world=True)["coordinates"] == "[10.000, 30.000]: 7"


def test_zoom_and_contrast_stay_while_frames_come_and_over_a_pause(
    live: SessionHost, qtbot: Any
) -> None:
    camera, layer = live.viewer.scene.camera, live.live_view.layer
    camera.center, camera.zoom = (0.0, 12.0, 34.0), 77.0
    layer.contrast_limits = (11, 99)
    layer.colormap = "viridis"
    shown = live.live_view.shown
    qtbot.waitUntil(lambda: live.live_view.shown > shown + 5, timeout=20_000)
    live.session.stop_live()
    qtbot.waitUntil(lambda: not live.session.model.live)
    live.session.start_live()
    qtbot.waitUntil(lambda: live.session.model.live and live.live_view.shown > 2, timeout=20_000)
    assert (tuple(camera.center), camera.zoom) == ((0.0, 12.0, 34.0), 77.0)
    assert layer.contrast_limits == [11, 99]
    assert layer.colormap.name == "viridis"
    assert live.live_view.layer is layer


def test_a_hidden_image_costs_nothing_and_skips_nothing(
    host: SessionHost, scopes: Any, monkeypatch: Any
) -> None:
    host.session.start_live()
    tick_until(host, lambda: host.live_view.shown > 1)
    layer, scope = host.live_view.layer, scopes.last
    copies: list[int] = []
    copy = scope.copy_latest_into
    monkeypatch.setattr(scope, "copy_latest_into", lambda out: (copies.append(1), copy(out))[1])
    refreshes: list[int] = []
    layer.events.set_data.connect(lambda _: refreshes.append(1))
    layer.visible = False
    refreshes.clear()
    for _ in range(30):
        host.tick()
        time.sleep(0.01)
    assert not copies
    assert not refreshes
    skipped = host.live_view._skipped
    layer.visible = True
    shown = host.live_view.shown
    host.tick()
    assert host.live_view.shown == shown + 1
    assert host.live_view._skipped == skipped


def test_skips_are_counted_to_the_frame(host: SessionHost, scopes: Any, monkeypatch: Any) -> None:
    host.session.start_live()
    tick_until(host, lambda: host.live_view.shown > 0)
    number = [1000]
    monkeypatch.setattr(type(scopes.last), "frame", property(lambda _: number[0]))
    host.live_view.update(scopes.last)
    shown, skipped = host.live_view.shown, host.live_view._skipped
    for number[0] in (1001, 1002, 1010, 1010, 1011, 1100):
        host.live_view.update(scopes.last)
    assert host.live_view.shown == shown + 5
    assert host.live_view._skipped == skipped + 7 + 88


def test_a_deleted_image_comes_back_at_the_press_of_a_button(
    live: SessionHost, open_dock: Any, qtbot: Any, scopes: Any
) -> None:
    camera = open_dock(live, "Camera")
    assert camera.gone.isHidden()
    live.session.set_beads((Bead(1, Roi(100, 100, 48)),))
    live.viewer.layers.remove(live.live_view.layer)
    qtbot.waitUntil(lambda: camera.gone.isVisible(), timeout=20_000)
    assert scopes.last.streaming
    assert live.session.model.live
    live.viewer.layers.selection.active = live.overlays.boxes
    camera.show_again.click()
    layer = live.live_view.layer
    assert layer is find_layer(live.viewer, "live")
    assert live.viewer.layers.index(layer) == 0  # the overlays stay on top
    qtbot.waitUntil(lambda: layer.contrast_limits[1] < 255, timeout=20_000)  # fitted anew
    assert camera.gone.isHidden()


def test_sixteen_bits_fit_their_contrast_anew_and_another_size_keeps_it(
    host: SessionHost, scopes: Any
) -> None:
    host.session.model.options = {"dtype": "uint16"}
    host.session.start_live()
    tick_until(host, lambda: host.live_view.shown > 1)
    layer = host.live_view.layer
    assert layer.dtype == np.uint16
    low, high = layer.contrast_limits
    assert low < layer.data.min() + 1
    assert layer.data.max() <= high < 65_535
    layer.contrast_limits = (21_000, 23_000)
    for values in ({"roi": "0,0,200,300"}, {"binning": 2}, {"roi": "full"}):
        scopes.last.set_camera(**values)
        tick_until(host, lambda: layer.data.shape == scopes.last.shape and layer.data.any())
        assert layer.contrast_limits == [21_000, 23_000]
    host.session.model.options = {"dtype": "uint8"}
    host.session.start_live()
    tick_until(host, lambda: layer.dtype == np.uint8 and bool(layer.data.any()))
    assert layer.contrast_limits[1] <= 255
    assert find_layer(host.viewer, "live") is layer


def test_trails_go_with_the_last_bead(live: SessionHost, qtbot: Any) -> None:
    live.session.set_beads((Bead(1, Roi(100, 100, 48)),))
    qtbot.waitUntil(lambda: live.overlays.trails is not None, timeout=20_000)
    live.session.set_beads(())
    trails = live.overlays.trails
    qtbot.waitUntil(lambda: not trails.data[:, 1:].any(), timeout=20_000)
    qtbot.waitUntil(lambda: not len(live.overlays.positions.data), timeout=20_000)


@pytest.mark.timeout(400)
def test_ten_thousand_updates_leave_no_memory_behind(
    live: SessionHost, scopes: Any, qtbot: Any, monkeypatch: Any
) -> None:
    scopes.last.set_camera(roi="0,0,256,256")  # whose news of the beads comes first
    qtbot.waitUntil(lambda: live.live_view.layer.data.shape == (256, 256), timeout=20_000)
    live.session.set_beads(tuple(Bead(k, Roi(30 + 40 * k, 60, 32)) for k in range(5)))
    qtbot.waitUntil(lambda: live.overlays.trails is not None, timeout=20_000)
    live._timer.stop()
    number = [10**6]
    monkeypatch.setattr(type(scopes.last), "frame", property(lambda _: number[0]))
    layers, process = list(live.viewer.layers), psutil.Process()

    def update(times: int) -> tuple[int, int]:
        for _ in range(times):
            number[0] += 1
            assert live.live_view.update(scopes.last)
            if number[0] % 3 == 0:
                live.overlays.tick()
            if number[0] % 30 == 0:
                QApplication.processEvents()
        gc.collect()
        return process.memory_info().rss, len(gc.get_objects())

    update(2000)
    marks = [update(0), *(update(2500) for _ in range(4))]
    assert list(live.viewer.layers) == layers
    # What leaks grows every time; what the rest of the process does comes and goes.
    grown = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(marks)]
    assert min(rss for rss, _ in grown) < 2 * 2**20, grown
    assert min(objects for _, objects in grown) < 500, grown

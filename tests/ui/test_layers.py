"""Live layers in micrometres: places under the mouse, 3-D, zoom, other people's layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtTest import QTest

from napari_beadscope.core.types import Calibration
from napari_beadscope.ui.host import SessionHost
from napari_beadscope.ui.layers import find_layer, rescale, scale_um
from napari_beadscope.ui.presenters.beads import BeadsPresenter
from napari_beadscope.ui.presenters.camera import CameraPresenter


def go_live(host: SessionHost) -> None:
    CameraPresenter(host.session).set_live(True)
    host.session.tick()
    for _ in range(200):
        host.tick()
        if host.live_view.layer is not None and host.live_view.layer.data.any():
            return
        QTest.qWait(10)
    raise AssertionError("no frame came")


def calibrate(host: SessionHost, nm_per_px: float) -> None:
    model = host.session.model
    model.calibration = replace(model.calibration, nm_per_px=nm_per_px)


def tick_for_trails(host: SessionHost) -> Any:
    for _ in range(300):
        host.tick()
        if host.overlays.trails is not None:
            return host.overlays.trails
        QTest.qWait(10)
    raise AssertionError("no trails came")


def test_every_live_layer_is_in_um_and_its_data_in_px(host: SessionHost) -> None:
    calibrate(host, 80.0)
    go_live(host)
    BeadsPresenter(host.session).find(4)
    tick_for_trails(host)
    for role in ("live", "beads", "positions", "trails"):
        layer = find_layer(host.viewer, role)
        assert tuple(layer.scale[-2:]) == pytest.approx((0.08, 0.08)), role
        assert [str(unit) for unit in layer.units[-2:]] == ["micrometer"] * 2, role
    centres = [bead.roi.centre_px for bead in host.session.model.beads]
    assert host.overlays.boxes.data == pytest.approx(np.array(centres))
    assert host.viewer.canvas.overlays.scale_bar.visible
    calibrate(host, 50.0)
    for role in ("live", "beads", "positions", "trails"):
        assert tuple(find_layer(host.viewer, role).scale[-2:]) == pytest.approx((0.05, 0.05)), role


def test_other_layers_and_a_hidden_scale_bar_are_left_alone(host: SessionHost) -> None:
    mine = host.viewer.add_image(np.zeros((8, 8), np.uint8), scale=(3, 3))
    go_live(host)
    host.viewer.canvas.overlays.scale_bar.visible = False
    calibrate(host, 50.0)
    assert tuple(mine.scale) == (3, 3)
    assert not host.viewer.canvas.overlays.scale_bar.visible


def test_what_was_in_view_stays_in_view_when_the_pixel_size_changes(host: SessionHost) -> None:
    go_live(host)
    layer, camera = host.live_view.layer, host.viewer.scene.camera
    camera.zoom *= 3
    camera.center = (0.0, 12.0, 17.0)
    seen = layer.world_to_data(camera.center[-2:])
    px_on_screen = camera.zoom * layer.scale[-1]
    calibrate(host, 40.0)
    assert layer.world_to_data(camera.center[-2:]) == pytest.approx(seen)
    assert camera.zoom * layer.scale[-1] == pytest.approx(px_on_screen)


def test_three_dimensions_and_back_with_everything_shown(host: SessionHost) -> None:
    go_live(host)
    BeadsPresenter(host.session).find(4)
    tick_for_trails(host)
    viewer = host.viewer
    viewer.dims.ndisplay = 3
    before = host.live_view.rate.shown
    for _ in range(120):
        host.tick()
        QTest.qWait(10)
    assert host.live_view.rate.shown > before
    viewer.dims.ndisplay = 2
    viewer.reset_view()
    height, width = host.live_view.layer.data.shape
    middle = np.array(viewer.scene.camera.center[-2:])
    assert middle == pytest.approx(np.array([(height - 1) / 2, (width - 1) / 2]) * 0.1, abs=0.2)
    assert viewer.dims.nsteps[0] == 1  # still no slider


def test_a_click_on_the_canvas_adds_a_bead_where_the_mouse_is(shown_host: SessionHost) -> None:
    from qtpy.QtCore import QPoint, Qt

    host = shown_host
    go_live(host)
    host.overlays.start_adding(True)
    native = host.viewer.window._qt_viewer.canvas.native
    camera = host.viewer.scene.camera
    place_px = (200.0, 150.0)  # y, x in the frame
    offset = (np.array(place_px) * 0.1 - np.array(camera.center[-2:])) * camera.zoom
    spot = QPoint(round(native.width() / 2 + offset[1]), round(native.height() / 2 + offset[0]))
    QTest.mouseMove(native, spot)
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, spot)
    for _ in range(100):
        QTest.qWait(10)
        if host.session.model.beads:
            break
    (bead,) = host.session.model.beads
    assert np.array(bead.roi.centre_px) == pytest.approx(np.array(place_px), abs=1.5)


def test_rescaling_an_empty_viewer_does_nothing(host: SessionHost) -> None:
    rescale(host.viewer, Calibration())
    assert not host.viewer.canvas.overlays.scale_bar.visible
    assert scale_um(Calibration(nm_per_px=250.0), ndim=4) == (1.0, 1.0, 0.25, 0.25)

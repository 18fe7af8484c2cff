"""Live frames and overlays in real napari layers, on a fake engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_beadscope.core.errors import RingError
from napari_beadscope.core.types import Bead, Roi
from napari_beadscope.ui.host import SessionHost, host_of
from napari_beadscope.ui.layers import find_layer
from napari_beadscope.ui.presenters.beads import BeadsPresenter
from napari_beadscope.ui.presenters.camera import CameraPresenter


def tick_until(host: SessionHost, what: Callable[[], Any], timeout_s: float = 5.0) -> None:
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, "timed out"
        host.tick()
        time.sleep(0.01)


def go_live(host: SessionHost) -> None:
    CameraPresenter(host.session).set_live(True)
    tick_until(host, lambda: host.live_view.layer is not None and host.live_view.layer.data.any())


def test_one_host_per_viewer(host: SessionHost) -> None:
    assert host_of(host.viewer) is host


def test_frames_come_in_place_into_one_layer(host: SessionHost) -> None:
    go_live(host)
    layer = host.live_view.layer
    data = layer.data
    before = data.copy()
    tick_until(host, lambda: not np.array_equal(layer.data, before))
    assert layer.data is data
    assert [one.name for one in host.viewer.layers].count("BeadScope live") == 1
    low, high = layer.contrast_limits
    assert 0 < low < data.min() + 1
    assert data.max() <= high < 255
    tick_until(host, lambda: host.session.model.screen.fps > 5)
    assert host.session.model.screen.skipped > 0


def test_the_users_contrast_stays(host: SessionHost) -> None:
    go_live(host)
    host.live_view.layer.contrast_limits = (3, 200)
    CameraPresenter(host.session).set_live(False)
    go_live(host)
    assert host.live_view.layer.contrast_limits == [3, 200]


def test_another_format_reuses_the_layer(host: SessionHost) -> None:
    go_live(host)
    layer = host.live_view.layer
    camera = CameraPresenter(host.session)
    camera.set_live(False)
    camera.set_option("height_px", 100)
    camera.set_option("dtype", "uint16")
    camera.set_live(True)
    tick_until(host, lambda: layer.data.shape == (100, 512) and layer.data.any())
    assert layer.data.dtype == np.uint16
    assert host.live_view.layer is layer


def test_renamed_and_hidden(host: SessionHost) -> None:
    go_live(host)
    layer = host.live_view.layer
    layer.name = "mine"
    layer.visible = False
    before = layer.data.copy()
    for _ in range(10):
        host.tick()
        time.sleep(0.01)
    assert np.array_equal(layer.data, before)
    layer.visible = True
    tick_until(host, lambda: not np.array_equal(layer.data, before))
    assert host.live_view.layer is layer


def test_a_deleted_layer_comes_back_on_the_next_live_only(host: SessionHost) -> None:
    go_live(host)
    BeadsPresenter(host.session).find(2)
    for name in ("BeadScope live", "Beads", "Positions"):
        host.viewer.layers.remove(name)
    for _ in range(10):
        host.tick()
        time.sleep(0.02)
    assert host.live_view.layer is None
    assert find_layer(host.viewer, "beads") is None
    CameraPresenter(host.session).set_live(False)
    go_live(host)
    assert len(host.overlays.boxes.data) == 2


def test_a_broken_ring_ends_live_with_a_word(host: SessionHost, scopes: Any) -> None:
    go_live(host)
    scopes.last.fail_with["copy_latest_into"] = RingError("the ring is gone", "press Live")
    host.tick()
    assert not host.session.model.live
    assert "ring is gone" in host.session.model.messages[-1].text


def test_boxes_positions_and_trails(host: SessionHost) -> None:
    go_live(host)
    BeadsPresenter(host.session).find(4)
    boxes = host.overlays.boxes
    assert boxes.features["bead"].tolist() == [0, 1, 2, 3]
    assert set(np.ravel(boxes.size)) == {float(host.session.model.beads[0].roi.size)}
    assert {str(symbol) for symbol in np.ravel(boxes.symbol)} == {"square"}
    tick_until(host, lambda: host.overlays.trails is not None)
    positions = host.overlays.positions
    assert np.abs(positions.data - boxes.data).max() < 3
    data = positions.data
    newest = host.session.overlay.newest.frame.max()
    tick_until(host, lambda: host.session.overlay.newest.frame.max() > newest + 20)
    host.tick()
    assert positions.data is data
    assert len(host.overlays.trails.data) <= 10_000
    assert host.viewer.dims.nsteps[0] == 1  # no slider
    names = [layer.name for layer in host.viewer.layers]
    assert names == ["BeadScope live", "Trails", "Positions", "Beads"]
    assert host.viewer.layers.selection.active.name == "BeadScope live"


def test_editing_boxes_the_napari_way(host: SessionHost, scopes: Any) -> None:
    go_live(host)
    BeadsPresenter(host.session).find(2)
    boxes = host.overlays.boxes
    size = host.session.model.beads[0].roi.size
    boxes.add([[200.0, 100.0]])
    assert [bead.bead for bead in scopes.last.beads] == [0, 1, 2]
    assert scopes.last.beads[2] == Bead(2, Roi.around(200, 100, size))
    boxes.selected_data = {0}
    assert host.session.model.selected == {0}
    boxes.remove_selected()
    assert [bead.bead for bead in scopes.last.beads] == [1, 2]
    boxes.add([[150.0, 100.0]])
    assert [bead.bead for bead in scopes.last.beads] == [1, 2, 3]  # no ID twice
    boxes.add([[2.0, 2.0]])
    assert "leaves the frame" in host.session.model.messages[-1].text
    assert boxes.features["bead"].tolist() == [1, 2, 3]


def test_a_second_viewer_finds_the_layers_it_has(host: SessionHost, scopes: Any) -> None:
    go_live(host)
    viewer, layer = host.viewer, host.live_view.layer
    host.close()
    again = host_of(viewer, scopes, host.session._lane._launch)
    assert again is not host
    go_live(again)
    assert again.live_view.layer is layer
    again.close()


def test_two_hundred_updates_make_no_new_layers(host: SessionHost) -> None:
    go_live(host)
    layers = list(host.viewer.layers)
    for _ in range(200):
        host.tick()
    assert list(host.viewer.layers) == layers


def test_the_first_trails_leave_the_view_as_it_is(live: SessionHost, qtbot: Any) -> None:
    camera = getattr(live.viewer, "scene", live.viewer).camera
    camera.zoom, camera.center = 9.63, (0.0, 12.0, 21.0)
    before = camera.zoom, tuple(camera.center)
    BeadsPresenter(live.session).find()
    qtbot.waitUntil(lambda: live.overlays.trails is not None)
    qtbot.wait(100)
    assert live.viewer.dims.ndim == 3
    assert (camera.zoom, tuple(camera.center)) == before


def test_pixels_of_others_give_way_to_ours(host: SessionHost) -> None:
    go_live(host)
    layer, ours = host.live_view.layer, host.live_view.layer.data
    for theirs in (np.zeros(ours.shape), np.zeros(ours.shape, bool), np.zeros((3, 5, 5), "f4")):
        layer.data = theirs
        tick_until(host, lambda: layer.data is ours)
        layer.refresh()
        shown = host.live_view.shown
        tick_until(host, lambda shown=shown: host.live_view.shown > shown)
    assert layer.dtype == ours.dtype
    assert 0 <= layer.contrast_limits[0] < layer.contrast_limits[1] <= 255

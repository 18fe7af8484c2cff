"""The whole story by mouse in real napari, with a real engine behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_beadscope.core.types import Annotation, Bead, Roi
from napari_beadscope.devices.simulated.microscope import SimulatedMicroscope
from napari_beadscope.engine import list_engines
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.ui.host import SessionHost, host_of
from napari_beadscope.ui.workspace import open_workspace

OPTIONS = {"width_px": 320, "height_px": 256, "beads": 6, "fps": 50.0, "seed": 5}
LEFT = Qt.MouseButton.LeftButton
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    # An engine that goes on without its viewer is what these tests are about.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]


@pytest.fixture
def new_viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    """Return a function that opens a viewer with the workspace; end what is left of engines."""
    hosts: list[SessionHost] = []

    def make() -> tuple[SessionHost, dict[str, Any]]:
        viewer = make_napari_viewer(show=True)
        hosts.append(host_of(viewer))
        open_workspace(viewer)
        names = ("Camera", "Beads", "Acquisition", "Status")
        window = viewer.window
        return hosts[-1], {
            name: window.add_plugin_dock_widget("napari-beadscope", name)[1] for name in names
        }

    yield make
    for host in hosts:
        host.close()
    for engine in list_engines():
        Scope.attach(engine.engine_id).stop()


def go_live(host: SessionHost, docks: dict[str, Any], qtbot: Any) -> None:
    for name in ("width_px", "height_px", "beads", "fps", "seed"):
        docks["Camera"].presenter.set_option(name, OPTIONS[name])
    qtbot.waitUntil(docks["Camera"].live.isEnabled, timeout=10_000)
    qtbot.mouseClick(docks["Camera"].live, LEFT)
    qtbot.waitUntil(lambda: host.session.model.screen.shown > 3, timeout=30_000)


def find_beads(host: SessionHost, docks: dict[str, Any], qtbot: Any) -> None:
    qtbot.waitUntil(docks["Beads"].find_button.isEnabled)
    qtbot.mouseClick(docks["Beads"].find_button, LEFT)
    qtbot.waitUntil(lambda: len(host.session.model.beads) >= 4, timeout=40_000)
    qtbot.waitUntil(lambda: docks["Beads"].rows._rows[0].good, timeout=20_000)


def start_recording(host: SessionHost, docks: dict[str, Any], qtbot: Any, root: Path) -> Path:
    docks["Acquisition"].root.changed.emit(str(root))
    qtbot.waitUntil(docks["Acquisition"].button.isEnabled)
    qtbot.mouseClick(docks["Acquisition"].button, LEFT)
    qtbot.waitUntil(lambda: host.session.model.recording is not None, timeout=20_000)
    folder = host.session.model.recording
    assert folder is not None
    return folder


def test_live_find_record_open(new_viewer: Any, qtbot: Any, tmp_path: Path) -> None:
    host, docks = new_viewer()
    model = host.session.model
    go_live(host, docks, qtbot)
    assert host.live_view.layer.data.shape == (256, 320)
    find_beads(host, docks, qtbot)
    beads = model.beads
    assert len(host.overlays.boxes.data) == len(beads)
    folder = start_recording(host, docks, qtbot, tmp_path)
    qtbot.waitUntil(lambda: model.status.recorded_frames >= 100, timeout=20_000)
    qtbot.mouseClick(docks["Acquisition"].button, LEFT)
    qtbot.waitUntil(lambda: model.last_recording == folder, timeout=20_000)
    assert [message.text for message in model.messages if message.severity != "info"] == []

    recording = open_recording(folder)
    assert recording.manifest.state == "complete"
    numbers = recording.frame_numbers
    assert len(numbers) >= 100
    assert len(recording.tracks) == len(numbers) * len(beads)
    microscope = SimulatedMicroscope(OPTIONS)
    first = recording.manifest.first_frame
    assert first is not None
    for place in (0, len(numbers) // 2, len(numbers) - 1):
        expected = microscope.render(first + int(numbers[place]))
        assert np.array_equal(recording.frames[place], expected)

    qtbot.mouseClick(docks["Acquisition"].open, LEFT)
    qtbot.waitUntil(lambda: f"{folder.name} tracks" in host.viewer.layers)
    assert host.viewer.layers[folder.name].data.shape == (len(numbers), 256, 320)
    host.viewer.dims.set_point(0, 50)
    qtbot.mouseClick(docks["Camera"].live, LEFT)
    qtbot.waitUntil(lambda: not model.live)


def test_the_recording_outlives_its_viewer(new_viewer: Any, qtbot: Any, tmp_path: Path) -> None:
    host, docks = new_viewer()
    go_live(host, docks, qtbot)
    find_beads(host, docks, qtbot)
    beads = host.session.model.beads
    folder = start_recording(host, docks, qtbot, tmp_path)
    qtbot.waitUntil(lambda: host.session.model.status.recorded_frames > 20, timeout=20_000)
    host.viewer.close()
    assert host.closed
    time.sleep(1.0)  # nobody looks, and the engine goes on

    host, docks = new_viewer()
    model = host.session.model
    qtbot.waitUntil(docks["Camera"].offer.isVisible, timeout=20_000)
    qtbot.mouseClick(docks["Camera"].attach, LEFT)
    qtbot.waitUntil(lambda: model.screen.shown > 3, timeout=20_000)
    assert model.beads == beads
    assert model.recording == folder
    assert model.status.recorded_frames > 50
    qtbot.waitUntil(docks["Acquisition"].button.isEnabled)
    qtbot.mouseClick(docks["Acquisition"].button, LEFT)
    qtbot.waitUntil(lambda: model.recording is None, timeout=20_000)
    assert model.last_recording == folder
    recording = open_recording(folder)
    assert recording.manifest.state == "complete"
    assert recording.gaps == []
    assert np.diff(recording.frame_numbers).max() == 1


def test_a_real_recording_through_replay(
    new_viewer: Any, qtbot: Any, tmp_path: Path, data_dir: Path
) -> None:
    host, docks = new_viewer()
    model = host.session.model
    docks["Camera"].presenter.choose("replay")
    docks["Camera"].presenter.set_option("path", str(data_dir / "tweezed_bead_real.tif"))
    docks["Camera"].presenter.set_option("loop", True)
    qtbot.waitUntil(docks["Camera"].live.isEnabled, timeout=10_000)
    qtbot.mouseClick(docks["Camera"].live, LEFT)
    qtbot.waitUntil(lambda: model.screen.shown > 3, timeout=30_000)
    shape = host.live_view.layer.data.shape
    assert docks["Camera"].state.text().startswith(f"{shape[1]} × {shape[0]} px")


def test_a_killed_engine_is_told_and_live_starts_a_new_one(new_viewer: Any, qtbot: Any) -> None:
    import psutil

    host, docks = new_viewer()
    model = host.session.model
    go_live(host, docks, qtbot)
    (engine,) = list_engines()
    psutil.Process(engine.pid).kill()
    qtbot.waitUntil(lambda: not model.live, timeout=20_000)
    assert any(message.severity == "error" for message in model.messages)
    qtbot.waitUntil(docks["Camera"].live.isEnabled, timeout=20_000)
    qtbot.mouseClick(docks["Camera"].live, LEFT)
    qtbot.waitUntil(lambda: model.live, timeout=30_000)


def test_the_live_sample_shows_z(
    new_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    host, docks = new_viewer()
    elsewhere = Bead(7, Roi(0, 0, 32))  # taken over from an opened recording, say
    host.session.set_beads((elsewhere,), {7: Annotation("other")})
    host.viewer.open_sample("napari-beadscope", "live")
    assert [layer.name for layer in host.viewer.layers] == ["BeadScope live"]
    model = host.session.model
    qtbot.waitUntil(lambda: model.screen.shown > 3, timeout=60_000)
    assert host.viewer.layers["BeadScope live"].data.any()
    assert Path(model.calibration.zlut).is_file()
    qtbot.waitUntil(lambda: len(model.beads) > 10, timeout=40_000)
    assert {bead.roi.size for bead in model.beads} == {64}
    assert model.annotations == {}
    qtbot.waitUntil(
        lambda: sum(row.z_nm != "–" for row in docks["Beads"].rows._rows) > 10, timeout=10_000
    )

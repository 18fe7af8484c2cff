"""Real engines outlive viewers: napari killed and started again, two viewers, no display."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.utils.notifications import Notification, notification_manager
from qtpy.QtCore import Qt

from napari_beadscope.engine import list_engines
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.ui.host import SessionHost, host_of

HERE = Path(__file__).parent
LEFT = Qt.MouseButton.LeftButton
OPTIONS = {"width_px": 256, "height_px": 256, "beads": 4, "fps": 50.0, "seed": 5}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]


@pytest.fixture
def new_host(make_napari_viewer: Callable[..., Any]) -> Iterator[Callable[..., SessionHost]]:
    """Return a function that opens a viewer; end what is left of engines."""
    hosts: list[SessionHost] = []

    def make(show: bool = True) -> SessionHost:
        hosts.append(host_of(make_napari_viewer(show=show)))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()
    for engine in list_engines():
        Scope.attach(engine.engine_id).stop()


@pytest.fixture
def offers() -> Iterator[list[Notification]]:
    """What napari is asked to show."""
    seen: list[Notification] = []
    notification_manager.notification_ready.connect(seen.append)
    yield seen
    notification_manager.notification_ready.disconnect(seen.append)


def test_napari_is_killed_and_the_recording_goes_on(
    new_host: Callable[[], SessionHost],
    open_dock: Any,
    offers: list[Notification],
    qtbot: Any,
    tmp_path: Path,
) -> None:
    frames = 1500  # 30 s
    viewer = subprocess.Popen(
        [sys.executable, str(HERE / "crashing_viewer.py"), str(tmp_path), str(frames)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert viewer.stdout is not None
    try:
        folder = Path(viewer.stdout.readline().strip())
    finally:
        viewer.send_signal(signal.SIGKILL)
        viewer.wait()
        viewer.stdout.close()
    assert folder.parent == tmp_path

    host = new_host()
    camera, acquisition = open_dock(host, "Camera"), open_dock(host, "Acquisition")
    qtbot.waitUntil(lambda: bool(offers))
    assert "has run the camera 'simulated' since" in offers[0].message
    assert [name for name, _ in offers[0].actions] == ["Attach"]
    qtbot.waitUntil(camera.offer.isVisible)
    offers[0].actions[0][1](None)  # the notification's button
    model = host.session.model
    qtbot.waitUntil(lambda: model.recording == folder)
    qtbot.waitUntil(lambda: model.screen.shown > 3)
    assert len(model.beads) == 4
    assert model.annotations[model.beads[0].bead].label == "tether 1"
    assert acquisition.button.text() == "■ Stop recording"
    assert not camera.offer.isVisible()
    qtbot.waitUntil(lambda: model.recording is None, timeout=90_000)  # its limit was reached
    assert model.last_recording == folder

    recording = open_recording(folder)
    assert recording.manifest.state == "complete"
    assert recording.gaps == []
    assert np.array_equal(recording.frame_numbers, np.arange(frames))
    assert len(recording.tracks) == frames * 4


def test_two_viewers_on_one_engine(
    new_host: Callable[..., SessionHost], open_dock: Any, qtbot: Any, tmp_path: Path
) -> None:
    first = new_host()
    first.session.model.options = dict(OPTIONS)
    first.session.start_live()
    qtbot.waitUntil(lambda: first.session.model.live)
    second = new_host(show=False)  # Mesa cannot draw in one window after another was closed
    qtbot.waitUntil(lambda: bool(second.session.model.engines))
    second.session.attach(second.session.model.engines[-1].engine_id)
    qtbot.waitUntil(lambda: second.session.model.live)
    for host in (first, second):
        open_dock(host, "Acquisition")
        host.session.model.root = tmp_path

    first.session.on_scope("Finding beads", lambda scope: scope.find_beads())
    for host in (first, second):
        qtbot.waitUntil(lambda host=host: len(host.session.model.beads) == 4)
    fewer = second.session.model.beads[:2]
    second.session.set_beads(fewer)  # what one viewer does, the other sees
    qtbot.waitUntil(lambda: first.session.model.beads == fewer)

    open_dock(second, "Acquisition").button.click()
    for host in (first, second):
        qtbot.waitUntil(lambda host=host: host.session.model.recording is not None)
    assert first.session.model.recording == second.session.model.recording
    assert open_dock(first, "Acquisition").button.text() == "■ Stop recording"
    second.viewer.close()
    assert second.closed
    qtbot.waitUntil(lambda: first.session.model.status.recorded_frames > 50)
    shown = first.session.model.screen.shown
    qtbot.waitUntil(lambda: first.session.model.screen.shown > shown)
    qtbot.waitUntil(open_dock(first, "Acquisition").button.isEnabled)
    open_dock(first, "Acquisition").button.click()
    qtbot.waitUntil(lambda: first.session.model.last_recording is not None)
    recording = open_recording(first.session.model.last_recording)
    assert recording.gaps == []
    assert {bead.bead for bead in fewer} == {bead.bead for bead in recording.beads}


NO_DISPLAY = """
import sys, time
sys.path.insert(0, sys.argv[1])
import napari
from fake_scope import FakeScopes
from napari_beadscope.ui.host import host_of
from qtpy.QtWidgets import QApplication

viewer = napari.Viewer(show=False)
host = host_of(viewer, FakeScopes())
host.session.start_live()
end = time.monotonic() + 20
while not host.session.model.live and time.monotonic() < end:
    QApplication.processEvents()
    time.sleep(0.01)
for _ in range(30):
    QApplication.processEvents()
    time.sleep(0.05)
print(host.session.model.live, [message.text for message in host.session.model.messages])
viewer.close()
"""


def test_a_viewer_without_a_display_says_so_and_goes_on() -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    environment.pop("DISPLAY", None)
    ended = subprocess.run(
        [sys.executable, "-c", NO_DISPLAY, str(HERE)],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip().endswith(
        "True ['There is no display (Qt platform offscreen), so that frames are not shown: "
        "set DISPLAY, or start napari under xvfb-run; tracking and recording go on']"
    )
    assert "Traceback" not in ended.stderr


def test_the_demo_without_a_display_says_so(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if "DISPLAY" not in key}
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "napari_beadscope", "demo", "--seconds", "1", "--beads", "4"],
        capture_output=True,
        text=True,
        timeout=150,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "there is no display" in ended.stdout + ended.stderr
    assert time.monotonic() - began < 150

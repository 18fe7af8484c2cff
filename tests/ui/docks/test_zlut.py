"""The Z-LUT dock: what the present one is good for, load, clear, and the guided sweep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.locks import Locks, ZLock
from napari_beadscope.core.types import MotorInfo
from napari_beadscope.testing.backends import rings
from napari_beadscope.tracking import build_zlut
from napari_beadscope.ui.host import SessionHost, host_of

LEFT = Qt.MouseButton.LeftButton
PATIENCE = {"timeout": 20_000}


@pytest.fixture(scope="session")
def zlut_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    z_nm = np.arange(-1000.0, 1001.0, 50.0)
    path = tmp_path_factory.mktemp("zlut") / "stuck_bead.txt"
    build_zlut(rings(np.full(41, 23.5), np.full(41, 23.5), z_nm), z_nm).save(path)
    return path


@pytest.fixture
def dock(live: SessionHost, open_dock: Any, qtbot: Any, tmp_path: Path) -> Any:
    """The dock over a fake microscope with four beads that stand alone."""
    live.session.model.root = tmp_path
    live.session.on_scope("Finding", lambda scope: scope.find_beads(4), live.session.took_beads)
    qtbot.waitUntil(lambda: len(live.session.model.beads) == 4, **PATIENCE)
    return open_dock(live, "Z-LUT")


@pytest.fixture
def scope(scopes: Any, dock: Any) -> Any:
    return scopes.last


def facts(dock: Any) -> dict[str, str]:
    return {name: value.text() for name, (_, value) in dock.facts.items() if value.text()}


def test_without_a_zlut_it_says_so(shown_host: SessionHost, open_dock: Any) -> None:
    dock = open_dock(shown_host, "Z-LUT")
    assert dock.file.text() == "No Z-LUT: z is not measured"
    assert facts(dock) == {}
    assert not dock.clear.isEnabled()
    assert dock.clear.toolTip() == "There is no Z-LUT"
    assert not dock.start.isEnabled()
    assert "press Live first" in dock.start.toolTip()
    assert dock.minimumSizeHint().width() <= 330


def test_load_shows_what_it_is_good_for_and_clear_forgets_it(
    dock: Any, live: SessionHost, zlut_file: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(zlut_file), ""))
    qtbot.mouseClick(dock.load, LEFT)
    qtbot.waitUntil(lambda: "Planes" in facts(dock), **PATIENCE)
    assert live.session.model.calibration.zlut == str(zlut_file)
    said = facts(dock)
    assert said["Planes"] == "41, 50 nm apart"
    assert said["Range"] == "−1.00 to 1.00 µm"
    assert said["Reach"] == "23.75 px: ROIs up to 48 px"
    assert said["Usable"].endswith(" µm")
    assert " nm (one frame" in said["Precision"]
    assert dock.file.text().endswith("/stuck_bead.txt")
    panels = dock.canvas.figure.panels
    assert [panel.up for panel in panels] == ["radius (px)", "error of z (nm)"]
    assert dock.canvas.figure.across == "z (µm)"
    assert panels[0].picture.values.shape == (96, 41)
    assert (panels[1].curves[0].y > 0).all()
    qtbot.mouseClick(dock.clear, LEFT)
    qtbot.waitUntil(lambda: facts(dock) == {}, **PATIENCE)
    assert live.session.model.calibration.zlut == ""
    assert len(dock.canvas.figure.panels) == 1


def test_a_file_that_is_no_zlut_is_refused_and_the_old_one_stays(
    dock: Any, live: SessionHost, zlut_file: Path, qtbot: Any, tmp_path: Path
) -> None:
    dock.presenter.choose(str(zlut_file))
    qtbot.waitUntil(lambda: "Planes" in facts(dock), **PATIENCE)
    dock.presenter.choose(str(tmp_path / "none.txt"))
    qtbot.waitUntil(lambda: bool(live.session.model.messages), **PATIENCE)
    assert "none.txt" in live.session.model.messages[-1].text
    qtbot.waitUntil(lambda: live.session.model.calibration.zlut == str(zlut_file), **PATIENCE)
    assert facts(dock)["Planes"] == "41, 50 nm apart"


def test_a_sweep_shows_planes_and_ends_in_a_loaded_zlut(
    dock: Any, scope: Any, live: SessionHost, qtbot: Any, tmp_path: Path
) -> None:
    assert "61 planes × 10 frames, 4 beads: about" in dock.estimate.text()
    dock.low.setValue(-1.0)
    dock.high.setValue(2.0)
    dock.step.setValue(100)
    dock.frames.setValue(7)
    assert "31 planes × 7 frames" in dock.estimate.text()
    shown: list[int] = []
    show = dock.canvas.show_figure
    dock.canvas.show_figure = lambda figure, names: (
        shown.append(int((np.ptp(figure.panels[0].picture.values, axis=0) > 0).sum())),
        show(figure, names),
    )
    scope.wait_after_plane = threading.Event()
    qtbot.mouseClick(dock.start, LEFT)
    qtbot.waitUntil(lambda: 4 in shown)  # as they come
    assert dock.job.isVisible()
    assert "plane" in dock.job.bar.format()
    assert not dock.start.isEnabled()
    assert "wait until that is done" in dock.start.toolTip()
    assert not dock.low.isEnabled()
    scope.wait_after_plane.set()
    qtbot.waitUntil(lambda: "Planes" in facts(dock), **PATIENCE)
    (asked,) = scope.sweeps
    assert asked["beads"] == [bead.bead for bead in live.session.model.beads]
    assert (asked["low_um"], asked["high_um"], asked["step_nm"]) == (-1.0, 2.0, 100.0)
    assert (asked["frames_per_step"], asked["motor"]) == (7, "focus")
    assert asked["folder"].parent == tmp_path
    assert live.session.model.calibration.zlut == str(asked["folder"] / "zlut.txt")
    qtbot.waitUntil(lambda: len(dock.canvas.figure.panels) == 2, **PATIENCE)
    message = live.session.model.messages[-1]
    assert message.severity == "info"
    assert message.text.startswith("Z-LUT of 4 beads loaded: z from ")
    assert "12 nm of drift taken off" in message.text
    assert dock.start.isEnabled()
    assert not dock.job.isVisible()
    assert scope.calls.count("detach") == 1


@pytest.mark.parametrize("how", ["button", "dock", "viewer"])
def test_a_sweep_can_be_cancelled_and_the_focus_comes_back(
    dock: Any, scope: Any, live: SessionHost, qtbot: Any, how: str
) -> None:
    scope.wait_after_plane = threading.Event()
    qtbot.mouseClick(dock.start, LEFT)
    qtbot.waitUntil(lambda: len(dock.presenter.planes) > 0, **PATIENCE)
    if how == "button":
        qtbot.mouseClick(dock.job.cancel, LEFT)
    elif how == "dock":
        live.viewer.window.remove_dock_widget(dock)
    else:
        live.close()
    scope.wait_after_plane.set()
    qtbot.waitUntil(lambda: "focus is back" in scope.calls, **PATIENCE)
    assert scope.calibration.zlut == ""
    if how == "button":
        qtbot.waitUntil(lambda: live.session.model.job is None, **PATIENCE)
        assert live.session.model.messages[-1].text == "Sweeping the focus: cancelled"
        assert len(dock.canvas.figure.panels) == 1
        assert dock.start.isEnabled()


def test_a_sweep_that_fails_says_why(dock: Any, scope: Any, live: SessionHost, qtbot: Any) -> None:
    scope.fail_with["sweep_zlut"] = InputError("the range leaves the limits", "choose a smaller")
    qtbot.mouseClick(dock.start, LEFT)
    qtbot.waitUntil(lambda: bool(live.session.model.messages), **PATIENCE)
    assert live.session.model.messages[-1].text == ("The range leaves the limits: choose a smaller")
    qtbot.waitUntil(dock.start.isEnabled, **PATIENCE)


def test_why_a_sweep_cannot_begin(
    dock: Any, scope: Any, live: SessionHost, qtbot: Any, tmp_path: Path
) -> None:
    model, beads = live.session.model, live.session.model.beads
    assert dock.start.isEnabled()
    dock.beads.setCurrentIndex(dock.beads.findData("selected"))
    assert "No bead is selected" in dock.start.toolTip()
    model.selected = frozenset({beads[1].bead, beads[3].bead})
    assert dock.start.isEnabled()
    assert [bead.bead for bead in dock.presenter.beads()] == [beads[1].bead, beads[3].bead]
    dock.step.setValue(1000)
    assert "7 planes or more" in dock.start.toolTip()
    dock.step.setValue(50)
    model.recording = tmp_path / "r"
    assert "disturb the recording" in dock.start.toolTip()
    assert "stop the recording first" in dock.load.toolTip()
    model.recording = None
    model.locks = Locks(z=ZLock())
    assert "Z-lock moves the focus" in dock.start.toolTip()
    model.locks = Locks()
    live.session.set_beads(())
    qtbot.waitUntil(lambda: "no beads to sweep" in dock.start.toolTip(), **PATIENCE)
    live.session.set_beads(beads)
    dock.beads.setCurrentIndex(dock.beads.findData("alone"))
    qtbot.waitUntil(dock.start.isEnabled, **PATIENCE)
    reading = scope.readings.pop("focus")
    scope.readings["stage"] = reading.__class__(
        MotorInfo("stage", "simulated-focus", "um", -9.0, 9.0), 0.0, 0.0, False, 0
    )
    dock.refresh()
    assert "no motor that moves the focus" in dock.start.toolTip()
    dock.motor.setCurrentText("stage")
    assert dock.start.isEnabled()


@pytest.fixture
def real(make_napari_viewer: Callable[..., Any]) -> Iterator[SessionHost]:
    made = host_of(make_napari_viewer(show=True))
    yield made
    scope = made.session.scope
    if scope is not None:
        scope.stop()
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_one_click_makes_z_work_while_the_camera_stays_live(
    real: SessionHost, open_dock: Any, qtbot: Any, tmp_path: Path
) -> None:
    model = real.session.model
    model.root = tmp_path
    model.options = {"width_px": 256, "height_px": 192, "beads": 3, "fps": 100.0, "seed": 5}
    dock = open_dock(real, "Z-LUT")
    real.session.start_live()
    qtbot.waitUntil(lambda: model.screen.shown > 3, timeout=30_000)
    real.session.on_scope(
        "Finding", lambda scope: tuple(scope.find_beads(1)), real.session.took_beads
    )
    qtbot.waitUntil(lambda: len(model.beads) == 1, timeout=30_000)
    dock.low.setValue(-0.5)
    dock.high.setValue(0.5)
    dock.frames.setValue(5)
    qtbot.waitUntil(dock.start.isEnabled, timeout=10_000)
    shown = model.screen.shown
    qtbot.mouseClick(dock.start, LEFT)
    qtbot.waitUntil(lambda: len(dock.presenter.planes) > 2, timeout=60_000)
    assert model.live
    qtbot.waitUntil(lambda: dock.presenter.present is not None, timeout=120_000)
    assert model.screen.shown > shown + 10
    (reading, *_) = real.session.scope.motors()
    assert (reading.info.name, reading.position) == ("focus", 0.0)
    since = time.monotonic_ns()

    def heights() -> Any:
        rows = real.session.scope.tracks()
        return rows["z_nm"][(rows["time_ns"] > since) & (rows["reason"] == 0)]

    qtbot.waitUntil(lambda: len(heights()) > 50, timeout=30_000)
    assert abs(np.median(heights())) < 60.0  # 0 is where the bead was
    assert 10.0 < np.std(heights()) < 60.0

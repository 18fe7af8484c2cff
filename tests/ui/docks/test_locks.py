"""The Locks dock in real napari: on a fake engine, and on a real one whose stage drifts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QStyle, QStyleOptionComboBox

from napari_beadscope.core.errors import StateError
from napari_beadscope.core.locks import XYLock, ZState
from napari_beadscope.core.messages import LocksChanged
from napari_beadscope.core.types import Annotation, Bead, MotorInfo, Roi
from napari_beadscope.script.instruments import MotorReading
from napari_beadscope.ui.host import SessionHost, host_of
from napari_beadscope.ui.model import JobState
from napari_beadscope.ui.presenters.zlut import SWEEPING

LEFT = Qt.MouseButton.LeftButton


def open_dock(host: SessionHost) -> Any:
    return host.viewer.window.add_plugin_dock_widget("napari-beadscope", "Locks")[1]


@pytest.fixture
def live(host: SessionHost, scopes: Any, tmp_path: Path) -> SessionHost:
    """A live session with beads, one of them a reference, a Z-LUT and a focus motor."""
    session = host.session
    session.start_live()
    scope = scopes.last
    info = MotorInfo("focus", "simulated-focus", "um", -50.0, 50.0)
    scope.motors = lambda: (MotorReading(info, 0.0, 0.0, False, 0),)
    scope.find_beads(4)
    session.took_beads(scope.beads)
    (tmp_path / "zlut.txt").write_text("1 2\n")
    scope.set_calibration(100.0, str(tmp_path / "zlut.txt"))
    session.model.calibration = scope.calibration
    scope.set_annotations({2: Annotation(reference=True)})
    session.model.annotations = scope.annotations
    return host


def tell(host: SessionHost) -> None:
    """Let the session take the engine's events in, as its clock does."""
    host.session.tick()


def test_the_focus_is_not_locked_while_a_sweep_moves_it(live: SessionHost) -> None:
    dock = open_dock(live)
    assert dock.z_on.isEnabled()
    for fraction in (0.0, 0.5):
        live.session.model.job = JobState(SWEEPING, fraction)
        assert not dock.z_on.isEnabled()
        assert dock.z_on.toolTip().startswith("A sweep is moving the focus")
        assert dock.z_state.text().startswith("A sweep is moving the focus")
    live.session.model.job = None
    assert dock.z_on.isEnabled()


def test_no_recording_begins_while_a_sweep_moves_the_focus(
    live: SessionHost, tmp_path: Path
) -> None:
    live.session.model.root = tmp_path
    dock = live.viewer.window.add_plugin_dock_widget("napari-beadscope", "Acquisition")[1]
    assert dock.button.isEnabled()
    live.session.model.job = JobState(SWEEPING, 0.5)
    assert not dock.button.isEnabled()
    assert dock.button.toolTip().startswith("A sweep is moving the focus")
    live.session.model.job = None
    assert dock.button.isEnabled()


def test_what_is_chosen_is_seen_whole(live: SessionHost, qtbot: Any) -> None:
    dock = open_dock(live)
    dock.parent().setFixedWidth(330)
    live.viewer.window._qt_window.show()
    qtbot.waitUntil(lambda: dock.aim.isVisible() and dock.width() <= 330)
    option = QStyleOptionComboBox()
    dock.aim.initStyleOption(option)
    field = dock.aim.style().subControlRect(
        QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, dock.aim
    )
    for at in range(dock.aim.count()):
        wanted = dock.aim.fontMetrics().horizontalAdvance(dock.aim.itemText(at))
        assert field.width() >= wanted + 4, dock.aim.itemText(at)


def test_xy_lock_on_says_whom_it_follows_and_whom_not(live: SessionHost, scopes: Any) -> None:
    dock = open_dock(live)
    assert dock.xy_state.text() == "Off"
    dock._boxes["xy", "interval_s"].setValue(2.5)
    dock._boxes["xy", "window"].setValue(20)
    dock.xy_on.click()
    tell(live)
    assert scopes.last.locks.xy == XYLock(2.5, 10.0, 20)
    assert dock.xy_on.isChecked()
    assert dock.xy_on.text() == "Unlock"
    assert "Follows 3 beads · moved 2 by up to 3 px" in dock.xy_state.text()
    assert "Held: 0 (lost)" in dock.xy_state.text()
    assert dock.xy_state.toolTip() == "Bead 0: it is lost"
    assert live.session.model.locked == {1, 2, 3}
    dock._boxes["xy", "max_step_px"].setValue(4)  # holds at once
    tell(live)
    assert scopes.last.locks.xy == XYLock(2.5, 4.0, 20)
    dock.xy_on.click()
    tell(live)
    assert live.session.model.locked == frozenset()
    assert not dock.xy_on.isChecked()


def test_once_says_what_it_did(live: SessionHost) -> None:
    dock = open_dock(live)
    dock.once.click()
    assert "Looked once. Follows 2 beads · moved 2 by up to 4 px" in dock.xy_state.text()
    assert "Held: 0 (at the frame's edge)" in dock.xy_state.text()


def test_z_lock_shows_height_error_and_correction(live: SessionHost, scopes: Any) -> None:
    dock = open_dock(live)
    assert dock.bead.currentText() == "Reference beads (2)"
    dock.bead.setCurrentIndex(dock.bead.findData(3))
    dock.bead.activated.emit(dock.bead.currentIndex())
    dock.aim.setCurrentText("a height of")
    dock.aim.activated.emit(1)
    dock.target.setValue(1800)
    dock._boxes["z", "gain"].setValue(0.3)
    dock.z_on.click()
    tell(live)
    lock = scopes.last.locks.z
    assert (lock.bead, lock.target_nm, lock.gain, lock.motor) == (3, 1800.0, 0.3, "focus")
    assert dock.z_state.text() == "Locked at 1,800 nm"
    assert "Error +4.0 nm · focus moved +2.0 nm" in dock.numbers.text()
    for error in (3.0, -2.0, 5.0, 1.0, 0.5):
        state = ZState("locked", "", 1800.0, 1800 + error, error, -1.0, 9)
        scopes.last.emit(LocksChanged(replace(scopes.last.locks, z_state=state)))
        tell(live)
    assert "nm rms · 9 corrections" in dock.numbers.text()
    assert len(dock.presenter.errors()) >= 5
    dock.z_on.click()
    tell(live)
    assert dock.z_state.text() == "Off"
    assert dock.numbers.text() == ""


def test_a_parameter_changed_while_locked_keeps_the_height(live: SessionHost, scopes: Any) -> None:
    dock = open_dock(live)
    dock.z_on.click()
    tell(live)
    assert scopes.last.locks.z.target_nm is None
    dock._boxes["z", "max_step_nm"].setValue(40)
    tell(live)
    assert scopes.last.locks.z.max_step_nm == 40
    assert scopes.last.locks.z.target_nm == 1500.0  # that was found when it began


def test_a_button_that_cannot_work_says_why(host: SessionHost, live: SessionHost) -> None:
    session, model, dock = live.session, live.session.model, open_dock(live)
    assert dock.z_on.isEnabled()
    model.annotations = {}
    assert not dock.z_on.isEnabled()
    assert dock.z_on.toolTip().startswith("No reference bead: mark one")
    assert dock.z_state.text().startswith("No reference bead")
    dock.bead.setCurrentIndex(1)
    dock.bead.activated.emit(1)
    model.events.beads.emit(model.beads)
    assert dock.z_on.isEnabled()
    model.calibration = replace(model.calibration, zlut="")
    assert dock.z_on.toolTip().startswith("No Z-LUT")
    session.took_beads(())
    assert not dock.xy_on.isEnabled()
    assert dock.xy_on.toolTip() == dock.once.toolTip() == "Find or add beads first"


def test_without_an_engine_it_says_so(host: SessionHost) -> None:
    dock = open_dock(host)
    assert not dock.xy_on.isEnabled()
    assert dock.z_state.text() == "Press Live in the Camera dock first"


def test_no_focus_motor(live: SessionHost, scopes: Any) -> None:
    scopes.last.motors = lambda: ()
    dock = open_dock(live)
    assert dock.z_on.toolTip() == "No motor named focus: add it in the Hardware dock"


def test_a_refusal_puts_the_button_back(live: SessionHost, scopes: Any, said: Any) -> None:
    scopes.last.fail_with["set_z_lock"] = StateError("the focus motor's process ended", "add it")
    dock = open_dock(live)
    dock.z_on.click()
    assert not dock.z_on.isChecked()
    assert "focus motor's process ended" in live.session.model.messages[-1].text


def test_a_lock_that_ends_by_itself_is_told_once_also_with_the_dock_closed(
    live: SessionHost, scopes: Any
) -> None:
    scopes.last.set_z_lock(bead=1)
    tell(live)
    ended = ZState("stopped", "it oscillates by 80 nm: a smaller gain is needed")
    for _ in range(3):
        scopes.last.emit(LocksChanged(replace(scopes.last.locks, z=None, z_state=ended)))
        tell(live)
    texts = [message.text for message in live.session.model.messages]
    assert texts.count(f"The Z-lock ended: {ended.why}") == 1
    dock = open_dock(live)
    assert dock.z_state.text() == f"Ended: {ended.why}"


def test_it_fits_beside_the_image(live: SessionHost) -> None:
    dock = open_dock(live)
    dock.more.setChecked(True)
    assert dock.minimumSizeHint().width() <= 330


# --- on a real engine ----------------------------------------------------------------------

OPTIONS = {
    "height_px": 256, "width_px": 256, "beads": 2, "fps": 50, "seed": 5, "margin_px": 90.0,
    "drift_z_nm": 400.0, "drift_nm": 4000.0, "debris_per_mpx": 0.0,
}  # fmt: skip


@pytest.fixture
def real(make_napari_viewer: Callable[..., Any]) -> Iterator[SessionHost]:
    """The host of a viewer on the screen; its engine ends with the test."""
    made = host_of(make_napari_viewer(show=True))
    yield made
    if made.session.scope is not None:
        made.session.scope.stop()
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_both_locks_by_mouse_on_a_drifting_stage(
    real: SessionHost, qtbot: Any, tmp_path: Path
) -> None:
    from napari_beadscope.devices.simulated import SimulatedMicroscope
    from napari_beadscope.script.simulated_zlut import simulated_zlut

    microscope = SimulatedMicroscope(OPTIONS)
    simulated_zlut(microscope, 56).save(tmp_path / "zlut.txt")
    session, model = real.session, real.session.model
    model.options = OPTIONS
    session.start_live()
    qtbot.waitUntil(lambda: model.live, timeout=40_000)
    scope = session.scope
    assert scope is not None
    if "focus" not in {motor.info.name for motor in scope.motors()}:
        scope.add_hardware("focus", "simulated-focus")
    places = microscope.bead_positions_px()
    scope.set_beads(tuple(Bead(k, Roi.around(y, x, 56)) for k, (x, y) in enumerate(places)))
    scope.set_calibration(100.0, str(tmp_path / "zlut.txt"))
    scope.set_annotations({0: Annotation(reference=True), 1: Annotation(reference=True)})
    dock = open_dock(real)
    qtbot.waitUntil(dock.z_on.isEnabled, timeout=10_000)
    dock._boxes["xy", "interval_s"].setValue(0.5)
    first = model.beads
    qtbot.mouseClick(dock.xy_on, LEFT)
    qtbot.mouseClick(dock.z_on, LEFT)
    qtbot.waitUntil(lambda: model.locked == {0, 1}, timeout=20_000)
    qtbot.waitUntil(lambda: "corrections" in dock.numbers.text(), timeout=20_000)
    qtbot.waitUntil(lambda: model.beads[0].roi != first[0].roi, timeout=20_000)
    assert dock.z_state.text().startswith("Locked at")
    assert abs(model.locks.z_state.error_nm) < 60
    qtbot.mouseClick(dock.z_on, LEFT)
    qtbot.waitUntil(lambda: model.locks.z is None, timeout=10_000)
    assert model.locks.xy is not None

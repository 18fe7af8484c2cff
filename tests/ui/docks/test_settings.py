"""The Settings dock: every setting explained, changed, refused, saved, and used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox

from napari_beadscope.core.errors import DeviceError
from napari_beadscope.core.settings import Settings, describe
from napari_beadscope.core.types import AcquisitionMode
from napari_beadscope.storage import load_settings, save_settings
from napari_beadscope.storage.profiles import load_profile, profile_names
from napari_beadscope.ui.host import SessionHost, host_of
from napari_beadscope.ui.jobs import launch_inline

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEADSCOPE_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def dock(host: SessionHost, open_dock: Any) -> Any:
    """The dock of a viewer that is not shown."""
    return open_dock(host, "Settings")


def type_into(line: Any, text: str) -> None:
    line.setText(text)
    line.editingFinished.emit()


def test_every_setting_is_there_with_unit_range_default_and_meaning(dock: Any) -> None:
    assert set(dock.lines) == {info.name for info in describe()}
    for info in describe():
        line = dock.lines[info.name]
        tip = line.editor.toolTip()
        assert info.name in tip
        assert info.range in tip
        assert "default" in tip
        assert info.description in tip
        assert "in use" in tip
        assert line.unit.text() == info.unit
        assert line.meaning.text() == info.description
        assert line.editor.accessibleName()


def test_search_narrows_the_list(dock: Any) -> None:
    dock.search.setText("shared memory")
    shown = [name for name, line in dock.lines.items() if not line.editor.isHidden()]
    assert shown == ["engine.ring_mb"]
    assert [name for name, head in dock.heads.items() if not head.isHidden()] == ["Engine"]
    assert dock.nothing.isHidden()
    dock.search.setText("no such words")
    assert not dock.nothing.isHidden()
    dock.search.clear()
    assert not any(line.editor.isHidden() for line in dock.lines.values())


def test_a_change_is_marked_saved_and_reset(dock: Any, tmp_path: Path) -> None:
    ring = dock.lines["engine.ring_mb"]
    assert dock.state.text() == "Defaults: nothing is saved yet"
    assert not dock.save.isEnabled()
    assert dock.save.toolTip() == "Nothing is changed"
    type_into(ring.editor, "1024")
    assert ring.label.text().startswith("• ")
    assert dock.state.text() == "1 change, not saved yet"
    dock.save.click()
    assert load_settings().engine.ring_mb == 1024
    assert (tmp_path / "config" / "settings.yaml").is_file()
    assert "from the next start of the camera's engine on: engine.ring_mb" in dock.state.text()
    assert not ring.label.text().startswith("• ")
    assert "bold" in ring.label.styleSheet()  # another value than the default
    ring.reset.click()
    assert ring.editor.text() == "512"
    dock.save.click()
    assert load_settings() == Settings()
    assert not ring.reset.isEnabled()
    assert ring.reset.toolTip() == "This is the default"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("engine.ring_mb", "7", "'engine.ring_mb' cannot be 7: allowed is 8 to 1000000 in MB"),
        ("engine.ring_mb", "much", "'engine.ring_mb' cannot be 'much': allowed is 8 to"),
        ("camera.fps", "0", "'camera.fps' cannot be 0.0: allowed is 0.001 to"),
    ],
)
def test_what_is_not_allowed_is_refused(dock: Any, name: str, text: str, sentence: str) -> None:
    line = dock.lines[name]
    before = line.editor.text()
    type_into(line.editor, text)
    assert dock.state.text().startswith(sentence)
    assert "#e5484d" in dock.state.styleSheet()
    assert line.editor.text() == before
    assert not dock.save.isEnabled()


def test_every_kind_of_setting_can_be_changed(dock: Any, tmp_path: Path) -> None:
    type_into(dock.lines["camera.exposure_ms"].editor, "2.5")
    type_into(dock.lines["camera.properties"].editor, "gain: 3, trigger: hardware")
    dock.lines["tracking.profiles"].editor.click()
    dock.lines["recording.mode"].editor.setCurrentText("rois")
    dock.lines["recording.folder"].editor.changed.emit(str(tmp_path))
    dock.lines["tracking.method"].editor.setCurrentText("magtrack-compatible")
    assert dock.state.text() == "6 changes, not saved yet"
    dock.save.click()
    saved = load_settings()
    assert saved.camera.exposure_ms == 2.5
    assert saved.camera.properties == {"gain": 3.0, "trigger": "hardware"}
    assert saved.tracking.profiles is False
    assert saved.recording.mode is AcquisitionMode.ROIS
    assert saved.recording.path == tmp_path
    type_into(dock.lines["camera.exposure_ms"].editor, "")  # leave it to the camera
    dock.save.click()
    assert load_settings().camera.exposure_ms is None


def test_what_docks_show_holds_at_once(
    live: SessionHost, open_dock: Any, scopes: Any, qtbot: Any, tmp_path: Path
) -> None:
    dock, acquisition = open_dock(live, "Settings"), open_dock(live, "Acquisition")
    type_into(dock.lines["tracking.nm_per_px"].editor, "72.5")
    dock.lines["recording.folder"].editor.changed.emit(str(tmp_path))
    dock.lines["recording.mode"].editor.setCurrentText("full")
    type_into(dock.lines["engine.status_hz"].editor, "5")
    type_into(dock.lines["engine.trackers"].editor, "1")
    qtbot.mouseClick(dock.save, LEFT)
    qtbot.waitUntil(lambda: scopes.last.calibration.nm_per_px == 72.5)
    assert acquisition.root.edit.text() == str(tmp_path)
    assert acquisition.mode.currentData() == "full"
    assert "In use now: tracking.nm_per_px, recording.folder" in dock.state.text()
    assert "engine on: engine.trackers" in dock.state.text()
    assert scopes.last.settings.engine.status_hz == 5


def test_docks_of_a_new_viewer_begin_with_the_settings(
    make_napari_viewer: Callable[..., Any], scopes: Any, tmp_path: Path
) -> None:
    save_settings(
        Settings().replace(
            {
                "camera.id": "simulated:left",
                "tracking.roi_size_px": 48,
                "tracking.nm_per_px": 66.0,
                "recording.folder": str(tmp_path / "data"),
                "recording.mode": "track",
            }
        )
    )
    host = host_of(make_napari_viewer(), scopes, launch_inline)
    model = host.session.model
    assert model.camera_id == "simulated:left"
    assert model.calibration.nm_per_px == 66.0
    assert model.root == tmp_path / "data"
    assert model.mode is AcquisitionMode.TRACK
    assert host.session.edits.roi_size_px == 48
    host.close()


def test_a_broken_settings_file_is_said_and_defaults_hold(
    make_napari_viewer: Callable[..., Any], scopes: Any, tmp_path: Path
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "settings.yaml").write_text("engine:\n  ring_mb: 3\n")
    host = host_of(make_napari_viewer(), scopes, launch_inline)
    assert "line 2: 'engine.ring_mb' cannot be 3" in host.session.model.messages[0].text
    assert host.session.model.settings == Settings()
    host.close()


def test_load_and_export(dock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = save_settings(Settings().replace({"engine.trackers": 3}), tmp_path / "theirs.yaml")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(theirs), ""))
    dock.load.click()
    assert dock.lines["engine.trackers"].editor.text() == "3"
    assert dock.state.text() == "1 change, not saved yet"
    ours = tmp_path / "ours.yaml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(ours), ""))
    dock.export.click()
    assert load_settings(ours).engine.trackers == 3
    assert load_settings() == Settings()  # not saved
    theirs.write_text("engine: [")
    dock.load.click()
    assert "is not valid YAML" in dock.session.model.messages[-1].text
    dock.defaults.click()
    assert dock.lines["engine.trackers"].editor.text() == "0"


def test_a_closed_dock_keeps_changes_that_are_not_saved(host: SessionHost) -> None:
    window, plugin = host.viewer.window, "napari-beadscope"
    holder, dock = window.add_plugin_dock_widget(plugin, "Settings")
    type_into(dock.lines["engine.grace_s"].editor, "60")
    holder.destroyOnClose()
    again = window.add_plugin_dock_widget(plugin, "Settings")[1]
    assert again.lines["engine.grace_s"].editor.text() == "60"
    assert again.state.text() == "1 change, not saved yet"


def test_the_keyboard_reaches_everything(live: SessionHost, open_dock: Any, qtbot: Any) -> None:
    dock = open_dock(live, "Settings")
    qtbot.waitUntil(dock.search.isVisible)
    dock.search.setFocus()
    qtbot.keyClicks(dock.search, "ring_mb")
    editor = dock.lines["engine.ring_mb"].editor
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClicks(editor, "2048")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert dock.state.text() == "1 change, not saved yet"
    for widget in (dock.save, dock.load, dock.export, dock.lines["engine.ring_mb"].reset):
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_each_microscope_shows_its_own(host: SessionHost, open_dock: Any, tmp_path: Path) -> None:
    save_settings(Settings().replace({"tracking.nm_per_px": 66.0}), camera="simulated:left")
    own = {"camera.options": {"beads": 3}, "tracking.nm_per_px": 108.0, "camera.fps": 40}
    save_settings(Settings().replace(own), camera="simulated:right")
    dock, model = open_dock(host, "Settings"), host.session.model
    assert dock.profiles.microscope.text() == "Microscope: simulated"
    model.camera_id = "simulated:left"
    assert dock.profiles.microscope.text() == "Microscope: simulated:left"
    assert dock.lines["tracking.nm_per_px"].editor.text() == "66"
    assert model.calibration.nm_per_px == 66.0
    model.camera_id = "simulated:right"
    assert model.calibration.nm_per_px == 108.0
    assert dock.lines["camera.options"].editor.text() == "beads: 3"
    type_into(dock.lines["tracking.nm_per_px"].editor, "109")
    type_into(dock.lines["engine.ring_mb"].editor, "64")
    dock.save.click()
    assert str(tmp_path / "config") in dock.state.text()
    assert load_settings(camera="simulated:right").tracking.nm_per_px == 109
    assert load_settings(camera="simulated:left").tracking.nm_per_px == 66
    assert load_settings(camera="simulated:left").engine.ring_mb == 64  # for all
    assert load_settings().camera.id == "simulated"


def test_profiles_are_kept_used_renamed_and_deleted(
    dock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = dock.profiles
    assert not profiles.use.isEnabled()
    assert profiles.use.toolTip() == "No profile is kept yet"
    names = iter(["DNA tethers", "DNA tethers", "tethers", "a/b"])
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: (next(names), True))
    answers = iter([QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.Yes])
    monkeypatch.setattr(QMessageBox, "question", lambda *_: next(answers))
    type_into(dock.lines["xy_lock.window"].editor, "25")
    profiles.keep.click()
    assert dock.state.text() == "1 change, not saved yet"  # a profile is not what holds
    dock.defaults.click()
    type_into(dock.lines["z_lock.gain"].editor, "0.25")
    assert profiles.name == "DNA tethers"
    profiles.use.click()
    assert dock.lines["xy_lock.window"].editor.text() == "25"
    assert dock.lines["z_lock.gain"].editor.text() == "0.5"
    type_into(dock.lines["xy_lock.window"].editor, "30")
    profiles.keep.click()  # replaced after a question
    assert load_profile("DNA tethers").xy_lock.window == 30
    profiles.rename.click()
    assert profile_names() == ("tethers",)
    profiles.keep.click()
    assert "cannot be a profile's name" in dock.session.model.messages[-1].text
    profiles.delete.click()
    assert profile_names() == ()
    assert profiles.name == ""


def test_magscopes_settings_are_read_and_each_is_accounted_for(
    dock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Path(__file__).parents[2] / "storage" / "magscope_preferences.yaml"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(theirs), ""))
    dock.load.click()
    assert dock.lines["z_lock.max_step_nm"].editor.text() == "500"
    assert dock.state.text().startswith("3 changes, not saved yet. 19 settings of MagScope's")
    told = dock.session.model.messages[-1].text
    assert "Taken over: 'z-lock default max' 500 is z_lock.max_step_nm" in told
    assert "Not taken over: 'magnification' 50" in told


def test_all_mistakes_of_a_file_are_told(
    dock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("engine:\n  ring_mb: 3\n  trackers: x\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    dock.load.click()
    told = dock.session.model.messages[-1].text
    assert "line 2: 'engine.ring_mb' cannot be 3" in told
    assert "line 3: 'engine.trackers' cannot be 'x'" in told
    assert not dock.save.isEnabled()


def test_how_the_microscope_is_set_up_is_taken_over(host: SessionHost, open_dock: Any) -> None:
    dock = open_dock(host, "Settings")
    assert dock.take_over.toolTip() == "No microscope runs: press Live first"
    host.session.start_live()
    scope = host.session.scope
    assert scope is not None
    scope.set_camera(exposure_ms=7.5)
    scope.set_calibration(nm_per_px=61.0)
    scope.find_beads(4)
    scope.set_xy_lock(True, window=33)
    dock.take_over.click()
    for name, text in (
        ("camera.exposure_ms", "7.5"),
        ("camera.fps", "100"),
        ("tracking.nm_per_px", "61"),
        ("xy_lock.window", "33"),
    ):
        assert dock.lines[name].editor.text() == text
    dock.save.click()
    assert load_settings().xy_lock.window == 33
    assert load_settings(camera="other").xy_lock.window == 10


def test_what_others_change_is_followed(host: SessionHost, open_dock: Any, tmp_path: Path) -> None:
    dock, acquisition = open_dock(host, "Settings"), open_dock(host, "Acquisition")
    host.session.start_live()
    scope: Any = host.session.scope
    scope.set_settings({"recording.folder": str(tmp_path), "engine.grace_s": 60})
    host.tick()
    assert acquisition.root.edit.text() == str(tmp_path)
    assert dock.state.text() == (
        "The engine that runs has other values: recording.folder, engine.grace_s"
    )
    save_settings(scope.settings)  # another window saves them, too
    scope.set_settings({"engine.grace_s": 61})
    host.tick()
    assert dock.state.text() == "The engine that runs has other values: engine.grace_s"
    assert dock.lines["engine.grace_s"].editor.text() == "60"


def test_settings_that_cannot_hold_while_recording_are_saved_and_that_is_said(
    host: SessionHost, open_dock: Any
) -> None:
    dock = open_dock(host, "Settings")
    host.session.start_live()
    scope: Any = host.session.scope
    scope.recording = "/somewhere"
    type_into(dock.lines["engine.grace_s"].editor, "60")
    dock.save.click()
    assert load_settings().engine.grace_s == 60
    assert "change the settings while recording" in dock.session.model.messages[-1].text
    assert dock.state.text().endswith("The engine that runs goes on with those before.")
    assert scope.settings.engine.grace_s == 10


def test_a_motor_of_the_settings_that_is_not_there_is_told(host: SessionHost, scopes: Any) -> None:
    scopes.missing = {"stage": DeviceError("there is no stage", "plug it in")}
    host.session.start_live()
    told = [message.text for message in host.session.model.messages]
    assert "The stage motor of the settings is not there: there is no stage: plug it in" in told


def test_open_last_is_remembered_over_a_restart(
    make_napari_viewer: Callable[..., Any], scopes: Any, open_dock: Any, tmp_path: Path
) -> None:
    first = host_of(make_napari_viewer(), scopes, launch_inline)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "recording.yaml").write_text("state: complete\n")
    first.session.started_recording(tmp_path / "r")
    first.close()  # or killed: it is kept from the beginning on
    second = host_of(make_napari_viewer(), scopes, launch_inline)
    acquisition = open_dock(second, "Acquisition")
    assert acquisition.open.isEnabled()
    assert str(tmp_path / "r") in acquisition.open.toolTip()
    second.close()
    (tmp_path / "r" / "recording.yaml").unlink()
    third = host_of(make_napari_viewer(), scopes, launch_inline)
    assert third.session.model.last_recording is None
    third.close()

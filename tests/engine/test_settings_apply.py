"""What the settings ask for is what the engine does."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope import Bead, Roi, Scope, open_recording
from napari_beadscope.core.errors import InputError, SettingsError, StateError
from napari_beadscope.core.messages import SettingsChanged
from napari_beadscope.core.settings import Settings
from napari_beadscope.storage import save_settings

OPTIONS = {"beads": 2, "height_px": 256, "width_px": 256}
SETTINGS = {
    "camera.id": "simulated",
    "camera.fps": 50.0,
    "camera.properties": {"gain": 2.0},
    "tracking.backend": "cpu",
    "tracking.method": "magtrack-compatible",
    "recording.mode": "track",
    "recording.profiles": True,
    "recording.min_free_gb": 0.1,
}


def test_settings_reach_camera_trackers_and_files(tmp_path: Path) -> None:
    with Scope(options=OPTIONS, settings=SETTINGS) as scope:
        assert scope.camera_id == "simulated"
        values = {item["name"]: item["value"] for item in scope.camera_properties()}
        assert (values["fps"], values["gain"]) == (50.0, 2.0)
        scope.set_beads([Bead(3, Roi(64, 64, 64))])
        recording = open_recording(scope.record(tmp_path / "r", frames=5))
    assert recording.manifest.mode.value == "track"
    assert (recording.manifest.backend, recording.manifest.method) == (
        "cpu",
        "magtrack-compatible",
    )
    assert len(recording.tracks) == 5
    assert (tmp_path / "r" / "profiles.csv").read_text().startswith("frame,bead,r0,")


def test_settings_reach_every_process_and_every_front_end(tmp_path: Path) -> None:
    with Scope("simulated", options=OPTIONS, settings={"camera.fps": 50.0}) as scope:
        other = scope.again()
        heard: list[SettingsChanged] = []
        other.on_event(lambda event: heard.append(event) if is_change(event) else None)
        assert other.settings == scope.settings  # of the engine, not of somebody's files
        changes = {
            "camera.fps": 80.0,
            "tracking.nm_per_px": 66.0,
            "recording.profiles": True,
            "recording.video_file_gb": 0.5,
            "engine.grace_s": 77.0,
        }
        scope.set_settings(changes)
        other.wait_for(lambda one: heard and one.settings.engine.grace_s == 77.0, 30)
        assert [dict(event.settings["engine"])["grace_s"] for event in heard] == [77.0]
        assert other.calibration.nm_per_px == 66.0
        values = {item["name"]: item["value"] for item in other.camera_properties()}
        assert values["fps"] == 80.0
        scope.set_beads([Bead(3, Roi(64, 64, 64))])
        folder = scope.start_recording(tmp_path / "r", "track")
        with pytest.raises(StateError, match="cannot change the settings while recording"):
            scope.set_settings({"engine.grace_s": 5})
        scope.wait_for(lambda one: one.status().recorded_frames > 5, 60)
        scope.stop_recording()
        manifest = open_recording(folder).manifest
        assert manifest.video_file_bytes == 500_000_000
        assert manifest.settings["tracking"]["nm_per_px"] == 66.0
        assert (folder / "profiles.csv").is_file()
        before = scope.settings
        with pytest.raises(SettingsError, match="2 mistakes"):
            scope.set_settings({"engine.grace_s": -1, "camera.fsp": 3, "camera.fps": 10.0})
        assert scope.settings == before
        other.detach()


def is_change(event: object) -> bool:
    return isinstance(event, SettingsChanged)


def test_motors_of_the_settings_start_with_the_camera() -> None:
    motors = {
        "focus": {"id": "simulated-focus", "options": {"low": -7.0, "high": 7.0}},
        "gone": {"id": "nobody.py:Unplugged"},
    }
    with Scope("simulated", options=OPTIONS, settings={"hardware.motors": motors}) as scope:
        (focus,) = scope.motors()
        assert (focus.info.name, focus.info.low, focus.info.high) == ("focus", -7.0, 7.0)
        assert list(scope.missing_motors) == ["gone"]
        assert "nobody.py" in str(scope.missing_motors["gone"])
        scope.add_hardware("focus", "simulated-focus", low=-7.0, high=7.0)  # a script's own wish
        scope.start_live()
        scope.set_beads([Bead(3, Roi(64, 64, 64))])
        scope.set_settings({"xy_lock.window": 33})
        scope.set_xy_lock(max_step_px=4)
        assert scope.locks.xy is not None
        assert (scope.locks.xy.window, scope.locks.xy.max_step_px) == (33, 4.0)
        with pytest.raises(InputError, match="a motor named 'focus' already"):
            scope.add_hardware("focus", "simulated-focus")
        assert len(scope.motors()) == 1


def test_a_microscope_comes_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEADSCOPE_CONFIG_DIR", str(tmp_path / "config"))
    changes = {"camera.options": OPTIONS, "camera.fps": 40.0, "tracking.nm_per_px": 66.0}
    save_settings(Settings().replace(changes), camera="simulated:left")
    with Scope("simulated:left", options={"beads": 1}) as scope:
        assert scope.format.shape == (256, 256)
        assert scope.calibration.nm_per_px == 66.0
        assert scope.settings.camera.fps == 40.0
    assert Scope("simulated").settings == Settings()

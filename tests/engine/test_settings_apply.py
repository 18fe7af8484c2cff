"""What the settings ask for is what the engine does."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_beadscope import Bead, Roi, Scope, open_recording
from napari_beadscope.core.errors import SettingsError, StateError
from napari_beadscope.core.messages import SettingsChanged

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
        other.wait_for(lambda one: one.settings.engine.grace_s == 77.0, 30)
        assert [dict(event.settings["engine"])["grace_s"] for event in heard] == [77.0]
        assert other.calibration.nm_per_px == 66.0
        values = {item["name"]: item["value"] for item in other.camera_properties()}
        assert values["fps"] == 80.0
        scope.set_beads([Bead(3, Roi(64, 64, 64))])
        folder = scope.start_recording(tmp_path / "r", "track")
        with pytest.raises(StateError, match="cannot change the settings while recording"):
            scope.set_settings({"engine.grace_s": 5})
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

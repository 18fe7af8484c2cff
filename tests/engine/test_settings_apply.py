"""What the settings ask for is what the engine does."""

from __future__ import annotations

from pathlib import Path

from napari_beadscope import Bead, Roi, Scope, open_recording

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

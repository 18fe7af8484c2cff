"""Recordings: every mode keeps exactly what it promises, and every value of it is right."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_beadscope.core.errors import BeadscopeError, InputError, StateError, StorageError
from napari_beadscope.core.messages import AcquisitionChanged
from napari_beadscope.core.types import Bead
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.script import Scope
from napari_beadscope.storage import open_recording
from napari_beadscope.testing.audit import audit

PROMISED = {
    "track": {"tracks.csv"},
    "track+rois": {"tracks.csv", "bead_0000.ome.tif", "bead_0001.ome.tif", "bead_0002.ome.tif"},
    "track+full": {"tracks.csv", "video_0000.ome.tif"},
    "rois": {"bead_0000.ome.tif", "bead_0001.ome.tif", "bead_0002.ome.tif"},
    "full": {"video_0000.ome.tif"},
}


@pytest.mark.parametrize("mode", PROMISED)
def test_mode_keeps_what_it_promises(
    scope: Scope, mode: str, tmp_path: Path, render: Callable, beads: tuple[Bead, ...]
) -> None:
    folder = scope.record(tmp_path / "r", mode, frames=40, note="by the test")
    assert audit(folder, render) == []
    names = {path.name for path in folder.iterdir()}
    assert names == PROMISED[mode] | {"recording.yaml", "frames.csv"}
    recording = open_recording(folder)
    manifest = recording.manifest
    assert len(recording.frame_numbers) == 40
    assert manifest.mode.value == mode
    assert manifest.camera.id == "simulated"
    assert manifest.camera.properties["fps"] == 100
    assert manifest.camera.options["seed"] == 5
    assert manifest.settings["engine"]["ring_mb"] == 64
    assert "by the test" in manifest.notes
    assert recording.beads == beads
    assert manifest.rows_written == (40 * 3 if mode.startswith("track") else 0)


def test_rows_are_where_the_beads_are(
    scope: Scope, tmp_path: Path, options: dict, beads: tuple[Bead, ...]
) -> None:
    recording = open_recording(scope.record(tmp_path / "r", "track", frames=60))
    rows = recording.tracks
    truth = SimulatedMicroscope(options).truth(
        np.arange(60) + (recording.manifest.first_frame or 0)
    )
    expected = truth[rows["frame"], rows["bead"]]
    assert np.abs(rows["x_px"] - expected[:, 0]).max() < 0.3
    assert np.abs(rows["y_px"] - expected[:, 1]).max() < 0.3
    scale = recording.manifest.calibration.nm_per_px
    np.testing.assert_allclose(rows["x_nm"], rows["x_px"] * scale, atol=0.01)
    assert np.isnan(rows["z_nm"]).all()
    np.testing.assert_allclose(np.diff(recording.times_s), 0.01, atol=1e-6)


def test_seconds_limit(scope: Scope, tmp_path: Path) -> None:
    folder = scope.record(tmp_path / "r", "full", seconds=0.5)
    assert 45 <= len(open_recording(folder).frame_numbers) <= 75


@pytest.mark.parametrize("frames", [1, 2, 33])
def test_frame_limit_is_exact(scope: Scope, tmp_path: Path, frames: int) -> None:
    recording = open_recording(scope.record(tmp_path / "r", "track+rois", frames=frames))
    assert recording.frame_numbers.tolist() == list(range(frames))
    assert len(recording.tracks) == frames * 3
    assert recording.gaps == []


def test_a_recording_starts_the_camera(scope: Scope, tmp_path: Path, render: Callable) -> None:
    scope.stop_live()
    folder = scope.record(tmp_path / "r", "track+full", frames=20)
    assert audit(folder, render) == []
    assert scope.status().streaming


def test_one_after_the_other(scope: Scope, tmp_path: Path, render: Callable) -> None:
    for number in range(6):
        mode = list(PROMISED)[number % 5]
        folder = scope.record(tmp_path / f"r{number}", mode, frames=5)
        assert audit(folder, render) == []


def test_a_name_makes_a_dated_folder(scope: Scope, tmp_path: Path) -> None:
    folder = scope.record(tmp_path, "full", frames=3, name="wells")
    assert folder.parent == tmp_path
    assert folder.name.endswith("_wells")
    with pytest.raises(InputError, match="cannot be a recording's name"):
        scope.record(tmp_path, "full", frames=3, name="a/b")


def test_on_is_announced_when_it_is_true(scope: Scope, tmp_path: Path, render: Callable) -> None:
    """Every frame exposed after the announcement is in the file; at the end all is closed."""
    seen: list[tuple[AcquisitionChanged, int, str]] = []
    both = threading.Event()

    def note(event: Any) -> None:
        if isinstance(event, AcquisitionChanged):
            newest = scope.latest_frame()
            assert newest is not None
            state = open_recording(event.folder).manifest.state
            seen.append((event, newest.frame, state))
            if not event.on:
                both.set()

    unsubscribe = scope.on_event(note)
    for number in range(5):
        both.clear()
        scope.start_recording(tmp_path / f"r{number}", "track+full")
        threading.Event().wait(0.15)
        folder = scope.stop_recording()
        assert open_recording(folder).manifest.state == "complete"
        assert both.wait(5)
    unsubscribe()
    assert [event.on for event, _, _ in seen] == [True, False] * 5
    for (on, newest, _), (off, _, state) in zip(seen[::2], seen[1::2], strict=True):
        assert state == "complete"
        recording = open_recording(on.folder)
        first = recording.manifest.first_frame
        assert first is not None
        assert first <= newest + 1
        assert audit(on.folder, render) == []
        assert off.frames == len(recording.frame_numbers)
        assert off.rows == len(recording.tracks)
        assert off.error == ""


def test_what_was_seen_before_stop_is_in_the_file(scope: Scope, tmp_path: Path) -> None:
    scope.start_recording(tmp_path / "r", "full")
    *_, newest = (frame.frame for frame in scope.frames(4))
    folder = scope.stop_recording()
    manifest = open_recording(folder).manifest
    assert manifest.first_frame is not None
    assert manifest.first_frame + manifest.frames_written > newest


def test_a_task_is_frozen(scope: Scope, tmp_path: Path, beads: tuple[Bead, ...]) -> None:
    scope.start_recording(tmp_path / "r", "track")
    refused: list[Callable[[], Any]] = [
        lambda: scope.set_beads(beads[:1]),
        lambda: scope.set_calibration(nm_per_px=50.0),
        lambda: scope.set_backend("cpu"),
        lambda: scope.set_camera(exposure_ms=0.1),
        lambda: scope.stop_live(),
        lambda: scope.start_recording(tmp_path / "other", "track"),
    ]
    for call in refused:
        with pytest.raises(StateError, match="recording"):
            call()
    recording = open_recording(scope.stop_recording())
    assert recording.beads == beads
    assert not (tmp_path / "other").exists()


def test_bad_recordings_are_refused(scope: Scope, tmp_path: Path, beads: tuple[Bead, ...]) -> None:
    with pytest.raises(InputError, match="no acquisition mode 'everything'"):
        scope.record(tmp_path / "r", "everything", frames=1)
    with pytest.raises(InputError, match="negative"):
        scope.record(tmp_path / "r", "full", frames=-1)
    with pytest.raises(StateError, match="nothing is being recorded"):
        scope.stop_recording()
    scope.set_beads(())
    for mode in ("track", "track+full", "track+rois", "rois"):
        with pytest.raises(StateError, match="beads"):
            scope.record(tmp_path / "r", mode, frames=1)
    scope.record(tmp_path / "r", "full", frames=1)
    with pytest.raises(StorageError, match="record"):
        scope.record(tmp_path / "r", "full", frames=1)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BeadscopeError, match="file"):
        scope.record(tmp_path / "file" / "r", "full", frames=1)
    assert not scope.status().recording
    assert scope.record(tmp_path / "r2", "full", frames=2).is_dir()


def test_the_status_after_a_reply_is_never_from_before_it(
    options: dict, tmp_path: Path, beads: tuple[Bead, ...]
) -> None:
    rarely = {"engine.status_hz": 0.1}
    with Scope("simulated", options=options, settings=rarely) as scope:
        scope.set_beads(beads)
        scope.start_live()
        assert scope.status().streaming
        assert scope.record(tmp_path / "r", "full", frames=1).is_dir()
        for _ in range(5):
            with pytest.raises(StorageError, match="record"):
                scope.start_recording(tmp_path / "r", "full")
            assert not scope.status().recording
            folder = scope.start_recording(tmp_path / "other", "track")
            assert scope.status().recording == str(folder)
            scope.stop_recording()
            assert not scope.status().recording
            shutil.rmtree(folder)
        scope.stop_live()
        assert not scope.status().streaming


def test_stopping_the_engine_ends_a_recording(
    options: dict, beads: tuple[Bead, ...], tmp_path: Path, render: Callable
) -> None:
    with Scope("simulated", options=options) as scope:
        scope.start_live()
        scope.set_beads(beads)
        folder = scope.start_recording(tmp_path / "r", "track+full")
        scope.wait_for(lambda s: s.status().recorded_frames > 10)
    assert audit(folder, render) == []


def test_status_while_recording(scope: Scope, tmp_path: Path) -> None:
    scope.start_recording(tmp_path / "r", "track+full")
    scope.wait_for(lambda s: s.status().recorded_frames > 20 and s.status().fps > 50)
    status = scope.status()
    assert status.recording == str(tmp_path / "r")
    assert status.mode == "track+full"
    assert status.recorded_s > 0.1
    assert status.disk_left_bytes > 0
    assert status.pool == "RUNNING"
    assert 80 < status.fps < 130
    assert status.write_bytes_per_s > 160 * 224 * 50
    assert status.dropped == 0
    assert status.backlog < 100
    assert {worker.name for worker in status.workers} >= {"camera", "recorder", "tracker-0"}
    assert all(worker.state == "RUNNING" for worker in status.workers)
    scope.stop_recording()
    scope.wait_for(lambda s: s.status().pool == "FINISHED")
    assert scope.status().recording == ""


def test_two_trackers_share_the_frames(
    options: dict, beads: tuple[Bead, ...], tmp_path: Path, render: Callable
) -> None:
    with Scope("simulated", options=options, settings={"engine.trackers": 2}) as scope:
        scope.start_live()
        scope.set_beads(beads)
        for frames in (1, 2, 51):
            folder = scope.record(tmp_path / f"r{frames}", "track+full", frames=frames)
            assert audit(folder, render) == []
            rows = open_recording(folder).tracks
            assert rows["frame"].tolist() == sorted(rows["frame"].tolist())
            assert len(rows) == 3 * frames

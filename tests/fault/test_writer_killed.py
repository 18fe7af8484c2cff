"""kill -9 of a writing process at random instants: nothing confirmed is ever lost."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile

from napari_beadscope.storage import Recording, RecordingWriter, open_recording
from napari_beadscope.storage.recover import recover

SCRIPT = Path(__file__).with_name("writer_to_kill.py")
MODES = ["track+full", "track+rois", "full", "track"]


def _load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("writer_to_kill", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = _load_script()


@dataclass
class Heard:
    """What the killed writer had said: the newest frame and row it knew to be safe, by folder."""

    frame: dict[str, int] = field(default_factory=dict)
    row: dict[str, int] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    folder: str = ""


def _write_and_kill(folder: Path, mode: str, seed: int, *more: str) -> Heard:
    """Start a writer, kill it after a random while, and return what it had said."""
    command = [sys.executable, str(SCRIPT), str(folder), mode, str(seed), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.0, 0.12))
        os.kill(process.pid, signal.SIGKILL)
        lines = [first, *process.stdout]
    heard = Heard(folder=str(folder))
    for line in lines:
        if not line.endswith("\n"):
            continue
        word, _, value = line.strip().partition(" ")
        if word == "folder":
            heard.folder = value
        elif word == "finished":
            heard.finished.add(heard.folder)
        elif word in ("frame", "row"):
            getattr(heard, word)[heard.folder] = int(value)
    return heard


def _origin(recording: Recording) -> int:
    return recording.manifest.first_frame or 0


def _check_values(recording: Recording) -> None:
    """Every frame on disk is the one its line says, for us and for tifffile."""
    manifest, numbers = recording.manifest, recording.frame_numbers + _origin(recording)
    wanted = script.pixels(numbers)
    if manifest.mode.video and len(numbers):
        np.testing.assert_array_equal(recording.frames, wanted)
        if manifest.state != "open":
            _check_with_tifffile(recording.folder, wanted)
    if manifest.mode.rois and len(numbers):
        for bead in recording.beads:
            np.testing.assert_array_equal(recording.roi_movie(bead.bead), bead.roi.crop(wanted))
    tracks = recording.tracks
    keys = tracks["frame"].astype(np.int64) * 8 + tracks["bead"]
    assert len(np.unique(keys)) == len(keys)  # no row twice
    x_px = (tracks["frame"] + _origin(recording)) % 1000 + tracks["bead"] / 8
    np.testing.assert_allclose(tracks["x_px"], x_px)


def _check_with_tifffile(folder: Path, wanted: np.ndarray) -> None:
    parts = []
    for path in sorted(folder.glob("video_*")):
        with tifffile.TiffFile(path) as file:
            assert file.series[0].axes == ("TYX" if len(file.pages) > 1 else "YX")
            parts.append(file.asarray().reshape(-1, *script.SHAPE))
    np.testing.assert_array_equal(np.concatenate(parts), wanted)


def _check_complete(recording: Recording) -> None:
    """Frames on disk and gaps make up the recording without a hole."""
    frames = set(recording.frame_numbers.tolist())
    gaps = [k for gap in recording.gaps for k in range(gap.first, gap.last + 1)]
    assert len(set(gaps)) == len(gaps)
    assert frames.isdisjoint(gaps)
    if frames:
        assert set(range(max(frames) + 1)) <= frames | set(gaps)


@pytest.mark.parametrize("seed", range(28))
def test_what_was_said_to_be_safe_is_safe(tmp_path: Path, seed: int) -> None:
    heard = _write_and_kill(tmp_path, MODES[seed % 4], seed)
    for folder in sorted(tmp_path.iterdir()):
        name = str(folder)
        if not (folder / "recording.yaml").exists():
            assert name not in heard.frame  # killed before it had begun
            continue
        if name not in heard.finished:
            _check_values(open_recording(folder))  # readable as it lies there
        report = recover(folder)
        recording = open_recording(folder)
        if name in heard.finished:
            assert recording.manifest.state == "complete"
        _check_values(recording)
        _check_complete(recording)
        if name in heard.frame:
            assert recording.frame_numbers[-1] + _origin(recording) >= heard.frame[name]
        if name in heard.row:
            assert recording.tracks["frame"].max() + _origin(recording) >= heard.row[name]
        assert report.frames_saved == len(recording.frame_numbers)
        assert report.rows_saved == len(recording.tracks)
        assert not (folder / ".reserve").exists()
        assert not (folder / ".writing.lock").exists()


@pytest.mark.parametrize("mode", MODES)
def test_killed_and_resumed_again_and_again(tmp_path: Path, mode: str) -> None:
    heard = _write_and_kill(tmp_path, mode, 7)
    folder = Path(heard.folder)
    # It may have been killed before the recording began, or after its end.
    if not (folder / "recording.yaml").exists() or open_recording(folder).manifest.state != "open":
        folder = tmp_path / "own"
        RecordingWriter.create(folder, script.new_manifest(mode)).close()
    safe = 0
    for seed in range(5):
        heard = _write_and_kill(folder, mode, seed, "resume")
        safe = max(safe, heard.frame.get(str(folder), 0))
        _check_values(open_recording(folder))
    writer = RecordingWriter.resume(folder)
    assert writer.last_frame is not None
    assert writer.last_frame >= safe
    writer.finish()
    recording = open_recording(folder)
    _check_values(recording)
    _check_complete(recording)
    assert recording.manifest.state == "complete"

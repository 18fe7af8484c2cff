"""Recovery: every kind of damage, and recordings that need none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.types import AcquisitionMode, Bead, FrameFormat, FrameStamp, Roi
from napari_beadscope.storage import Manifest, RecordingWriter, open_recording
from napari_beadscope.storage.lock import WritingLock
from napari_beadscope.storage.recover import recover

Make = Callable[..., Any]
SMALL_FILES = 4096 + 9 * (32 * 40 * 2 + 256)  # nine frames each
MODES = [mode.value for mode in AcquisitionMode]


@pytest.fixture
def crashed(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make, make_rows: Make
) -> Callable[..., tuple[Path, np.ndarray]]:
    """Make a recording of frames 0–9 and 12–21 whose writer went away."""

    def crash(mode: str = "track+full") -> tuple[Path, np.ndarray]:
        folder, frames = tmp_path / mode, make_frames(20)
        numbers = np.r_[0:10, 12:22] + 500
        writer = RecordingWriter.create(
            folder, make_manifest(mode, profiles=True), video_bytes=SMALL_FILES
        )
        writer.write_frames(frames, make_stamps(numbers))
        if AcquisitionMode(mode).tracks:
            writer.write_tracks(make_rows(numbers[:15]))
        writer.close()
        return folder, frames

    return crash


def _check(folder: Path, frames: np.ndarray, numbers: list[int]) -> None:
    """Everything is readable, by others too, and says what it is."""
    recording = open_recording(folder)
    assert recording.manifest.state == "recovered"
    assert recording.frame_numbers.tolist() == numbers
    if recording.manifest.mode.video:
        np.testing.assert_array_equal(recording.frames, frames)
        paths = sorted(folder.glob("video_*"))
        if len(frames):
            parts = [tifffile.imread(path).reshape(-1, 32, 40) for path in paths]
            np.testing.assert_array_equal(np.concatenate(parts), frames)
    if recording.manifest.mode.rois:
        for bead in recording.beads:
            wanted = bead.roi.crop(frames)
            np.testing.assert_array_equal(recording.roi_movie(bead.bead), wanted)
            path = folder / f"bead_{bead.bead:04d}.ome.tif"
            np.testing.assert_array_equal(tifffile.imread(path), wanted)
    names = {record.name for record in recording.manifest.files} | {"recording.yaml"}
    assert names == {path.name for path in folder.iterdir()}
    for record in recording.manifest.files:
        assert (folder / record.name).stat().st_size == record.bytes
    assert len(recording.tracks) == recording.manifest.rows_written


@pytest.mark.parametrize("mode", MODES)
def test_a_crashed_recording_becomes_whole(mode: str, crashed: Make) -> None:
    folder, frames = crashed(mode)
    report = recover(folder)
    _check(folder, frames, [*range(10), *range(12, 22)])
    assert report.frames_saved == 20
    assert [(g.first, g.last, g.cause) for g in report.frames_lost] == [(10, 11, "dropped")]
    assert "20 frames and" in report.sentence
    assert "the last frame saved is 21 at 0.210 s" in report.sentence
    assert "2 frames in between are missing (10–11)" in report.sentence
    if AcquisitionMode(mode).tracks:
        assert report.rows_saved == 30
        untracked = open_recording(folder).untracked
        assert [(u.first, u.last) for u in untracked] == [(17, 21)]
        assert "interrupted" in untracked[0].cause
    again = recover(folder / "recording.yaml")
    assert (again.frames_saved, again.files_repaired) == (20, ())
    assert "nothing had to be repaired" in again.sentence


def test_a_complete_recording_needs_nothing(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make
) -> None:
    with RecordingWriter.create(tmp_path, make_manifest("full")) as writer:
        writer.write_frames(make_frames(3), make_stamps(range(3)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    report = recover(tmp_path)
    assert "nothing had to be repaired" in report.sentence
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_pixels_without_their_line_are_lost_and_counted(crashed: Make) -> None:
    folder, frames = crashed()
    lines = (folder / "frames.csv").read_bytes()
    (folder / "frames.csv").write_bytes(lines[:-5])  # the last line is torn
    with open(folder / "tracks.csv", "ab") as file:
        file.write(b"19,0.19")
    report = recover(folder)
    _check(folder, frames[:-1], [*range(10), *range(12, 21)])
    assert "1 of them had reached the disk without their numbers" in report.sentence
    assert "tracks.csv ended in a torn line of 7 bytes" in report.sentence


@pytest.mark.parametrize("keep_frames", [0, 3, 8])
def test_a_video_file_that_was_cut_loses_its_frames_only(crashed: Make, keep_frames: int) -> None:
    folder, frames = crashed()
    os.truncate(folder / "video_0001.ome.tif", 4096 + keep_frames * 2560 + 17)
    report = recover(folder)
    kept = [*range(9 + keep_frames), 18, 19]
    numbers = np.array([*range(10), *range(12, 22)])
    _check(folder, frames[kept], numbers[kept].tolist())
    lost = {k: g.cause for g in report.frames_lost for k in range(g.first, g.last + 1)}
    assert set(lost) == set(range(22)) - set(numbers[kept].tolist())
    assert lost[20 - 1] == "lost: the file was cut short"
    assert lost[11] == "dropped"


def test_damage_after_completion_is_found_and_named(crashed: Make) -> None:
    folder, frames = crashed()
    RecordingWriter.resume(folder).finish()
    os.truncate(folder / "video_0002.ome.tif", 4096 + 2560 + 17)
    report = recover(folder)
    _check(folder, frames[:-1], [*range(10), *range(12, 21)])
    assert [g.cause for g in report.frames_lost][-1] == "lost: the file was cut short"


def test_one_bead_movie_cut_short_spares_the_others(crashed: Make) -> None:
    folder, frames = crashed("rois")
    os.truncate(folder / "bead_0003.ome.tif", 4096 + 5 * 8 * 8 * 2)
    report = recover(folder)
    assert "bead_0003.ome.tif was cut short: it has 5 of 20 frames" in report.sentence
    recording = open_recording(folder)
    assert recording.roi_movie(3).shape == (5, 8, 8)
    np.testing.assert_array_equal(recording.roi_movie(7), recording.beads[1].roi.crop(frames))
    assert len(tifffile.imread(folder / "bead_0003.ome.tif")) == 5


@pytest.mark.parametrize("name", ["tracks.csv", "profiles.csv", "frames.csv"])
def test_a_missing_table_is_said_so(crashed: Make, name: str) -> None:
    folder, frames = crashed()
    (folder / name).unlink()
    report = recover(folder)
    if name == "frames.csv":
        assert (report.frames_saved, report.rows_saved) == (0, 30)
        assert "frames.csv is missing" in report.sentence
        assert "no frame was saved" in report.sentence
        parts = [tifffile.imread(path) for path in sorted(folder.glob("video_*"))]
        np.testing.assert_array_equal(np.concatenate(parts), frames)  # for a person to sort out
    else:
        _check(folder, frames, [*range(10), *range(12, 22)])
        assert report.rows_saved == (0 if name == "tracks.csv" else 30)


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b"3,x,y\n", b"1,0.01,video_0000.ome.tif,1\n"])
def test_a_damaged_line_costs_its_frame_only(crashed: Make, damage: bytes) -> None:
    folder, frames = crashed()
    lines = (folder / "frames.csv").read_bytes().splitlines(keepends=True)
    (folder / "frames.csv").write_bytes(b"".join([*lines[:6], damage, *lines[7:]]))
    report = recover(folder)
    assert "1 lines of frames.csv are damaged" in report.sentence
    assert "video_0000.ome.tif keeps 1 pages that no line speaks of" in report.sentence
    recording = open_recording(folder)
    kept = [k for k in range(20) if k != 5]
    np.testing.assert_array_equal(recording.frames, frames[kept])
    assert [(g.first, g.last, g.cause) for g in recording.gaps] == [
        (5, 5, "lost: its line in frames.csv was damaged"),
        (10, 11, "dropped"),
    ]
    assert len(tifffile.imread(folder / "video_0000.ome.tif")) == 9
    assert recover(folder).files_repaired == ()


def test_unreadable_track_rows_are_left_for_a_person(crashed: Make) -> None:
    folder, _ = crashed()
    lines = (folder / "tracks.csv").read_bytes().splitlines(keepends=True)
    (folder / "tracks.csv").write_bytes(b"".join([*lines[:5], b"what?\n", *lines[5:]]))
    report = recover(folder)
    assert report.rows_saved == 0
    assert "it was left as it is" in report.sentence
    assert b"what?" in (folder / "tracks.csv").read_bytes()


def test_a_complete_recording_needs_no_writable_folder(
    tmp_path: Path, make_manifest: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    RecordingWriter.create(tmp_path, make_manifest("full")).finish()
    monkeypatch.setattr(WritingLock, "take", lambda *_: pytest.fail("nothing is written"))
    assert "nothing had to be repaired" in recover(tmp_path).sentence


def test_a_live_recording_is_left_alone(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make
) -> None:
    writer = RecordingWriter.create(tmp_path, make_manifest("full"))
    writer.write_frames(make_frames(2), make_stamps([0, 1]))
    with pytest.raises(StorageError, match="still being written by another process"):
        recover(tmp_path)
    writer.write_frames(make_frames(1), make_stamps([2]))
    writer.finish()
    assert recover(tmp_path).frames_saved == 3


def test_rubbish_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not a recording"):
        recover(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(StorageError, match="is not a recording"):
        recover(tmp_path)
    with pytest.raises(StorageError, match="is not a recording"):
        recover(tmp_path / "notes.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_recording_with_no_frame_yet_is_recovered_too(
    tmp_path: Path, make_manifest: Make
) -> None:
    for mode in MODES:
        RecordingWriter.create(tmp_path / mode, make_manifest(mode)).close()
        report = recover(tmp_path / mode)
        assert (report.frames_saved, report.rows_saved) == (0, 0)
        assert "no frame was saved" in report.sentence
        assert open_recording(tmp_path / mode).manifest.state == "recovered"


@pytest.mark.parametrize("left", [b"", b"\0" * 500])
def test_a_power_cut_that_emptied_the_index_takes_no_pixel(crashed: Make, left: bytes) -> None:
    folder, frames = crashed()
    (folder / "frames.csv").write_bytes(left)
    report = recover(folder)
    assert "frames.csv is empty" in report.sentence
    parts = [tifffile.imread(path) for path in sorted(folder.glob("video_*"))]
    np.testing.assert_array_equal(np.concatenate(parts), frames)
    recover(folder)
    assert len(list(folder.glob("video_*"))) == 3


@pytest.mark.parametrize("mode", ["full", "rois"])
def test_pages_of_more_lines_than_a_kill_can_cost_are_kept(tmp_path: Path, mode: str) -> None:
    beads = [Bead(1, Roi(0, 0, 32))]
    manifest = Manifest.new(mode=mode, format=FrameFormat(32, 32, "uint8"), beads=beads)
    writer = RecordingWriter.create(tmp_path, manifest, video_bytes=4096 + 400 * 1280)
    frames = np.repeat(np.arange(600) % 251, 1024).astype(np.uint8).reshape(600, 32, 32)
    writer.write_frames(frames, [FrameStamp(k, k) for k in range(600)])
    writer.close()
    lines = (tmp_path / "frames.csv").read_bytes().splitlines(keepends=True)
    (tmp_path / "frames.csv").write_bytes(b"".join(lines[:101]))
    report = recover(tmp_path)
    assert report.frames_saved == 100
    assert "frames.csv ends 500 pages before the movies do" in report.sentence
    parts = [tifffile.imread(path) for path in sorted(tmp_path.glob("*.ome.tif"))]
    np.testing.assert_array_equal(np.concatenate(parts), frames)


def test_a_copy_beside_the_movies_is_left_alone(crashed: Make) -> None:
    folder, _ = crashed()
    copy = folder / "video_0000_backup.ome.tif"
    copy.write_bytes((folder / "video_0000.ome.tif").read_bytes())
    before = copy.read_bytes()
    recover(folder)
    assert copy.read_bytes() == before


def test_a_number_beyond_all_measure_damages_its_line_only(crashed: Make) -> None:
    folder, frames = crashed()
    with open(folder / "frames.csv", "ab") as file:
        file.write(b"9" * 40 + b",0.1,video_0002.ome.tif,2\n")
    assert "1 lines of frames.csv are damaged" in recover(folder).sentence
    np.testing.assert_array_equal(open_recording(folder).frames, frames)


def test_what_a_link_points_to_is_not_touched(tmp_path: Path) -> None:
    folder, other = tmp_path / "r", tmp_path / "other.ome.tif"
    manifest = Manifest.new(mode="full", format=FrameFormat(8, 8, "uint8"))
    writer = RecordingWriter.create(folder, manifest)
    writer.write_frames(np.ones((3, 8, 8), np.uint8), [FrameStamp(k, k) for k in range(3)])
    writer.close()
    video = folder / "video_0000.ome.tif"
    video.rename(other)
    video.symlink_to(other)
    before = other.read_bytes()
    with pytest.raises(StorageError, match="is a link"):
        recover(folder)
    assert other.read_bytes() == before

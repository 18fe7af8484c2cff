"""A recording from its first frame to being read back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import (
    AcquisitionMode,
    Bead,
    Calibration,
    FrameFormat,
    FrameStamp,
    Roi,
)
from napari_beadscope.storage import Manifest, RecordingWriter, open_recording
from napari_beadscope.storage.tables import TRACKS

Make = Callable[..., Any]
MODES = [mode.value for mode in AcquisitionMode]
SMALL_FILES = 4096 + 9 * (32 * 40 * 2 + 256)  # nine frames each


@pytest.mark.parametrize("mode", MODES)
def test_a_recording_reads_back_as_it_was_written(
    tmp_path: Path,
    mode: str,
    make_manifest: Make,
    make_frames: Make,
    make_stamps: Make,
    make_rows: Make,
) -> None:
    frames, numbers = make_frames(50), np.r_[100:130, 133:153]
    manifest = make_manifest(mode, profiles=True, name="trial", camera_id="simulated")
    with RecordingWriter.create(tmp_path / "a" / "b", manifest, video_bytes=SMALL_FILES) as writer:
        for part in (slice(0, 7), slice(7, 30), slice(30, 50)):
            writer.write_frames(frames[part], make_stamps(numbers[part]))
            if writer.manifest.mode.tracks:
                writer.write_tracks(make_rows(numbers[part]))
        assert writer.last_frame == 152
        assert writer.frames_written == 50
    recording = open_recording(tmp_path / "a" / "b" / "recording.yaml")
    kept = recording.manifest
    assert (kept.state, kept.mode.value, kept.frames_written) == ("complete", mode, 50)
    assert (kept.name, kept.camera.id, kept.first_frame) == ("trial", "simulated", 100)
    np.testing.assert_array_equal(recording.frame_numbers, numbers - 100)
    np.testing.assert_allclose(recording.times_s, (numbers - 100) * 0.01, atol=1e-6)
    assert [(g.first, g.last, g.cause) for g in recording.gaps] == [(30, 32, "dropped")]
    if kept.mode.video:
        np.testing.assert_array_equal(recording.frames, frames)
        assert [f.frames for f in kept.files if f.kind == "video"] == [9, 9, 9, 9, 9, 5]
    else:
        assert recording.frames.shape == (0, 32, 40)
    if kept.mode.rois:
        for bead in recording.beads:
            np.testing.assert_array_equal(recording.roi_movie(bead.bead), bead.roi.crop(frames))
    if kept.mode.tracks:
        rows = make_rows(numbers)
        np.testing.assert_array_equal(recording.tracks["frame"], rows["frame"] - 100)
        np.testing.assert_allclose(recording.tracks["x_nm"], rows["x_px"] * 100, atol=6e-4)
        np.testing.assert_allclose(recording.tracks["z_nm"], rows["z_nm"], atol=6e-4)
        np.testing.assert_allclose(recording.profiles[:, 2:], rows["profile"][:, :6], rtol=1e-5)
        assert recording.untracked == []
    assert {f.name for f in kept.files} | {"recording.yaml"} == {
        path.name for path in recording.folder.iterdir()
    }
    for record in kept.files:
        assert (recording.folder / record.name).stat().st_size == record.bytes


def test_every_video_file_is_valid_on_its_own(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make
) -> None:
    frames = make_frames(20)
    with RecordingWriter.create(tmp_path, make_manifest("full"), video_bytes=SMALL_FILES) as writer:
        writer.write_frames(list(frames), make_stamps(range(20)))
    parts = [tifffile.imread(path) for path in sorted(tmp_path.glob("video_*"))]
    assert [len(part) for part in parts] == [9, 9, 2]
    np.testing.assert_array_equal(np.concatenate(parts), frames)


def test_memory_that_is_reused_at_once_never_reaches_the_disk(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make
) -> None:
    frames = make_frames(60)
    ring = np.zeros((4, 32, 40), "uint16")
    for mode in ("full", "rois"):
        folder = tmp_path / mode
        with RecordingWriter.create(folder, make_manifest(mode)) as writer:
            for start in range(0, 60, 4):
                ring[:] = frames[start : start + 4]
                writer.write_frames(list(ring), make_stamps(range(start, start + 4)))
                ring[:] = 0xDEAD
        recording = open_recording(folder)
        if mode == "full":
            np.testing.assert_array_equal(recording.frames, frames)
        else:
            for bead in recording.beads:
                np.testing.assert_array_equal(recording.roi_movie(bead.bead), bead.roi.crop(frames))


def test_rows_are_copied_too(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make, make_rows: Make
) -> None:
    rows = make_rows(range(10, 14))
    with RecordingWriter.create(tmp_path, make_manifest("track+full")) as writer:
        writer.write_tracks(rows)  # before any frame: held until frame 0 is known
        rows["x_px"] = -1
        writer.write_frames(make_frames(3), make_stamps([11, 12, 13]))
    tracks = open_recording(tmp_path).tracks
    assert tracks["frame"].tolist() == [0, 0, 1, 1, 2, 2]  # frame 10 is not in the recording
    assert (tracks["x_px"] > 0).all()


def test_tracks_alone_need_no_frames(
    tmp_path: Path, make_manifest: Make, make_rows: Make, make_stamps: Make
) -> None:
    with RecordingWriter.create(tmp_path / "a", make_manifest("track")) as writer:
        writer.write_tracks(make_rows([5, 6, 7]))
    assert open_recording(tmp_path / "a").tracks["frame"].tolist() == [0, 0, 1, 1, 2, 2]
    with RecordingWriter.create(tmp_path / "b", make_manifest("track")) as writer:
        writer.write_frames(None, make_stamps([5, 6, 9]))
        writer.write_tracks(make_rows([5, 9]))
    recording = open_recording(tmp_path / "b")
    assert recording.frame_numbers.tolist() == [0, 1, 4]
    assert [(g.first, g.last) for g in recording.gaps] == [(2, 3)]
    assert [(u.first, u.last, u.cause) for u in recording.untracked] == [(1, 1, "not tracked")]


def test_the_table_has_the_stated_columns_and_digits(
    tmp_path: Path, make_manifest: Make, make_rows: Make
) -> None:
    calibration = Calibration(nm_per_px=65.5)
    manifest = make_manifest("track", calibration=calibration)
    with RecordingWriter.create(tmp_path, manifest) as writer:
        writer.write_tracks(make_rows([8, 9])[1:3])
    assert (tmp_path / "tracks.csv").read_text().splitlines() == [
        "frame,time_s,bead,x_nm,y_nm,z_nm,x_px,y_px,quality,reason",
        "0,0.000000,7,552.656,1105.312,nan,8.43750,16.87500,0.5000,0",
        "1,0.010000,3,601.781,1203.562,-9.188,9.18750,18.37500,0.5000,0",
    ]


def test_pandas_reads_the_tables(tmp_path: Path, make_manifest: Make, make_rows: Make) -> None:
    import pandas  # comes with napari

    with RecordingWriter.create(tmp_path, make_manifest("track", profiles=True)) as writer:
        writer.write_tracks(make_rows(range(5)))
    table = pandas.read_csv(tmp_path / "tracks.csv")
    assert list(table.columns) == list(TRACKS.names or ())
    assert table["z_nm"].isna().sum() == 5
    assert pandas.read_csv(tmp_path / "profiles.csv").shape == (10, 8)


def test_causes_of_gaps_are_kept_and_survive_a_crash(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make
) -> None:
    writer = RecordingWriter.create(tmp_path, make_manifest("full"))
    writer.note_gap(7, 8, "dropped: ring full")
    writer.write_frames(make_frames(2), make_stamps([5, 6]))
    writer.write_frames(make_frames(2), make_stamps([9, 12]))
    writer.note_gap(10, 10, "lost: camera restarted")
    writer.note_untracked(6, 6, "tracker was killed")
    writer.close()
    on_disk = Manifest.load(tmp_path)
    assert on_disk.state == "open"
    assert [(g.first, g.last, g.cause) for g in on_disk.gaps][:1] == [(2, 3, "dropped: ring full")]


def test_an_unfinished_recording_can_be_read(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make, make_rows: Make
) -> None:
    frames = make_frames(20)
    writer = RecordingWriter.create(tmp_path, make_manifest("track+full"), video_bytes=SMALL_FILES)
    writer.write_frames(frames[:12], make_stamps(range(12)))
    writer.write_tracks(make_rows(range(10)))
    recording = open_recording(tmp_path)
    assert recording.manifest.state == "open"
    np.testing.assert_array_equal(recording.frames, frames[:12])
    assert len(recording.tracks) == 20
    writer.write_frames(frames[12:], make_stamps(range(12, 20)))
    np.testing.assert_array_equal(recording.frames, frames[:12])
    np.testing.assert_array_equal(open_recording(tmp_path).frames, frames)
    writer.finish()
    np.testing.assert_array_equal(recording.frames, frames[:12])


def test_frames_are_indexed_like_an_array(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make
) -> None:
    frames = make_frames(20)
    with RecordingWriter.create(tmp_path, make_manifest("full"), video_bytes=SMALL_FILES) as writer:
        writer.write_frames(frames, make_stamps(range(20)))
    lazy = open_recording(tmp_path).frames
    assert (lazy.shape, lazy.dtype, lazy.ndim, len(lazy)) == ((20, 32, 40), "uint16", 3, 20)
    for key in (
        0,
        -1,
        np.int64(9),
        slice(7, 12),
        slice(None, None, -3),
        [3, 17, 3],
        np.arange(20) % 5 == 0,
        (slice(8, 10), 3),
        (4, slice(2, 5), 7),
        (Ellipsis, 3),
        (slice(None), slice(1, 9, 2), slice(None)),
        slice(5, 5),
    ):
        np.testing.assert_array_equal(lazy[key], frames[key])
    with pytest.raises(IndexError, match="frame 20 of a recording of 20"):
        lazy[20]


def test_resume_goes_on_without_loss_or_repetition(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make, make_rows: Make
) -> None:
    for mode in MODES:
        folder, frames = tmp_path / mode, make_frames(40)
        tracks = AcquisitionMode(mode).tracks
        writer = RecordingWriter.create(
            folder, make_manifest(mode, profiles=True), video_bytes=SMALL_FILES
        )
        writer.write_frames(frames[:18], make_stamps(range(100, 118)))  # fills two files
        writer.note_gap(118, 119, "lost: recorder restarted")
        if tracks:
            writer.write_tracks(make_rows(range(100, 110)))
        writer.close()
        writer = RecordingWriter.resume(folder)
        assert (writer.last_frame, writer.frames_written) == (117, 18)
        assert writer.last_tracked == (109 if tracks else None)
        writer.write_frames(frames[18:], make_stamps(range(120, 142)))
        if tracks:
            writer.write_tracks(make_rows(range(105, 142)))  # the ring still had old ones
        writer.finish()
        recording = open_recording(folder)
        assert [(g.first, g.last) for g in recording.gaps] == [(18, 19)]
        assert recording.gaps[0].cause == "lost: recorder restarted"
        if recording.manifest.mode.video:
            np.testing.assert_array_equal(recording.frames, frames)
        if recording.manifest.mode.rois:
            movie = recording.roi_movie(7)
            np.testing.assert_array_equal(movie, recording.beads[1].roi.crop(frames))
        if tracks:
            assert recording.tracks["frame"].tolist() == np.repeat(np.arange(42), 2).tolist()
            assert len(recording.profiles) == 84
            assert recording.manifest.rows_written == 84


def test_resume_refuses_what_it_cannot_trust_and_deletes_nothing(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make
) -> None:
    for number, name in enumerate(("frames.csv", "video_0000.ome.tif", "video_0001.ome.tif")):
        folder = tmp_path / str(number)
        writer = RecordingWriter.create(folder, make_manifest("full"), video_bytes=SMALL_FILES)
        writer.write_frames(make_frames(12), make_stamps(range(12)))
        writer.close()
        (folder / name).unlink()
        before = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        with pytest.raises(StorageError, match=r"cannot be continued .* `beadscope recover`"):
            RecordingWriter.resume(folder)
        after = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        assert after == before


def test_resume_without_more_rows_keeps_the_profiles(
    tmp_path: Path, make_manifest: Make, make_rows: Make
) -> None:
    writer = RecordingWriter.create(tmp_path, make_manifest("track", profiles=True))
    writer.write_tracks(make_rows([0, 1, 2]))
    writer.close()
    with open(tmp_path / "profiles.csv", "ab") as file:
        file.write(b"2,9,1,2,3,4,5,6\n3,3,1")  # its track row never came
    RecordingWriter.resume(tmp_path).finish()
    recording = open_recording(tmp_path)
    assert len(recording.profiles) == len(recording.tracks) == 6
    assert {"tracks", "profiles"} <= {file.kind for file in recording.manifest.files}


def test_wrong_frames_are_refused_and_harm_nothing(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make, make_rows: Make
) -> None:
    frames = make_frames(3)
    with RecordingWriter.create(tmp_path, make_manifest("full")) as writer:
        writer.write_frames(frames[:2], make_stamps([3, 4]))
        with pytest.raises(StorageError, match=r"\(8, 40\) uint16 does not fit"):
            writer.write_frames(frames[:, :8], make_stamps([5, 6, 7]))
        with pytest.raises(StorageError, match="uint8 does not fit"):
            writer.write_frames(frames.astype("uint8"), make_stamps([5, 6, 7]))
        with pytest.raises(StorageError, match="frame 4 came after frame 4"):
            writer.write_frames(frames[:1], make_stamps([4]))
        with pytest.raises(StorageError, match="3 frames came with 1 stamps"):
            writer.write_frames(frames, make_stamps([5]))
        with pytest.raises(StorageError, match="needs the frames' pixels"):
            writer.write_frames(None, make_stamps([5]))
        with pytest.raises(StorageError, match="keeps no tracks"):
            writer.write_tracks(make_rows([5]))
        writer.write_frames([], [])
        writer.write_frames(frames[2:], make_stamps([5]))
    with pytest.raises(StorageError, match="is closed"):
        writer.write_frames(frames[:1], make_stamps([6]))
    np.testing.assert_array_equal(open_recording(tmp_path).frames, frames)


@pytest.mark.parametrize(
    ("mode", "beads", "message"),
    [
        ("rois", (), "mode rois needs beads"),
        ("track", (Bead(1, Roi(0, 0, 4)), Bead(1, Roi(9, 9, 4))), "the same number"),
        ("track", (Bead(4, Roi(25, 3, 8)),), "bead 4 .* leaves the frame of 32 × 40 px"),
        ("rois", (Bead(4, Roi(-1, 3, 8)),), "bead 4 .* leaves the frame"),
    ],
)
def test_bad_beads_are_refused(
    tmp_path: Path, make_manifest: Make, mode: str, beads: tuple[Bead, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        RecordingWriter.create(tmp_path / "x", make_manifest(mode, beads=beads))
    assert not (tmp_path / "x").exists()


def test_nothing_is_ever_overwritten(tmp_path: Path, make_manifest: Make) -> None:
    RecordingWriter.create(tmp_path / "a", make_manifest("full")).finish()
    with pytest.raises(StorageError, match="already holds a recording"):
        RecordingWriter.create(tmp_path / "a", make_manifest("full"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "video_0000.ome.tif").write_bytes(b"somebody's")
    with pytest.raises(StorageError, match=r"already holds a recording \(video_0000"):
        RecordingWriter.create(tmp_path / "b", make_manifest("full"))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "notes.txt").write_text("other files do no harm")
    RecordingWriter.create(tmp_path / "c", make_manifest("full")).finish()


def test_folders_that_cannot_be_are_refused(tmp_path: Path, make_manifest: Make) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(StorageError, match="cannot make the folder"):
            RecordingWriter.create(folder, make_manifest("full"))
    with pytest.raises(StorageError, match=r"nearly full: .* GB must stay free"):
        RecordingWriter.create(tmp_path / "a", make_manifest("full"), min_free_bytes=10**18)
    assert not list((tmp_path / "a").iterdir())
    RecordingWriter.create(tmp_path / "a", make_manifest("full")).finish()


def test_only_one_writes(tmp_path: Path, make_manifest: Make) -> None:
    writer = RecordingWriter.create(tmp_path, make_manifest("full"))
    with pytest.raises(StorageError, match="still being written by another process"):
        RecordingWriter.resume(tmp_path)
    code = (
        "import sys; from napari_beadscope.storage import RecordingWriter\n"
        "RecordingWriter.resume(sys.argv[1])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "still being written by another process" in run.stderr
    writer.finish()
    with pytest.raises(StorageError, match="is complete"):
        RecordingWriter.resume(tmp_path)
    with pytest.raises(StorageError, match="there is no folder"):
        RecordingWriter.resume(tmp_path / "no")


def test_the_zlut_is_copied_in(tmp_path: Path, make_manifest: Make) -> None:
    (tmp_path / "my lut.txt").write_text("0 100\n1 2\n")
    calibration = Calibration(100.0, str(tmp_path / "my lut.txt"))
    folder = tmp_path / "a"
    RecordingWriter.create(folder, make_manifest("track", calibration=calibration)).finish()
    recording = open_recording(folder)
    assert (folder / recording.manifest.calibration.zlut).read_text() == "0 100\n1 2\n"
    with pytest.raises(StorageError, match="no Z-LUT file"):
        RecordingWriter.create(
            tmp_path / "b",
            make_manifest("track", calibration=Calibration(100.0, str(tmp_path / "gone.txt"))),
        )
    assert not list((tmp_path / "b").iterdir())


def test_an_error_inside_still_finishes(
    tmp_path: Path, make_manifest: Make, make_frames: Make, make_stamps: Make
) -> None:
    frames = make_frames(3)

    def record_and_fail() -> None:
        with RecordingWriter.create(tmp_path, make_manifest("full")) as writer:
            writer.write_frames(frames, make_stamps(range(3)))
            raise RuntimeError("the stage fell off")

    with pytest.raises(RuntimeError, match="fell off"):
        record_and_fail()
    recording = open_recording(tmp_path)
    assert recording.manifest.notes == ["ended by an error: the stage fell off"]
    np.testing.assert_array_equal(recording.frames, frames)


def test_an_empty_recording_is_complete(tmp_path: Path, make_manifest: Make) -> None:
    for mode in MODES:
        writer = RecordingWriter.create(tmp_path / mode, make_manifest(mode))
        writer.finish(note="nothing came")
        writer.finish()
        writer.close()
        recording = open_recording(tmp_path / mode)
        assert len(recording.frames) == len(recording.tracks) == len(recording.gaps) == 0
        assert not list((tmp_path / mode).glob("*.tif"))


def test_a_movie_that_is_not_there_is_said_so(tmp_path: Path, make_manifest: Make) -> None:
    RecordingWriter.create(tmp_path, make_manifest("full")).finish()
    with pytest.raises(StorageError, match="has no movie of bead 3"):
        open_recording(tmp_path).roi_movie(3)


@pytest.mark.parametrize("which", ["video", "frames"])
@pytest.mark.parametrize("what", ["shorten", "remove"])
def test_what_another_program_does_to_the_files_is_noticed(
    tmp_path: Path, what: str, which: str
) -> None:
    folder = tmp_path / "r"
    writer = RecordingWriter.create(
        folder, Manifest.new(mode="full", format=FrameFormat(8, 8, "uint8"))
    )
    frames = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8)
    writer.write_frames(frames, [FrameStamp(k, k) for k in range(3)])
    path = folder / ("video_0000.ome.tif" if which == "video" else "frames.csv")
    if what == "remove":
        path.unlink()
    else:
        with path.open("r+b") as file:
            file.truncate(10)
    with pytest.raises(StorageError, match="another program"):
        writer.write_frames(frames, [FrameStamp(k, k) for k in range(3, 6)])
    writer.close()


@pytest.mark.parametrize("mode", ["full", "track"])
def test_a_writer_killed_before_its_first_line_is_followed_from_any_frame(
    tmp_path: Path, mode: str
) -> None:
    folder = tmp_path / "r"
    manifest = Manifest.new(mode=mode, format=FrameFormat(8, 8, "uint8"))
    writer = RecordingWriter.create(folder, manifest)
    writer.begin(FrameStamp(1003, 0))
    writer.close()
    frames = np.zeros((2, 8, 8), np.uint8)
    with RecordingWriter.resume(folder) as successor:
        successor.write_frames(frames, [FrameStamp(1000, 0), FrameStamp(1001, 1)])
    recording = open_recording(folder)
    assert recording.frame_numbers.tolist() == [0, 1]
    assert recording.manifest.first_frame == 1000


def test_a_writer_killed_between_manifest_and_index_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    RecordingWriter.create(
        folder, Manifest.new(mode="full", format=FrameFormat(8, 8, "uint8"))
    ).close()
    (folder / "frames.csv").unlink()
    with RecordingWriter.resume(folder) as successor:
        successor.write_frames(np.ones((1, 8, 8), np.uint8), [FrameStamp(5, 0)])
    assert open_recording(folder).frames[0].min() == 1

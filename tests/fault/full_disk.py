"""Scenarios on a disk that fills up. Run as ``python full_disk.py SCENARIO FOLDER``.

FOLDER is the mount point of a file system of 8 MB that nobody else uses.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import tifffile

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.types import TRACK_ROW, Bead, FrameFormat, FrameStamp, Roi
from napari_beadscope.storage import Manifest, RecordingWriter, open_recording, writer
from napari_beadscope.storage.recover import recover
from napari_beadscope.storage.space import free_bytes

SHAPE = (100, 200)
BEADS = tuple(Bead(i, Roi(i, 2 * i, 64)) for i in range(8))


def pixels(numbers: np.ndarray) -> np.ndarray:
    """Return the frames with these numbers."""
    place = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)
    return ((numbers[:, None, None] * 7919 + place) % 251).astype(np.uint8)


def start(folder: Path, mode: str, keep_free: int = 0) -> RecordingWriter:
    """Begin a recording whose video files hold about a megabyte."""
    manifest = Manifest.new(mode=mode, format=FrameFormat(*SHAPE, "uint8"), beads=BEADS)
    return RecordingWriter.create(folder, manifest, video_bytes=1_000_000, min_free_bytes=keep_free)


def fill(recording: RecordingWriter) -> str:
    """Write until an error says it cannot go on; return what it says."""
    for first in range(0, 10_000, 7):
        numbers = np.arange(first, first + 7)
        try:
            recording.write_frames(pixels(numbers), [FrameStamp(int(k), int(k)) for k in numbers])
        except StorageError as error:
            return str(error)
    raise AssertionError("the disk never filled up")


def check(folder: Path, frames: int) -> None:
    """Every frame is right, for us and for tifffile, and none is missing."""
    recording = open_recording(folder)
    assert recording.frame_numbers.tolist() == list(range(frames)), (frames, recording)
    wanted = pixels(np.arange(frames))
    if recording.manifest.mode.video:
        np.testing.assert_array_equal(recording.frames, wanted)
        parts = [tifffile.imread(p).reshape(-1, *SHAPE) for p in sorted(folder.glob("video_*"))]
        np.testing.assert_array_equal(np.concatenate(parts), wanted)
    if recording.manifest.mode.rois:
        for bead in BEADS:
            np.testing.assert_array_equal(recording.roi_movie(bead.bead), bead.roi.crop(wanted))
    assert not (folder / ".reserve").exists()


def nearly_full(disk: Path) -> None:
    """The limit is kept, and said before the disk is full."""
    recording = start(disk / "a", "full", keep_free=1_500_000)
    message = fill(recording)
    assert "nearly full" in message, message
    assert "0.00 GB must stay free" in message, message
    assert 1_500_000 <= free_bytes(disk) < 1_500_000 + 7 * 20_000 + 8192
    written = recording.frames_written
    recording.finish(note=message)
    assert open_recording(disk / "a").manifest.notes == [message]
    check(disk / "a", written)


def really_full(disk: Path, mode: str) -> None:
    """A write that fails for lack of space leaves everything before it whole."""
    with mock.patch.object(writer, "check_space"):
        recording = start(disk / "a", mode)
        message = fill(recording)
        assert f"the disk of {disk / 'a'} is full" in message, message
        again = fill_again(recording)
        assert "is full" in again, again
    written = recording.frames_written
    assert written > 20
    take_the_rest(disk)
    recording.finish()
    check(disk / "a", written)
    assert open_recording(disk / "a").manifest.state == "complete"


def fill_again(recording: RecordingWriter) -> str:
    """Try once more after the error; return the next one."""
    number = (recording.last_frame or 0) + 1
    for k in range(number, number + 1000):
        try:
            recording.write_frames(pixels(np.array([k])), [FrameStamp(k, k)])
        except StorageError as error:
            return str(error)
    raise AssertionError("the disk never filled up")


def take_the_rest(disk: Path) -> None:
    """Let another program take every byte that is left."""
    fd = os.open(disk / "other", os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError:
        os.close(fd)


def killed_when_full(disk: Path) -> None:
    """What a writer left that died on a full disk can be recovered there."""
    with mock.patch.object(writer, "check_space"):
        recording = start(disk / "a", "full")
        fill(recording)
    written = recording.frames_written
    recording.close()
    take_the_rest(disk)
    assert recover(disk / "a").frames_saved == written
    check(disk / "a", written)


def tracks_when_full(disk: Path) -> None:
    """A batch of rows is written as a whole or not at all."""
    recording = start(disk / "a", "track")
    with mock.patch.object(writer, "check_space"):
        recording.begin(FrameStamp(0, 0))
        take_the_rest(disk)
        rows = np.zeros(500, TRACK_ROW)
        written = 0
        while True:
            rows["frame"] = np.arange(written, written + 500)
            try:
                recording.write_tracks(rows)
            except StorageError as error:
                assert "is full" in str(error)  # noqa: PT017
                break
            written += 500
    recording.finish()
    assert open_recording(disk / "a").tracks["frame"].tolist() == list(range(written))


def no_room_to_begin(disk: Path) -> None:
    """Nothing is left of a recording that could not begin, and later it can."""
    take_the_rest(disk)
    for patched in (True, False):
        try:
            if patched:
                with mock.patch.object(writer, "check_space"):
                    start(disk / "a", "rois")
            else:
                start(disk / "a", "rois")
        except StorageError as error:
            assert "full" in str(error)  # noqa: PT017
        else:
            raise AssertionError("it began on a full disk")
        assert not list((disk / "a").iterdir()), list((disk / "a").iterdir())
    (disk / "other").unlink()
    start(disk / "a", "rois").finish()


def read_only(disk: Path) -> None:
    """A folder that cannot be written is refused in a sentence."""
    start(disk / "done", "full").finish()
    assert os.system(f"mount -o remount,ro {disk}") == 0
    (wanted, existing) = (disk / "a", disk / "done")
    for folder, part in ((wanted, "cannot make the folder"), (existing, "already holds")):
        try:
            start(folder, "full")
        except StorageError as error:
            assert part in str(error), error  # noqa: PT017
        else:
            raise AssertionError("it began on a read-only disk")
    assert open_recording(existing).manifest.state == "complete"


SCENARIOS = {
    "nearly_full": nearly_full,
    "really_full_video": lambda disk: really_full(disk, "full"),
    "really_full_rois": lambda disk: really_full(disk, "rois"),
    "killed_when_full": killed_when_full,
    "tracks_when_full": tracks_when_full,
    "no_room_to_begin": no_room_to_begin,
    "read_only": read_only,
}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](Path(sys.argv[2]))

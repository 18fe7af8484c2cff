"""Writes one recording so that it survives the death of its writer at any instant.

Owns the order of writes: pixels, then their lines in frames.csv, which confirm them. Knows nothing
of rings or processes. Nothing handed to it is kept by reference after a call returns.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import Self

import numpy as np

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.types import FrameStamp
from napari_beadscope.storage import tables
from napari_beadscope.storage.confirm import read_resume_point
from napari_beadscope.storage.gaps import Ledger
from napari_beadscope.storage.lock import WritingLock
from napari_beadscope.storage.manifest import FileRecord, Manifest, State
from napari_beadscope.storage.opening import (
    OpenFiles,
    check_beads,
    check_folder,
    copy_zlut,
    discard,
    open_files,
)
from napari_beadscope.storage.pixels import Frames, check_frames, file_record
from napari_beadscope.storage.space import check_space, free_bytes, write_failure

_log = logging.getLogger(__name__)
_SAVE_EVERY_S = 1.0
_SAVE_AT_MOST_S = 0.1


class RecordingWriter:
    """One recording being written. Begin with `create`, go on after a crash with `resume`.

    All frame numbers given to it are the camera's; on disk they count from the first frame. The
    first frame written is frame 0; in mode ``track`` the earliest of the first rows is, when they
    come before any `write_frames`.

    As a context manager it finishes the recording on leaving, whatever the reason.

    Examples
    --------
    >>> import tempfile
    >>> from napari_beadscope.core.types import FrameFormat
    >>> folder = Path(tempfile.mkdtemp()) / "one"
    >>> manifest = Manifest.new(mode="full", format=FrameFormat(4, 6, "uint8"))
    >>> with RecordingWriter.create(folder, manifest) as writer:
    ...     writer.write_frames(np.zeros((2, 4, 6), "uint8"), [FrameStamp(7, 0), FrameStamp(9, 5)])
    >>> Manifest.load(folder).gaps
    [RangeRecord(first=1, last=1, cause='dropped')]
    """

    def __init__(self, folder: Path, manifest: Manifest, files: OpenFiles, ledger: Ledger) -> None:
        self.folder = folder
        self.manifest = manifest
        self._files = files
        self._ledger = ledger
        self._last = -1  # newest frame of the recording that is on disk
        self._last_tracked = -1
        self._early_rows: list[np.ndarray] = []
        self._early_notes: list[tuple[bool, int, int, str]] = []
        self._next_save = 0.0
        self._closed = False

    @classmethod
    def create(
        cls,
        folder: str | Path,
        manifest: Manifest,
        *,
        video_bytes: int | None = None,
        min_free_bytes: int | None = None,
    ) -> RecordingWriter:
        """Begin a recording in `folder`, which is made if need be.

        Parameters
        ----------
        folder : path
            Must not hold a recording yet.
        manifest : Manifest
            What is recorded; `calibration.zlut` may be a path, which is copied in.
        video_bytes : int, optional
            A new video file begins when one reaches this size.
        min_free_bytes : int, optional
            Writing stops with an error when less would be left on the disk.

        Raises
        ------
        InputError
            A bead's ROI leaves the frame, or ROI movies are asked for without beads.
        StorageError
            The folder holds a recording, cannot be written, or its disk is nearly full.
        """
        folder = Path(folder).expanduser().absolute()
        manifest = manifest.model_copy(deep=True)
        if video_bytes is not None:
            manifest.video_file_bytes = video_bytes
        if min_free_bytes is not None:
            manifest.min_free_bytes = min_free_bytes
        manifest.state = "open"
        check_beads(manifest)
        check_folder(folder)
        lock = WritingLock.take(folder)
        try:
            check_space(folder, 4 << 20, manifest.min_free_bytes)
            copy_zlut(folder, manifest)
            manifest.save(folder)
            files = open_files(folder, manifest, lock)
        except OSError as error:
            discard(folder, manifest, lock)
            raise write_failure(folder, error) from error
        except StorageError:
            discard(folder, manifest, lock)
            raise
        return cls(folder, manifest, files, Ledger())

    @classmethod
    def resume(cls, folder: str | Path) -> RecordingWriter:
        """Go on with a recording whose writer was killed.

        Everything that frames.csv does not confirm is cut off; `last_frame` says where that is.
        Track rows that are on disk already are not written again.

        Raises
        ------
        StorageError
            It is not a recording, is complete, is still being written, or is damaged.
        """
        folder = Path(folder).expanduser().absolute()
        lock = WritingLock.take(folder, must_exist=True)
        try:
            manifest = Manifest.load(folder)
            if manifest.state != "open":
                raise StorageError(f"{folder} is {manifest.state}", "record into a new folder")
            point = read_resume_point(folder, manifest)
            manifest.frames_written, manifest.rows_written = len(point.frames), point.rows
            if not len(point.frames) and not point.rows:  # then no frame is frame 0 yet
                manifest.first_frame = manifest.first_time_ns = None
            files = open_files(folder, manifest, lock, pages=len(point.frames))
        except (OSError, ValueError) as error:
            lock.release()
            raise StorageError(
                f"the recording in {folder} cannot be continued ({error})",
                "run `beadscope recover` on it and record into a new folder",
            ) from error
        except StorageError:
            lock.release()
            raise
        writer = cls(folder, manifest, files, Ledger(manifest.gaps, manifest.untracked))
        writer._ledger.wrote(point.frames)
        writer._ledger.got_tracks(point.tracked)
        writer._last = int(point.frames[-1]) if len(point.frames) else -1
        writer._last_tracked = int(point.tracked.max()) if len(point.tracked) else -1
        return writer

    @property
    def last_frame(self) -> int | None:
        """Camera number of the newest frame on disk."""
        return None if self._last < 0 else self._last + self._origin[0]

    @property
    def last_tracked(self) -> int | None:
        """Camera number of the newest frame with a track row on disk."""
        return None if self._last_tracked < 0 else self._last_tracked + self._origin[0]

    @property
    def frames_written(self) -> int:
        """How many frames are on disk."""
        return self.manifest.frames_written

    @property
    def rows_written(self) -> int:
        """How many track rows are on disk."""
        return self.manifest.rows_written

    @property
    def disk_left_bytes(self) -> int:
        """Bytes that may be written before the disk counts as nearly full."""
        return max(0, free_bytes(self.folder) - self.manifest.min_free_bytes)

    def begin(self, stamp: FrameStamp) -> None:
        """Say which frame is frame 0; else the first written frame is."""
        if self.manifest.first_frame is not None:
            return
        self.manifest.first_frame = stamp.frame
        self.manifest.first_time_ns = stamp.time_ns
        self.manifest.save(self.folder, sync=False)
        for note in self._early_notes:
            self._note(*note)
        for rows in self._early_rows:
            self.write_tracks(rows)
        self._early_rows, self._early_notes = [], []

    def write_frames(self, frames: Frames | None, stamps: Sequence[FrameStamp]) -> None:
        """Write frames, or what the mode keeps of them, and confirm them.

        Parameters
        ----------
        frames : (n, y, x) array, sequence of (y, x) arrays, or None
            Of the recording's format. May be views of memory that changes after the call. None
            will do in mode ``track``, where only the stamps are kept.
        stamps : sequence of FrameStamp
            One for each; numbers must rise. A jump becomes a gap.

        Raises
        ------
        StorageError
            Wrong size, type or order: nothing was written. Disk full or failing: every frame up
            to `last_frame` is safe, and `finish` still works.
        """
        if self._closed:
            raise StorageError(f"the recording in {self.folder} is closed")
        check_frames(self.manifest, frames, stamps, self.last_frame)
        if not stamps:
            return
        self.begin(stamps[0])
        start, pixels = 0, self._files.pixels
        while start < len(stamps):
            stop = min(len(stamps), start + pixels.room)
            part = [] if frames is None else frames[start:stop]
            self._write_part(part, stamps[start:stop])
            start = stop

    def write_tracks(self, rows: np.ndarray) -> None:
        """Append rows of `TRACK_ROW` to tracks.csv, and profiles.csv where that is kept.

        Rows of frames before the first recorded one are left out.

        Raises
        ------
        StorageError
            The mode keeps no tracks; or the disk is full: nothing of `rows` was written.
        """
        tracks = self._files.tracks
        if tracks is None:
            raise StorageError(f"mode {self.manifest.mode.value} keeps no tracks")
        if not len(rows):
            return
        if self.manifest.first_frame is None:
            if self.manifest.mode.video or self.manifest.mode.rois:
                self._early_rows.append(rows.copy())  # until it is known which frame is frame 0
                return
            first = rows[np.argmin(rows["frame"])]
            self.begin(FrameStamp(int(first["frame"]), int(first["time_ns"])))
        first_frame, first_ns = self._origin
        rows = tracks.select(rows, first_frame)
        if not len(rows):
            return
        check_space(self.folder, 100 * len(rows), self.manifest.min_free_bytes)
        try:
            tracks.append(rows, first_frame, first_ns)
        except OSError as error:
            raise write_failure(self.folder, error) from error
        frames = rows["frame"] - first_frame
        self._ledger.got_tracks(frames)
        self._last_tracked = max(self._last_tracked, int(frames.max()))
        self.manifest.rows_written += len(rows)

    def write_motors(self, motors: Iterable[tuple[str, str, np.ndarray]]) -> None:
        """Append samples to motors.csv: of each motor name, unit, ``time_ns`` and ``value``.

        Raises
        ------
        StorageError
            The disk is full: nothing was written.
        """
        try:
            self._files.motors.append(motors, self._origin[1])
        except OSError as error:
            raise write_failure(self.folder, error) from error

    def motors_after_ns(self) -> int:
        """Return the time after which samples of motors are not on disk yet, monotonic ns."""
        last_s = self._files.motors.last_time_s()
        return 0 if math.isinf(last_s) else self._origin[1] + round(last_s * 1e9) + 1000

    def note_gap(self, first: int, last: int, cause: str) -> None:
        """Say why frames `first` to `last` are not, or will not be, written."""
        self._note(False, first, last, cause)

    def note_untracked(self, first: int, last: int, cause: str) -> None:
        """Say why frames `first` to `last` are not, or will not be, tracked."""
        self._note(True, first, last, cause)

    def finish(self, state: State = "complete", note: str = "") -> None:
        """Complete every file and the manifest, and close. Twice is fine.

        Raises
        ------
        StorageError
            The disk fails; `beadscope recover` can still finish the recording.
        """
        if self._closed:
            return
        manifest, files = self.manifest, self._files
        if note:
            manifest.notes.append(note)
        try:
            files.reserve.give_up()
            manifest.files = files.pixels.finish()
            manifest.files += self._finish_tables()
        except (OSError, ValueError) as error:  # also a file that somebody has shortened
            raise write_failure(self.folder, error) from error
        for early in self._early_notes:  # no frame ever came
            self._ledger.note(*early)
        self._update_ranges(finished=True)
        manifest.state = state
        manifest.save(self.folder)
        self.close()

    def close(self) -> None:
        """Close the files as they are; unfinished, they can be resumed or recovered."""
        if not self._closed:
            self._closed = True
            self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self.finish(note=f"ended by an error: {error}" if error is not None else "")
        finally:
            self.close()

    @property
    def _origin(self) -> tuple[int, int]:
        return self.manifest.first_frame or 0, self.manifest.first_time_ns or 0

    def _write_part(self, frames: Frames, stamps: Sequence[FrameStamp]) -> None:
        pixels, (first_frame, first_ns) = self._files.pixels, self._origin
        numbers = np.array([stamp.frame - first_frame for stamp in stamps], np.int64)
        times = np.array([stamp.time_ns - first_ns for stamp in stamps], np.int64) * 1e-9
        check_space(self.folder, pixels.batch_bytes(len(stamps)), self.manifest.min_free_bytes)
        try:
            file, page = pixels.append(frames, len(stamps))
            self._files.frames.append(tables.format_frames(numbers, times, file, page))
        except OSError as error:
            pixels.cut_back()
            raise write_failure(self.folder, error) from error
        pixels.confirm()
        jumped = numbers[0] != self._last + 1 or numbers[-1] - numbers[0] + 1 != len(numbers)
        self._last = int(numbers[-1])
        self._ledger.wrote(numbers)
        self.manifest.frames_written += len(stamps)
        if jumped:
            self._save_if_due()
        try:
            self._files.reserve.ensure(pixels.end_bytes() + 64 * len(self._ledger.written))
        except OSError as error:
            raise write_failure(self.folder, error) from error

    def _note(self, untracked: bool, first: int, last: int, cause: str) -> None:
        if self.manifest.first_frame is None:
            self._early_notes.append((untracked, first, last, cause))
            return
        origin = self._origin[0]
        self._ledger.note(untracked, max(0, first - origin), last - origin, cause)
        self._save_if_due()

    def _save_if_due(self) -> None:
        """Keep the causes of gaps safe; their frames can be found again from frames.csv."""
        began = monotonic()
        if began < self._next_save:
            return
        self._update_ranges(finished=False)
        try:
            self.manifest.save(self.folder, sync=False)
        except StorageError as error:
            _log.warning("%s", error)  # the next frame on a full disk says so, and stops
        took = monotonic() - began  # with thousands of gaps, saving them would make more
        self._next_save = monotonic() + _SAVE_EVERY_S if took < _SAVE_AT_MOST_S else math.inf

    def _update_ranges(self, *, finished: bool) -> None:
        self.manifest.gaps = self._ledger.gaps()
        if self.manifest.mode.tracks and self.manifest.beads:
            self.manifest.untracked = self._ledger.untracked(finished=finished)

    def _finish_tables(self) -> list[FileRecord]:
        files, manifest = self._files, self.manifest
        files.frames.sync()
        records = [file_record(files.frames.path, "frames", manifest.frames_written)]
        if files.tracks is not None:
            records += files.tracks.finish(manifest.rows_written)
        records += files.motors.finish()
        if manifest.calibration.zlut:
            records.append(file_record(self.folder / manifest.calibration.zlut, "zlut", 0))
        return records

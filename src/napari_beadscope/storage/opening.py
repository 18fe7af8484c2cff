"""Opens what a recording is written to, and refuses what cannot become one.

Owns the checks before the first byte. Knows nothing of frames.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.types import MAX_BEAD
from napari_beadscope.storage import tables
from napari_beadscope.storage.layout import LOCK_NAME, bead_name
from napari_beadscope.storage.lock import WritingLock
from napari_beadscope.storage.manifest import MANIFEST_NAME, Manifest
from napari_beadscope.storage.motor_table import MOTORS_NAME, MotorTable
from napari_beadscope.storage.pixels import PixelSink, open_sink
from napari_beadscope.storage.space import Reserve
from napari_beadscope.storage.tables import FRAMES_NAME, PROFILES_NAME, TRACKS_NAME, TableWriter
from napari_beadscope.storage.track_tables import TrackTables

_ZLUT_NAME = "zlut.txt"


@dataclass(slots=True)
class OpenFiles:
    """What is open while a recording is written."""

    lock: WritingLock
    reserve: Reserve
    pixels: PixelSink
    frames: TableWriter
    tracks: TrackTables | None
    motors: MotorTable

    def close(self) -> None:
        """Close everything and let go of the lock."""
        self.pixels.close()
        self.frames.close()
        if self.tracks is not None:
            self.tracks.close()
        self.motors.close()
        self.lock.release()


def open_files(folder: Path, manifest: Manifest, lock: WritingLock, pages: int = 0) -> OpenFiles:
    """Open every file, to begin or to go on after `pages` frames."""
    reserve = Reserve(folder)
    reserve.ensure(0)
    with contextlib.ExitStack() as opened:
        frames = TableWriter(folder / FRAMES_NAME, tables.header(tables.FRAMES))
        opened.callback(frames.close)
        tracks = None
        if manifest.mode.tracks:
            tracks = TrackTables(folder, manifest)
            opened.callback(tracks.close)
        motors = MotorTable(folder)
        opened.callback(motors.close)
        pixels = open_sink(folder, manifest, pages)
        opened.pop_all()
    return OpenFiles(lock, reserve, pixels, frames, tracks, motors)


def check_beads(manifest: Manifest) -> None:
    """Refuse beads that cannot be recorded."""
    shape = manifest.frame_format.shape
    if manifest.mode.rois and not manifest.beads:
        raise InputError(f"mode {manifest.mode.value} needs beads", "add or find beads first")
    numbers = [bead.bead for bead in manifest.bead_list]
    if len(set(numbers)) < len(numbers):
        raise InputError("two beads have the same number", "give each bead a number of its own")
    for bead in manifest.bead_list:
        if not 0 <= bead.bead <= MAX_BEAD:
            raise InputError(
                f"{bead.bead} cannot be a bead's number", f"use whole numbers to {MAX_BEAD}"
            )
        roi = bead.roi
        if not roi.inside(shape):
            raise InputError(
                f"the ROI of bead {bead.bead} (rows from {roi.y0}, columns from {roi.x0}, "
                f"{roi.size} px) leaves the frame of {shape[0]} × {shape[1]} px",
                "move the bead's ROI inside, make it smaller, or remove the bead",
            )


def check_folder(folder: Path) -> None:
    """Make the folder; refuse one that holds a recording."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder {folder} ({error.strerror})", "choose another folder"
        ) from error
    refuse_recording(folder)


def refuse_recording(folder: Path) -> None:
    """Raise `StorageError` if `folder` holds any file that a new recording would have."""
    for pattern in (
        MANIFEST_NAME,
        FRAMES_NAME,
        TRACKS_NAME,
        PROFILES_NAME,
        MOTORS_NAME,
        "video_*.ome.tif",
        "bead_*.ome.tif",
    ):
        found = next(iter(sorted(folder.glob(pattern))), None)
        if found is not None:
            raise StorageError(
                f"{folder} already holds a recording ({found.name})",
                "choose another folder: nothing is ever overwritten",
            )


def copy_zlut(folder: Path, manifest: Manifest) -> None:
    """Copy the Z-LUT in and point the manifest to the copy."""
    if not manifest.calibration.zlut:
        return
    source = Path(manifest.calibration.zlut).expanduser()
    try:
        shutil.copyfile(source, folder / _ZLUT_NAME)
    except FileNotFoundError:
        raise StorageError(f"there is no Z-LUT file {source}", "check the path") from None
    manifest.calibration.zlut = _ZLUT_NAME


def discard(folder: Path, manifest: Manifest, lock: WritingLock) -> None:
    """Remove what a recording that could not begin has left."""
    names = [MANIFEST_NAME, FRAMES_NAME, TRACKS_NAME, MOTORS_NAME, _ZLUT_NAME, LOCK_NAME]
    Reserve(folder).give_up()
    for name in [*names, *(bead_name(bead.bead) for bead in manifest.beads)]:
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    lock.release()

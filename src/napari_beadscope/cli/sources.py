"""What can be tracked offline: files of frames, and our own recordings with video or ROI movies.

Owns frame numbers, times and crops of each kind. Must not know how crops are tracked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.lifetime import Closes, Closing
from napari_beadscope.core.types import Bead, FrameFormat, FrameStamp, Roi
from napari_beadscope.devices.replay import FrameSource, open_frames
from napari_beadscope.storage import Recording, open_recording

_USUAL_FPS = 30.0
_MANIFEST = "recording.yaml"


class Footage(Closes, Protocol):
    """Frames that can be cut into crops.

    Attributes
    ----------
    name : str
        For messages.
    format : FrameFormat
        Of the full frames.
    fps : float
        Frames/s; ``fps_assumed`` if nothing says so.
    nm_per_px : float or None
        Pixel size, where it is known.
    beads : tuple of Bead
        Those it came with; none for files.
    note : str
        What is to be known of how its frames are taken; '' for nothing.
    """

    name: str
    format: FrameFormat
    fps: float
    fps_assumed: bool
    nm_per_px: float | None
    beads: tuple[Bead, ...]
    note: str

    def __len__(self) -> int: ...

    def stamp(self, number: int) -> FrameStamp:
        """Return the camera's number and time of the frame at `number`."""

    def first_images(self, count: int) -> Iterator[np.ndarray]:
        """Yield up to `count` full frames; InputError where there are none."""

    def image(self, number: int) -> np.ndarray:
        """Return a copy of the frame at `number`; InputError where there are no full frames."""

    def crop_into(self, number: int, beads: Sequence[Bead], out: np.ndarray) -> None:
        """Copy the beads' ROIs ``(beads, size, size)``; DeviceError for a damaged frame."""

    def resized_beads(self, size_px: int | None) -> tuple[Bead, ...]:
        """Return `beads`, with ROIs of another size if given."""

    def check_beads(self, beads: Sequence[Bead]) -> None:
        """Raise InputError if crops of these beads cannot be had."""


class _Frames(Closing):
    """A file, a folder of images, or the video of a recording."""

    nm_per_px: float | None = None
    beads: tuple[Bead, ...] = ()

    def __init__(self, source: FrameSource, fps: float | None) -> None:
        self._source = source
        self.name, self.format, self.note = source.name, source.format, source.note
        rate = fps or source.fps
        self.fps, self.fps_assumed = rate or _USUAL_FPS, not rate
        self._image = np.empty(self.format.shape, self.format.dtype)

    def __len__(self) -> int:
        return len(self._source)

    def stamp(self, number: int) -> FrameStamp:
        return FrameStamp(number, round(number * 1e9 / self.fps))

    def first_images(self, count: int) -> Iterator[np.ndarray]:
        for number in range(min(count, len(self))):
            self._source.read_into(number, self._image)
            yield self._image

    def image(self, number: int) -> np.ndarray:
        self._source.read_into(number, self._image)
        return self._image.copy()

    def crop_into(self, number: int, beads: Sequence[Bead], out: np.ndarray) -> None:
        self._source.read_into(number, self._image)
        for crop, bead in zip(out, beads):
            crop[...] = bead.roi.crop(self._image)

    def resized_beads(self, size_px: int | None) -> tuple[Bead, ...]:
        from napari_beadscope.storage.beads_csv import check_inside

        beads = self.beads
        if size_px is not None:
            beads = tuple(Bead(b.bead, Roi.around(*b.roi.centre_px, size_px)) for b in beads)
        check_inside(beads, self.format.shape, self.name)
        return beads

    def check_beads(self, beads: Sequence[Bead]) -> None:
        """Crops can be had anywhere inside the frame."""

    def close(self) -> None:
        self._source.close()


class _Recorded(_Frames):
    """A recording with full video: its own frame numbers, times, beads and pixel size."""

    def __init__(self, recording: Recording, source: FrameSource, fps: float | None) -> None:
        super().__init__(source, fps or recording.manifest.fps or None)
        self.name = str(recording.folder)
        self.nm_per_px = recording.manifest.calibration.nm_per_px
        self.beads = recording.beads
        self._numbers = recording.frame_numbers
        self._times_ns = np.rint(recording.times_s * 1e9).astype(np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    def stamp(self, number: int) -> FrameStamp:
        return FrameStamp(int(self._numbers[number]), int(self._times_ns[number]))


class _RoiMovies(_Recorded):
    """A recording of ROI movies: its beads, as they were cut."""

    def __init__(self, recording: Recording, fps: float | None) -> None:
        super().__init__(recording, _NoFrames(recording), fps)
        self._movies = {bead.bead: recording.roi_movie(bead.bead) for bead in recording.beads}

    def first_images(self, count: int) -> Iterator[np.ndarray]:
        raise InputError(
            f"{self.name} keeps the ROIs of its beads only, not whole frames",
            "leave out --beads to track those",
        )

    def image(self, number: int) -> np.ndarray:
        raise InputError(
            f"{self.name} keeps the ROIs of its beads only, not whole frames",
            "take a recording with full video, or a file",
        )

    def crop_into(self, number: int, beads: Sequence[Bead], out: np.ndarray) -> None:
        for crop, bead in zip(out, beads):
            crop[...] = self._movies[bead.bead][number]

    def resized_beads(self, size_px: int | None) -> tuple[Bead, ...]:
        size = self.beads[0].roi.size
        if size_px not in (None, size):
            raise InputError(
                f"{self.name} keeps ROIs of {size} px, not of {size_px} px",
                "leave out --roi-size, and use a Z-LUT of that size",
            )
        return self.beads


class _NoFrames(Closing):
    """Stands in where a recording has no video; knows its format and length."""

    fps: float | None = None
    note = ""

    def __init__(self, recording: Recording) -> None:
        self.name = str(recording.folder)
        self.format = recording.manifest.frame_format

    def __len__(self) -> int:
        return 0

    def read_into(self, index: int, out: np.ndarray) -> None:
        """There is nothing to read."""


def open_footage(path: Path, fps: float | None = None) -> Footage:
    """Open a TIFF, a movie, a folder of images, or a recording.

    Parameters
    ----------
    path : Path
        A recording is named by its folder or its recording.yaml.
    fps : float, optional
        Frame rate to use instead of the file's own.

    Raises
    ------
    InputError
        There is nothing to track, or it cannot be read.
    StorageError
        A recording is not finished, or its manifest cannot be understood.
    """
    path = path.expanduser()
    folder = path.parent if path.name == _MANIFEST else path
    if not (folder / _MANIFEST).is_file():
        footage: Footage = _Frames(open_frames(path), fps)
    else:
        recording = open_recording(folder)
        _refuse_unfinished(recording)
        if recording.manifest.mode.video and len(recording.frame_numbers):
            footage = _Recorded(recording, open_frames(folder), fps)
        elif recording.manifest.mode.rois and len(recording.frame_numbers):
            footage = _RoiMovies(recording, fps)
        else:
            raise InputError(
                f"the recording in {folder} (mode {recording.manifest.mode.value}) holds no images",
                "track one that was made with track+full, full, track+rois or rois",
            )
    if not len(footage):
        footage.close()
        raise InputError(f"there is no frame in {path}", "check the source")
    return footage


def _refuse_unfinished(recording: Recording) -> None:
    from napari_beadscope.storage.lock import WritingLock

    if recording.manifest.state != "open":
        return
    if WritingLock.is_held(recording.folder):
        raise StorageError(
            f"the recording in {recording.folder} is still being written",
            "stop the recording first",
        )
    raise StorageError(
        f"the recording in {recording.folder} was cut short",
        f"run `beadscope recover {recording.folder}` first",
    )

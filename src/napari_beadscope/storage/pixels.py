"""Where pixels go: rotated video files, or one ROI movie per bead.

Owns which file a page goes to and what of it is confirmed. Knows nothing of stamps or tables.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.types import FrameStamp, Roi
from napari_beadscope.storage.layout import (
    bead_name,
    bead_spec,
    pages_per_file,
    video_name,
    video_spec,
)
from napari_beadscope.storage.manifest import FileRecord, Manifest
from napari_beadscope.storage.tiff import MovieWriter, finish_movie, ifd_bytes, sync_file

Frames = np.ndarray | Sequence[np.ndarray]


class PixelSink(Protocol):
    """Takes batches of full frames; a batch counts once it is confirmed."""

    @property
    def room(self) -> int:
        """How many frames the next `append` may have."""

    def append(self, frames: Frames, count: int) -> tuple[str, int]:
        """Write `count` frames; return the file, '' for a movie per bead, and the first page."""

    def confirm(self) -> None:
        """Make what was appended part of the recording."""

    def cut_back(self) -> None:
        """Forget what was appended but not confirmed."""

    def batch_bytes(self, frames: int) -> int:
        """Bytes that many frames take on disk."""

    def end_bytes(self) -> int:
        """Bytes that `finish` adds."""

    def finish(self) -> list[FileRecord]:
        """Complete every file, remove empty ones, return what there is."""

    def close(self) -> None:
        """Close the files as they are."""


class VideoFiles:
    """Full frames in files of at most `manifest.video_file_bytes`."""

    def __init__(self, folder: Path, manifest: Manifest, pages: int = 0) -> None:
        """Begin, or go on after `pages` confirmed frames."""
        self._folder = folder
        self._spec = video_spec(manifest)
        self._per_file = pages_per_file(manifest)
        self._number, in_last = divmod(pages, self._per_file)
        if pages and not in_last:
            self._number, in_last = self._number - 1, self._per_file
        self._confirmed = in_last
        self._movie: MovieWriter | None = None
        for number in range(self._number):
            finish_movie(folder / video_name(number), self._spec, self._per_file, sync=False)
        path = folder / video_name(self._number)
        if in_last:
            self._movie = MovieWriter.reopen(path, self._spec, in_last)
        else:
            path.unlink(missing_ok=True)
        (folder / video_name(self._number + 1)).unlink(missing_ok=True)

    @property
    def room(self) -> int:
        left = self._per_file - self._confirmed
        return left or self._per_file

    def append(self, frames: Frames, count: int) -> tuple[str, int]:
        if self._movie is not None and self._confirmed >= self._per_file:
            self._movie.finish(sync=False)  # waiting for the disk would hold up the camera
            self._movie, self._confirmed = None, 0
            self._number += 1
        if self._movie is None:
            path = self._folder / video_name(self._number)
            self._movie = MovieWriter.create(path, self._spec)
        self._movie.append(frames)
        return self._movie.path.name, self._confirmed

    def confirm(self) -> None:
        if self._movie is not None:
            self._confirmed = self._movie.pages

    def cut_back(self) -> None:
        if self._movie is not None:
            self._movie.cut_back(self._confirmed)

    def batch_bytes(self, frames: int) -> int:
        return frames * self._spec.page_bytes

    def end_bytes(self) -> int:
        return ifd_bytes(self._confirmed)

    def finish(self) -> list[FileRecord]:
        self.cut_back()
        self.close()
        records = []
        for number in range(self._number + 1):
            path = self._folder / video_name(number)
            if number < self._number:
                sync_file(path)
                records.append(file_record(path, "video", self._per_file))
            elif self._confirmed:
                finish_movie(path, self._spec, self._confirmed)
                records.append(file_record(path, "video", self._confirmed))
            else:
                path.unlink(missing_ok=True)
        return records

    def close(self) -> None:
        if self._movie is not None:
            self._movie.close()
            self._movie = None


class BeadMovies:
    """The ROI of every bead, one movie each; all have the same number of pages."""

    def __init__(self, folder: Path, manifest: Manifest, pages: int = 0) -> None:
        """Begin, or go on after `pages` confirmed frames."""
        self._confirmed = pages
        self._movies: list[tuple[Roi, MovieWriter]] = []
        _allow_open_files(len(manifest.beads) + 64)
        try:
            for bead in manifest.beads:
                path, spec = folder / bead_name(bead.bead), bead_spec(manifest, bead)
                if pages:
                    movie = MovieWriter.reopen(path, spec, pages)
                else:
                    path.unlink(missing_ok=True)
                    movie = MovieWriter.create(path, spec)
                self._movies.append((Roi(bead.y0, bead.x0, bead.size), movie))
        except (OSError, ValueError):
            self.close()
            raise

    @property
    def room(self) -> int:
        return 1 << 30

    def append(self, frames: Frames, count: int) -> tuple[str, int]:
        for roi, movie in self._movies:
            crops = np.empty((count, roi.size, roi.size), movie.spec.storage_dtype)
            if isinstance(frames, np.ndarray):
                crops[:] = roi.crop(frames)
            else:
                for crop, frame in zip(crops, frames):
                    crop[:] = roi.crop(frame)
            movie.append(crops)
        return "", self._confirmed

    def confirm(self) -> None:
        if self._movies:
            self._confirmed = self._movies[0][1].pages

    def cut_back(self) -> None:
        for _, movie in self._movies:
            movie.cut_back(self._confirmed)

    def batch_bytes(self, frames: int) -> int:
        return frames * sum(movie.spec.page_bytes for _, movie in self._movies)

    def end_bytes(self) -> int:
        return ifd_bytes(self._confirmed) * len(self._movies)

    def finish(self) -> list[FileRecord]:
        self.cut_back()
        self.close()
        records = []
        for _, movie in self._movies:
            if self._confirmed:
                finish_movie(movie.path, movie.spec, self._confirmed)
                records.append(file_record(movie.path, "roi", self._confirmed))
            else:
                movie.path.unlink(missing_ok=True)
        return records

    def close(self) -> None:
        for _, movie in self._movies:
            movie.close()


class NoPixels:
    """Keeps no pixels, for recordings of tracks alone; counts frames as pages."""

    room = 1 << 30

    def __init__(self, pages: int = 0) -> None:
        self._confirmed = self._pages = pages

    def append(self, frames: Frames, count: int) -> tuple[str, int]:
        self._pages = self._confirmed + count
        return "", self._confirmed

    def confirm(self) -> None:
        self._confirmed = self._pages

    def cut_back(self) -> None:
        self._pages = self._confirmed

    def batch_bytes(self, frames: int) -> int:
        return 0

    def end_bytes(self) -> int:
        return 0

    def finish(self) -> list[FileRecord]:
        return []

    def close(self) -> None:
        pass


def open_sink(folder: Path, manifest: Manifest, pages: int = 0) -> PixelSink:
    """Return where this recording's pixels go, to begin or to go on after `pages` frames.

    Raises
    ------
    OSError
        A file cannot be opened or written.
    ValueError
        A file holds fewer pages than that.
    """
    if manifest.mode.video:
        return VideoFiles(folder, manifest, pages)
    if manifest.mode.rois:
        return BeadMovies(folder, manifest, pages)
    return NoPixels(pages)


def check_frames(
    manifest: Manifest, frames: Frames | None, stamps: Sequence[FrameStamp], newest: int | None
) -> None:
    """Raise StorageError unless frames fit into the recording and follow frame `newest`."""
    mode, wanted = manifest.mode, manifest.frame_format
    if frames is None:
        if mode.video or mode.rois:
            raise StorageError(f"mode {mode.value} needs the frames' pixels")
    elif len(frames) != len(stamps):
        raise StorageError(f"{len(frames)} frames came with {len(stamps)} stamps")
    elif len(frames):
        shapes = {(frame.shape, frame.dtype.name) for frame in frames}
        if shapes != {(wanted.shape, wanted.dtype)}:
            shape, dtype = next(iter(shapes - {(wanted.shape, wanted.dtype)}))
            raise StorageError(
                f"a frame of {shape} {dtype} does not fit into a recording of "
                f"{wanted.shape} {wanted.dtype}",
                "stop the recording before changing the camera's format",
            )
    for stamp in stamps:
        if newest is not None and stamp.frame <= newest:
            raise StorageError(f"frame {stamp.frame} came after frame {newest}")
        newest = stamp.frame


def file_record(path: Path, kind: str, frames: int) -> FileRecord:
    """Describe a file for the manifest."""
    size = path.stat().st_size
    return FileRecord.model_validate(
        {"name": path.name, "kind": kind, "frames": frames, "bytes": size}
    )


def _allow_open_files(count: int) -> None:
    """Raise this process's soft limit of open files where the system has one and allows it."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

"""Recordings of this program: full frames, or else the movie of each bead as a position.

Owns what a recording means to a batch. Must not know how recordings are written. Frames are read
from their files one by one; nothing is mapped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.naming import stem_of
from napari_beadscope.batch.source import PositionInfo, SourceError
from napari_beadscope.batch.sources.base import SourceBase, usable_times
from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.storage.layout import bead_name, bead_spec, movie_files, video_spec
from napari_beadscope.storage.manifest import MANIFEST_NAME
from napari_beadscope.storage.reader import Recording, open_recording
from napari_beadscope.storage.tables import FRAMES_NAME
from napari_beadscope.storage.tiff import DATA_START, MovieSpec


class RecordingSource(SourceBase):
    """The frames of a finished recording; gaps make times jump, as frames that were lost are not.

    A recording of ROI movies has a position for each bead.

    Raises
    ------
    InputError
        It is not finished, cannot be understood, or has no pixels.
    """

    def __init__(self, path: Path) -> None:
        folder = path.parent if path.name == MANIFEST_NAME and not path.is_dir() else path
        super().__init__(folder)
        self._open: dict[Path, Any] = {}
        try:
            self.recording: Recording = open_recording(folder)
            self._check()
            self._index = self.recording.index
            self._positions = tuple(self._look())
        except StorageError as error:
            raise InputError(error.what, error.remedy) from error

    def _check(self) -> None:
        manifest = self.recording.manifest
        if manifest.state == "open":
            raise InputError(
                f"the recording in {self.path} is not finished",
                "wait for its end, or run `beadscope recover` if it was cut short",
            )
        if not (manifest.mode.video or manifest.mode.rois):
            raise InputError(
                f"the recording in {self.path} has tracks, but no pixels",
                "record with mode track+full to process frames again",
            )

    def _look(self) -> list[PositionInfo]:
        manifest = self.recording.manifest
        # a whole manifest knows better than the disk what there should be
        frames = max(manifest.frames_written, len(self._index))
        if not frames:
            raise InputError(f"the recording in {self.path} has no frames", "give another one")
        times = usable_times(self._index["time_s"].tolist(), len(self._index))
        if times is not None and len(times) < frames:
            times = None
        stem = stem_of(self.path)
        specs: list[tuple[str, MovieSpec]] = [(stem, video_spec(manifest))]
        if not manifest.mode.video:
            specs = [(f"{stem}_b{b.bead:04d}", bead_spec(manifest, b)) for b in manifest.beads]
        return [
            PositionInfo(
                name=name,
                path=self.path,
                index=index,
                frames=frames,
                channels=("0",),
                height_px=spec.height_px,
                width_px=spec.width_px,
                dtype=spec.dtype,
                times_s=times,
                nm_per_px=manifest.calibration.nm_per_px,
                kind="recording",
            )
            for index, (name, spec) in enumerate(specs)
        ]

    def positions(self) -> tuple[PositionInfo, ...]:
        """Return the full frames as one position, or one for each bead's movie."""
        return self._positions

    def files(self) -> tuple[Path, ...]:
        """Return manifest, index and movies."""
        movies = [path for path, _ in movie_files(self.path, self.recording.manifest)]
        known = [self.path / MANIFEST_NAME, self.path / FRAMES_NAME, *movies]
        return tuple(path for path in known if path.exists())

    def frame(self, position: int, channel: int, number: int) -> np.ndarray:
        """Return one frame; SourceError if its file does not have it."""
        manifest = self.recording.manifest
        if number >= len(self._index):
            raise self._missing(number, f"{FRAMES_NAME} and the movies end before it")
        row = self._index[number]
        if manifest.mode.video:
            path, spec = self.path / str(row["file"]), video_spec(manifest)
        else:
            bead = manifest.beads[position]
            path, spec = self.path / bead_name(bead.bead), bead_spec(manifest, bead)
        pixels = spec.height_px * spec.width_px
        try:
            if path not in self._open:
                self._open[path] = open(path, "rb")  # noqa: SIM115
            self._open[path].seek(DATA_START + int(row["page"]) * spec.page_bytes)
            image = np.fromfile(self._open[path], spec.storage_dtype, pixels)
        except OSError as error:
            raise self._missing(number, f"{path.name}: {error.strerror}") from error
        if image.size < pixels:
            raise self._missing(number, f"{path.name} ends before it")
        return image.reshape(spec.shape).astype(spec.dtype, copy=False)

    def _missing(self, number: int, why: str) -> SourceError:
        return SourceError(
            f"frame {number} of the recording in {self.path} is missing ({why})",
            "copy the recording again, or use the frames before it",
        )

    def close(self) -> None:
        """Close the movies."""
        for file in self._open.values():
            file.close()
        self._open.clear()

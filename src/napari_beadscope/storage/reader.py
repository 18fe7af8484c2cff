"""Reads a recording back, finished or not; never changes it.

Owns the lazy view of frames over rotated files. Knows nothing of repairing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import StorageError
from napari_beadscope.core.types import Annotation, Bead
from napari_beadscope.storage import tables
from napari_beadscope.storage.annotations import ANNOTATIONS_NAME, read_annotations
from napari_beadscope.storage.confirm import pages_of, pages_present, read_index
from napari_beadscope.storage.layout import bead_name, bead_spec, video_spec
from napari_beadscope.storage.manifest import MANIFEST_NAME, Manifest, RangeRecord
from napari_beadscope.storage.motor_table import positions_at, read_motors
from napari_beadscope.storage.tables import PROFILES_NAME, TRACKS, TRACKS_NAME
from napari_beadscope.storage.tiff import MovieSpec, map_movie


class LazyFrames:
    """Frames ``(t, y, x)`` of several files as one array that is read where it is indexed.

    Examples
    --------
    >>> LazyFrames([np.zeros((2, 4, 4)), np.ones((3, 4, 4))])[1:4:2, 0, 0]
    array([0., 1.])
    """

    def __init__(self, parts: list[np.ndarray], places: np.ndarray | None = None) -> None:
        """Join `parts`, all of each, or frame by frame from `places` ``(n, 2)``: part, page."""
        self._parts = parts
        if places is None:
            places = np.array([(i, k) for i, part in enumerate(parts) for k in range(len(part))])
        self._places = places.reshape(-1, 2)
        self.shape: tuple[int, int, int] = (len(self._places), *parts[0].shape[1:])
        self.dtype = parts[0].dtype.newbyteorder("=")
        self.ndim = 3

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes of all frames."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        key = key if isinstance(key, tuple) else (key,)
        if key and key[0] is Ellipsis:
            key = (slice(None),) * (4 - len(key)) + key[1:]
        first, rest = (key[0], key[1:]) if key else (slice(None), ())
        if isinstance(first, (int, np.integer)):
            return self._frame(int(first))[rest]
        numbers = np.arange(len(self))[first]
        out = np.empty((len(numbers), *np.empty(self.shape[1:], "V0")[rest].shape), self.dtype)
        for place, number in enumerate(numbers):
            out[place] = self._frame(int(number))[rest]
        return out

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self._frame(number) for number in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def _frame(self, number: int) -> np.ndarray:
        if not -len(self) <= number < len(self):
            raise IndexError(f"frame {number} of a recording of {len(self)}")
        part, page = self._places[number]
        return np.asarray(self._parts[part][page])


class Recording:
    """A recording on disk, read as far as it is needed. Use `open_recording`.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
        `manifest.state` is 'open' for a recording that was not, or is not yet, finished: then
        `frames` has what was confirmed when it was opened.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @cached_property
    def index(self) -> np.ndarray:
        """Rows of frames.csv whose pixels are on disk, structured `storage.tables.FRAMES`."""
        rows, _ = read_index(self.folder)
        return rows[pages_present(self.folder, self.manifest, rows)]

    @property
    def frame_numbers(self) -> np.ndarray:
        """``(t,)`` int64, counted from the first; a jump is a gap."""
        return self.index["frame"]

    @property
    def times_s(self) -> np.ndarray:
        """``(t,)`` float64 seconds since the first frame."""
        return self.index["time_s"]

    @cached_property
    def frames(self) -> LazyFrames:
        """Full frames ``(t, y, x)``; none unless the mode keeps video."""
        spec, index = video_spec(self.manifest), self.index
        if not self.manifest.mode.video:
            index = index[:0]
        names, part = np.unique(index["file"], return_inverse=True)
        parts = [
            map_movie(self.folder / str(name), spec, int(index["page"][part == i].max()) + 1)
            for i, name in enumerate(names)
        ]
        none = np.empty((0, *spec.shape), spec.storage_dtype)
        return LazyFrames(parts or [none], np.column_stack([part, index["page"]]))

    @cached_property
    def tracks(self) -> np.ndarray:
        """All rows of tracks.csv, structured `storage.tables.TRACKS`; empty when there is none."""
        return tables.read_table(self.folder / TRACKS_NAME, TRACKS)

    @property
    def annotations(self) -> dict[int, Annotation]:
        """What people say about the beads, read anew; nothing about those that are missing.

        Raises
        ------
        InputError
            annotations.csv cannot be understood.
        """
        path = self.folder / ANNOTATIONS_NAME
        return read_annotations(path) if path.exists() else {}

    @cached_property
    def motors(self) -> np.ndarray:
        """All samples of motors.csv, structured `storage.motor_table.MOTORS`; else empty.

        ``time_s`` since the first frame, ``motor``, ``position`` and its ``unit``.
        """
        return read_motors(self.folder)

    def motor_positions(self, motor: str, times_s: np.ndarray | None = None) -> np.ndarray:
        """Return where a motor was, or what a sensor read, between its samples by interpolation.

        Parameters
        ----------
        motor : str
            Its name.
        times_s : ndarray (t,), optional
            Seconds since the first frame, such as ``tracks["time_s"]``; else those of all frames.

        Raises
        ------
        StorageError
            There is no such motor in the recording.
        """
        times = self.times_s if times_s is None else np.asarray(times_s, np.float64)
        return positions_at(self.motors, motor, times)

    @cached_property
    def profiles(self) -> np.ndarray:
        """profiles.csv as ``(rows, 2 + bins)``: frame, bead, then the profile; else empty."""
        return tables.read_profiles(self.folder / PROFILES_NAME)

    @property
    def missing(self) -> tuple[str, ...]:
        """What a finished recording once had and the disk lacks, in words; empty if it is whole."""
        manifest = self.manifest
        if manifest.state == "open":
            return ()
        beads = manifest.beads if manifest.mode.rois else []
        movies = {
            path: pages_of(path, bead_spec(manifest, record), manifest)
            for record in beads
            if (path := self.folder / bead_name(record.bead)).exists()
        }
        counts = (
            ("frames", manifest.frames_written, min([len(self.index), *movies.values()])),
            ("ROI movies", len(beads), len(movies)),
            ("track rows", manifest.rows_written, len(self.tracks)),
        )
        return tuple(
            f"{wanted - found} of {wanted} {name}"
            for name, wanted, found in counts
            if found < wanted
        )

    def roi_movie(self, bead: int) -> np.ndarray:
        """Return the ROI movie of a bead as a read-only memory map ``(t, y, x)``.

        Raises
        ------
        StorageError
            The recording has no movie of that bead.
        """
        record = next((b for b in self.manifest.beads if b.bead == bead), None)
        path = self.folder / bead_name(bead)
        if record is None or not path.exists():
            raise StorageError(
                f"the recording in {self.folder} has no movie of bead {bead}",
                "see `beadscope info` for what it holds",
            )
        spec: MovieSpec = bead_spec(self.manifest, record)
        return map_movie(path, spec, min(len(self.index), pages_of(path, spec, self.manifest)))

    @property
    def beads(self) -> tuple[Bead, ...]:
        """The beads and their ROIs."""
        return self.manifest.bead_list

    @property
    def gaps(self) -> list[RangeRecord]:
        """Ranges of frames that are not on disk, and why."""
        return self.manifest.gaps

    @property
    def untracked(self) -> list[RangeRecord]:
        """Ranges of frames without track rows, and why."""
        return self.manifest.untracked

    def __repr__(self) -> str:
        return f"<Recording {self.folder} {self.manifest.state}, {len(self.index)} frames>"


def open_recording(path: str | Path) -> Recording:
    """Open the recording in a folder, or that a recording.yaml belongs to, for reading.

    Raises
    ------
    StorageError
        There is no recording, or it cannot be understood.
    """
    folder = Path(path).expanduser().absolute()
    if folder.name == MANIFEST_NAME and not folder.is_dir():
        folder = folder.parent
    return Recording(folder, Manifest.load(folder))

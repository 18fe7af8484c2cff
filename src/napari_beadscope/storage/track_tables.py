"""tracks.csv and profiles.csv of one recording, while they are written.

Owns that a row is written once, in both, or in neither. Knows nothing of frames' pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_beadscope.storage import tables
from napari_beadscope.storage.manifest import FileRecord, Manifest
from napari_beadscope.storage.pixels import file_record
from napari_beadscope.storage.tables import PROFILES_NAME, TRACKS, TRACKS_NAME, TableWriter


class TrackTables:
    """Appends track rows in bulk. Closing twice is fine."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Open tracks.csv, new or to go on; a new profiles.csv follows with the first rows."""
        self._folder = folder
        self._manifest = manifest
        self._tracks = TableWriter(folder / TRACKS_NAME, tables.header(TRACKS))
        self._profiles: TableWriter | None = None
        self._bins = 0
        if (folder / PROFILES_NAME).exists():
            self._profiles, self._bins = tables.open_profiles(folder, 0, manifest.rows_written)
        # A former writer's rows, so that none is written twice.
        self._on_disk = tables.newest_row_keys(folder / TRACKS_NAME)

    def select(self, rows: np.ndarray, first_frame: int) -> np.ndarray:
        """Return the rows that belong to the recording and are not on disk yet."""
        rows = rows[rows["frame"] >= first_frame]
        if not len(self._on_disk):
            return rows
        keys = tables.row_keys(rows["frame"] - first_frame, rows["bead"])
        return rows[~np.isin(keys, self._on_disk)]

    def append(self, rows: np.ndarray, first_frame: int, first_time_ns: int) -> None:
        """Write rows to both tables, or to neither.

        Raises
        ------
        OSError
            The disk is full or fails.
        """
        lines = tables.format_tracks(
            rows, first_frame, first_time_ns, self._manifest.calibration.nm_per_px
        )
        if not self._manifest.profiles:
            self._tracks.append(lines)
            return
        if self._profiles is None:
            self._profiles, self._bins = tables.open_profiles(
                self._folder, int(rows["n_radial"].max()), self._manifest.rows_written
            )
        before = self._profiles.size
        self._profiles.append(tables.format_profiles(rows, first_frame, self._bins))
        try:
            self._tracks.append(lines)
        except OSError:
            self._profiles.cut_back(before)
            raise

    def finish(self, rows: int) -> Iterator[FileRecord]:
        """Wait until `rows` rows are on the disk itself; describe the files."""
        for table, kind in ((self._tracks, "tracks"), (self._profiles, "profiles")):
            if table is not None:
                table.sync()
                yield file_record(table.path, kind, rows)

    def close(self) -> None:
        """Close both files."""
        for table in (self._tracks, self._profiles):
            if table is not None:
                table.close()

"""Tracks that MagScope has saved, as tables of tracks.

Owns the two layouts: HDF5 of MagScope 1.0 (group ``/tracking``, schema version 1) and text of
seven columns: time s, x nm, y nm, z nm, bead, ROI x px, ROI y px. Neither says how large a pixel
is, so positions are in nm only. Neither numbers frames, so these are counted by time: what
MagScope has dropped does not show.

Source of the layouts: files that MagScope 1.0.0 writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.storage.tables import TRACKS
from napari_beadscope.storage.tracks_csv import UNKNOWN_REASON

GROUP = "tracking"
_SCHEMA = 1
_TEXT_COLUMNS = 7


def is_magscope_text(path: str | Path) -> bool:
    """Return whether the first line of a file is seven numbers, as MagScope writes them."""
    try:
        with open(path, encoding="ascii") as file:
            words = file.readline(10_000).split()
        values = [float(word) for word in words]
    except (OSError, ValueError):
        return False
    return len(values) == _TEXT_COLUMNS and values[4] >= 0 and values[4] == int(values[4])


def is_magscope_hdf5(path: str | Path) -> bool:
    """Return whether a file is HDF5 with MagScope's group of tracks."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "positions_nm" in file.get(GROUP, {})
    except OSError:
        return False


def read_magscope_hdf5(path: str | Path) -> np.ndarray:
    """Return the rows of a ``Tracking Data <time>.h5``, structured `storage.tables.TRACKS`.

    Raises
    ------
    InputError
        It is not such a file, of another version, or cut short.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            group = file.get(GROUP)
            version = None if group is None else int(group.attrs.get("schema_version", -1))
            if group is None:
                raise InputError(
                    f"{path} has no group '{GROUP}'", "give a file that MagScope 1.0 has saved"
                )
            if version != _SCHEMA:
                raise InputError(
                    f"{path} has MagScope's schema version {version}, not {_SCHEMA}",
                    "save it with MagScope 1.0",
                )
            return _rows(group, path)
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path} cannot be read as MagScope's tracks ({error})", "check the file"
        ) from None


def read_magscope_text(path: str | Path) -> np.ndarray:
    """Return the rows of MagScope's table of text, structured `storage.tables.TRACKS`.

    Raises
    ------
    InputError
        It is not such a table.
    """
    try:
        values = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as MagScope's tracks ({error})", "check the file"
        ) from None
    if values.ndim != 2 or values.shape[1] != _TEXT_COLUMNS:
        raise InputError(
            f"{path} does not have MagScope's {_TEXT_COLUMNS} columns",
            "give time s, x nm, y nm, z nm, bead, ROI x px, ROI y px",
        )
    time_ns = np.rint((values[:, 0] - values[:, 0].min(initial=np.inf)) * 1e9).astype(np.int64)
    return _table(time_ns, values[:, 4].astype(np.int64), values[:, 1:4])


def _rows(group: Any, path: str | Path) -> np.ndarray:
    times = group["frame_timestamps_ns"][:].astype(np.int64)
    offsets = group["frame_offsets"][:].astype(np.int64)
    beads, places = group["bead_ids"][:], group["positions_nm"][:]
    counts = np.diff(offsets)
    whole = len(counts) == len(times) and len(beads) == len(places)
    if not whole or (counts < 0).any() or counts.sum() != len(beads):
        raise InputError(
            f"{path} is cut short: its frames and its positions do not belong together",
            "save it again with MagScope",
        )
    times = times - (times.min() if len(times) else 0)
    return _table(np.repeat(times, counts), beads, places)


def _table(time_ns: np.ndarray, beads: np.ndarray, xyz_nm: np.ndarray) -> np.ndarray:
    """Return rows in the order of time and bead."""
    rows = np.zeros(len(beads), TRACKS)
    rows["frame"] = np.unique(time_ns, return_inverse=True)[1]
    rows["time_s"] = time_ns * 1e-9
    rows["bead"] = beads
    rows["x_nm"], rows["y_nm"], rows["z_nm"] = xyz_nm.T
    rows["x_px"] = rows["y_px"] = rows["quality"] = np.nan
    rows["reason"] = UNKNOWN_REASON
    return rows[np.lexsort((rows["bead"], rows["frame"]))]

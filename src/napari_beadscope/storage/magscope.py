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
from napari_beadscope.core.types import MAX_BEAD
from napari_beadscope.storage.tables import TRACKS
from napari_beadscope.storage.tracks_csv import UNKNOWN_REASON

GROUP = "tracking"
_SCHEMA = 1
_TEXT_COLUMNS = 7
_MAX_SECONDS = 9e9  # int64 counts as many in ns
#: What h5py, numpy and the system make of files whose structure is not MagScope's.
_UNREADABLE = (OSError, KeyError, TypeError, ValueError, OverflowError, MemoryError, RuntimeError)


def is_magscope_text(path: str | Path) -> bool:
    """Return whether the first line of a file is seven numbers, as MagScope writes them."""
    try:
        with open(path, encoding="ascii") as file:
            words = file.readline(10_000).split()
        values = [float(word) for word in words]
    except (OSError, ValueError):
        return False
    return len(values) == _TEXT_COLUMNS and values[4] >= 0 and values[4].is_integer()


def is_magscope_hdf5(path: str | Path) -> bool:
    """Return whether a file is HDF5 with MagScope's group of tracks."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            group = file.get(GROUP)
            return isinstance(group, h5py.Group) and "positions_nm" in group
    except (OSError, KeyError, RuntimeError):
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
            if not isinstance(group, h5py.Group):
                raise InputError(
                    f"{path} has no group '{GROUP}'", "give a file that MagScope 1.0 has saved"
                )
            version = group.attrs.get("schema_version", "none")
            if np.ndim(version) or version != _SCHEMA:
                raise InputError(
                    f"{path} has MagScope's schema version {version}, not {_SCHEMA}",
                    "save it with MagScope 1.0",
                )
            return _rows(group, path)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from None


def read_magscope_text(path: str | Path) -> np.ndarray:
    """Return the rows of MagScope's table of text, structured `storage.tables.TRACKS`.

    Raises
    ------
    InputError
        It is not such a table.
    """
    try:
        values = np.loadtxt(path, ndmin=2)
    except _UNREADABLE as error:
        raise _unreadable(path, error) from None
    if values.ndim != 2 or values.shape[1] != _TEXT_COLUMNS:
        raise InputError(
            f"{path} does not have MagScope's {_TEXT_COLUMNS} columns",
            "give time s, x nm, y nm, z nm, bead, ROI x px, ROI y px",
        )
    with np.errstate(all="ignore"):
        seconds = values[:, 0] - values[:, 0].min(initial=np.inf)
    if not (seconds < _MAX_SECONDS).all():  # nor is NaN
        raise InputError(f"{path} has a time that is not a number of seconds", "correct it")
    time_ns = np.rint(seconds * 1e9).astype(np.int64)
    return _table(time_ns, _ids(values[:, 4], path), values[:, 1:4])


def _unreadable(path: str | Path, error: Exception) -> InputError:
    why = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path} cannot be read as MagScope's tracks ({why})", "check the file")


def _ids(beads: np.ndarray, path: str | Path) -> np.ndarray:
    """Return bead IDs as whole numbers."""
    bad = ~((beads >= 0) & (beads <= MAX_BEAD)) | (beads != np.floor(beads))
    if bad.any():
        raise InputError(
            f"{path} has a bead {beads[np.argmax(bad)]:g}, which is not a whole number "
            f"from 0 to {MAX_BEAD}",
            "correct it",
        )
    return beads.astype(np.int64)


def _numbers(group: Any, name: str, kinds: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return a data set of numbers, or say which is not what it should be; None is any length."""
    found = group[name]
    has = getattr(found, "shape", None) or ()  # groups and single numbers have none
    fits = len(has) == len(shape) and found.dtype.kind in kinds
    if not fits or any(wanted not in (None, n) for wanted, n in zip(shape, has)):
        sides = " x ".join("n" if side is None else str(side) for side in shape)
        raise ValueError(f"'{name}' is not {sides} numbers")
    return np.asarray(found[:])


def _rows(group: Any, path: str | Path) -> np.ndarray:
    times = _numbers(group, "frame_timestamps_ns", "iu", (None,)).astype(np.int64)
    offsets = _numbers(group, "frame_offsets", "iu", (None,)).astype(np.int64)
    beads = _ids(_numbers(group, "bead_ids", "iuf", (None,)), path)
    places = _numbers(group, "positions_nm", "iuf", (None, 3))
    counts = np.diff(offsets)
    whole = len(counts) == len(times) and len(beads) == len(places)
    outside = (counts < 0).any() or (counts > len(beads)).any()
    if not whole or outside or counts.sum() != len(beads):
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

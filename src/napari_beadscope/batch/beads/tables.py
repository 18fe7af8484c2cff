"""The text tables of beads in a batch: columns of a recording's tables after ``position``.

Owns their formatting and reading. Must not know how rows were made. The same rows give the same
bytes; missing numbers are written ``nan``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from napari_beadscope.batch.beads.traces import DRIFT
from napari_beadscope.core.errors import StorageError
from napari_beadscope.storage.tables import TRACK_LINE, TRACKS

#: Columns of a table of tracks in a batch.
TRACK_COLUMNS = ("position", *(TRACKS.names or ()))
DRIFT_COLUMNS = ("position", *(DRIFT.names or ()))
_DRIFT_LINE = "%d,%.6f,%.3f,%.3f,%.3f,%.5f,%.5f,%d\n"
_ROWS = 100_000


def as_tracks(
    chunk: np.ndarray,
    ids: Mapping[int, int],
    times_s: np.ndarray | None,
    nm_per_px: float | None,
) -> np.ndarray:
    """Turn the rows of a chunk into tracks, sorted by frame and bead.

    Parameters
    ----------
    chunk : ndarray, structured `chunk.CHUNK`
        Rows of a chunk.
    ids : mapping of int to int
        ID of each bead in the chunk; rows of others are left out.
    times_s : ndarray (t,) or None
        Time of every frame of the position; NaN in the rows if not known.
    nm_per_px : float or None
        Size of a pixel; x and y in nm are NaN if not known.

    Returns
    -------
    ndarray, structured `storage.tables.TRACKS`
    """
    chunk = chunk[np.isin(chunk["bead"], np.fromiter(ids, np.int64, len(ids)))]
    rows = np.zeros(len(chunk), TRACKS)
    for name in ("frame", "x_px", "y_px", "z_nm", "quality", "reason"):
        rows[name] = chunk[name]
    if len(chunk):
        numbers, at = np.unique(chunk["bead"], return_inverse=True)
        rows["bead"] = np.array([ids[int(number)] for number in numbers])[at]
    rows["time_s"] = np.nan if times_s is None else times_s[rows["frame"]]
    scale = np.nan if nm_per_px is None else nm_per_px
    rows["x_nm"], rows["y_nm"] = rows["x_px"] * scale, rows["y_px"] * scale
    return rows[np.lexsort((rows["bead"], rows["frame"]))]


def write_tracks(path: Path, position: str, parts: Iterable[np.ndarray]) -> int:
    """Write tracks of a position part by part; return how many rows there are."""
    return _write(path, position, parts, TRACK_COLUMNS, TRACK_LINE)


def write_drift(path: Path, position: str, drift: np.ndarray) -> int:
    """Write the drift of a position; return how many rows there are."""
    return _write(path, position, [drift], DRIFT_COLUMNS, _DRIFT_LINE)


def _write(
    path: Path, position: str, parts: Iterable[np.ndarray], columns: tuple[str, ...], line: str
) -> int:
    line = position.replace("%", "%%") + "," + line
    count = 0
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")
        for part in parts:
            for low in range(0, len(part), _ROWS):
                some = part[low : low + _ROWS]
                lists = [some[name].tolist() for name in columns[1:]]
                file.write(line * len(some) % tuple(chain.from_iterable(zip(*lists))))
            count += len(part)
    return count


def read_tracks(path: Path) -> np.ndarray:
    """Return the tracks of a position, structured `storage.tables.TRACKS`.

    Raises
    ------
    StorageError
        It is not such a table.
    """
    return _read(path, TRACKS)


def read_drift(path: Path) -> np.ndarray:
    """Return the drift of a position, structured `traces.DRIFT`."""
    return _read(path, DRIFT)


def _read(path: Path, dtype: np.dtype) -> np.ndarray:
    import pandas as pd

    names = list(dtype.names or ())
    kinds: dict[Any, Any] = {name: np.dtype(dtype[name].base.str) for name in names}
    try:
        table = pd.read_csv(path, usecols=names, dtype=kinds, na_values=["nan"], engine="c")
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{path} is not a table with the columns {','.join(names)} ({error})",
            "run the batch again with --verify",
        ) from None
    rows = np.empty(len(table), dtype)
    for name in names:
        rows[name] = table[name].to_numpy()
    return rows


def write_profiles(
    path: Path, position: str, parts: Iterable[tuple[np.ndarray, Mapping[int, int]]]
) -> int:
    """Write radial profiles of rows that carry them, with the bead's ID; return how many rows."""
    count = 0
    with open(path, "w", encoding="utf-8", newline="") as file:
        for rows, ids in parts:
            bins = rows["profile"].shape[1]
            if not count:
                file.write(
                    ",".join(["position,frame,bead", *(f"r{k}" for k in range(bins))]) + "\n"
                )
            lines = sorted(
                (frame, ids[bead], *profile)
                for frame, bead, profile in zip(
                    rows["frame"].tolist(), rows["bead"].tolist(), rows["profile"].tolist()
                )
                if bead in ids
            )
            line = position.replace("%", "%%") + ",%d,%d" + ",%.6g" * bins + "\n"
            file.write(line * len(lines) % tuple(chain.from_iterable(lines)))
            count += len(lines)
        if not count:
            file.write("position,frame,bead\n")
    return count


def write_csv(path: Path, position: str, rows: np.ndarray, formats: Mapping[str, str]) -> None:
    """Write rows of any structured type after a column ``position``, each with its format."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(",".join(("position", *formats)) + "\n")
        for row in rows:
            cells = (form % row[name].item() for name, form in formats.items())
            file.write(",".join((position, *cells)) + "\n")

"""Rows of many beads as traces, and back: one column per bead, one line per frame.

Owns which rows may be trusted for which coordinate, and the drift of reference beads. Must not
know files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from napari_beadscope.analysis.drift import drift_of
from napari_beadscope.analysis.grid import on_grid
from napari_beadscope.batch.beads.link import CENTRED
from napari_beadscope.batch.beads.smoothing import smooth_trace
from napari_beadscope.core.types import Reason

AXES = ("x_px", "y_px", "z_nm")
#: Drift of the field, frame by frame; `references` were seen in the frame.
DRIFT = np.dtype(
    [
        ("frame", "<i8"),
        ("time_s", "<f8"),
        ("x_nm", "<f8"),
        ("y_nm", "<f8"),
        ("z_nm", "<f8"),
        ("x_px", "<f8"),
        ("y_px", "<f8"),
        ("references", "<i4"),
    ]
)


def trusted(rows: np.ndarray, axis: str) -> np.ndarray:
    """Return ``(n,)`` values of an axis, NaN in rows that cannot be trusted for it."""
    fine = rows["reason"] == Reason.OK if axis == "z_nm" else np.isin(rows["reason"], CENTRED)
    return np.where(fine, rows[axis], np.nan)


def by_bead(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each bead and the indices of its rows, in their order."""
    order = np.argsort(rows["bead"], kind="stable")
    beads, first = np.unique(rows["bead"][order], return_index=True)
    yield from zip(beads.tolist(), np.split(order, first[1:]))


def drift_rows(
    rows: np.ndarray, references: Iterable[int], *, how: str = "median", max_gap: int = 0
) -> np.ndarray:
    """Return the drift that reference beads have in common.

    Parameters
    ----------
    rows : ndarray, structured `storage.tables.TRACKS`
        Tracks of a position.
    references : iterable of int
        IDs of the beads that are stuck.
    how : str
        "median" or "mean" over references, see `analysis.drift_of`.
    max_gap : int
        Gaps of at most this many frames without any reference are bridged by a straight line.

    Returns
    -------
    ndarray, structured `DRIFT`
        One row per frame that is in `rows`; NaN where no reference was seen, and in nm of x and
        y where no size of a pixel is known.
    """
    wanted = np.array(sorted(references), np.int64)
    frames, first, at = np.unique(rows["frame"], return_index=True, return_inverse=True)
    drift = np.zeros(len(frames), DRIFT)
    drift["frame"], drift["time_s"] = frames, rows["time_s"][first]
    chosen = np.isin(rows["bead"], wanted)
    column = np.searchsorted(wanted, rows["bead"][chosen])
    scale = nm_per_px(rows)
    for axis in AXES:
        table = np.full((len(frames), len(wanted)), np.nan)
        table[at[chosen], column] = trusted(rows[chosen], axis)
        if axis == "z_nm" and np.isnan(table).all():
            drift["z_nm"] = np.nan
            continue
        drift[axis] = drift_of(table, how=how, max_gap=max_gap)
        if axis == "x_px":
            drift["references"] = np.isfinite(table).sum(axis=1)
    drift["x_nm"], drift["y_nm"] = drift["x_px"] * scale, drift["y_px"] * scale
    return drift


def without_drift(rows: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """Return a copy of tracks from which the drift has been taken away.

    Where the drift is not known, nor is the position: it is NaN.
    """
    out = rows.copy()
    at = np.searchsorted(drift["frame"], rows["frame"])
    at = np.minimum(at, len(drift) - 1)
    known = drift["frame"][at] == rows["frame"] if len(drift) else np.zeros(len(rows), bool)
    for axis in ("x_nm", "y_nm", "z_nm", "x_px", "y_px"):
        out[axis] = np.where(known, rows[axis] - drift[axis][at], np.nan) if len(drift) else np.nan
    return out


def smoothed_rows(
    rows: np.ndarray,
    frames: int,
    *,
    method: str = "local",
    checkpoint: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Return a copy of tracks with smoothed positions; see `smoothing.smooth_trace`.

    Rows that cannot be trusted do not count, and get a position where the window bridges them.
    """
    out = rows.copy()
    scale = nm_per_px(rows)
    for _, part in by_bead(rows):
        checkpoint()
        mine = rows[part]
        at = mine["frame"] - mine["frame"][0]
        for axis in AXES:
            values = on_grid(mine["frame"], trusted(mine, axis))
            out[axis][part] = smooth_trace(values, frames, method=method)[at]
    out["x_nm"], out["y_nm"] = out["x_px"] * scale, out["y_px"] * scale
    return out


def nm_per_px(rows: np.ndarray) -> float:
    """Return the size of a pixel that the rows imply; NaN if there is none."""
    fine = np.isfinite(rows["x_nm"]) & (np.abs(rows["x_px"]) > 1)
    if not fine.any():
        return float("nan")
    return float(f"{np.median(rows['x_nm'][fine] / rows['x_px'][fine]):.6g}")

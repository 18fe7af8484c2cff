"""One chunk of frames: crops of all beads through a tracking backend into rows.

Owns `CHUNK`, the rows of a chunk on their way to the tables. Must not know how beads were found
nor what rows are used for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_beadscope.core.types import Bead, Reason, Roi
from napari_beadscope.tracking import Backend, TrackResult, ZLut
from napari_beadscope.tracking.stack import check_stack

_FIELDS = [
    ("frame", "<i8"),
    ("bead", "<i4"),
    ("reason", "<u4"),
    ("x_px", "<f8"),
    ("y_px", "<f8"),
    ("z_nm", "<f8"),
    ("quality", "<f4"),
    ("sigma_x_px", "<f4"),
    ("sigma_y_px", "<f4"),
    ("sigma_z_nm", "<f4"),
]
#: One bead in one frame of the position; full-frame px.
CHUNK = np.dtype(_FIELDS)
_NAMES = ("reason", "x_px", "y_px", "z_nm", "quality", "sigma_x_px", "sigma_y_px", "sigma_z_nm")
#: Reasons with which a bead is where it was found, whatever its rings are like.
_CENTRED = (Reason.OK, Reason.Z_OUT_OF_RANGE, Reason.POOR_MATCH)
_BATCH_BYTES = 16 << 20
_BATCH_ROIS = 4096


def chunk_dtype(bins: int) -> np.dtype:
    """Return the type of rows that carry radial profiles of so many bins; `CHUNK` for 0."""
    return np.dtype([*_FIELDS, ("profile", "<f4", (bins,))]) if bins else CHUNK


def track_chunk(
    frames: np.ndarray,
    first: int,
    beads: Sequence[Bead],
    backend: Backend,
    zlut: ZLut | None = None,
    *,
    profiles: bool = False,
    checkpoint: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Track all beads in all frames.

    Parameters
    ----------
    frames : ndarray (n, y, x)
        Frames ``first`` to ``first + n - 1`` of the position.
    first : int
        Number of the first of them.
    beads : sequence of Bead
        With ROIs of one size inside the frame.
    backend : Backend
        Opened.
    zlut : ZLut, optional
        For heights.
    profiles : bool
        Whether rows carry radial profiles.
    checkpoint : callable
        Called between batches; what it raises goes through.

    Returns
    -------
    ndarray, structured `CHUNK`
        ``n * len(beads)`` rows: all beads of the first frame, then of the next.
    """
    size = beads[0].roi.size if beads else 0
    rows = np.zeros(len(frames) * len(beads), chunk_dtype(size // 2 if profiles else 0))
    if not len(rows):
        return rows
    numbers = first + np.arange(len(frames))
    rows["frame"] = np.repeat(numbers, len(beads))
    rows["bead"] = np.tile([bead.bead for bead in beads], len(frames))
    length = _frames_per_batch(len(beads), size, frames.dtype.itemsize)
    for low in range(0, len(frames), length):
        checkpoint()
        some = frames[low : low + length]
        crops = np.empty((len(some), len(beads), size, size), some.dtype)
        for place, bead in enumerate(beads):
            crops[:, place] = bead.roi.crop(some)
        result = backend.track(check_stack(crops.reshape(-1, size, size)), zlut)
        _fill(rows[low * len(beads) : (low + len(some)) * len(beads)], result, beads, len(some))
    return rows


def lookup_chunk(
    frames: np.ndarray,
    first: int,
    rows: np.ndarray,
    size_px: int,
    backend: Backend,
    zlut: ZLut,
    *,
    checkpoint: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Track beads anew in ROIs cut round where they were found to be, with heights.

    Parameters
    ----------
    frames : ndarray (n, y, x)
        Frames ``first`` to ``first + n - 1`` of the position.
    first : int
        Number of the first of them.
    rows : ndarray, structured `CHUNK`
        Of `track_chunk`.
    size_px : int
        ROI size, px.
    backend : Backend
        Opened.
    zlut : ZLut
        For heights.
    checkpoint : callable
        Called between batches; what it raises goes through.

    Returns
    -------
    ndarray, structured as `rows`
        The same beads and frames. Rows without a centre that can be trusted are as they were.
    """
    out = rows.copy()
    shape = (frames.shape[1], frames.shape[2])
    there = np.isfinite(rows["x_px"]) & np.isfinite(rows["y_px"])
    seen = np.flatnonzero(there & np.isin(rows["reason"], _CENTRED))
    for low in range(0, len(seen), _BATCH_ROIS):
        checkpoint()
        some = seen[low : low + _BATCH_ROIS]
        rois = [
            kept_inside(Roi.around(y, x, size_px), shape)
            for y, x in zip(rows["y_px"][some].tolist(), rows["x_px"][some].tolist())
        ]
        numbers = (rows["frame"][some] - first).tolist()
        crops = np.stack([roi.crop(frames[at]) for at, roi in zip(numbers, rois)])
        part = out[some]
        _fill(part, backend.track(check_stack(crops), zlut), [Bead(0, roi) for roi in rois], 1)
        out[some] = part
    return out


def kept_inside(roi: Roi, shape: tuple[int, int]) -> Roi:
    """Return the ROI, or the nearest one that does not leave a frame of `shape` ``(y, x)`` px.

    A tracker finds a bead off the middle of its ROI, too.

    Examples
    --------
    >>> kept_inside(Roi(-4, 62, 32), (100, 120))
    Roi(y0=0, x0=62, size=32)
    """
    y0, x0 = (min(max(at, 0), side - roi.size) for at, side in zip((roi.y0, roi.x0), shape))
    return Roi(y0, x0, roi.size)


def _frames_per_batch(beads: int, size: int, itemsize: int) -> int:
    return max(1, min(_BATCH_ROIS // beads, _BATCH_BYTES // (beads * size * size * itemsize)))


def _fill(rows: np.ndarray, result: TrackResult, beads: Sequence[Bead], count: int) -> None:
    """Put a result of ROI coordinates into rows of full-frame ones."""
    for name in _NAMES:
        rows[name] = getattr(result, name)
    rows["x_px"] += np.tile([bead.roi.x0 for bead in beads], count)
    rows["y_px"] += np.tile([bead.roi.y0 for bead in beads], count)
    if "profile" in (rows.dtype.names or ()):
        rows["profile"] = result.profiles[:, : rows["profile"].shape[1]]

"""From results to track rows: ROI coordinates become full-frame ones, crops get their frame.

Owns the filling of `core.types.TRACK_ROW`. Must not know where rows go.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_beadscope.core.types import MAX_RADIAL_BINS, TRACK_ROW, Bead, FrameStamp
from napari_beadscope.tracking.result import TrackResult


def to_rows(
    result: TrackResult,
    beads: Sequence[Bead],
    seqs: Sequence[int],
    stamps: Sequence[FrameStamp],
    *,
    profiles: bool = True,
) -> np.ndarray:
    """Return one row per bead and frame.

    Parameters
    ----------
    result : TrackResult
        Of ``len(stamps) * len(beads)`` crops: all beads of the first frame, then of the next.
    beads : sequence of Bead
        Their ROIs are where the crops were cut.
    seqs, stamps : sequence
        Ring sequence number, and camera number and time, of each frame.
    profiles : bool
        Whether rows carry the radial profiles.

    Examples
    --------
    >>> from napari_beadscope.core.types import Roi
    >>> result = TrackResult.empty(2, 32)
    >>> result.x_px[:] = 15.5
    >>> bead = Bead(7, Roi(0, 100, 32))
    >>> rows = to_rows(result, [bead], [0, 1], [FrameStamp(3, 0), FrameStamp(4, 10)])
    >>> rows["frame"].tolist(), rows["x_px"].tolist()
    ([3, 4], [115.5, 115.5])
    """
    rows = np.zeros(len(stamps) * len(beads), TRACK_ROW)
    for field, values in (
        ("seq", seqs),
        ("frame", [stamp.frame for stamp in stamps]),
        ("time_ns", [stamp.time_ns for stamp in stamps]),
    ):
        rows[field] = np.repeat(np.asarray(values, np.int64), len(beads))
    count = len(stamps)
    rows["bead"] = np.tile([bead.bead for bead in beads], count)
    rows["x_px"] = result.x_px + np.tile([bead.roi.x0 for bead in beads], count)
    rows["y_px"] = result.y_px + np.tile([bead.roi.y0 for bead in beads], count)
    rows["z_nm"], rows["quality"], rows["reason"] = result.z_nm, result.quality, result.reason
    if profiles:
        bins = min(result.profiles.shape[1], MAX_RADIAL_BINS)
        rows["n_radial"] = bins
        rows["profile"][:, :bins] = result.profiles[:, :bins]
    return rows

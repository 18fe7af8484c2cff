"""`link_positions`: which positions in which frames are the same freely moving bead.

Owns the assignment and its limits. Must not know how positions were found. laptrack solves the
assignment (linear assignment as in Jaqaman et al., Nature Methods 5, 695 (2008), doi
10.1038/nmeth.1237); it is an extra and imported when linking begins.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError, TrackingError

#: Track number of a row that has no position.
NO_TRACK = -1
_TICK = 1e-3  # of the largest step: one frame on the axis that carries time through laptrack


def why_not() -> str:
    """Return '' if linking can run here, else what to install."""
    from importlib.util import find_spec

    return "" if find_spec("laptrack") else "install it with: pip install napari-beadscope[linking]"


def link_positions(
    frame: Any, y_px: Any, x_px: Any, *, max_step_px: float, max_gap_frames: int = 2
) -> np.ndarray:
    """Number the beads that positions belong to.

    From one frame to the next, the links are those with the least sum of squared steps; then ends
    and beginnings of tracks are joined across frames in which the bead was not found. Tracks
    neither split nor merge: each position belongs to one track, and a track has at most one
    position per frame. Beads closer to each other than they move per frame cannot be told apart.

    Parameters
    ----------
    frame : array, shape (n,), int
        Frame number of each position, in any order; numbers may be missing.
    y_px, x_px : array, shape (n,)
        Positions in full-frame pixels (any other unit will do, `max_step_px` has the same). Rows
        that are not finite belong to no track.
    max_step_px : float
        Farthest that a bead moves from one frame to the next. Over a gap of ``g`` missing frames
        it may move ``sqrt(g + 1)`` times as far, as diffusion does. About 4 to 5 times the rms
        step per axis loses next to nothing; keep it under half the distance of beads.
    max_gap_frames : int
        Most frames in a row in which a bead may be missing without ending its track; 0 for none.

    Returns
    -------
    ndarray, shape (n,), int64
        Track of each position, numbered from 0 in the order in which tracks begin (frame, then
        row); -1 for rows without a position.

    Raises
    ------
    InputError
        If lengths differ, frame numbers are not whole, or a limit makes no sense.
    TrackingError
        If laptrack is not installed.

    Examples
    --------
    Two beads pass each other; one is missing in frame 2.

    >>> frame = [0, 0, 1, 1, 2, 3, 3]
    >>> x = [10.0, 20.0, 12.0, 18.0, 14.5, 12.0, 18.0]
    >>> y = [5.0, 9.0, 5.0, 9.0, 5.0, 9.0, 5.0]
    >>> link_positions(frame, y, x, max_step_px=5.0).tolist()
    [0, 1, 0, 1, 0, 1, 0]
    """
    frames, places = _checked(frame, y_px, x_px)
    _check_limits(max_step_px, max_gap_frames)
    _check_installed()
    tracks = np.full(len(frames), NO_TRACK, dtype=np.int64)
    rows = np.flatnonzero(np.isfinite(places).all(axis=1))
    if len(rows):
        rows = rows[np.argsort(frames[rows], kind="stable")]
        tracks[rows] = _link(frames[rows], places[rows], float(max_step_px), int(max_gap_frames))
    return tracks


def _link(frames: np.ndarray, places: np.ndarray, step: float, gap: int) -> np.ndarray:
    """Link positions in order of their frames; return their track numbers.

    Time travels as a third coordinate so small that it moves no decision, so that the cost of
    joining across a gap can be the squared distance per frame. All costs are in units of the
    largest squared step.
    """
    from laptrack import LapTrack

    # frames without positions, but never more in a row than end every track
    jump = np.minimum(np.diff(frames, prepend=frames[0]), gap + 2)
    time = np.cumsum(jump)
    points = np.column_stack([places / step, time * _TICK])
    first = np.searchsorted(time, np.arange(time[-1] + 2))

    def per_frame(one: np.ndarray, other: np.ndarray) -> float:
        away = other - one
        return float((away[0] ** 2 + away[1] ** 2) / max(round(away[2] / _TICK), 1))

    solver = LapTrack(
        metric="sqeuclidean",
        cutoff=1.0 + 2 * _TICK**2,
        gap_closing_metric=per_frame,
        gap_closing_cutoff=1.0 + _TICK**2 if gap else False,
        gap_closing_max_frame_count=gap + 1,
        # fixed, so that links do not depend on what else is in the frame
        track_start_cost=1.0,
        track_end_cost=1.0,
        segment_start_cost=1.0,
        segment_end_cost=1.0,
    )
    tree = solver.predict([points[low:high] for low, high in pairwise(first)])
    before = {
        first[late] + late_row: first[early] + early_row
        for (early, early_row), (late, late_row) in tree.edges
    }
    tracks = np.empty(len(frames), dtype=np.int64)
    count = 0
    for row in range(len(frames)):
        if row in before:
            tracks[row] = tracks[before[row]]
        else:
            tracks[row] = count
            count += 1
    return tracks


def _checked(frame: Any, y_px: Any, x_px: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return frame numbers (n,) int64 and positions (n, 2) y, x; or say what is wrong."""
    given = {"frame": np.asarray(frame), "y_px": np.asarray(y_px), "x_px": np.asarray(x_px)}
    for name, values in given.items():
        if values.ndim != 1:
            raise InputError(
                f"{name} has the shape {values.shape}", "give one number per position, shape (n,)"
            )
        if len(values) and values.dtype.kind not in "buif":
            raise InputError(f"{name} holds {values.dtype}, not numbers")
    lengths = [len(values) for values in given.values()]
    if len(set(lengths)) != 1:
        raise InputError(
            "{} frame numbers, but {} y and {} x".format(*lengths), "give each for every position"
        )
    numbers = given["frame"]
    if numbers.dtype.kind == "f" and not (
        np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all()
    ):
        raise InputError("a frame number is not a whole number", "give the frame's count, not time")
    places = np.column_stack([given["y_px"], given["x_px"]]).astype(np.float64)
    return numbers.astype(np.int64), places


def _check_limits(max_step_px: float, max_gap_frames: int) -> None:
    if not (np.isfinite(max_step_px) and max_step_px > 0):
        raise InputError(
            f"beads that move at most {max_step_px} px per frame cannot be linked",
            "give max_step_px above 0",
        )
    if max_gap_frames != int(max_gap_frames) or max_gap_frames < 0:
        raise InputError(
            f"a gap of {max_gap_frames} frames cannot be closed", "use a whole number, 0 or more"
        )


def _check_installed() -> None:
    missing = why_not()
    if missing:
        raise TrackingError("linking needs the package laptrack, which is not installed", missing)

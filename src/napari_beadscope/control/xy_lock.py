"""The XY-lock's law: ROIs follow their beads.

At each look, a bead is where it was on average in its last ``window`` frames. If that is at least
1 px (`DEAD_BAND_PX`) from the centre of its ROI in x or in y, the ROI moves there, by at most
``max_step_px`` in each direction. ROIs are at whole pixels, so a bead stays within 1 px of the
centre, plus what it moves between two looks. Positions are full-frame pixels: moving an ROI does
not change them.

A bead is *held*, its ROI stays, and the reason is told, when

- it is lost: fewer than half of the frames of its window have a position that can be trusted;
- its ROI would leave the frame;
- its ROI would come to lie over that of a neighbour, more than it does now.

Owns the decision only. Must not know where rows come from or who moves ROIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_beadscope.core.locks import HeldBead, XYLock
from napari_beadscope.core.types import Bead, Reason, Roi

#: An ROI stays while its bead is nearer than this to its centre, px.
DEAD_BAND_PX = 1.0


@dataclass(frozen=True, slots=True)
class XYStep:
    """What one look has decided: ROIs that move, beads that are followed, beads that are held."""

    moves: tuple[Bead, ...] = ()
    followed: tuple[int, ...] = ()
    held: tuple[HeldBead, ...] = ()
    step_px: float = 0.0


def follow_beads(
    rows: np.ndarray, beads: Sequence[Bead], shape: tuple[int, int], lock: XYLock
) -> XYStep:
    """Return the ROIs that have to move so that beads stay in them.

    Parameters
    ----------
    rows : ndarray of TRACK_ROW
        Of any beads, in frame order; of each bead the last ``lock.window`` count.
    beads : sequence of Bead
        Their present ROIs.
    shape : (y, x)
        Of the frame, px.
    lock : XYLock
        Step and window.

    Examples
    --------
    >>> from napari_beadscope.core.types import TRACK_ROW
    >>> rows = np.zeros(10, TRACK_ROW)
    >>> rows["x_px"], rows["y_px"] = 54.0, 49.5
    >>> follow_beads(rows, [Bead(0, Roi(34, 34, 32))], (100, 100), XYLock()).moves
    (Bead(bead=0, roi=Roi(y0=34, x0=38, size=32)),)
    """
    if not beads:
        return XYStep()
    places, lost = _places(rows, beads, lock.window)
    size = beads[0].roi.size
    now = np.array([(bead.roi.y0, bead.roi.x0) for bead in beads], np.int64)
    limit = max(1, int(lock.max_step_px))
    offset = np.where(lost[:, None], 0.0, places - (now + (size - 1) / 2))
    offset[np.abs(offset) < DEAD_BAND_PX] = 0.0
    step = np.clip(np.rint(offset).astype(np.int64), -limit, limit)
    reasons = dict.fromkeys(np.flatnonzero(lost).tolist(), "it is lost")
    target = now + step
    outside = (target < 0).any(axis=1) | (target + size > np.array(shape)).any(axis=1)
    for index in np.flatnonzero(outside & step.any(axis=1)).tolist():
        reasons[index] = "its ROI would leave the frame"
        step[index] = 0
    _keep_apart(now, step, size, beads, reasons)
    moving = np.flatnonzero(step.any(axis=1)).tolist()
    target = now + step
    return XYStep(
        tuple(Bead(beads[i].bead, Roi(int(target[i, 0]), int(target[i, 1]), size)) for i in moving),
        tuple(bead.bead for i, bead in enumerate(beads) if i not in reasons),
        tuple(HeldBead(beads[i].bead, why) for i, why in sorted(reasons.items())),
        float(np.abs(step).max()),
    )


def _places(rows: np.ndarray, beads: Sequence[Bead], window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean ``(y, x)`` of each bead over its window, and whether it is lost."""
    ids = np.array([bead.bead for bead in beads])
    order = np.argsort(ids)
    found = np.searchsorted(ids[order], rows["bead"])
    known = ids[order][np.minimum(found, len(ids) - 1)] == rows["bead"]
    index = order[found[known]]
    kept = rows[known]
    newest_first = np.arange(len(kept))[::-1]
    by_bead = newest_first[np.argsort(index[newest_first], kind="stable")]
    index = index[by_bead]
    first = np.searchsorted(index, np.arange(len(ids)))
    inside = np.arange(len(index)) - first[index] < window  # the last `window` of each bead
    index, kept = index[inside], kept[by_bead[inside]]
    good = (kept["reason"] == Reason.OK) & np.isfinite(kept["x_px"]) & np.isfinite(kept["y_px"])
    seen = np.bincount(index, minlength=len(ids))
    trusted = np.bincount(index[good], minlength=len(ids))
    sums = [
        np.bincount(index[good], kept[axis][good], minlength=len(ids)) for axis in ("y_px", "x_px")
    ]
    places = np.stack(sums, axis=1) / np.maximum(trusted, 1)[:, None]
    return places, (trusted == 0) | (2 * trusted < seen)


def _keep_apart(
    now: np.ndarray,
    step: np.ndarray,
    size: int,
    beads: Sequence[Bead],
    reasons: dict[int, str],
) -> None:
    """Take steps back until no two ROIs overlap more than they do now."""
    before = _overlaps(now, size)
    while True:
        after = _overlaps(now + step, size)
        worse = np.argwhere(np.triu(after > before, 1))
        if not len(worse):
            return
        a, b = (int(i) for i in worse[0])
        for index, other in ((a, b), (b, a)):
            if not step[index].any():
                continue
            alone = _overlap(now[index], now[other] + step[other], size) <= before[a, b]
            if alone or not step[other].any() or index == b:
                reasons[index] = f"its ROI would lie over that of bead {beads[other].bead}"
                step[index] = 0
                break


def _overlap(one: np.ndarray, other: np.ndarray, size: int) -> int:
    height, width = np.maximum(0, size - np.abs(one - other))
    return int(height * width)


def _overlaps(corners: np.ndarray, size: int) -> np.ndarray:
    """Return the area that each pair of ROIs shares, px²."""
    apart = np.abs(corners[:, None] - corners[None])
    shared = np.maximum(0, size - apart)
    return np.asarray(shared[..., 0] * shared[..., 1])

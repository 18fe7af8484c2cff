"""The XY-lock's law: ROIs follow their beads.

At each look, a bead is where it was on average in its last ``window`` frames. If that is at least
1 px (`DEAD_BAND_PX`) from the centre of its ROI in x or in y, the ROI moves there, by at most
``max_step_px`` in each direction. ROIs are at whole pixels, so a bead stays within 1 px of the
centre, plus what it moves between two looks. Positions are full-frame pixels: moving an ROI does
not change them.

A bead is *held*, and the reason is told, when

- it is lost: fewer than half of the frames of its window have a position that can be trusted;
  its ROI stays;
- its ROI would leave the frame: it goes as far as the edge, and along it;
- its ROI would come to lie over that of a neighbour, more than it does now: it goes as far as it
  can without that, so that ROIs which overlap drift together.

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
    wanted = now + step
    target = np.clip(wanted, 0, np.array(shape) - size)
    for index in np.flatnonzero((target != wanted).any(axis=1)).tolist():
        reasons[index] = "its ROI would leave the frame"
    step = target - now  # all of them inside, and so is what lies between two of them
    _keep_apart(now, step, size, shape, beads, reasons)
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
    shape: tuple[int, int],
    beads: Sequence[Bead],
    reasons: dict[int, str],
) -> None:
    """Take steps back until no two ROIs overlap more than they do now.

    Those that get into each other's way first all go one way, that of the most: so they drift
    together, and each goes on from there as it can.
    """
    before, own = _overlaps(now, size), step.copy()
    worse = np.triu(_overlaps(now + step, size) > before, 1)
    if not worse.any():
        return
    movable = np.asarray(step.any(axis=1))
    for group in _groups((before > 0) | worse):
        if worse[np.ix_(group, group)].any():
            moving = [index for index in group if movable[index]]
            low, high = -now[moving].min(axis=0), np.array(shape) - size - now[moving].max(axis=0)
            common = np.rint(np.median(own[moving], axis=0)).astype(np.int64)
            step[moving] = np.clip(common, low, high)  # nobody leaves the frame
    _hold_back(now, step, size, before)
    for index in np.flatnonzero(movable).tolist():
        others = np.delete(np.arange(len(now)), index)
        places, most = (now + step)[others], before[index, others]
        for part in np.linspace(1, 0, max(2, int(np.abs(own[index] - step[index]).max()) + 1)):
            tried = np.rint(step[index] + part * (own[index] - step[index])).astype(np.int64)
            if (_overlap(now[index] + tried, places, size) <= most).all():
                step[index] = tried
                break
    for a, b in np.argwhere(worse).tolist():
        for index, other in ((a, b), (b, a)):
            if (step[index] != own[index]).any():
                reasons.setdefault(
                    index, f"its ROI would lie over that of bead {beads[other].bead}"
                )
    for index in np.flatnonzero((step != own).any(axis=1)).tolist():
        reasons.setdefault(index, "its ROI would lie over that of a neighbour")


def _hold_back(now: np.ndarray, step: np.ndarray, size: int, before: np.ndarray) -> None:
    """Let those stay that still get in the way of one that stays, or of another group."""
    while True:
        worse = np.argwhere(np.triu(_overlaps(now + step, size) > before, 1))
        if not len(worse):
            return
        step[next(index for index in worse[0] if step[index].any())] = 0


def _groups(near: np.ndarray) -> list[list[int]]:
    """Return the groups of ROIs that are connected with each other."""
    left, groups = set(range(len(near))), []
    while left:
        group, edge = set(), {min(left)}
        while edge:
            group |= edge
            edge = {int(k) for i in edge for k in np.flatnonzero(near[i] | near[:, i])} - group
        left -= group
        groups.append(sorted(group))
    return groups


def _overlap(one: np.ndarray, others: np.ndarray, size: int) -> np.ndarray:
    """Return the area that an ROI shares with each of the others, px²."""
    shared = np.maximum(0, size - np.abs(one - others))
    return np.asarray(shared[:, 0] * shared[:, 1])


def _overlaps(corners: np.ndarray, size: int) -> np.ndarray:
    """Return the area that each pair of ROIs shares, px²."""
    apart = np.abs(corners[:, None] - corners[None])
    shared = np.maximum(0, size - apart)
    return np.asarray(shared[..., 0] * shared[..., 1])

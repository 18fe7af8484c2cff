"""From chunks to whole traces: which bead of one chunk is which of the next.

Owns the IDs of beads that were first seen in the middle of a recording; beads that were known from
the start keep theirs. Must not know files. What it needs of each chunk are its rows alone, so the
result does not depend on when and where chunks were tracked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from napari_beadscope.core.types import Reason

#: Reasons that leave x and y good.
CENTRED = (Reason.OK, Reason.Z_OUT_OF_RANGE)
_ENDS = 5  # rows whose median is where a bead begins or ends


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the beads of a chunk are at its first and last frames.

    Attributes
    ----------
    bead : ndarray (n,)
        Numbers in the chunk: those below 0 count the beads that are new in it.
    start, end : ndarray (n, 2)
        y, x, px.
    """

    bead: np.ndarray
    start: np.ndarray
    end: np.ndarray


def ends_of(rows: np.ndarray) -> Ends:
    """Return where the beads of a chunk begin and end; those never seen are left out.

    Parameters
    ----------
    rows : ndarray, structured `chunk.CHUNK`
        In the order of frames.
    """
    good = rows[np.isin(rows["reason"], CENTRED)]
    beads = np.unique(good["bead"])
    start, end = np.empty((len(beads), 2)), np.empty((len(beads), 2))
    order = np.argsort(good["bead"], kind="stable")
    places = np.column_stack([good["y_px"], good["x_px"]])[order]
    bounds = np.searchsorted(good["bead"][order], beads, side="left").tolist()
    for row, (low, high) in enumerate(zip(bounds, [*bounds[1:], len(order)])):
        start[row] = np.median(places[low : min(high, low + _ENDS)], axis=0)
        end[row] = np.median(places[max(low, high - _ENDS) : high], axis=0)
    return Ends(beads, start, end)


def link_chunks(
    chunks: Iterable[Ends], *, max_step_px: float, known: Iterable[int] = ()
) -> list[dict[int, int]]:
    """Give each bead of each chunk the ID that it has in the whole recording.

    Beads known from the start (numbers from 0) keep their numbers. Of the others, the end of each
    in one chunk is paired with the start of one in the next so that the sum of squared distances
    is least. A bead that is missing from some chunks keeps its ID: it is looked for where it was
    last seen, moved as the others have moved in the meantime.

    Parameters
    ----------
    chunks : iterable of Ends
        In the order of frames.
    max_step_px : float
        Farthest that a bead is from where it is looked for.
    known : iterable of int
        IDs of the beads known from the start; new IDs follow the largest.

    Returns
    -------
    list of dict
        For each chunk, ID by number in the chunk.

    Examples
    --------
    >>> near, far = np.array([[10.0, 10.0]]), np.array([[90.0, 10.0]])
    >>> one = Ends(np.array([-1]), near, near + 1)
    >>> other = Ends(np.array([-2, -1]), np.vstack([near + 1.5, far]), np.vstack([near, far]))
    >>> link_chunks([one, other], max_step_px=5.0)
    [{-1: 0}, {-2: 0, -1: 1}]
    """
    following = max(known, default=-1) + 1
    ids = np.empty(0, np.int64)
    last = np.empty((0, 2))
    result = []
    for ends in chunks:
        mapping = {int(bead): int(bead) for bead in ends.bead if bead >= 0}
        new = ends.bead < 0
        start, end, numbers = ends.start[new], ends.end[new], ends.bead[new]
        of_old, of_new = _paired(last, start, max_step_px)
        moved = np.median(end[of_new] - last[of_old], axis=0) if len(of_old) else np.zeros(2)
        last = last + moved
        last[of_old] = end[of_new]
        mapping.update(zip(numbers[of_new].tolist(), ids[of_old].tolist()))
        for row in sorted(
            set(range(len(numbers))) - set(of_new.tolist()), key=lambda k: -numbers[k]
        ):
            mapping[int(numbers[row])] = following
            ids, last = np.append(ids, following), np.vstack([last, end[row]])
            following += 1
        result.append(mapping)
    return result


def _paired(old: np.ndarray, new: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of each that belong together: least squares, none farther than `limit`."""
    if not len(old) or not len(new):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    from scipy.optimize import linear_sum_assignment

    squared = ((old[:, np.newaxis] - new[np.newaxis]) ** 2).sum(axis=2)
    far = squared > limit**2
    of_old, of_new = linear_sum_assignment(np.where(far, 2 * len(squared) * limit**2 + 1, squared))
    fine = ~far[of_old, of_new]
    return of_old[fine], of_new[fine]

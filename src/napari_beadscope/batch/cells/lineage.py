"""`close_gaps`, `name_cells`: from links between frames to cells with mothers.

Owns what a gap and what a division is. Must not know labels' pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_beadscope.batch.cells.pairing import best_pairs

NONE = -1
_ALIKE = 2.0  # areas of one cell before and after a gap differ by less than this factor
_DAUGHTERS = 2.5  # and those of two daughters by less than this
_TOGETHER = (0.55, 1.7)  # areas of two daughters, in units of their mother's
_MERGED = 1.4  # a label this much larger than the cell was is two cells that touch
_PAST = 10  # frames that say how large a cell was


@dataclass(frozen=True, slots=True)
class Rows:
    """Labels of all frames, ordered by frame and label; `still` is without the stage's way."""

    frame: np.ndarray
    label: np.ndarray
    y_px: np.ndarray
    x_px: np.ndarray
    area_px: np.ndarray
    still_y_px: np.ndarray
    still_x_px: np.ndarray
    frames: int

    @classmethod
    def of(cls, parts: list[np.ndarray], names: list[np.ndarray], drift: np.ndarray) -> Rows:
        """Put together area, y, x (n, 3) and labels (n,) of every frame."""
        frame = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        table = np.concatenate([np.zeros((0, 3)), *parts])
        label = np.concatenate([np.zeros(0, np.int64), *names]).astype(np.int64)
        area, y, x = table.T
        return cls(frame, label, y, x, area, y - drift[frame, 0], x - drift[frame, 1], len(parts))


def close_gaps(rows: Rows, after: np.ndarray, max_step_px: float, max_gap_frames: int) -> None:
    """Link ends to later beginnings, in `after`, where a cell was missing for some frames.

    Parameters
    ----------
    rows : Rows
        Labels of all frames.
    after : np.ndarray, shape (n,), int
        Each row's next row or -1; changed.
    max_step_px, max_gap_frames
        As of `LinkOptions`.
    """
    begins = np.ones(len(after), bool)
    begins[after[after != NONE]] = False
    starts = np.flatnonzero(begins & (rows.frame > 1))
    ends = np.flatnonzero((after == NONE) & (rows.frame < rows.frames - 2))
    if not (len(starts) and len(ends)):
        return
    order = rows.frame[ends]
    low = np.searchsorted(order, rows.frame[starts] - max_gap_frames - 1)
    high = np.searchsorted(order, rows.frame[starts] - 1)
    late = np.repeat(starts, high - low)
    early = np.concatenate([ends[a:b] for a, b in zip(low, high)])
    wait = rows.frame[late] - rows.frame[early]
    square = (rows.still_y_px[late] - rows.still_y_px[early]) ** 2
    square = (square + (rows.still_x_px[late] - rows.still_x_px[early]) ** 2) / wait
    ratio = rows.area_px[late] / rows.area_px[early]
    alike = (ratio < _ALIKE) & (ratio > 1 / _ALIKE)
    cost = np.where(alike, square / max_step_px**2, 2.0)
    chosen = best_pairs(early, late, cost, 1.0)
    after[early[chosen]] = late[chosen]


def name_cells(
    rows: Rows, after: np.ndarray, mother: np.ndarray, min_daughter_frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Number cells as they appear; two daughters are cells of their own.

    Parameters
    ----------
    rows : Rows
        Labels of all frames.
    after : np.ndarray, shape (n,), int
        Each row's next row or -1.
    mother : np.ndarray, shape (n,), int
        For rows without a previous one, the row that may be the mother, or -1.
    min_daughter_frames : int
        As of `LinkOptions`.

    Returns
    -------
    tuple of np.ndarray
        Cell and mother's cell (-1: none) of every row, (n,) int64.
    """
    after = after.copy()
    before = np.full(len(after), NONE)
    linked = np.flatnonzero(after != NONE)
    before[after[linked]] = linked
    last = _last_frames(rows, after)
    descent = np.full(len(after), NONE)
    for late in np.flatnonzero((before == NONE) & (mother != NONE)).tolist():
        early = int(mother[late])
        sister = int(after[early])
        if sister == NONE or rows.frame[sister] != rows.frame[late]:
            continue
        lives = min(
            _seen(rows, last, late, min_daughter_frames),
            _seen(rows, last, sister, min_daughter_frames),
        )
        if lives and _is_division(rows, before, early, late, sister):
            after[early] = before[sister] = NONE
            descent[late] = descent[sister] = early
    cell = np.full(len(after), NONE)
    parent = np.full(len(after), NONE)
    count = 0
    for row in range(len(after)):
        if before[row] != NONE:
            cell[row], parent[row] = cell[before[row]], parent[before[row]]
            continue
        cell[row] = count
        parent[row] = cell[descent[row]] if descent[row] != NONE else NONE
        count += 1
    return cell, parent


def _last_frames(rows: Rows, after: np.ndarray) -> np.ndarray:
    """Return the last frame of every row's track."""
    last = rows.frame.copy()
    for row in range(len(after) - 1, -1, -1):
        if after[row] != NONE:
            last[row] = last[after[row]]
    return last


def _seen(rows: Rows, last: np.ndarray, row: int, least: int) -> bool:
    """Return whether a track from `row` on is long enough, or goes on to the end."""
    return bool(last[row] - rows.frame[row] + 1 >= least or last[row] == rows.frames - 1)


def _is_division(rows: Rows, before: np.ndarray, early: int, one: int, other: int) -> bool:
    """Tell a division from two cells that had touched and part again."""
    areas = rows.area_px
    if not 1 / _DAUGHTERS < areas[one] / areas[other] < _DAUGHTERS:
        return False
    if not _TOGETHER[0] < (areas[one] + areas[other]) / areas[early] < _TOGETHER[1]:
        return False
    past: list[float] = []
    row = before[early]
    while row != NONE and len(past) < _PAST:
        past.append(float(areas[row]))
        row = before[row]
    return not past or bool(areas[early] < _MERGED * np.median(past))

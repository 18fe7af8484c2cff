"""`link_cells`: which labels in which frames are the same cell, and whose daughters cells are.

Owns linking from frame to frame: by how much labels lie on each other, or by laptrack (Jaqaman et
al., Nature Methods 5, 695 (2008), doi 10.1038/nmeth.1237) from their middles. What the stage did
between two frames is taken out first. Gaps and divisions are in `lineage`. Must not know images.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from napari_beadscope.batch.cells.drift import shift_between
from napari_beadscope.batch.cells.lineage import NONE, Rows, close_gaps, name_cells
from napari_beadscope.batch.cells.pairing import best_pairs
from napari_beadscope.core.errors import InputError

METHODS = ("overlap", "laptrack")
_COARSE = 160  # px a side that suffice to see the stage move
_DESCENT = 0.3  # of a new cell's pixels that lie on its mother


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """What may be the same cell.

    Parameters
    ----------
    method : str
        'overlap', or 'laptrack' (extra ``linking``).
    max_step_px : float
        How far a cell's middle moves from one frame to the next where labels do not lie on each
        other; over a gap of ``g`` frames ``sqrt(g + 1)`` times as far.
    max_gap_frames : int
        Most frames in a row in which a cell may be missing without becoming another one.
    min_overlap : float
        Part of the smaller of two labels that lies on the other, if they are the same cell.
    divisions : bool
        Tell daughters from their mother; without, one of them stays the mother.
    min_daughter_frames : int
        Both daughters are seen for this many frames, or to the end; shorter is a mistake of the
        segmentation.
    """

    method: str = "overlap"
    max_step_px: float = 20.0
    max_gap_frames: int = 3
    min_overlap: float = 0.2
    divisions: bool = True
    min_daughter_frames: int = 3

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"no method is called {self.method!r}", f"use {' or '.join(METHODS)}")
        if not (np.isfinite(self.max_step_px) and self.max_step_px > 0):
            raise InputError(f"cells cannot move {self.max_step_px} px", "give a step above 0")
        if self.max_gap_frames < 0 or self.min_daughter_frames < 1:
            raise InputError("a number of frames is negative", "use 0 or more for gaps, 1 for life")
        if not 0 < self.min_overlap <= 1:
            raise InputError(f"an overlap of {self.min_overlap}", "use a part, above 0, at most 1")


@dataclass(frozen=True, slots=True)
class CellLinks:
    """Every cell in every frame, ordered by frame and label; and the stage's way.

    Attributes
    ----------
    frame, label, cell, parent : np.ndarray
        Shape (n,), int64. Cells are numbered from 0 as they appear; parent is the mother's number
        or -1.
    y_px, x_px, area_px : np.ndarray
        Shape (n,), float64: middle and area as in the labels.
    drift_px : np.ndarray
        Shape (frames, 2), float64: how far everything has moved since the first frame, y and x.
    """

    frame: np.ndarray
    label: np.ndarray
    cell: np.ndarray
    parent: np.ndarray
    y_px: np.ndarray
    x_px: np.ndarray
    area_px: np.ndarray
    drift_px: np.ndarray

    @property
    def cells(self) -> int:
        """How many cells there are, daughters counted as cells of their own."""
        return int(self.cell.max()) + 1 if len(self.cell) else 0

    @property
    def divisions(self) -> int:
        """How many cells divide."""
        return len(np.unique(self.parent[self.parent >= 0]))


def link_cells(
    labels: Iterable[Any], options: LinkOptions | None = None, drift_px: Any = None
) -> CellLinks:
    """Number cells over time.

    Parameters
    ----------
    labels : iterable of array, shape (y, x), int
        Labels of every frame, 0 for none; looked at once, two at a time.
    options : LinkOptions, optional
    drift_px : array, shape (frames, 2), optional
        How far everything has moved since the first frame; default: found from the labels.

    Returns
    -------
    CellLinks

    Raises
    ------
    InputError
        Labels are not whole numbers or differ in shape, or laptrack is missing.

    Examples
    --------
    >>> movie = np.zeros((3, 64, 64), int)
    >>> movie[0, 10:30, 10:20], movie[0, 40:60, 40:60] = 1, 2
    >>> movie[1:, 12:32, 10:20], movie[1:, 42:62, 40:48], movie[1:, 42:62, 52:60] = 3, 1, 2
    >>> links = link_cells(movie)
    >>> links.cell.tolist(), links.parent.tolist()
    ([0, 1, 2, 3, 0, 2, 3, 0], [-1, -1, 1, 1, -1, 1, 1, -1])
    """
    options = options or LinkOptions()
    given = None if drift_px is None else np.asarray(drift_px, dtype=np.float64)
    scan = _scan(labels, options, given)
    if options.method == "laptrack":
        after, mother = _by_laptrack(scan.rows, options)
    else:
        after, mother = scan.after, scan.mother
        if options.max_gap_frames:
            close_gaps(scan.rows, after, options.max_step_px, options.max_gap_frames)
    if not options.divisions:
        mother = np.full_like(mother, NONE)
    cell, parent = name_cells(scan.rows, after, mother, options.min_daughter_frames)
    rows = scan.rows
    return CellLinks(
        rows.frame, rows.label, cell, parent, rows.y_px, rows.x_px, rows.area_px, scan.drift_px
    )


@dataclass(frozen=True, slots=True)
class _Scan:
    rows: Rows
    after: np.ndarray
    mother: np.ndarray
    drift_px: np.ndarray


def _scan(labels: Iterable[Any], options: LinkOptions, given: np.ndarray | None) -> _Scan:
    """Look at every frame once: measure, find the stage's step, link to the frame before."""
    parts: list[np.ndarray] = []
    names: list[np.ndarray] = []
    pairs: list[np.ndarray] = []
    mothers: list[np.ndarray] = []
    way: list[tuple[float, float]] = []
    before: np.ndarray | None = None
    first = 0
    for image in labels:
        now = _checked(image, before)
        found, used = _measured(now)
        step = (0.0, 0.0)
        if before is not None and options.method == "overlap":
            step = _step(before, now) if given is None else _given_step(given, len(parts))
            linked, descent = _linked(before, now, parts[-1], names[-1], found, used, step, options)
            start = first - len(parts[-1])
            pairs.append(linked + np.array([start, first]))
            mothers.append(np.where(descent >= 0, descent + start, NONE))
        else:
            if before is not None:
                step = _step(before, now) if given is None else _given_step(given, len(parts))
            mothers.append(np.full(len(used), NONE))
        last = way[-1] if way else (0.0, 0.0)
        way.append((last[0] + step[0], last[1] + step[1]))
        parts.append(found)
        names.append(used)
        before, first = now, first + len(used)
    drift = np.array(way).reshape(-1, 2)
    rows = Rows.of(parts, names, drift)
    after = np.full(first, NONE)
    for linked in pairs:
        after[linked[:, 0]] = linked[:, 1]
    mother = np.concatenate([np.zeros(0, np.int64), *mothers]).astype(np.int64)
    return _Scan(rows, after, mother, drift)


def _checked(image: Any, before: np.ndarray | None) -> np.ndarray:
    labels = np.asarray(image)
    if labels.ndim != 2 or labels.dtype.kind not in "iub":
        raise InputError(
            f"labels of shape {labels.shape} and type {labels.dtype} cannot be linked",
            "give whole numbers of shape (y, x) for every frame",
        )
    if before is not None and labels.shape != before.shape:
        raise InputError(
            f"labels of shape {labels.shape} follow labels of shape {before.shape}",
            "give frames of one shape",
        )
    return np.ascontiguousarray(labels, dtype=np.int32)


def _measured(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return area and middle of every label, (n, 3), and the labels there are, (n,)."""
    from napari_beadscope.batch.cells import label_sums as sums

    table = sums.geometry(labels, int(labels.max(initial=0)))
    used = np.flatnonzero(table[:, sums.AREA] > 0)
    kept = table[used]
    area = kept[:, sums.AREA]
    return np.stack([area, kept[:, sums.SUM_Y] / area, kept[:, sums.SUM_X] / area], axis=1), used


def _given_step(drift: np.ndarray, frame: int) -> tuple[float, float]:
    if drift.ndim != 2 or drift.shape[1] != 2 or len(drift) <= frame:
        raise InputError(
            f"a drift of shape {drift.shape} ends before frame {frame}",
            "give y and x for every frame",
        )
    step = drift[frame] - drift[frame - 1]
    return float(step[0]), float(step[1])


def _step(before: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """Return how far most labels have moved, if they then lie on each other better than before."""
    from napari_beadscope.batch.cells import label_sums as sums

    factor = max(min(now.shape) // _COARSE, 1)
    small = [np.empty((now.shape[0] // factor, now.shape[1] // factor), np.float32) for _ in "ab"]
    sums.binned(before, factor, small[0])
    sums.binned(now, factor, small[1])
    y, x = (factor * value for value in shift_between(*small))
    if abs(y) < 0.5 and abs(x) < 0.5:
        return y, x
    count = int(now.max(initial=0))
    moved = sums.overlaps(before, now, round(y), round(x), count)[1].sum()
    still = sums.overlaps(before, now, 0, 0, count)[1].sum()
    return (y, x) if moved > still else (0.0, 0.0)


def _linked(
    before: np.ndarray,
    now: np.ndarray,
    one: np.ndarray,
    one_names: np.ndarray,
    other: np.ndarray,
    other_names: np.ndarray,
    step: tuple[float, float],
    options: LinkOptions,
) -> tuple[np.ndarray, np.ndarray]:
    """Return links (n, 2) of rows of two frames, and for each later row its possible mother."""
    from napari_beadscope.batch.cells import label_sums as sums

    count = int(now.max(initial=0))
    partners, pixels = sums.overlaps(before, now, round(step[0]), round(step[1]), count)
    late, slot = np.nonzero(partners[other_names])
    early = np.searchsorted(one_names, partners[other_names][late, slot])
    common = pixels[other_names][late, slot].astype(np.float64)
    areas = one[early, 0], other[late, 0]
    enough = common >= options.min_overlap * np.minimum(*areas)
    cost = np.where(enough, 1 - common / (areas[0] + areas[1] - common), 2.0)
    chosen = best_pairs(early, late, cost, 1.0)
    links = np.stack([early[chosen], late[chosen]], axis=1)
    links = np.concatenate([links, _near(one, other, links, step, options.max_step_px)])
    descent = np.full(len(other), NONE)
    order = np.argsort(common, kind="stable")
    order = order[common[order] >= _DESCENT * other[late[order], 0]]
    descent[late[order]] = early[order]
    return links, descent


def _near(
    one: np.ndarray,
    other: np.ndarray,
    links: np.ndarray,
    step: tuple[float, float],
    reach: float,
) -> np.ndarray:
    """Return links of what is left over and near enough."""
    early = np.setdiff1d(np.arange(len(one)), links[:, 0])
    late = np.setdiff1d(np.arange(len(other)), links[:, 1])
    if not (len(early) and len(late)):
        return np.zeros((0, 2), np.int64)
    away = other[late, None, 1:] - one[None, early, 1:] - np.array(step)
    square = (away**2).sum(axis=2) / reach**2
    row, column = np.nonzero(square < 1)
    chosen = best_pairs(early[column], late[row], square[row, column], 1.0)
    return np.stack([early[column][chosen], late[row][chosen]], axis=1)


def _by_laptrack(rows: Rows, options: LinkOptions) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's next one and its possible mother, as laptrack has it."""
    from napari_beadscope.tracking.link import why_not

    if why_not():
        raise InputError("the method laptrack needs a package that is not installed", why_not())
    from laptrack import LapTrack

    after = np.full(len(rows.frame), NONE)
    mother = np.full(len(rows.frame), NONE)
    square = options.max_step_px**2
    gap = options.max_gap_frames
    solver = LapTrack(
        metric="sqeuclidean",
        cutoff=square,
        gap_closing_metric="sqeuclidean",
        gap_closing_cutoff=square * (gap + 1) if gap else False,
        gap_closing_max_frame_count=gap + 1,
        splitting_metric="sqeuclidean",
        splitting_cutoff=square if options.divisions else False,
        # fixed, so that links do not depend on what else is in the frame
        track_start_cost=square,
        track_end_cost=square,
        segment_start_cost=square,
        segment_end_cost=square,
        no_splitting_cost=square,
    )
    first = np.searchsorted(rows.frame, np.arange(rows.frames + 1))
    places = np.stack([rows.still_y_px, rows.still_x_px], axis=1)
    if not len(places):
        return after, mother
    tree = solver.predict([places[low:high] for low, high in pairwise(first)])
    edges = sorted((first[a] + i, first[b] + j) for (a, i), (b, j) in tree.edges)
    for early, late in edges:
        if after[early] == NONE:
            after[early] = late
        else:
            mother[late] = early
    return after, mother

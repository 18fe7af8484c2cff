"""Find beads on a full frame: where, how large, how sure, and whether they stand alone.

Must not know of backends, nor of what is done with the beads. The method: every edge pixel votes
along its gradient, and the centres of rings gather votes from all sides, whatever the light;
about each centre a concentric pattern is measured (`find_measure`); how concentric, how strong
and how large it is, alone and beside the others, is the score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Bead, Roi

#: ROI sizes that are suggested, in px.
MIN_ROI_PX, MAX_ROI_PX = 32, 128
#: Score from which a thing is taken for a bead.
MIN_SCORE = 0.6
_REACH_PX = 56  # from the centre that is looked at when no ROI size is given
_VOTE_REACH_PX = 44  # rings inside that are enough to vote for a centre
_MIN_SIDE_PX = 16  # of a frame
_LEAST_VOTES = 24.0  # no ring of 3 px radius gathers fewer
_MIN_RADIUS, _MIN_SHAPE = 5.0, 0.4  # a hot pixel gives 4.5 px
_APART, _APART_PX = 0.35, 4.0  # of the better one's radius; closer centres are the same thing
_FIT_TO_COMPARE = 0.85  # shape from which a thing counts among those that others are compared with
_MOST_STRENGTH = 1e4
# Roundness: rings of two beads in one lack opposite sides. One bead in a real optical trap has 0.57
# to 0.9; of merged pairs on simulated fields 85 % have less than 0.45.
_ONE_BEAD = 0.5
# The score's logistic model, fitted to simulated scenes (benchmarks/find_scores.py --fit).
_OF_STRENGTH, _OF_RANK, _OF_SHAPE, _OF_PRESENCE = 3.8, 3.8, 12.0, 10.0
_OF_CLASS, _OF_RADIUS, _CONSTANT = 8.8, 1.1, -28.5


@dataclass(frozen=True, slots=True, eq=False)
class FoundBeads:
    """Beads of one frame, best score first; arrays of shape (n,).

    Attributes
    ----------
    y_px, x_px : float64
        Centre in full-frame pixels, pixel centres at integers; typically good to 0.05 px for a
        bead that stands alone, to 1 px in a cluster.
    radius_px : float64
        Radius of the outermost visible ring: the last one whose edge, averaged around the bead,
        has 6 % of the strongest one's contrast and stands out of the noise.
    score : float32
        0 to 1, how sure it is that this is a bead (see `find_beads`).
    isolated : bool
        Whether the bead's ROI (of `size_px`, or the suggested size) lies inside the frame, no
        other bead's outermost ring reaches into it, and its own rings are not those of two beads
        that are too close to be told apart.
    """

    y_px: np.ndarray
    x_px: np.ndarray
    radius_px: np.ndarray
    score: np.ndarray
    isolated: np.ndarray

    def __len__(self) -> int:
        return len(self.y_px)


def find_beads(
    image: Any,
    *,
    size_px: int | None = None,
    max_beads: int | None = None,
    min_score: float = MIN_SCORE,
) -> FoundBeads:
    """Find beads on a frame: in or out of focus, dark or bright, touching, cut by the edge.

    A bead is a concentric pattern of 5 to 55 px radius with its centre inside the frame, of which
    at least three eighths are visible. The score weighs how well the gradients agree with a
    concentric pattern in the better half of all directions, how strong the pattern is against the
    noise and against the strongest patterns of the frame, its size, and whether patterns of
    similar strength are a class of their own or the upper end of many ever fainter ones, as dirt
    is. Gain, offset and the sign of the contrast do not matter.

    Parameters
    ----------
    image : array, shape (y, x)
        One frame of any real dtype; NaN counts as background.
    size_px : int, optional
        ROI size: bounds the rings that are looked for, and decides who is isolated.
    max_beads : int, optional
        Keep the best scores only.
    min_score : float
        Least score, 0 to 1.

    Raises
    ------
    InputError
        If it is not a two-dimensional image of numbers, or a bound makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.indices((100, 120))
    >>> r = np.hypot(y - 40, x - 70)
    >>> found = find_beads(100 + 50 * np.cos(r) * np.exp(-((r / 12) ** 2)))
    >>> [(round(float(y)), round(float(x))) for y, x in zip(found.y_px, found.x_px)]
    [(40, 70)]
    """
    pixels = _as_pixels(image)
    if size_px is not None and size_px < 8:
        raise InputError(f"ROIs of {size_px} px hold no bead", "use 16 to 256 px")
    if max_beads is not None and max_beads < 0:
        raise InputError(f"{max_beads} beads cannot be found", "use 0 or more")
    if math.isnan(min_score):
        raise InputError("the least score is not a number", "use 0 to 1")
    reach = _REACH_PX if size_px is None else max(10, (3 * size_px) // 4)
    rows = _candidates(pixels, min(reach, max(pixels.shape)))
    score = _scores(rows)
    beads = score >= min(min_score, MIN_SCORE)
    rows, score = rows[beads], score[beads]
    y, x, radius = rows[:, 0], rows[:, 1], rows[:, 2]
    order = np.lexsort((x, y, -score))
    order = order[score[order] >= min_score][:max_beads]
    alone = _isolated(rows, order, size_px or _roi_size(radius[order]), pixels.shape)
    return FoundBeads(y[order], x[order], radius[order], score[order].astype(np.float32), alone)


def suggest_roi_size(found: FoundBeads) -> int:
    """Return the even ROI size in px that holds the rings of nearly all beads, 32 to 128.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.ones(1)
    >>> suggest_roi_size(FoundBeads(one, one, 20 * one, one, one > 0))
    52
    """
    return _roi_size(found.radius_px)


def beads_from_found(found: FoundBeads, shape: tuple[int, int], size_px: int) -> tuple[Bead, ...]:
    """Turn what was found into beads with ROIs of `size_px`, numbered from 0.

    Beads whose ROI would leave a frame of `shape` (y, x) are dropped. Those that stand alone come
    first (in the order found); those with a neighbour in their ROI are kept, but come last.
    """
    rois = [
        (not alone, Roi.around(float(y), float(x), size_px))
        for y, x, alone in zip(found.y_px, found.x_px, found.isolated, strict=True)
    ]
    inside = [pair for pair in rois if pair[1].inside(shape)]
    inside.sort(key=lambda pair: pair[0])
    return tuple(Bead(number, roi) for number, (_, roi) in enumerate(inside))


def _as_pixels(image: Any) -> np.ndarray:
    """Return the image as it is if it is of a camera's type, else as float32 from 0 to 1."""
    array = np.asarray(image)
    if array.ndim != 2 or array.dtype.kind not in "buif":
        raise InputError(
            f"beads are looked for on an image (y, x) of numbers, this is {array.ndim}-dimensional "
            f"{array.dtype}",
            "give one frame",
        )
    if array.dtype in (np.uint8, np.uint16):
        usable = array.flags.c_contiguous and array.flags.writeable
        return array if usable else np.array(array, order="C")
    wide = array.astype(np.float64)
    good = np.isfinite(wide)
    if not good.any():
        return np.zeros(array.shape, dtype=np.float32)
    low, high = wide[good].min() / 2, wide[good].max() / 2
    wide = wide / 2 - low
    if high > low:
        wide /= high - low
    if not good.all():
        wide[~good] = np.median(wide[good])
    return wide.astype(np.float32)


def _candidates(pixels: np.ndarray, reach: int) -> np.ndarray:
    """Return rows with the columns of `find_measure`, one for each thing that has rings."""
    from napari_beadscope.tracking import find_kernels, find_measure

    height, width = pixels.shape
    none = np.empty((0, find_measure.COLUMNS))
    if min(height, width) < _MIN_SIDE_PX:
        return none
    taps = _taps(1.2, 4)
    smoothed = np.empty(pixels.shape, dtype=np.float32)
    find_kernels.smooth(pixels, taps, np.empty(width + 8, dtype=np.float32), smoothed)
    noise, threshold = _noise_and_threshold(smoothed)
    if not threshold > 0.0:
        return none
    rows = _vote_peaks(smoothed, threshold, float(min(reach, _VOTE_REACH_PX)))
    tables = np.empty((3, reach + 1, find_measure.SECTORS))
    find_measure.measure_all(smoothed, noise, threshold, float(reach), tables, rows)
    y, x, radius, shape, strength = rows.T[:5]
    rows[:, 4] = np.minimum(strength / max(noise, threshold / 1e4), _MOST_STRENGTH)
    inside = (y >= -0.5) & (x >= -0.5) & (y < height - 0.5) & (x < width - 0.5)
    rows = rows[inside & (radius >= _MIN_RADIUS) & (shape >= _MIN_SHAPE)]
    order = np.lexsort((rows[:, 1], rows[:, 0], -rows[:, 4] * rows[:, 3] ** 4))
    keep = np.zeros(len(rows), dtype=np.bool_)
    find_measure.apart(rows, order, _APART, _APART_PX, keep)
    return rows[keep]


def _vote_peaks(smoothed: np.ndarray, threshold: float, reach: float) -> np.ndarray:
    """Return rows with y, x and votes where the lines along gradients cross."""
    from napari_beadscope.tracking import find_kernels as k
    from napari_beadscope.tracking import find_measure

    cells = tuple(-(-side // k.CELL_PX) for side in smoothed.shape)
    margin = int(reach) // k.CELL_PX + 2
    around = np.zeros((cells[0] + 2 * margin, cells[1] + 2 * margin), dtype=np.float32)
    k.vote(smoothed, threshold, reach, margin, around)
    inner = around[margin:-margin, margin:-margin].copy()
    votes = np.empty_like(inner)
    taps = np.array([0.5, 0.25], dtype=np.float32)
    k.smooth(inner, taps, np.empty(cells[1] + 2, dtype=np.float32), votes)
    most = votes.size // 4 + 1  # peaks are at least 3 cells apart
    ys, xs = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    values = np.empty(most, dtype=np.float32)
    n = k.peaks(votes, _LEAST_VOTES, 2, ys, xs, values)
    rows = np.zeros((n, find_measure.COLUMNS))
    middle = (k.CELL_PX - 1) / 2
    rows[:, 0], rows[:, 1] = k.CELL_PX * ys[:n] + middle, k.CELL_PX * xs[:n] + middle
    rows[:, find_measure.VOTES] = values[:n]
    return rows


def _company(strength: np.ndarray, shape: np.ndarray) -> tuple[float, float]:
    """Return the usual strength, and how far patterns like it are a class of their own, 0 to 1."""
    fit = strength[shape >= _FIT_TO_COMPARE]
    # the mean of the strengths, weighted by themselves: many faint ones do not matter
    usual = float((fit**2).sum() / fit.sum()) if len(fit) else 1.0
    alike = float((fit > 0.5 * usual).sum()) + 0.5
    fainter = float(((fit > 0.2 * usual) & (fit <= 0.5 * usual)).sum()) + 0.5
    return usual, alike / (alike + fainter)


def _scores(rows: np.ndarray) -> np.ndarray:
    """Return how sure each row is a bead, 0 to 1."""
    radius, shape, strength, presence = rows.T[2:6]
    usual, alike = _company(strength, shape)
    logit = (
        _OF_STRENGTH * np.log(strength)
        + _OF_RANK * np.log(np.clip(strength / usual, 0.02, 0.7))
        + _OF_SHAPE * np.log(shape)
        + _OF_PRESENCE * np.log(np.maximum(presence, 0.1))
        + _OF_CLASS * alike
        + _OF_RADIUS * np.log(radius)
        + _CONSTANT
    )
    scores: np.ndarray = 1.0 / (1.0 + np.exp(-logit))
    return scores


def _noise_and_threshold(smoothed: np.ndarray) -> tuple[float, float]:
    """Return the noise of a gradient component, and the length from which a gradient is an edge.

    An edge is out of the noise, and not negligible beside the others. Of the gradients in a
    crowded frame most are rings: the noise is taken from the shortest.
    """
    sy, sx = (side // 300 + 1 for side in smoothed.shape)
    dy = smoothed[2::sy, 1:-1:sx] - smoothed[:-2:sy, 1:-1:sx]
    dx = smoothed[1:-1:sy, 2::sx] - smoothed[1:-1:sy, :-2:sx]
    low, high = np.quantile(np.hypot(dy, dx), (0.15, 0.995))
    noise = float(low) / math.sqrt(-2 * math.log(0.85))
    return noise, max(4.0 * noise, 0.05 * float(high))


def _taps(sigma: float, reach: int) -> np.ndarray:
    """Half of a normalised Gaussian, centre first."""
    taps = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    return (taps / (2 * taps.sum() - taps[0])).astype(np.float32)


def _roi_size(radius: np.ndarray) -> int:
    """Even size that holds the rings of 80 % of the beads with a quarter to spare."""
    if not len(radius):
        return 64
    size = 2 * int(np.ceil(1.3 * float(np.quantile(radius, 0.8))))
    return min(max(size, MIN_ROI_PX), MAX_ROI_PX)


def _isolated(
    rows: np.ndarray, order: np.ndarray, size_px: int, shape: tuple[int, ...]
) -> np.ndarray:
    """Whether the ROI is inside the frame, no other bead's ring reaches in, and it is one bead."""
    alone = np.ones(len(order), dtype=bool)
    y, x, radius, roundness = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 6]
    for at, row in enumerate(order):
        beyond_y = np.maximum(np.abs(y - y[row]) - size_px / 2, 0.0)
        beyond_x = np.maximum(np.abs(x - x[row]) - size_px / 2, 0.0)
        intrudes = np.hypot(beyond_y, beyond_x) < radius
        intrudes[row] = False
        roi = Roi.around(float(y[row]), float(x[row]), size_px)
        inside = roi.inside((shape[0], shape[1]))
        alone[at] = inside and not intrudes.any() and roundness[row] >= _ONE_BEAD
    return alone

"""Find beads on a full frame: where, how large, how sure, and whether they stand alone.

Must not know of backends, nor of what is done with the beads. The method is voting by gradients:
every edge pixel votes along its gradient, and only centres of rings gather votes from all sides;
uneven light, debris and out-of-focus rings do not disturb it. Then the centre is refined, the
outermost ring measured, and the share of edges that point to the centre is the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Bead, Roi

#: ROI sizes that are suggested, in px.
MIN_ROI_PX, MAX_ROI_PX = 32, 128
_DEFAULT_REACH = 44  # px from the centre that are looked at when no ROI size is given
_MIN_RADIUS = 6.0  # px: smaller rings are dust
_FAINT = 0.2  # of the strongest beads' edges: less is dust
_APART = 0.6  # of the larger radius: closer centres are the same bead
_LEAST_VOTES = 8.0  # smoothed: no ring of the least radius gathers fewer


@dataclass(frozen=True, slots=True, eq=False)
class FoundBeads:
    """Beads of one frame, best score first; arrays of shape (n,).

    Attributes
    ----------
    y_px, x_px : float64
        Centre in full-frame pixels, good to about half a pixel.
    radius_px : float64
        Radius of the outermost visible ring.
    score : float32
        0 to 1: share of the edges inside that radius that point to the centre, over the better
        two thirds of all directions.
    isolated : bool
        Whether no other bead reaches into the ROI (of `size_px`, or the suggested size).
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
    min_score: float = 0.75,
) -> FoundBeads:
    """Find beads on a frame.

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
    reach = _DEFAULT_REACH if size_px is None else max(10, (3 * size_px) // 4)
    rows = _candidates(pixels, min(reach, max(pixels.shape)), min_score)
    order = np.lexsort((rows[:, 1], rows[:, 0], -rows[:, 3]))[:max_beads]
    y, x, radius, score, _ = rows[order].T
    roi = size_px or _roi_size(radius)
    return FoundBeads(y, x, radius, score.astype(np.float32), _isolated(rows, order, roi))


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
    """Return the image as finite float32."""
    array = np.asarray(image)
    if array.ndim != 2 or array.dtype.kind not in "buif":
        raise InputError(
            f"beads are looked for on an image (y, x) of numbers, this is {array.ndim}-dimensional "
            f"{array.dtype}",
            "give one frame",
        )
    pixels = np.array(array, dtype=np.float32, order="C")
    bad = ~np.isfinite(pixels)
    if bad.any():
        pixels[bad] = np.median(pixels[~bad]) if not bad.all() else 0.0
    return pixels


def _candidates(pixels: np.ndarray, reach: int, min_score: float) -> np.ndarray:
    """Return rows (y, x, radius, score, edges), each a bead of its own, best votes first."""
    from napari_beadscope.tracking import find_kernels as k

    none = np.empty((0, 5))
    if min(pixels.shape) < 16:
        return none
    row = np.empty(pixels.shape[1], dtype=np.float32)
    smoothed, gy, gx, strength = (np.zeros_like(pixels) for _ in range(4))
    k.smooth(pixels, _taps(1.2), smoothed, row)
    k.gradient(smoothed, gy, gx, strength)
    threshold = _edge_threshold(strength)
    if not threshold > 0.0:
        return none
    votes = np.zeros_like(pixels)
    k.vote(gy, gx, strength, threshold, reach, votes)
    k.smooth(votes, _taps(1.5), smoothed, row)
    most = pixels.size // 25 + 1  # peaks are at least 5 px apart
    ys, xs = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    values = np.empty(most, dtype=np.float32)
    n = k.peaks(smoothed, _LEAST_VOTES, 4, ys, xs, values)
    order = np.lexsort((xs[:n], ys[:n], -values[:n]))
    tables = (np.empty((reach, 16)), np.empty((reach, 16)), np.empty((reach, 16), dtype=np.bool_))
    rows = np.empty((n, 5))
    filled = 0
    for at in order:
        y, x = float(ys[at]), float(xs[at])
        if _taken(rows[:filled], y, x, 0.0):
            continue
        for near in (3.0, 2.0):
            new_y, new_x = k.recentre(gy, gx, strength, threshold, y, x, reach, near)
            if abs(new_y - y) < 3 and abs(new_x - x) < 3:
                y, x = new_y, new_x
        radius, score, energy = k.measure(gy, gx, strength, threshold, y, x, reach, *tables)
        if score < min_score or radius < _MIN_RADIUS or not _inside(y, x, pixels.shape):
            continue
        if not _taken(rows[:filled], y, x, radius):
            rows[filled] = y, x, radius, score, energy
            filled += 1
    rows = rows[:filled]
    return rows[rows[:, 4] >= _FAINT * np.quantile(rows[:, 4], 0.9)] if filled else none


def _taken(rows: np.ndarray, y: float, x: float, radius: float) -> bool:
    """Whether ``(y, x)`` is so close to a bead of `rows` that it is the same bead."""
    away2 = (rows[:, 0] - y) ** 2 + (rows[:, 1] - x) ** 2
    return bool((away2 <= (_APART * np.maximum(rows[:, 2], radius)) ** 2).any())


def _inside(y: float, x: float, shape: tuple[int, ...]) -> bool:
    return -0.5 <= y <= shape[0] - 0.5 and -0.5 <= x <= shape[1] - 0.5


def _edge_threshold(strength: np.ndarray) -> float:
    """Gradient length above which a pixel is an edge: out of the noise, and not negligible."""
    inner = strength[1:-1, 1:-1]
    sample = inner[:: inner.shape[0] // 512 + 1, :: inner.shape[1] // 512 + 1]
    noise = float(np.median(sample)) / 1.1774
    return max(4.0 * noise, 0.05 * float(np.quantile(sample, 0.995)))


def _taps(sigma: float) -> np.ndarray:
    """Half of a normalised Gaussian, centre first."""
    taps = np.exp(-0.5 * (np.arange(int(3 * sigma) + 2) / sigma) ** 2)
    return (taps / (2 * taps.sum() - taps[0])).astype(np.float32)


def _roi_size(radius: np.ndarray) -> int:
    """Even size that holds the rings of 80 % of the beads with a quarter to spare."""
    if not len(radius):
        return 64
    size = 2 * int(np.ceil(1.3 * float(np.quantile(radius, 0.8))))
    return min(max(size, MIN_ROI_PX), MAX_ROI_PX)


def _isolated(rows: np.ndarray, order: np.ndarray, size_px: int) -> np.ndarray:
    """Whether the nearest other bead stays out of the ROI by half its radius."""
    alone = np.ones(len(order), dtype=bool)
    for at, row in enumerate(order):
        away = np.hypot(rows[:, 0] - rows[row, 0], rows[:, 1] - rows[row, 1])
        away -= size_px / 2 + 0.5 * rows[:, 2]
        away[row] = np.inf
        alone[at] = away.min() > 0
    return alone

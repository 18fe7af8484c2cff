"""Smoothing of traces: values of successive frames, some of them missing.

Owns the methods and their registry. Must not know which coordinate a trace is.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from napari_beadscope.analysis.drift import row_median
from napari_beadscope.core.errors import InputError

_ROWS = 1 << 16  # of windows that the median sorts at a time
_TINY = 1e-9


def smooth_trace(values: np.ndarray, frames: int, *, method: str = "local") -> np.ndarray:
    """Return a smoothed trace.

    Parameters
    ----------
    values : ndarray (n,)
        One value per frame, NaN where missing.
    frames : int
        Length of the window, in frames; even numbers are rounded up. Noise that is not
        correlated falls about as the square root of it; whatever is faster is lost.
    method : str
        A name from `METHODS`: "local" fits a parabola to each window by weighted least squares
        (tricube weights) [1]_; "mean" and "median" are of the window.

    Returns
    -------
    ndarray (n,), float64
        NaN where there is nothing in the window on both sides, nor in the frame itself: gaps
        that are longer than half the window stay, and nothing is extrapolated.

    Raises
    ------
    InputError
        `values` is not one-dimensional, the window is shorter than a frame, or there is no such
        method.

    References
    ----------
    .. [1] W. S. Cleveland, J. Am. Stat. Assoc. 74 (1979) 829; without its reweighting.

    Examples
    --------
    >>> values = np.array([0.0, 1.0, 4.0, np.nan, 16.0, 25.0, 36.0])
    >>> smooth_trace(values, 7).round(6).tolist()
    [0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0]
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"values of shape {values.shape} are not one trace", "give one axis")
    if frames < 1:
        raise InputError(f"a window of {frames} frames smooths nothing", "use 1 or more")
    if method not in METHODS:
        raise InputError(f"there is no smoothing {method!r}", f"choose {', '.join(METHODS)}")
    half = min(frames // 2, max(len(values) - 1, 0))
    seen = np.isfinite(values)
    if half == 0 or not seen.any():
        return np.where(seen, values, np.nan)
    level = float(np.median(values[seen]))  # small numbers are exact to more digits
    smoothed = METHODS[method](np.where(seen, values - level, 0.0), seen, half) + level
    ones = np.ones(half)
    padded = np.concatenate([np.zeros(half), seen, np.zeros(half)])
    around = np.convolve(padded, ones, "valid") > 0
    both = around[: len(seen)] & around[half + 1 : half + 1 + len(seen)]
    return np.where(seen | both, smoothed, np.nan)


def _local(values: np.ndarray, seen: np.ndarray, half: int) -> np.ndarray:
    """Weighted parabola about each frame; a line or the mean where that is all values allow."""
    from scipy.ndimage import correlate1d

    at = np.arange(-half, half + 1) / (half + 1.0)
    weight = (1 - np.abs(at) ** 3) ** 3
    there = seen.astype(np.float64)
    s = [correlate1d(there, weight * at**k, mode="constant") for k in range(5)]
    t = [correlate1d(values, weight * at**k, mode="constant") for k in range(3)]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = t[0] / s[0]
        line_det = s[0] * s[2] - s[1] ** 2
        line = (t[0] * s[2] - t[1] * s[1]) / line_det
        c0, c1, c2 = s[2] * s[4] - s[3] ** 2, s[2] * s[3] - s[1] * s[4], s[1] * s[3] - s[2] ** 2
        det = s[0] * c0 + s[1] * c1 + s[2] * c2
        parabola = (t[0] * c0 + t[1] * c1 + t[2] * c2) / det
    out = np.where(line_det > _TINY * s[0] ** 2, line, mean)
    return np.where(det > _TINY * s[0] ** 3, parabola, out)


def _mean(values: np.ndarray, seen: np.ndarray, half: int) -> np.ndarray:
    ones = np.ones(2 * half + 1)
    pad = np.zeros(half)
    count = np.convolve(np.concatenate([pad, seen, pad]), ones, "valid")
    total = np.convolve(np.concatenate([pad, values, pad]), ones, "valid")
    return np.asarray(total / np.maximum(count, 1))


def _median(values: np.ndarray, seen: np.ndarray, half: int) -> np.ndarray:
    pad = np.full(half, np.nan)
    padded = np.concatenate([pad, np.where(seen, values, np.nan), pad])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    parts = [row_median(windows[low : low + _ROWS]) for low in range(0, len(windows), _ROWS)]
    return np.concatenate(parts)


#: Ways to smooth, by name: ``(values with 0 where missing, seen, half window) -> smoothed``.
METHODS: MappingProxyType[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = (
    MappingProxyType({"local": _local, "mean": _mean, "median": _median})
)

"""The drift that reference beads have in common.

Owns the robust estimate over references. Must not know which beads are references, or units.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.core.errors import InputError

_ROUNDS = 10
_ENOUGH = 1e-3  # of the references' scatter: offsets that change less have converged


def drift_of(values: np.ndarray, *, how: str = "median", max_gap: int = 0) -> np.ndarray:
    """Return what moves with all references, frame by frame, for one axis.

    Each reference stands at a place of its own (its offset); what is left is the drift plus its own
    noise. The drift of a frame is the median (or mean) over the references seen in it; offsets and
    drift are found in turn, so that a reference that is missing for a while makes no step when it
    comes back. Of three references or more in a frame, the median bears one that jumps or comes
    loose; the mean has less noise if all are well. Of two, both are the same.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        One coordinate of `k` references in `n` successive frames; NaN where not measured.
    how : str
        "median" or "mean" over references.
    max_gap : int
        Gaps of at most this many frames without any reference are bridged by a straight line.

    Returns
    -------
    ndarray, shape (n,), float64
        Drift in the unit of `values`, with median 0; NaN in frames without any reference. Subtract
        it from the same coordinate of any bead.

    Raises
    ------
    InputError
        `values` is not ``(n, k)``, or there is no such `how`.

    Examples
    --------
    >>> steady = np.array([[10.0, 50.0], [11.0, 51.0], [12.0, 52.0]])
    >>> drift_of(steady).tolist()
    [-1.0, 0.0, 1.0]
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(
            f"references of shape {values.shape} are not (frames, references)",
            "give one column per reference bead",
        )
    if how not in ("median", "mean"):
        raise InputError(f"drift cannot be taken as {how!r}", "choose 'median' or 'mean'")
    if not values.size:
        return np.full(len(values), np.nan)
    middle = row_median if how == "median" else row_mean
    offsets = row_median(values.T)
    drift = middle(values - offsets)
    if np.isnan(values).any():
        enough = _ENOUGH * float(np.nanmax(row_median(np.abs(values - offsets).T), initial=0.0))
        for _ in range(_ROUNDS):
            moved = row_median((values - drift[:, np.newaxis]).T)
            change = float(np.nanmax(np.abs(moved - offsets), initial=0.0))
            offsets = moved
            drift = middle(values - offsets)
            if change <= enough:
                break
    drift = drift - row_median(drift[np.newaxis])[0]
    return bridged(drift, max_gap) if max_gap else drift


def row_median(values: np.ndarray) -> np.ndarray:
    """Return the median of each row, leaving NaN out; NaN for rows of nothing else.

    Ten times as fast as `numpy.nanmedian`, and silent.

    Examples
    --------
    >>> row_median(np.array([[3.0, 1.0, np.nan], [np.nan] * 3, [4.0, 2.0, 9.0]])).tolist()
    [2.0, nan, 4.0]
    """
    ordered = np.sort(values, axis=1)  # NaN goes to the end
    count = np.isfinite(ordered).sum(axis=1)
    rows = np.arange(len(ordered))
    low = ordered[rows, np.maximum(count - 1, 0) // 2]
    high = ordered[rows, np.minimum(count // 2, ordered.shape[1] - 1)]
    return np.where(count > 0, (low + high) / 2, np.nan)


def row_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of each row, leaving NaN out; NaN for rows of nothing else."""
    seen = np.isfinite(values)
    count = seen.sum(axis=1)
    total = np.where(seen, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def bridged(values: np.ndarray, max_gap: int) -> np.ndarray:
    """Return `values` ``(n,)`` with inner gaps of at most `max_gap` NaN filled by straight lines.

    Examples
    --------
    >>> bridged(np.array([0.0, np.nan, 2.0, np.nan, np.nan, np.nan, 6.0]), 2).tolist()
    [0.0, 1.0, 2.0, nan, nan, nan, 6.0]
    """
    seen = np.flatnonzero(np.isfinite(values))
    if len(seen) < 2:
        return values
    filled = np.interp(np.arange(len(values)), seen, values[seen])
    ends = np.searchsorted(seen, np.arange(len(values)))
    inside = (ends > 0) & (ends < len(seen))
    right = np.minimum(ends, len(seen) - 1)
    gap = np.where(inside, seen[right] - seen[np.maximum(right - 1, 0)] - 1, len(values))
    return np.where(
        np.isfinite(values) | (gap <= max_gap), np.where(inside, filled, values), values
    )

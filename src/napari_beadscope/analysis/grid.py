"""Values of numbered frames, laid out evenly. Must not know what the values are."""

from __future__ import annotations

import numpy as np

from napari_beadscope.core.errors import InputError


def on_grid(frame: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values with NaN for the frames that are missing.

    Parameters
    ----------
    frame : ndarray, shape (n,), int
        Frame numbers, rising.
    values : ndarray, shape (n,) or (n, k)
        One row per frame.

    Returns
    -------
    ndarray, shape (m,) or (m, k), float64
        ``m = frame[-1] - frame[0] + 1`` rows, one per frame number.

    Raises
    ------
    InputError
        Frame numbers do not rise.

    Examples
    --------
    >>> on_grid(np.array([4, 5, 7]), np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 2.0, nan, 3.0]
    """
    frame = np.asarray(frame)
    values = np.asarray(values, dtype=np.float64)
    if not len(frame):
        return values.copy()
    if (np.diff(frame) <= 0).any():
        raise InputError("frame numbers do not rise", "sort the rows of one bead by frame")
    out = np.full((int(frame[-1] - frame[0]) + 1, *values.shape[1:]), np.nan)
    out[frame - frame[0]] = values
    return out

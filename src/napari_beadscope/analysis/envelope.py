"""A long curve in as many points as a screen can show. Must not know what draws it."""

from __future__ import annotations

import numpy as np


def envelope(
    x: np.ndarray, y: np.ndarray, low: float, high: float, columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the curve between `low` and `high`, at most two points per column of the screen.

    The points are the least and the greatest value of each column, in the order in which they
    come, so every spike is seen. A curve with few points is returned as it is.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Rising.
    y : ndarray, shape (n,)
        NaN where the curve is interrupted; a column that has no value stays NaN.
    low, high : float
        What is seen of the x axis; one point on either side is kept.
    columns : int
        Pixels between them.

    Returns
    -------
    x, y : ndarray, shape (m,)
        ``m <= 2 * columns + 4``, or as many points as there are.

    Examples
    --------
    >>> x = np.arange(1000.0)
    >>> y = np.zeros(1000)
    >>> y[617] = 5.0
    >>> _, seen = envelope(x, y, 0.0, 1000.0, 20)
    >>> len(seen), float(seen.max())
    (40, 5.0)
    """
    start = max(0, int(np.searchsorted(x, low)) - 1)
    stop = min(len(x), int(np.searchsorted(x, high, side="right")) + 1)
    x, y = x[start:stop], y[start:stop]
    per_column = -(-len(x) // max(1, columns))
    if per_column <= 2:
        return x, y
    whole = len(x) // per_column * per_column
    blocks = y[:whole].reshape(-1, per_column)
    least, most = np.fmin.reduce(blocks, axis=1), np.fmax.reduce(blocks, axis=1)
    falls = blocks[:, 0] > blocks[:, -1]  # the greater one comes first
    out_y = np.empty(2 * len(blocks))
    out_y[0::2] = np.where(falls, most, least)
    out_y[1::2] = np.where(falls, least, most)
    edges = x[:whole].reshape(-1, per_column)
    out_x = np.empty(2 * len(blocks))
    out_x[0::2] = edges[:, per_column // 4]
    out_x[1::2] = edges[:, per_column - 1 - per_column // 4]
    rest = slice(whole, None)
    if not len(x[rest]):
        return out_x, out_y
    last = y[rest]
    ends = np.array([np.fmin.reduce(last), np.fmax.reduce(last)])
    return (
        np.concatenate([out_x, [x[whole], x[-1]]]),
        np.concatenate([out_y, ends[::-1] if last[0] > last[-1] else ends]),
    )

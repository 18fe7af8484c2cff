"""The Cramér–Rao bound: how well any unbiased tracker can know where a bead is.

Owns the Fisher information of x, y and z in an image whose pixels are independent and whose
variance is known. Must not know trackers or how images are made.

Source: R. J. Ober, S. Ram and E. S. Ward, Biophysical Journal 86 (2004) 1185, extended by gain
and offset as parameters that nobody knows beforehand.
"""

from __future__ import annotations

import numpy as np


def position_bound(
    images: np.ndarray,
    slopes: np.ndarray,
    *,
    extra_variance: float = 0.0,
    known_light: bool = False,
) -> np.ndarray:
    """Return the least standard deviation of each coordinate.

    Parameters
    ----------
    images : ndarray, shape (n, y, x)
        Noise-free images in electrons per pixel, which is also the variance of their shot noise.
    slopes : ndarray, shape (n, k, y, x)
        Their derivatives by each of `k` coordinates, electrons per unit of the coordinate.
    extra_variance : float
        Of everything that is not shot noise: read noise squared, plus the square of the electrons
        per count over 12 for rounding.
    known_light : bool
        Whether gain and offset are known; otherwise they are two more unknowns, as in an
        experiment, and the bound is higher.

    Returns
    -------
    ndarray, shape (n, k)
        In the coordinates' units; inf where the image does not tell.

    Examples
    --------
    >>> r2 = np.sum((np.indices((32, 32)) - 15.3) ** 2, axis=0)
    >>> spot = 1000 * np.exp(-r2 / 18) + 1e-9
    >>> slope = spot * (np.arange(32) - 15.3) / 9
    >>> bound = position_bound(spot[None], slope[None, None], known_light=True)
    >>> bound.round(4).tolist()
    [[0.0126]]
    """
    n, count = slopes.shape[:2]
    variance = (images + extra_variance).reshape(n, 1, -1)
    rows = [slopes.reshape(n, count, -1)]
    if not known_light:
        flat = images.reshape(n, 1, -1)
        rows += [flat, np.ones_like(flat)]
    design = np.concatenate(rows, axis=1)
    # of very unequal units: scaled before it is inverted
    scale = np.sqrt((design**2 / variance).sum(axis=2))
    known = scale > 0
    scale[~known] = 1.0
    design /= scale[:, :, np.newaxis]
    fisher = (design / variance) @ design.transpose(0, 2, 1)
    least = np.full((n, count), np.inf)
    for row in range(n):
        told = np.flatnonzero(known[row])
        if np.linalg.cond(fisher[row][np.ix_(told, told)]) > 1e12:
            continue
        spread = np.diag(np.linalg.inv(fisher[row][np.ix_(told, told)]))
        for at, which in enumerate(told):
            if which < count:
                least[row, which] = np.sqrt(spread[at]) / scale[row, which]
    return least

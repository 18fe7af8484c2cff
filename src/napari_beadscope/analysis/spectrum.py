"""The power spectrum of positions. Must not know which coordinate it is."""

from __future__ import annotations

import numpy as np

from napari_beadscope.core.errors import InputError

_LEAST = 16


def power_spectrum(
    values: np.ndarray, rate_hz: float, *, segments: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Return the one-sided power spectral density of the longest stretch without gaps.

    Welch's method: Hann windows that overlap by half, each less its mean.

    Parameters
    ----------
    values : ndarray, shape (n,)
        One value per frame; NaN where missing.
    rate_hz : float
        Frames per second.
    segments : int
        About how many windows are averaged: more for less noise, fewer for lower frequencies.

    Returns
    -------
    frequency_hz, density : ndarray, shape (f,)
        Without frequency 0; the density is in units of the values squared, per Hz, and its sum
        times the frequency step is the variance. Empty for fewer than 16 values.

    Raises
    ------
    InputError
        `values` is not one-dimensional or the rate is impossible.

    References
    ----------
    P. D. Welch, IEEE Trans. Audio Electroacoust. 15 (1967) 70.

    Examples
    --------
    >>> t = np.arange(1000) / 100.0
    >>> frequency_hz, density = power_spectrum(np.sin(2 * np.pi * 10 * t), 100.0)
    >>> bool(9.5 < frequency_hz[density.argmax()] < 10.5)
    True
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"values of shape {values.shape} are not one series", "give one axis")
    if not 0.0 < rate_hz < np.inf:
        raise InputError(f"a rate of {rate_hz} Hz is impossible", "give frames per second")
    stretch = values[longest_run(np.isfinite(values))]
    if len(stretch) < _LEAST:
        return np.empty(0), np.empty(0)
    from scipy.signal import welch

    length = max(_LEAST, min(len(stretch), 2 * len(stretch) // (segments + 1)))
    frequency_hz, density = welch(stretch, rate_hz, nperseg=length, detrend="constant")
    return frequency_hz[1:], density[1:]


def longest_run(good: np.ndarray) -> slice:
    """Return the longest run of True in ``(n,)``.

    Examples
    --------
    >>> longest_run(np.array([True, False, True, True, False]))
    slice(2, 4, None)
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    if not len(edges):
        return slice(0, 0)
    starts, stops = edges[::2], edges[1::2]
    at = int(np.argmax(stops - starts))
    return slice(int(starts[at]), int(stops[at]))

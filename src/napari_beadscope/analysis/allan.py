"""The overlapping Allan deviation of positions: how stable a bead is, by averaging time.

Owns the estimate and its confidence interval. Must not know which coordinate it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_beadscope.core.errors import InputError

#: Averaging times per factor of ten.
PER_DECADE = 10
_LEAST = 8  # values


@dataclass(frozen=True, slots=True, eq=False)
class AllanDeviation:
    """Allan deviation by averaging time.

    Attributes
    ----------
    tau_s : ndarray, shape (t,)
        Averaging times, whole numbers of frames.
    deviation, lower, upper : ndarray, shape (t,)
        In the unit of the values; the interval holds the true value with the stated confidence.
    terms : ndarray, shape (t,), int
        How many differences went into each.
    """

    tau_s: np.ndarray
    deviation: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    terms: np.ndarray


def allan_deviation(
    values: np.ndarray,
    rate_hz: float,
    *,
    confidence: float = 0.683,
    averages: np.ndarray | None = None,
) -> AllanDeviation:
    """Return the overlapping Allan deviation of evenly spaced values.

    Half the mean square difference of two successive means over tau, for all starts [1]_; the way
    it is used for tweezers [2]_. White noise falls as ``tau ** -0.5``, drift rises. Terms that
    touch a missing value are left out. The interval follows from chi-square statistics; its
    degrees of freedom are the smaller of those for white noise and for a random walk [1]_, so it
    is rather too wide than too narrow.

    Parameters
    ----------
    values : ndarray, shape (n,)
        A coordinate, one value per frame; NaN where missing (`on_grid` lays them out).
    rate_hz : float
        Frames per second.
    confidence : float
        Of the interval, between 0 and 1.
    averages : ndarray of int, optional
        Frames per mean; default about ten per decade up to a third of the values.

    Returns
    -------
    AllanDeviation
        Only of averaging times with at least one term.

    Raises
    ------
    InputError
        `values` is not one-dimensional, or rate or confidence are impossible.

    References
    ----------
    .. [1] W. J. Riley, Handbook of Frequency Stability Analysis, NIST SP 1065 (2008), 5.2.4, 5.4.1;
       D. A. Howe, D. W. Allan and J. A. Barnes, Proc. 35th FCS (1981) 1 for degrees of freedom.
    .. [2] F. Czerwinski, A. C. Richardson and L. B. Oddershede, Optics Express 17 (2009) 13255;
       B. M. Lansdorp and O. A. Saleh, Rev. Sci. Instrum. 83 (2012) 025115.

    Examples
    --------
    >>> found = allan_deviation(np.array([0.0, 1.0] * 50), 100.0, averages=np.array([1, 2]))
    >>> found.tau_s.tolist(), found.deviation.round(3).tolist()
    ([0.01, 0.02], [0.707, 0.0])
    """
    values = np.asarray(values, dtype=np.float64)
    _check(values, rate_hz, confidence)
    seen = np.isfinite(values)
    if int(seen.sum()) < _LEAST:
        return _gathered([], rate_hz, confidence)
    if averages is None:
        averages = averaging_times(len(values))
    level = values[seen].mean()  # sums of small numbers are exact to more digits
    total = np.concatenate([[0.0], np.cumsum(np.where(seen, values - level, 0.0))])
    missing = None if seen.all() else np.concatenate([[0], np.cumsum(~seen)])
    found = []
    for m in averages.tolist():
        if 2 * m > len(values):
            continue
        means = total[2 * m :] - 2 * total[m:-m] + total[: -2 * m]
        if missing is not None:
            means = means[missing[2 * m :] == missing[: -2 * m]]
        if len(means):
            found.append((m, float(means @ means) / (2.0 * m * m * len(means)), len(means)))
    return _gathered(found, rate_hz, confidence)


def averaging_times(n: int) -> np.ndarray:
    """Return frames per mean, about `PER_DECADE` per decade, up to a third of `n`.

    Examples
    --------
    >>> averaging_times(60).tolist()
    [1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20]
    """
    most = max(1, n // 3)
    exponents = np.arange(0.0, np.log10(most) + 1e-9, 1.0 / PER_DECADE)
    return np.unique(np.rint(10.0**exponents).astype(int))


def degrees_of_freedom(n: int, m: int) -> float:
    """Return the smaller equivalent degrees of freedom of white noise and random walk.

    Parameters
    ----------
    n : int
        Values without gaps that give as many terms.
    m : int
        Values per mean.
    """
    phases = n + 1  # the formulas count the sums, of which there is one more
    white = (3 * (phases - 1) / (2 * m) - 2 * (phases - 2) / phases) * 4 * m**2 / (4 * m**2 + 5)
    walk = (phases - 2) / m
    if phases > 3:
        walk *= ((phases - 1) ** 2 - 3 * m * (phases - 1) + 4 * m**2) / (phases - 3) ** 2
    return max(1.0, min(white, walk))


def _gathered(
    found: list[tuple[int, float, int]], rate_hz: float, confidence: float
) -> AllanDeviation:
    from scipy.stats import chi2

    m = np.array([row[0] for row in found], dtype=int)
    variance = np.array([row[1] for row in found], dtype=np.float64)
    terms = np.array([row[2] for row in found], dtype=int)
    freedom = np.array([degrees_of_freedom(k + 2 * i - 1, i) for i, k in zip(m, terms)])
    tail = (1.0 - confidence) / 2.0
    return AllanDeviation(
        m / rate_hz,
        np.sqrt(variance),
        np.sqrt(variance * freedom / chi2.ppf(1.0 - tail, freedom)),
        np.sqrt(variance * freedom / chi2.ppf(tail, freedom)),
        terms,
    )


def _check(values: np.ndarray, rate_hz: float, confidence: float) -> None:
    if values.ndim != 1:
        raise InputError(f"values of shape {values.shape} are not one series", "give one axis")
    if not 0.0 < rate_hz < np.inf:
        raise InputError(f"a rate of {rate_hz} Hz is impossible", "give frames per second")
    if not 0.0 < confidence < 1.0:
        raise InputError(f"a confidence of {confidence} is impossible", "give 0.683 or 0.95")

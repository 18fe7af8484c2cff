"""The force on a tethered bead from how it jitters. Must not know which bead or microscope.

A bead on a tether in a magnetic field is a pendulum: pulled aside by x, it is drawn back by
``F x / length``. Its spring, ``k = F / length``, shows in its Brownian motion. Along the field
lines the bead does not roll and the length is the tether's extension; across them it does, and the
bead's radius adds to it.

A camera shows means over its exposure, which hides fast jitter, and looks once a frame, which
folds it back to low frequencies. Both are part of the formulas here, exactly: the covariance of
means over exposures of an Ornstein-Uhlenbeck process, and its Fourier series.

Sources: T. R. Strick et al., Science 271 (1996) 1835 (force from variance); W. P. Wong and K.
Halvorsen, Opt. Express 14 (2006) 12517 (blur of the variance); B. M. Lansdorp and O. A. Saleh,
Rev. Sci. Instrum. 83 (2012) 025115 (blurred, folded spectrum and its likelihood); A. J. W. te
Velthuis et al., Biophys. J. 99 (2010) 1292 (when which method is right).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_beadscope.analysis.spectrum import longest_run
from napari_beadscope.core.errors import InputError

BOLTZMANN_PN_NM_PER_K = 1.380649e-2
_LEAST = 64
_SEGMENTS = 16


@dataclass(frozen=True, slots=True)
class ForceFit:
    """A force and what it was found from.

    Attributes
    ----------
    force_pn, error_pn : float
        The force, and its standard error from the finite number of frames alone; pN.
    stiffness_pn_per_nm : float
        Spring of the pendulum.
    drag_pn_s_per_nm : float
        Friction of the bead; for `force_from_variance` that which was given.
    noise_nm : float
        Tracking noise in one frame, rms.
    corner_hz : float
        Frequency below which the bead follows; the frame rate should not be far below it.
    frames : int
        How many were used.
    """

    force_pn: float
    error_pn: float
    stiffness_pn_per_nm: float
    drag_pn_s_per_nm: float
    noise_nm: float
    corner_hz: float
    frames: int


def stokes_drag(radius_nm: float, viscosity_mpa_s: float = 0.89) -> float:
    """Return the friction of a sphere far from walls, ``6 pi eta R``, pN s/nm.

    Examples
    --------
    >>> round(stokes_drag(500.0) * 1e6, 2)
    8.39
    """
    return 6 * math.pi * viscosity_mpa_s * 1e-9 * radius_nm


def force_from_variance(
    positions_nm: np.ndarray,
    length_nm: float,
    *,
    exposure_s: float = 0.0,
    drag_pn_s_per_nm: float = 0.0,
    noise_nm: float = 0.0,
    temperature_k: float = 298.15,
) -> ForceFit:
    """Return the force from the variance of a bead's sideways motion, by equipartition.

    ``F = kT length / variance``, in which the variance is corrected for tracking noise and, with
    an exposure and a drag, for what the exposure hides.

    Parameters
    ----------
    positions_nm : ndarray (n,)
        One coordinate sideways, nm, with drift taken off; NaN where missing.
    length_nm : float
        Length of the pendulum, nm: the extension, plus the bead's radius across the field.
    exposure_s : float
        Exposure, s; 0 if it is much shorter than ``drag / stiffness``.
    drag_pn_s_per_nm : float
        Friction, such as `stokes_drag`; needed with an exposure.
    noise_nm : float
        Tracking noise in one frame, rms.
    temperature_k : float
        Temperature, K.

    Raises
    ------
    InputError
        Too few positions, values that are impossible, or less jitter than noise.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(0, 80.0, 10_000)
    >>> round(force_from_variance(x, 1000.0).force_pn, 2)
    0.65
    """
    thermal, values = _checked(positions_nm, length_nm, exposure_s, temperature_k)
    if exposure_s and not drag_pn_s_per_nm > 0:
        raise InputError(
            "an exposure hides jitter depending on the bead's drag, which is not given",
            "give drag_pn_s_per_nm, such as stokes_drag(radius_nm), or exposure_s=0",
        )
    values = values[np.isfinite(values)]
    _enough(len(values))
    variance = float(np.var(values)) - noise_nm**2
    if not variance > 0:
        raise InputError("the bead jitters no more than the noise", "check noise_nm")
    spring = _deblurred(variance / thermal, exposure_s, drag_pn_s_per_nm)
    correlated = _correlated_frames(values)
    error = math.sqrt(2 * correlated / len(values))
    drag = drag_pn_s_per_nm
    corner = spring / drag / (2 * math.pi) if drag else math.nan
    force = spring * length_nm
    return ForceFit(force, force * error, spring, drag, noise_nm, corner, len(values))


def force_from_spectrum(
    positions_nm: np.ndarray,
    rate_hz: float,
    length_nm: float,
    *,
    exposure_s: float = 0.0,
    drag_pn_s_per_nm: float = 0.0,
    noise_nm: float | None = 0.0,
    temperature_k: float = 298.15,
) -> ForceFit:
    """Return the force from the spectrum of a bead's sideways motion, and its drag with it.

    Stiffness and drag are those under which the spectrum is most likely, given frame rate and
    exposure. Slow drift matters less than to the variance, because the lowest frequency is left
    out. A spectrum whose corner is above the frame rate hardly tells the drag: give it then.

    Parameters
    ----------
    positions_nm : ndarray (n,)
        One coordinate sideways, nm, one per frame; NaN where missing. The longest stretch without
        gaps is used.
    rate_hz : float
        Frames per second.
    length_nm : float
        Length of the pendulum, nm: the extension, plus the bead's radius across the field.
    exposure_s : float
        Exposure, s; at most a frame.
    drag_pn_s_per_nm : float
        Friction, such as `stokes_drag`; 0: it is found, too.
    noise_nm : float or None
        Tracking noise in one frame, rms; None: it is found, too.
    temperature_k : float
        Temperature, K.

    Raises
    ------
    InputError
        Too few positions without a gap, none that differ, or values that are impossible.

    Examples
    --------
    A bead whose jitter a frame of 1 ms resolves well:

    >>> draw, keep, x = np.random.default_rng(0), np.exp(-1e-3 * 6e-4 / 8.4e-6), [0.0]
    >>> for kick in draw.normal(0, 83 * np.sqrt(1 - keep**2), 20_000):
    ...     x.append(keep * x[-1] + kick)
    >>> found = force_from_spectrum(np.array(x), 1000.0, 1000.0)
    >>> round(found.force_pn, 1), round(found.drag_pn_s_per_nm * 1e6, 1)
    (0.5, 8.5)
    """
    thermal, values = _checked(positions_nm, length_nm, exposure_s, temperature_k)
    if not 0 < rate_hz < math.inf:
        raise InputError(f"a rate of {rate_hz} Hz is impossible", "give frames per second")
    if exposure_s * rate_hz > 1 + 1e-6:
        raise InputError(
            f"an exposure of {exposure_s:g} s is longer than a frame of {1 / rate_hz:g} s",
            "give both in s",
        )
    values = values[longest_run(np.isfinite(values))]
    _enough(len(values))
    frequency, density, weight = _periodogram(values, rate_hz)
    spread = float(np.var(values))
    if not spread > 0:
        raise InputError("the bead does not jitter at all", "give positions of a tethered bead")

    def meant(logs: np.ndarray) -> tuple[float, float, float]:
        """Return spring, drag and the noise's variance."""
        rest = [math.exp(log) for log in logs[1:]]
        drag = drag_pn_s_per_nm or thermal / spread * rest.pop(0)
        noise = spread * rest.pop() if noise_nm is None else noise_nm**2
        return thermal / spread * math.exp(logs[0]), drag, noise

    def model(logs: np.ndarray) -> np.ndarray:
        spring, drag, noise = meant(logs)
        folded = ou_spectrum(frequency, rate_hz, thermal / spring, spring / drag, exposure_s)
        return np.asarray(folded + 2 * noise / rate_hz)

    def unlikely(logs: np.ndarray) -> float:
        if np.abs(logs).max() > 60:
            return math.inf
        expected = model(logs)
        return float(np.sum(weight * (np.log(expected) + density / expected)))

    start = [0.0]
    if not drag_pn_s_per_nm:
        start.append(math.log(_correlated_frames(values) / rate_hz / 2))
    if noise_nm is None:
        start.append(math.log(1e-3))
    best = _most_likely(unlikely, np.array(start))
    spring, drag, noise = meant(best)
    force = spring * length_nm
    error = force * _error_of_first(model, best, weight)
    corner = spring / drag / math.tau
    return ForceFit(force, error, spring, drag, math.sqrt(noise), corner, len(values))


def ou_spectrum(
    frequency_hz: np.ndarray,
    rate_hz: float,
    variance: float,
    relaxation_hz: float,
    exposure_s: float = 0.0,
) -> np.ndarray:
    """Return the one-sided power spectral density of a jittering bead as a camera shows it.

    Parameters
    ----------
    frequency_hz : ndarray (f,)
        Frequencies up to half the frame rate.
    rate_hz, exposure_s : float
        Frames per second, and for how long of each the camera looks.
    variance : float
        Of the motion itself, ``kT / k``.
    relaxation_hz : float
        ``k / drag``, 1/s.

    Returns
    -------
    ndarray (f,)
        Units of the variance, per Hz. Over all frequencies it amounts to the blurred variance.

    Examples
    --------
    >>> frequency = (np.arange(500) + 0.5) / 500 * 50
    >>> density = ou_spectrum(frequency, 100.0, 4.0, 70.0)
    >>> round(float(density.mean() * 50), 3)
    4.0
    """
    step, part = relaxation_hz / rate_hz, relaxation_hz * exposure_s
    keep = math.exp(-step)
    alone = variance * _blur(part)  # covariance of a frame with itself
    # with the next: means over exposures of exp(-|t|), and then `keep` from frame to frame
    apart = variance * (math.exp(part - step) * (math.expm1(-part) / part) ** 2 if part else keep)
    turn = np.exp(2j * np.pi * np.asarray(frequency_hz) / rate_hz)
    return np.asarray(2 / rate_hz * (alone + 2 * np.real(apart * turn / (1 - keep * turn))))


def _blur(part: float) -> float:
    """Return the variance of a mean over `part` relaxation times, over that without a mean."""
    if part < 1e-4:
        return 1 - part / 3
    return 2 * (part + math.expm1(-part)) / part**2


def _deblurred(compliance: float, exposure_s: float, drag: float) -> float:
    """Return the spring whose blurred variance over kT is `compliance`."""
    if not exposure_s:
        return 1 / compliance
    from scipy.optimize import brentq

    # blur only ever hides jitter: the spring is softer than it seems
    return float(
        brentq(
            lambda spring: _blur(spring * exposure_s / drag) / spring - compliance,
            1e-9 / compliance,
            1 / compliance,
            xtol=1e-15 / compliance,
        )
    )


def _periodogram(values: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frequencies, densities averaged over neighbours, and how many those were."""
    window = np.sin(np.pi * (np.arange(len(values)) + 0.5) / len(values)) ** 2  # Hann
    window /= math.sqrt(np.mean(window**2))
    raw = np.abs(np.fft.rfft((values - values.mean()) * window)) ** 2
    raw *= 2 / (rate_hz * len(values))
    frequency = np.fft.rfftfreq(len(values), 1 / rate_hz)
    raw, frequency = raw[2:-1], frequency[2:-1]  # drift and mean below, no pair above
    count = max(len(raw) // 4096, 1)  # neighbours that are averaged, for speed
    whole = len(raw) // count * count
    weight = np.full(whole // count, count / 1.5)  # the window correlates neighbours
    return (
        frequency[:whole].reshape(-1, count).mean(axis=1),
        raw[:whole].reshape(-1, count).mean(axis=1),
        weight,
    )


def _most_likely(unlikely: Callable[[np.ndarray], float], start: np.ndarray) -> np.ndarray:
    from scipy.optimize import minimize

    best = minimize(unlikely, start, method="Nelder-Mead", options={"maxiter": 2000})
    again = minimize(unlikely, best.x, method="Nelder-Mead", options={"xatol": 1e-5})
    return np.asarray(again.x)


def _error_of_first(
    model: Callable[[np.ndarray], np.ndarray], best: np.ndarray, weight: np.ndarray
) -> float:
    """Return the standard error of the first parameter, from the Fisher information."""
    step = 1e-4
    slopes = []
    for axis in range(len(best)):
        shift = np.zeros(len(best))
        shift[axis] = step
        above, below = model(best + shift), model(best - shift)
        slopes.append((np.log(above) - np.log(below)) / (2 * step))
    slope = np.array(slopes)
    covariance = np.linalg.pinv((slope * weight) @ slope.T)
    return math.sqrt(max(float(covariance[0, 0]), 0.0))


def _correlated_frames(values: np.ndarray) -> float:
    """Return over how many frames squared excursions stay alike: 1 for independent ones."""
    off = values - values.mean()
    keep = float(np.clip(np.mean(off[1:] * off[:-1]) / np.mean(off**2), 0.0, 0.9999))
    return (1 + keep**2) / (1 - keep**2)


def _checked(
    positions_nm: np.ndarray, length_nm: float, exposure_s: float, temperature_k: float
) -> tuple[float, np.ndarray]:
    values = np.asarray(positions_nm, np.float64)
    if values.ndim != 1:
        raise InputError(f"positions of shape {values.shape} are not one series", "give one axis")
    for name, value in (("length_nm", length_nm), ("temperature_k", temperature_k)):
        if not 0 < value < math.inf:
            raise InputError(f"{name} cannot be {value:g}", "give a number above 0")
    if not 0 <= exposure_s < math.inf:
        raise InputError(f"exposure_s cannot be {exposure_s:g}", "give seconds")
    return BOLTZMANN_PN_NM_PER_K * temperature_k, values


def _enough(count: int) -> None:
    if count < _LEAST:
        raise InputError(
            f"{count} positions are too few for a force", f"give {_LEAST} at least; thousands"
        )

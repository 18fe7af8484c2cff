"""Brownian motion of a bead on a spring, as a pure function of seed, frame and spring.

Owns the random paths. Must not know what the springs come from.

The path is an Ornstein-Uhlenbeck process per bead and axis, updated exactly from frame to frame:
``x' = a x + sigma sqrt(1 - a^2) w`` with ``a = exp(-dt k / gamma)`` and ``sigma^2 = kT / k`` (D. T.
Gillespie, Phys. Rev. E 54, 2084, 1996). Frames are drawn in chunks. The position at the start of
each chunk comes from a generator seeded with (seed, chunk), the way between two starts is the
process conditioned on both; a chunk spans at least 16 correlation times at rest, so that starts
are independent to 1e-7. Any frame can thus be asked for at any time. Another spring gives another
path through the same noise; springs within 2 % share one, scaled.

A camera shows the mean over its exposure. Between two frames the path is a bridge, whose mean is
normal given its ends: it is drawn, exactly. The blur of the image itself is neglected.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from napari_beadscope.devices.simulated.options import SimulatedOptions

_CHUNKS_KEPT = 4
_BROWNIAN = 11
_MAX_CHUNK = 2**17
_SPRING_STEP = 0.02


@dataclass(frozen=True, slots=True)
class _Mean:
    """Mean over the exposure ``first * x[t] + last * x[t + 1] + spread * noise``, per axis."""

    first: np.ndarray
    last: np.ndarray
    spread: np.ndarray


def exposure_mean(rate: np.ndarray, exposure: float) -> _Mean:
    """Return the mean of a unit Ornstein-Uhlenbeck bridge over the first part of a frame.

    Parameters
    ----------
    rate : ndarray
        Relaxation rates, 1/frame.
    exposure : float
        The part of the frame that is exposed, above 0 to 1.
    """
    part = rate * exposure
    ends = -np.expm1(-2 * rate)
    first = (1 + np.exp(-2 * rate) - np.exp(-part) - np.exp(part - 2 * rate)) / (part * ends)
    last = (np.exp(part - rate) + np.exp(-part - rate) - 2 * np.exp(-rate)) / (part * ends)
    whole = 2 * (part + np.expm1(-part)) / part**2
    known = first**2 + last**2 + 2 * first * last * np.exp(-rate)
    return _Mean(first, last, np.sqrt(np.maximum(whole - known, 0.0)))


class Brownian:
    """Excursions of beads from where they are held.

    Parameters
    ----------
    options : SimulatedOptions
        Drag, temperature, frame rate, exposure and seed.
    springs_at_rest : ndarray (3,)
        Of x, y, z in pN/nm; those asked for later should not be much weaker.

    Examples
    --------
    >>> springs = np.array([1e-3, 1e-3, 5e-3])
    >>> Brownian(SimulatedOptions(beads=3), springs).offsets_nm(7, springs).shape
    (3, 3)
    """

    def __init__(self, options: SimulatedOptions, springs_at_rest: np.ndarray) -> None:
        self._options = options
        self._at_rest = springs_at_rest
        wanted = 2 ** int(np.ceil(np.log2(max(16 / self._rate(springs_at_rest).min(), 64))))
        self._length = min(wanted, _MAX_CHUNK)
        self._paths: OrderedDict[tuple[int, ...], tuple[np.ndarray, _Mean]] = OrderedDict()
        self._noises: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def _rate(self, springs: np.ndarray) -> np.ndarray:
        return springs / self._options.drag_pn_s_per_nm / self._options.fps

    def offsets_nm(self, frame: int, springs: np.ndarray) -> np.ndarray:
        """Return the mean excursions in a frame's exposure, nm, ``(beads, 3)`` as x, y, z."""
        beads = self._options.beads
        if not self._options.brownian or beads == 0:
            return np.zeros((beads, 3))
        number, place = divmod(int(frame), self._length)
        level = np.rint(np.log(springs / self._at_rest) / _SPRING_STEP)
        key = (number, *(int(part) for part in level))
        if key not in self._paths:
            rate = self._rate(self._at_rest * np.exp(level * _SPRING_STEP))
            mean = exposure_mean(rate, min(self._options.exposure_ms * self._options.fps / 1e3, 1))
            self._paths[key] = (self._path(number, np.exp(-rate)), mean)
            if len(self._paths) > _CHUNKS_KEPT:
                self._paths.popitem(last=False)
        path, mean = self._paths[key]
        within = self._noise(number)[1][place].reshape(beads, 3)
        unit = mean.first * path[place] + mean.last * path[place + 1] + mean.spread * within
        return np.asarray(unit * np.sqrt(self._options.thermal_pn_nm / springs))

    def _start(self, number: int) -> np.ndarray:
        draw = np.random.default_rng([self._options.seed, _BROWNIAN, number, 0])
        return draw.standard_normal(3 * self._options.beads).reshape(-1, 3)

    def _noise(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return white noise between the frames of a chunk and within their exposures."""
        if number not in self._noises:
            between, within = (
                np.random.default_rng([self._options.seed, _BROWNIAN, number, kind])
                for kind in (1, 2)
            )
            size = (self._length + 1, 3 * self._options.beads)
            self._noises[number] = (
                between.standard_normal(size, dtype=np.float32),
                within.standard_normal(size, dtype=np.float32),
            )
            if len(self._noises) > 2:
                self._noises.popitem(last=False)
        return self._noises[number]

    def _path(self, number: int, keep: np.ndarray) -> np.ndarray:
        """Return a chunk of the unit process and the start of the next, ``(t, beads, 3)``."""
        from napari_beadscope.devices.simulated.kernels import first_order

        length, beads = self._length, self._options.beads
        free = self._noise(number)[0].copy()
        free[0] = 0
        kick = np.sqrt(1 - keep**2)
        keeps, kicks = (np.tile(part, beads).astype(np.float32) for part in (keep, kick))
        first_order(keeps, kicks, free)
        path = free.reshape(length + 1, beads, 3)
        start, end = self._start(number), self._start(number + 1)
        # condition the free path from 0 on both ends: add its regression on the end's mismatch
        steps = np.arange(length + 1)[:, None]
        full = 1 - keep ** (2 * length)
        towards = keep ** (length - steps) * (1 - keep ** (2 * steps)) / full
        mismatch = end - start * keep**length - path[length]
        path += (keep**steps).astype(np.float32)[:, None] * start.astype(np.float32)
        path += towards.astype(np.float32)[:, None] * mismatch.astype(np.float32)
        return path

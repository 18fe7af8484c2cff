"""Where the beads are: tethered Brownian motion, force from the magnet, stage drift.

Owns positions in nm as a pure function of seed and frame number. Must not know pixels.

Brownian motion is an Ornstein-Uhlenbeck process per bead and axis, updated exactly from frame to
frame: ``x' = a x + sigma sqrt(1 - a^2) w`` with ``a = exp(-dt k / gamma)`` and
``sigma^2 = kT / k`` (D. T. Gillespie, Phys. Rev. E 54, 2084, 1996). Frames are drawn in chunks.
The position at the start of each chunk comes from a generator seeded with (seed, chunk), the way
between two starts is the process conditioned on both; a chunk spans at least 16 correlation
times, so that starts are independent to 1e-7. Any frame can thus be asked for at any time. Motion
blur within the exposure is neglected.

The magnet's force is ``F = force_pn * exp(magnet_mm / magnet_decay_mm)``. The tether is a
worm-like chain at high force: extension ``L (1 - sqrt(kT / P F) / 2)``, lateral stiffness
``F / extension``, axial stiffness ``~ F^1.5`` (C. Bouchiat et al., Biophys. J. 76, 409, 1999).
Stiffness is relative to the options' at magnet 0: it scales excursions by the square root; the
correlation time stays that at magnet 0.

The first ``stuck_beads`` stick to the surface, as reference beads do: only the stage moves them,
and they lie lower than the others by the tethers' length at magnet 0.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from napari_beadscope.devices.simulated.options import SimulatedOptions

_CHUNKS_KEPT = 4
_BROWNIAN, _DRIFT = 11, 12
_MAX_CHUNK = 2**17


class BeadMotion:
    """Displacement of every bead from its anchor.

    Parameters
    ----------
    options : SimulatedOptions
        Springs, drag, drift, frame rate and seed.

    Examples
    --------
    >>> motion = BeadMotion(SimulatedOptions(beads=3))
    >>> motion.brownian_nm(7).shape
    (3, 3)
    """

    def __init__(self, options: SimulatedOptions) -> None:
        self._options = options
        springs = np.array([options.kx_pn_per_nm, options.ky_pn_per_nm, options.kz_pn_per_nm])
        rate = springs / options.drag_pn_s_per_nm / options.fps
        self._sigma = np.tile(np.sqrt(options.thermal_pn_nm / springs), options.beads)
        self._keep = np.tile(np.exp(-rate), options.beads)
        wanted = 2 ** int(np.ceil(np.log2(max(16 / rate.min(), 512))))
        self._length = min(wanted, _MAX_CHUNK)
        self._chunks: OrderedDict[int, np.ndarray] = OrderedDict()
        draw = np.random.default_rng([options.seed, _DRIFT])
        # three incommensurate periods per axis, from a minute to a quarter of an hour
        self._periods_s = 60 * np.array([1, np.e, 4 * np.pi])[:, None] * draw.uniform(0.8, 1.2, 3)
        self._phases = draw.uniform(0, 2 * np.pi, (3, 3))

    def brownian_nm(self, frame: int) -> np.ndarray:
        """Return the excursions at magnet 0, nm, ``(beads, 3)`` as x, y, z."""
        beads = self._options.beads
        if not self._options.brownian or beads == 0:
            return np.zeros((beads, 3))
        number, place = divmod(int(frame), self._length)
        if number not in self._chunks:
            self._chunks[number] = self._chunk(number)
            if len(self._chunks) > _CHUNKS_KEPT:
                self._chunks.popitem(last=False)
        return self._chunks[number][place].reshape(beads, 3).astype(np.float64)

    def _start(self, number: int) -> np.ndarray:
        draw = np.random.default_rng([self._options.seed, _BROWNIAN, number, 0])
        return np.asarray(draw.standard_normal(len(self._sigma)) * self._sigma)

    def _chunk(self, number: int) -> np.ndarray:
        from napari_beadscope.devices.simulated.kernels import first_order

        draw = np.random.default_rng([self._options.seed, _BROWNIAN, number, 1])
        keep, length = self._keep, self._length
        kick = (self._sigma * np.sqrt(1 - keep**2)).astype(np.float32)
        path = draw.standard_normal((length + 1, len(keep)), dtype=np.float32)
        path[0] = 0
        first_order(keep.astype(np.float32), kick, path)
        start, end = self._start(number), self._start(number + 1)
        # condition the free path from 0 on both ends: add its regression on the end's mismatch
        steps = np.arange(length)[:, None]
        full = 1 - keep ** (2 * length)
        towards = keep ** (length - steps) * (1 - keep ** (2 * steps)) / full
        mismatch = end - start * keep**length - path[length]
        path[:length] += start * keep**steps + towards * mismatch
        return path[:length]

    def drift_nm(self, frame: int) -> np.ndarray:
        """Return the stage's drift from its place at frame 0, nm, ``(3,)``: swing and steady."""
        options = self._options
        seconds = frame / options.fps
        angle = 2 * np.pi * seconds / self._periods_s + self._phases
        swing = np.sum(np.sin(angle) - np.sin(self._phases), axis=0) / np.sqrt(3)
        swing *= (options.drift_nm, options.drift_nm, options.drift_z_nm)
        rates = [getattr(options, f"drift_rate_{axis}_nm_per_s") for axis in "xyz"]
        return np.asarray(swing + seconds * np.array(rates))

    def force_pn(self, magnet_mm: float) -> float:
        """Return the force on every bead, pN."""
        return self._options.force_pn * float(np.exp(magnet_mm / self._options.magnet_decay_mm))

    def extension_nm(self, magnet_mm: float) -> float:
        """Return the tether's length under the magnet's force, nm; never below a tenth."""
        options = self._options
        slack = np.sqrt(options.thermal_pn_nm / options.persistence_nm / self.force_pn(magnet_mm))
        return options.contour_nm * max(1 - float(slack) / 2, 0.1)

    def offsets_nm(self, frame: int, magnet_mm: float) -> np.ndarray:
        """Return displacement from the anchors, nm, ``(beads, 3)`` as x, y and height."""
        stiffer = self.force_pn(magnet_mm) / self._options.force_pn
        longer = 1.0
        if self._options.contour_nm:
            longer = self.extension_nm(magnet_mm) / self.extension_nm(0.0)
        lateral = np.sqrt(longer / stiffer)
        offsets = self.brownian_nm(frame) * np.array([lateral, lateral, stiffer**-0.75])
        offsets[:, 2] += self.extension_nm(magnet_mm) - self.extension_nm(0.0)
        offsets[: self._options.stuck_beads] = (0.0, 0.0, -self.extension_nm(0.0))
        return offsets + self.drift_nm(frame)

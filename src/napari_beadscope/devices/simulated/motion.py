"""Where the beads are: what holds them, Brownian motion, the magnet's turns, stage drift.

Owns positions in nm as a pure function of seed, frame number and the magnet's place. Must not
know pixels. How tethers behave is in `tether`, how beads jitter in `brownian`.

A bead's tether is attached off its pole, so that turning the magnet takes the bead's centre
around a circle of radius `orbit_nm` (D. Klaue, R. Seidel, Phys. Rev. Lett. 102, 028302, 2009).
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.devices.simulated.brownian import Brownian
from napari_beadscope.devices.simulated.options import SimulatedOptions
from napari_beadscope.devices.simulated.tether import Tether

_DRIFT, _ORBIT = 12, 13


class BeadMotion:
    """Displacement of every bead from its anchor.

    Parameters
    ----------
    options : SimulatedOptions
        Springs, drag, drift, frame rate and seed.

    Examples
    --------
    >>> motion = BeadMotion(SimulatedOptions(beads=3))
    >>> motion.offsets_nm(7, magnet_mm=2.0).shape
    (3, 3)
    """

    def __init__(self, options: SimulatedOptions) -> None:
        self._options = options
        self.tether = Tether(options)
        self._brownian = Brownian(options, self.tether.springs_at_rest)
        self._length_at_rest = self.tether.extension_nm(0.0)
        draw = np.random.default_rng([options.seed, _ORBIT])
        self._bearings = draw.uniform(0, 2 * np.pi, options.beads)
        draw = np.random.default_rng([options.seed, _DRIFT])
        # three incommensurate periods per axis, from a minute to a quarter of an hour
        self._periods_s = 60 * np.array([1, np.e, 4 * np.pi])[:, None] * draw.uniform(0.8, 1.2, 3)
        self._phases = draw.uniform(0, 2 * np.pi, (3, 3))

    def drift_nm(self, frame: int) -> np.ndarray:
        """Return the stage's drift from its place at frame 0, nm, ``(3,)``: swing and steady."""
        options = self._options
        seconds = frame / options.fps
        angle = 2 * np.pi * seconds / self._periods_s + self._phases
        swing = np.sum(np.sin(angle) - np.sin(self._phases), axis=0) / np.sqrt(3)
        swing *= (options.drift_nm, options.drift_nm, options.drift_z_nm)
        rates = [getattr(options, f"drift_rate_{axis}_nm_per_s") for axis in "xyz"]
        return np.asarray(swing + seconds * np.array(rates))

    def orbit_nm(self, turns: float) -> np.ndarray:
        """Return where turns of the magnet take the beads, nm, ``(beads, 2)`` as x, y."""
        angle = np.column_stack([self._bearings, self._bearings - np.pi / 2])
        return np.asarray(
            self._options.orbit_nm * (np.cos(angle + 2 * np.pi * turns) - np.cos(angle))
        )

    def offsets_nm(self, frame: int, magnet_mm: float, turns: float = 0.0) -> np.ndarray:
        """Return displacement from the anchors, nm, ``(beads, 3)`` as x, y and height."""
        offsets = self._brownian.offsets_nm(frame, self.tether.springs(magnet_mm, turns))
        offsets[:, 2] += self.tether.extension_nm(magnet_mm, turns) - self._length_at_rest
        if turns:
            offsets[:, :2] += self.orbit_nm(turns)
        offsets[: self._options.stuck_beads] = (0.0, 0.0, -self._length_at_rest)
        return offsets + self.drift_nm(frame)

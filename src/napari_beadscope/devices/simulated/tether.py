"""What holds a bead: the magnet's force, the tether's length under force and twist, springs.

Owns the mechanics of one tether at rest. Must not know frames, noise or pixels.

The magnet's force is ``F = force_pn * exp(magnet_mm / magnet_decay_mm)``. Stretched, the tether
is a worm-like chain at high force, of extension ``L (1 - s / 2)`` with ``s = sqrt(kT / P F)``
(C. Bouchiat et al., Biophys. J. 76, 409, 1999). Twisted by turns of the magnet it shortens a
little until it buckles, and then by the same length for every turn, until all of it is
plectoneme: the coexistence of both states in J. F. Marko, Phys. Rev. E 76, 021926 (2007), with
twist persistence lengths 95 nm (stretched) and 24 nm (plectoneme). Melting of DNA that is unwound
under more than about half a pN is neglected: the curve is the same both ways.

The bead is a pendulum (I. D. Vilfan et al., Handbook of Single-Molecule Biophysics, 2009, chapter
13): along the field, x, its spring is ``F / extension``, across it, y, where it can roll,
``F / (extension + radius)``; along the tether, z, it is ``dF / dextension``.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.devices.simulated.options import SimulatedOptions

_TWIST_NM, _PLECTONEME_NM = 95.0, 24.0  # persistence lengths of twist
_TURN_PER_NM = 1.85  # rad of the helix per nm
_PITCH_NM = 3.57  # of the helix
_SHORTEST = 0.1  # of the contour: the bead then sits on the surface


class Tether:
    """The tether of every bead, as a function of where the magnet is.

    Examples
    --------
    >>> tether = Tether(SimulatedOptions())
    >>> tether.force_pn(0.0), round(tether.extension_nm(0.0)), round(tether.extension_nm(0.0, 10))
    (0.5, 797, 328)
    """

    def __init__(self, options: SimulatedOptions) -> None:
        self._options = options
        given = (options.kx_pn_per_nm, options.ky_pn_per_nm, options.kz_pn_per_nm)
        own = self._own_springs(0.0, 0.0)
        #: Springs at rest, pN/nm, as x, y, z.
        self.springs_at_rest = np.array(
            [k if k is not None else o for k, o in zip(given, own, strict=True)]
        )
        self._own_at_rest = own

    def force_pn(self, magnet_mm: float) -> float:
        """Return the force on every bead, pN."""
        return self._options.force_pn * float(np.exp(magnet_mm / self._options.magnet_decay_mm))

    def extension_nm(self, magnet_mm: float, turns: float = 0.0) -> float:
        """Return the tether's length, nm; never below a tenth of its contour."""
        options, force = self._options, self.force_pn(magnet_mm)
        if not options.contour_nm:
            return 0.0
        thermal = options.thermal_pn_nm
        slack = math.sqrt(thermal / options.persistence_nm / force)
        straight = 1 - slack / 2
        excess = abs(turns) * _PITCH_NM / options.contour_nm  # over the turns of the helix
        if excess:
            straight = self._twisted(force, slack, excess)
        return options.contour_nm * max(straight, _SHORTEST)

    def _twisted(self, force: float, slack: float, excess: float) -> float:
        """Return the length over the contour for `excess` turns over those of the helix."""
        options = self._options
        twist = options.thermal_pn_nm * _TURN_PER_NM**2  # pN, times a length in nm
        softer = _TWIST_NM / 4 / options.persistence_nm * slack
        plectoneme = twist * _PLECTONEME_NM
        # weak forces, at which chains are coils, are beyond the theory: there it only stays finite
        stretched = max(twist * _TWIST_NM * (1 - softer), 1.5 * plectoneme)
        gain = force * max(1 - slack, 0.05)
        torque = math.sqrt(2 * plectoneme * gain / (1 - plectoneme / stretched))
        buckles, ends = torque / stretched, torque / plectoneme
        bent = twist * _TWIST_NM * softer / (4 * force) * min(excess, buckles) ** 2
        left = min(max((ends - excess) / (ends - buckles), 0.0), 1.0)
        return left * (1 - slack / 2 - bent)

    def springs(self, magnet_mm: float, turns: float = 0.0) -> np.ndarray:
        """Return the springs of x, y and z, pN/nm; given ones change as the tether's own do."""
        own = self._own_springs(magnet_mm, turns)
        return np.asarray(self.springs_at_rest * own / self._own_at_rest)

    def _own_springs(self, magnet_mm: float, turns: float) -> np.ndarray:
        options, force = self._options, self.force_pn(magnet_mm)
        length = self.extension_nm(magnet_mm, turns)
        if not length:  # no tether: a trap as strong as one of a micrometre
            return np.array([6e-4, 6e-4, 5e-3]) * (force / options.force_pn)
        slack = math.sqrt(options.thermal_pn_nm / options.persistence_nm / force)
        axial = 4 * force / (options.contour_nm * slack)
        return np.array([force / length, force / (length + options.bead_radius_nm), axial])

"""The force clamp's law: a magnet holds the force that a bead's motion shows.

The force on a bead is measured again and again, each time with an error. The magnet's force grows
``e``-fold over ``units_per_e`` of its motor, so the law works on the logarithm of the force:

    error = ln(wanted / measured)
    step  = gain * error * units_per_e, at most +- max_step

and nothing is moved while the error is less than twice its standard error: noise is not followed.
With ``gain`` 1 one step takes all of the error away; what the measurement does not know, such as
a wrong ``units_per_e``, is taken away by the next ones as long as the true one is less than
``2 / gain`` times as large. The motor stays within its limits, which is told.

Owns the decision only. Must not know how force is measured, or who moves the motor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_SURE = 2.0  # standard errors


@dataclass(frozen=True, slots=True)
class ClampStep:
    """Where the motor goes, and why: 'held', 'moved' or 'limit'."""

    target: float
    error: float
    what: str


@dataclass(frozen=True, slots=True)
class ForceClampLaw:
    """Holds a force.

    Parameters
    ----------
    force_pn : float
        To be held.
    units_per_e : float
        The motor's travel for an ``e``-fold force; negative if it goes down.
    gain, max_step : float
        See above.
    low, high : float
        Limits of the motor.

    Examples
    --------
    >>> law = ForceClampLaw(2.0, units_per_e=2.5, gain=1.0, max_step=1.0, low=0, high=10)
    >>> law.step(3.0, measured_pn=1.8, relative_error=0.05)
    ClampStep(target=3.263..., error=0.105..., what='moved')
    >>> law.step(3.0, measured_pn=1.9, relative_error=0.05).what
    'held'
    """

    force_pn: float
    units_per_e: float
    gain: float
    max_step: float
    low: float
    high: float

    def step(self, target: float, measured_pn: float, relative_error: float) -> ClampStep:
        """Return where the motor is to go.

        Parameters
        ----------
        target : float
            Where it was sent last, in its unit.
        measured_pn : float
            The force as measured since it arrived there.
        relative_error : float
            Standard error of that, as a share of it.
        """
        error = math.log(self.force_pn / measured_pn)
        if abs(error) < _SURE * relative_error:
            return ClampStep(target, error, "held")
        step = self.gain * error * self.units_per_e
        wanted = target + min(max(step, -self.max_step), self.max_step)
        bounded = min(max(wanted, self.low), self.high)
        if bounded == target and bounded != wanted:
            return ClampStep(target, error, "limit")
        return ClampStep(bounded, error, "moved")

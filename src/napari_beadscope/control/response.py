"""Whether a measured height follows the focus: what tells a wrong sign before it does harm.

With a wrong sign each correction makes the error larger, and the next correction too: it runs
away. So a lock is on probation at first and takes small steps (`UNPROVEN_NM`), until its last
corrections add up to `_TRIAL_NM` or six times the noise, whatever is more. What the error has done
meanwhile, but for drift, is those corrections taken away if the height follows, and added if the
sign is wrong. Either must be so for all of them and for the later half: a jump of the stage, or a
drift that a small gain has not caught up with yet, is not taken for a wrong sign.

Owns the judgement only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Largest correction until it is known that the height follows, nm.
UNPROVEN_NM = 60.0
#: Errors that the judgement looks back on.
MEMORY = 41
_TRIAL_NM = 120.0
_NOISE = 6.0
_CLEAR = 0.5  # share of the corrections that the error followed, or went against
_FEWEST = 4  # errors that tell their noise


def follows(errors: Sequence[float], steps: Sequence[float], noise_nm: float) -> bool | None:
    """Return whether the height follows the focus (False: it goes the other way), None if unclear.

    Parameters
    ----------
    errors : sequence of float
        Newest last, nm.
    steps : sequence of float
        The corrections between them, as the height that each was to take away, nm.
    noise_nm : float
        Standard error of an error, as far as it is known; scatter of the errors counts, too.

    Examples
    --------
    >>> follows([400, 340, 280, 220], [60, 60, 60], 1.0)
    True
    >>> follows([400, 460, 520, 580], [60, 60, 60], 1.0)
    False
    """
    count = min(MEMORY - 1, len(steps), len(errors) - 1)
    if count < _FEWEST - 1:
        return None
    e = np.array(errors[-count - 1 :])
    bends = np.abs(e[2:] - 2 * e[1:-1] + e[:-2])
    noise = max(noise_nm, 1.4826 * float(np.median(bends)) / np.sqrt(6))
    last_ones = np.cumsum(np.array(steps[-count:])[::-1])  # of one correction, of two, …
    trial = max(_TRIAL_NM, _NOISE * noise)
    shares = []
    for wanted in (trial, trial / 2):
        enough = np.abs(last_ones) >= wanted
        if not enough.any():
            return None
        many = int(enough.argmax())
        shares.append(float((e[-2 - many] - e[-1]) / last_ones[many]))
    if min(shares) > _CLEAR:
        return True
    return False if max(shares) < -_CLEAR else None

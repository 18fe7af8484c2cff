"""How far found positions are from true ones.

Owns the figures and what they mean. Must not know who found them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_beadscope.core.types import Reason
from napari_beadscope.tracking import TrackResult

AXES = ("x", "y", "z")
UNITS = ("px", "px", "nm")
#: |error| of a normal distribution: its median is this many standard deviations.
HALF = 0.67449
#: An error beyond these, px and nm, is no error but a wrong answer.
WRONG = np.array([1.0, 1.0, 500.0])


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Found less true, ``(n, 3)`` in px, px, nm, and which rows say that they can be trusted."""

    off: np.ndarray
    trusted: np.ndarray

    @property
    def lost(self) -> int:
        """Rows without a position or with a reason not to trust it."""
        return int((~self.trusted).sum())

    @property
    def wrong(self) -> int:
        """Rows that claim to be right and are not: beyond 1 px or 500 nm."""
        return int((self.trusted & (np.abs(self.off) > WRONG).any(axis=1)).sum())

    def figures(self, bound: np.ndarray) -> dict[str, float]:
        """Return RMSE, bias, median |error| of the trusted rows, the bound, and the ratio to it.

        The ratio is the median of |error| / bound over rows, divided by what it is for a normal
        distribution: 1 for a tracker that is as good as can be.
        """
        out: dict[str, float] = {}
        off, least = self.off[self.trusted], bound[self.trusted]
        for axis, (name, unit) in enumerate(zip(AXES, UNITS, strict=True)):
            error = off[:, axis]
            some = len(error) > 0
            ratio = np.abs(error) / least[:, axis]
            out |= {
                f"{name}_rmse_{unit}": float(np.sqrt(np.mean(error**2))) if some else np.nan,
                f"{name}_bias_{unit}": float(np.mean(error)) if some else np.nan,
                f"{name}_median_{unit}": float(np.median(np.abs(error))) if some else np.nan,
                f"{name}_bound_{unit}": float(np.sqrt(np.mean(least[:, axis] ** 2)))
                if some
                else np.nan,
                f"{name}_over_bound": float(np.median(ratio)) / HALF if some else np.nan,
            }
        return out


def errors_of(result: TrackResult, truth: np.ndarray) -> Errors:
    """Return what a result is off by from the truth ``(n, 3)``."""
    found = np.column_stack([result.x_px, result.y_px, result.z_nm])
    off = found - truth
    trusted = (result.reason == Reason.OK) & np.isfinite(off).all(axis=1)
    return Errors(off, trusted)

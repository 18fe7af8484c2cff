"""The pure parts of a focus sweep under a microscope: where to go, what a plane shows, drift.

Must not know motors, cameras or files; `tracking.zlut_build` makes the Z-LUT.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Bead, Reason
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.zlut import MIN_PLANES, ZLut
from napari_beadscope.tracking.zlut_build import Sweep

MAX_PLANES = 1000
#: Every position is come to from this far below, so that play in the drive does not matter, um.
RUN_UP_UM = 0.5
_SURE = 3.0  # standard errors: less drift than that is none


@dataclass(frozen=True, slots=True, eq=False)
class SweepPlan:
    """Where the focus goes.

    Attributes
    ----------
    start_um : float
        Where the motor is before the sweep, and z = 0.
    positions_um : ndarray, shape (p,)
        Of the motor, rising.
    run_up_um : float
        Where it goes first, below them all.
    """

    start_um: float
    positions_um: np.ndarray
    run_up_um: float

    @property
    def heights_nm(self) -> np.ndarray:
        """Height of a bead over the focus, less that at the start, nm: falls as focus rises."""
        return (self.start_um - self.positions_um) * 1000.0

    @property
    def middle_um(self) -> float:
        """The position in the middle, at which drift is looked for."""
        return float(self.positions_um[len(self.positions_um) // 2])


def plan_sweep(
    start_um: float, low_um: float, high_um: float, step_nm: float, limits_um: tuple[float, float]
) -> SweepPlan:
    """Return the plan of a sweep from `low_um` to `high_um` about `start_um`.

    Parameters
    ----------
    start_um : float
        Where the focus motor is, um.
    low_um, high_um : float
        First and last position, um above `start_um` (negative: below).
    step_nm : float
        Distance between planes, nm; the last plane is the last one that is not beyond `high_um`.
    limits_um : tuple of float
        The motor's.

    Raises
    ------
    InputError
        If there is no such range, it has too few planes or too many, or leaves the limits.

    Examples
    --------
    >>> plan = plan_sweep(10.0, -1.0, 1.0, 250.0, (0.0, 100.0))
    >>> plan.positions_um.tolist()[:3], plan.heights_nm.tolist()[:2], plan.middle_um
    ([9.0, 9.25, 9.5], [1000.0, 750.0], 10.0)
    """
    values = {"low_um": low_um, "high_um": high_um, "step_nm": step_nm}
    for name, value in values.items():
        if not math.isfinite(value):
            raise InputError(f"{name} is {value}", "give a number")
    if not high_um > low_um:
        raise InputError(
            f"a sweep from {low_um:g} to {high_um:g} µm has no length", "let it begin lower"
        )
    if not step_nm > 0:
        raise InputError(f"a step of {step_nm:g} nm leads nowhere", "give a step above 0 nm")
    count = math.floor((high_um - low_um) * 1000.0 / step_nm + 1e-6) + 1
    if not MIN_PLANES <= count <= MAX_PLANES:
        raise InputError(
            f"steps of {step_nm:g} nm from {low_um:g} to {high_um:g} µm make {count} planes",
            f"choose a step that makes {MIN_PLANES} to {MAX_PLANES}",
        )
    positions = start_um + low_um + np.arange(count) * step_nm / 1000.0
    low, high = limits_um
    if positions[0] < low - 1e-9 or positions[-1] > high + 1e-9:
        raise InputError(
            f"the sweep from {positions[0]:.4g} to {positions[-1]:.4g} µm leaves the motor's "
            f"limits, {low:g} to {high:g} µm",
            "choose a smaller range, or begin elsewhere",
        )
    positions = np.clip(positions, low, high)
    return SweepPlan(start_um, positions, max(low, float(positions[0]) - RUN_UP_UM))


def standing_alone(beads: Sequence[Bead]) -> tuple[Bead, ...]:
    """Return the beads whose ROIs overlap no other bead's ROI.

    Examples
    --------
    >>> from napari_beadscope.core.types import Roi
    >>> beads = [Bead(k, Roi(0, x, 40)) for k, x in enumerate((0, 30, 100))]
    >>> [bead.bead for bead in standing_alone(beads)]
    [2]
    """
    if not beads:
        return ()
    corner = np.array([(bead.roi.y0, bead.roi.x0) for bead in beads])
    size = np.array([bead.roi.size for bead in beads])
    apart = np.abs(corner[:, np.newaxis] - corner).max(axis=2) >= np.minimum.outer(size, size)
    np.fill_diagonal(apart, True)
    return tuple(bead for bead, alone in zip(beads, apart.all(axis=1)) if alone)


def typical_profile(result: TrackResult) -> tuple[np.ndarray, int]:
    """Return the median radial profile of frames of one bead at one height, and of how many.

    Frames in which the bead is not seen do not count; NaN if none is left.
    """
    seen = np.isin(result.reason, (Reason.OK, Reason.SATURATED))
    profiles = result.profiles[seen]
    if not len(profiles):
        return np.full(result.profiles.shape[1], np.nan, np.float32), 0
    return np.median(profiles, axis=0).astype(np.float32), len(profiles)


@dataclass(frozen=True, slots=True, eq=False)
class SweepTimes:
    """When a sweep saw what, s on one clock.

    Attributes
    ----------
    heights_nm, planes_s : ndarray, shape (p,)
        Of the planes in the order in which they were taken: as planned, and when.
    before_s, after_s : float
        Of the looks at the middle of the range.
    """

    heights_nm: np.ndarray
    planes_s: np.ndarray
    before_s: float
    after_s: float

    @property
    def duration_s(self) -> float:
        """From the first look to the last."""
        return self.after_s - self.before_s

    def of(self, heights_nm: np.ndarray | float) -> np.ndarray:
        """Return when the focus was where a bead that does not drift has such heights."""
        order = np.argsort(self.heights_nm)
        return np.interp(heights_nm, self.heights_nm[order], self.planes_s[order])


@dataclass(frozen=True, slots=True)
class Drift:
    """By how much the beads rise during a sweep, nm/s, and how sure that is."""

    nm_per_s: float
    error_nm_per_s: float

    @property
    def is_sure(self) -> bool:
        """Whether it is more than chance."""
        return bool(abs(self.nm_per_s) > _SURE * self.error_nm_per_s)


def measure_drift(
    before: Sequence[TrackResult], after: Sequence[TrackResult], times: SweepTimes
) -> Drift | None:
    """Return the drift from frames at one focus before and after the sweep, bead by bead.

    Heights are read off planes that drifted themselves: what reads as ``h`` is really at
    ``h + v * t(h)``. So ``v`` is the difference of what is read over the time between both looks
    less that between the planes that they look like.

    None if z is not found in three or more frames of either for any bead.
    """
    rates, variances = [], []
    for first, last in zip(before, after, strict=True):
        heights = [_heights(first), _heights(last)]
        if min(map(len, heights)) < 3:
            continue
        begun_nm, ended_nm = (float(np.median(some)) for some in heights)
        apart_s = times.duration_s - float(times.of(ended_nm) - times.of(begun_nm))
        if apart_s <= 0:
            continue
        rates.append((ended_nm - begun_nm) / apart_s)
        variances.append(sum(_variance_of_median(some) for some in heights) / apart_s**2)
    if not rates:
        return None
    weights = 1 / np.maximum(variances, 1e-9)
    mean = float(weights @ rates / weights.sum())
    return Drift(mean, float(1 / np.sqrt(weights.sum())))


def without_drift(sweep: Sweep, drift: Drift, times: SweepTimes) -> Sweep:
    """Return the sweep with heights that count the drift, which was steady, from the first look."""
    zlut = sweep.zlut
    risen_nm = drift.nm_per_s * (times.of(zlut.z_nm) - times.before_s)
    return replace(sweep, zlut=ZLut(zlut.z_nm + risen_nm, zlut.profiles, zlut.radial_step_px))


def _heights(result: TrackResult) -> np.ndarray:
    fine = (result.reason == Reason.OK) & np.isfinite(result.z_nm)
    return np.asarray(result.z_nm[fine])


def _variance_of_median(values: np.ndarray) -> float:
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return (1.2533 * spread) ** 2 / len(values)

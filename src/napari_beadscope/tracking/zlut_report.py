"""What a Z-LUT is good for: how precise z is at each plane, and over which range z is unique.

Must not know how it was made, nor files. Precision is the Cramér–Rao bound of z for one frame,
with brightness and contrast free: ``sigma² = noise² / sum (dP/dz)²`` over the pixels within the
reach, after taking from dP/dz what a change of gain and offset could do as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.tracking.zlut import ZLut
from napari_beadscope.tracking.zlut_build import Sweep

_ENDS = 1  # planes at each end beside which z cannot be told from beyond
_WORST = 5.0  # times the median precision: z is hardly determined there
_LIKE = 0.98  # correlation: another height looks the same, whatever the noise
_STILL = 1e-9  # of all light, per nm: rounding
_NEAR = 0.95  # correlation down to which planes are neighbours
_COARSE = 0.05  # of the step between planes: the error between them is no longer small
_HALVING = 16.0  # a cubic through planes half as far apart errs that much less
_SHARE = 0.01  # of the sweep: how precise z must be where the planes are closer than that
_FEWEST = 3  # planes that make a range
_SIGMAS = 8.0  # of all pixels together: heights less apart may be mixed up by noise


@dataclass(frozen=True, slots=True, eq=False)
class ZLutReport:
    """Precision and range of a Z-LUT.

    Attributes
    ----------
    zlut : ZLut
    noise : ndarray, shape (p,)
        Standard deviation of a pixel that the precision is for.
    noise_known : bool
        Whether it was measured on single frames, or estimated from how rough the planes are.
    sigma_z_nm : ndarray, shape (p,)
        Best possible standard deviation of z in one frame with that noise.
    error_nm : ndarray, shape (p,)
        Standard deviation of the error that the Z-LUT's own noise puts on every z near a plane;
        NaN where it is not known.
    between_nm : ndarray, shape (p,)
        About how far z errs between planes because they are not closer: from how well each plane
        follows from its neighbours.
    first, last : int
        The usable planes; ``last < first`` if there are none.
    sweep : Sweep or None
        How it was made, where that is known.
    """

    zlut: ZLut
    noise: np.ndarray
    noise_known: bool
    sigma_z_nm: np.ndarray
    error_nm: np.ndarray
    between_nm: np.ndarray
    first: int
    last: int
    sweep: Sweep | None = None

    @property
    def usable_nm(self) -> tuple[float, float]:
        """Lowest and highest z that can be told, NaN if there is none."""
        if self.last < self.first:
            return np.nan, np.nan
        ends = self.zlut.z_nm[[self.first, self.last]]
        return float(ends.min()), float(ends.max())

    @property
    def usable_sigma_nm(self) -> tuple[float, float]:
        """Best and worst `sigma_z_nm` within the usable range, NaN if there is none."""
        if self.last < self.first:
            return np.nan, np.nan
        inside = self.sigma_z_nm[self.first : self.last + 1]
        return float(inside.min()), float(inside.max())

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw planes, precision and usable range into a PNG, SVG or PDF file."""
        from napari_beadscope.tracking.zlut_plot import draw

        draw(self, Path(path))


def report_sweep(sweep: Sweep) -> ZLutReport:
    """Return the report of a Z-LUT that was just made."""
    report = report_zlut(sweep.zlut, sweep.noise)
    single = np.hypot(report.sigma_z_nm, sweep.jitter_nm)
    error = single * np.sqrt(sweep.leverage / sweep.frames)
    return replace(report_zlut(sweep.zlut, sweep.noise, error), sweep=sweep)


def check_usable(report: ZLutReport) -> None:
    """Raise `InputError` if there is no usable range."""
    if report.last >= report.first:
        return
    step = float(np.abs(np.diff(report.zlut.z_nm)).mean())
    usual = float(np.median(report.sigma_z_nm))
    off = report.between_nm[np.isfinite(report.between_nm)]
    if len(off) and np.median(off) > _COARSE * step:
        raise InputError(
            f"its planes, {step:g} nm apart, do not follow from one another (between them z may "
            f"be {np.median(off):.0f} nm off)",
            "take smaller steps, and check that the bead is stuck and the heights are right",
        )
    why = ""
    if step < usual < np.inf:
        why = f" (planes are {step:g} nm apart, but one frame tells z to {usual:.0f} nm only)"
    raise InputError(
        f"its rings change too little from height to height{why}",
        "give a focus sweep over a bead that is stuck, and the height of each of its frames",
    )


def report_zlut(
    zlut: ZLut, noise: np.ndarray | float | None = None, error_nm: np.ndarray | None = None
) -> ZLutReport:
    """Return the report of any Z-LUT.

    Parameters
    ----------
    zlut : ZLut
    noise : float or ndarray, shape (p,), optional
        Standard deviation of a pixel in the frames to be tracked, in the profiles' units. Without
        it, that of the planes is estimated: it holds for frames averaged as the planes were.
    error_nm : ndarray, shape (p,), optional
        The error that the Z-LUT's own noise puts on z, where it is known.

    Examples
    --------
    >>> z = np.arange(0.0, 1000.0, 50.0)
    >>> lut = ZLut(z, 100 + 40 * np.cos(np.arange(24) / 2 - z[:, np.newaxis] / 300))
    >>> report = report_zlut(lut, noise=4.0)
    >>> report.usable_nm, round(report.usable_sigma_nm[1])
    ((50.0, 900.0), 1)
    """
    profiles = zlut.profiles.copy()
    profiles[:, 0] = np.where(np.isfinite(profiles[:, 0]), profiles[:, 0], profiles[:, 1])
    pixels = _pixels(zlut)
    slopes = _slopes(zlut.z_nm, profiles, pixels)
    misses = _misses(zlut.z_nm, profiles)
    # nothing finer than half a pixel is in the profiles
    rough = _roughness(misses, pixels * max(1.0, 0.5 / zlut.radial_step_px))
    level = rough if noise is None else noise
    levels = np.broadcast_to(np.asarray(level, dtype=np.float64), zlut.z_nm.shape).copy()
    strength = np.sqrt((slopes**2).sum(axis=1))
    strength[strength < _STILL * np.sqrt((profiles**2 @ pixels).max())] = 0.0
    sigma = np.full(len(strength), np.inf)
    np.divide(levels, strength, out=sigma, where=strength > 0)
    between = _between(slopes, strength, misses * np.sqrt(pixels))
    good = np.isfinite(sigma) & (sigma <= _WORST * float(np.median(sigma)))
    step = float(np.abs(np.diff(zlut.z_nm)).mean())
    good &= ~(between > _COARSE * step)
    own = np.full(len(sigma), np.nan) if error_nm is None else error_nm
    good &= np.hypot(sigma, np.nan_to_num(own)) <= max(step, _SHARE * float(np.ptp(zlut.z_nm)))
    first, last = _usable(good, _mixed_up(profiles, pixels, levels))
    return ZLutReport(zlut, levels, noise is not None, sigma, own, between, first, last)


def _pixels(zlut: ZLut) -> np.ndarray:
    """Return how many pixels each bin stands for."""
    step = zlut.radial_step_px
    pixels = 2 * np.pi * np.arange(zlut.bins) * step * step
    pixels[0] = np.pi * (step / 2) ** 2
    return pixels


def _slopes(z_nm: np.ndarray, profiles: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return what tells z at every plane, (p, r): change of the pixels of a bin per nm.

    What a change of brightness or contrast could do as well is taken off.
    """
    from scipy.interpolate import CubicSpline

    order = np.argsort(z_nm)
    change = np.empty_like(profiles)
    change[order] = CubicSpline(z_nm[order], profiles[order])(z_nm[order], 1)
    root = np.sqrt(pixels)
    for plane, profile in enumerate(profiles):
        design = np.column_stack([root, profile * root])
        slope = change[plane] * root
        change[plane] = slope - design @ np.linalg.lstsq(design, slope, rcond=None)[0]
    return change


def _misses(z_nm: np.ndarray, profiles: np.ndarray) -> np.ndarray:
    """Return by how much each plane misses the cubic through its four neighbours (p, r).

    Divided by what noise in all five makes of 1; NaN where a plane lacks neighbours.
    """
    misses = np.full_like(profiles, np.nan)
    for plane in range(2, len(z_nm) - 2):
        near = [plane - 2, plane - 1, plane + 1, plane + 2]
        at = (z_nm[near] - z_nm[plane]) / (z_nm[plane + 1] - z_nm[plane])
        weights = np.linalg.solve(np.vander(at, 4, increasing=True).T, [1.0, 0.0, 0.0, 0.0])
        misses[plane] = (profiles[plane] - weights @ profiles[near]) / np.sqrt(
            1 + (weights**2).sum()
        )
    return misses


def _roughness(misses: np.ndarray, pixels: np.ndarray) -> float:
    """Return the noise of a pixel, as if nothing but noise made the planes miss each other."""
    outer = (misses * np.sqrt(pixels))[2:-2, len(pixels) // 4 :]
    return 1.4826 * float(np.median(np.abs(outer))) if outer.size else 0.0


def _between(slopes: np.ndarray, strength: np.ndarray, misses: np.ndarray) -> np.ndarray:
    """Return the error of z between planes: the largest at a plane and its neighbours, nm."""
    error = np.full(len(strength), np.nan)
    projected = np.abs((slopes * misses).sum(axis=1)) * np.sqrt(2.0)  # of noise 1 in five planes
    np.divide(projected, strength**2 * _HALVING, out=error, where=strength > 0)
    padded = np.pad(error, 1, constant_values=np.nan)
    around = np.stack([padded[:-2], error, padded[2:]])
    largest = np.where(np.isfinite(around), around, -np.inf).max(axis=0)
    return np.where(np.isfinite(largest), largest, np.nan)


def _usable(good: np.ndarray, mixed: np.ndarray) -> tuple[int, int]:
    """Return the longest run of good planes of which no two are mixed up."""
    good = good.copy()
    good[:_ENDS] = good[len(good) - _ENDS :] = False
    first, best = 0, (0, -1)
    for last in range(len(good)):
        if not good[last]:
            first = last + 1
            continue
        others = np.flatnonzero(mixed[last, first:last])
        if len(others):
            first += int(others[-1]) + 1
        if last - first > max(best[1] - best[0], _FEWEST - 2):
            best = first, last
    return best


def _mixed_up(profiles: np.ndarray, pixels: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return which pairs of planes (p, p) look the same though other planes lie between them."""
    shape = profiles - (profiles @ pixels / pixels.sum())[:, np.newaxis]
    shape *= np.sqrt(pixels)
    contrast = np.sqrt((shape**2).sum(axis=1)) + 1e-30
    alike = (shape / contrast[:, np.newaxis]) @ (shape / contrast[:, np.newaxis]).T
    positive = np.clip(alike, 0, 1)  # contrast does not turn over
    apart = contrast[:, np.newaxis] * np.sqrt(1 - positive**2)
    same = (alike > _LIKE) | (apart < _SIGMAS * noise[:, np.newaxis])
    if alike.min() > _LIKE:  # no sweep of the focus
        return same
    mixed = np.zeros_like(same)
    planes = len(profiles)
    for plane in range(planes):
        for way in (range(plane + 1, planes), range(plane - 1, -1, -1)):
            beyond = False
            for other in way:
                beyond = beyond or bool(alike[plane, other] < _NEAR)
                mixed[plane, other] = beyond and bool(same[plane, other])
    return mixed | mixed.T

"""One Z-LUT for several beads of the same kind, from the Z-LUT of each. Knows no frames.

Beads of one sweep rest at slightly different heights: each Z-LUT is first moved in z until it
agrees best with the others, then their mean is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.tracking.zlut import MIN_PLANES, ZLut

_FARTHEST_NM = 1500.0  # that two beads' heights may differ
_STRANGER = 3.0  # times the usual disagreement, and more than:
_LEAST_STRANGE = 0.15  # of the contrast
_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class SharedZLut:
    """The common Z-LUT; arrays have one entry per bead.

    Attributes
    ----------
    zlut : ZLut
    shift_nm : ndarray, shape (n,)
        How much higher each bead is than the mean of all.
    disagreement : ndarray, shape (n,)
        Root mean square difference from the common Z-LUT, as a share of the contrast.
    used : ndarray, shape (n,), bool
        Beads of another kind are not.
    """

    zlut: ZLut
    shift_nm: np.ndarray
    disagreement: np.ndarray
    used: np.ndarray


def share(zluts: Sequence[ZLut]) -> SharedZLut:
    """Return the mean Z-LUT of beads of the same kind, swept together.

    Parameters
    ----------
    zluts : sequence of ZLut
        With the same radial step and reach, over about the same heights.

    Raises
    ------
    InputError
        If there is none, they do not suit each other, or overlap too little.
    """
    if not zluts:
        raise InputError("there is no Z-LUT to share", "give one bead or more")
    first = zluts[0]
    if any(one.bins != first.bins or one.radial_step_px != first.radial_step_px for one in zluts):
        raise InputError("Z-LUTs of different reach cannot be shared", "use ROIs of one size")
    curves = [_Curve(zlut) for zlut in zluts]
    pixels = 2 * np.pi * np.arange(first.bins) * first.radial_step_px**2
    shift = np.zeros(len(zluts))
    used = np.ones(len(zluts), dtype=bool)
    disagreement = np.zeros(len(zluts))
    z, mean = _middle(zluts), np.zeros((0, 0))
    z, mean = _mean(curves, shift, used, z, pixels, only=len(zluts) // 2)
    for _ in range(_ROUNDS):
        for at, curve in enumerate(curves):
            shift[at], disagreement[at] = _align(curve, z, mean, pixels, shift[at])
        usual = float(np.median(disagreement[used]))
        used = disagreement <= max(_STRANGER * usual, _LEAST_STRANGE)
        shift -= shift[used].mean()
        z, mean = _mean(curves, shift, used, z, pixels)
    if len(z) < MIN_PLANES:
        raise InputError(
            f"the beads have only {len(z)} heights in common", "sweep the focus over more heights"
        )
    return SharedZLut(ZLut(z, mean, first.radial_step_px), -shift, disagreement, used)


class _Curve:
    """A Z-LUT as a function of z."""

    def __init__(self, zlut: ZLut) -> None:
        from scipy.interpolate import CubicSpline

        order = np.argsort(zlut.z_nm)
        profiles = zlut.profiles[order].copy()
        profiles[:, 0] = np.where(np.isfinite(profiles[:, 0]), profiles[:, 0], profiles[:, 1])
        self.low, self.high = float(zlut.z_nm.min()), float(zlut.z_nm.max())
        self._spline = CubicSpline(zlut.z_nm[order], profiles)

    def __call__(self, z_nm: np.ndarray) -> np.ndarray:
        return np.asarray(self._spline(z_nm))

    def covers(self, z_nm: np.ndarray) -> np.ndarray:
        """Whether heights lie inside, to rounding."""
        return np.asarray((z_nm >= self.low - 1e-6) & (z_nm <= self.high + 1e-6))


def _middle(zluts: Sequence[ZLut]) -> np.ndarray:
    return np.sort(zluts[len(zluts) // 2].z_nm)


def _mean(
    curves: Sequence[_Curve],
    shift: np.ndarray,
    used: np.ndarray,
    z: np.ndarray,
    pixels: np.ndarray,
    only: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the heights that all used beads cover, and their mean there, at the mean contrast."""
    chosen = [only] if only is not None else np.flatnonzero(used).tolist()
    covered = np.all([curves[at].covers(z + shift[at]) for at in chosen], axis=0)
    z = z[covered]
    planes = np.array([curves[at](z + shift[at]) for at in chosen])
    weight = pixels / pixels.sum()
    level = planes @ weight
    shape = planes - level[..., np.newaxis]
    contrast = np.sqrt((shape**2 @ weight).mean(axis=1))[:, np.newaxis, np.newaxis] + 1e-30
    return z, (shape / contrast).mean(axis=0) * contrast.mean() + level.mean()


def _align(
    curve: _Curve, z: np.ndarray, mean: np.ndarray, pixels: np.ndarray, begin: float
) -> tuple[float, float]:
    """Return by how much the bead is lower than `mean`, and how much they disagree then."""
    from scipy.optimize import minimize_scalar

    target = _standard(mean, pixels)

    def differ(shift: float) -> float:
        covered = curve.covers(z + shift)
        if covered.sum() < min(MIN_PLANES, len(z)):
            return 2.0
        own = _standard(curve(z[covered] + shift), pixels)
        return float(np.sqrt(((own - target[covered]) ** 2).sum(axis=1).mean()))

    step = float(np.abs(np.diff(z)).mean())
    tried = begin + np.arange(-_FARTHEST_NM, _FARTHEST_NM + step / 2, step / 2)
    best = tried[int(np.argmin([differ(shift) for shift in tried]))]
    found = minimize_scalar(differ, bounds=(best - step, best + step), method="bounded")
    return float(found.x), float(found.fun)


def _standard(planes: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return planes without brightness and contrast, weighted so that squares sum to 1."""
    weight = pixels / pixels.sum()
    shape = (planes - (planes @ weight)[:, np.newaxis]) * np.sqrt(weight)
    return np.asarray(shape / (np.sqrt((shape**2).sum(axis=1, keepdims=True)) + 1e-30))

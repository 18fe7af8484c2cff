"""From a focus sweep to a Z-LUT: which frames count, recentred, averaged, smoothed.

Must not know files or plots. How it is done: every frame is centred by a tracker and then fitted,
with those of the same height, by one smooth radial function (`tracking.rings`); frames unlike the
others of their height are left out; the lamp's flicker is taken off; and what neighbouring
heights have in common tells noise from signal (`tracking.smoothing`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.core.types import Reason
from napari_beadscope.tracking.zlut import MIN_PLANES, ZLut

if TYPE_CHECKING:
    from napari_beadscope.tracking.backend import Backend
    from napari_beadscope.tracking.rings import Rings

_log = logging.getLogger(__name__)

#: Radial step of the Z-LUTs that are built, px.
STEP_PX = 0.25
_SAME_NM = 0.5  # heights nearer than this are the same
_LEAST_SHARE = 0.8  # of the heights must show the bead
_UNLIKE = 6.0  # robust standard deviations from the other frames of the height
_MOST_FLICKER = 0.3
_MISFIT = 2.5  # times the usual misfit of the frames
_TREMBLE = 2.0  # times the variance that noise makes of the frames' heights
_Plane = tuple[np.ndarray, "Rings"]  # which frames, and their fit


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """A Z-LUT, and how the sweep it was made from went.

    Attributes
    ----------
    zlut : ZLut
    noise : ndarray, shape (p,)
        Standard deviation of a pixel of one frame, by plane.
    frames : ndarray, shape (p,), int
        How many frames make each plane.
    leverage : ndarray, shape (p,)
        How much of the noise of a plane's own frames is left in it after smoothing.
    jitter_nm : float
        Standard deviation of the frames' heights about that of their plane, where it could be
        told from noise (several frames at a height), else 0.
    x_px, y_px : ndarray, shape (n,)
        Centre of every frame; NaN where it was left out.
    left_out : dict of str to tuple of int
        Which frames were left out, by reason.
    missing_nm : tuple of float
        Heights of which no frame is left.
    """

    zlut: ZLut
    noise: np.ndarray
    frames: np.ndarray
    leverage: np.ndarray
    jitter_nm: float
    x_px: np.ndarray
    y_px: np.ndarray
    left_out: dict[str, tuple[int, ...]]
    missing_nm: tuple[float, ...]


def build_zlut(
    stack: np.ndarray,
    z_nm: np.ndarray,
    backend: Backend | str = "auto",
    *,
    smooth: bool = True,
) -> ZLut:
    """Make a Z-LUT from a focus sweep of one bead.

    Its profiles are smooth functions fitted to all pixels, sampled every 0.25 px: they do not
    depend on where between pixels the bead rests. Frames at the same height are averaged.

    Parameters
    ----------
    stack : ndarray, shape (n, y, x)
        Square ROIs, any dtype a backend takes.
    z_nm : array, shape (n,)
        Height of each ROI in nm, in any order.
    backend : Backend or str
        Finds the centres to begin with.
    smooth : bool
        Whether neighbouring heights may reduce each other's noise; as much as the noise of the
        pixels asks for, so nothing changes where there is none.

    Raises
    ------
    InputError
        If the lengths differ, or the bead is found at too few heights (under 7 or under 80 %).

    Examples
    --------
    >>> from napari_beadscope.testing.backends import rings
    >>> z_nm = np.arange(-500.0, 501.0, 100.0)
    >>> zlut = build_zlut(rings(np.full(11, 23.5), np.full(11, 23.5), z_nm), z_nm)
    >>> zlut.planes, zlut.radial_step_px, zlut.reach_px
    (11, 0.25, 23.75)
    """
    return measure_sweep(stack, z_nm, backend, smooth=smooth).zlut


def measure_sweep(
    stack: np.ndarray,
    z_nm: np.ndarray,
    backend: Backend | str = "auto",
    *,
    smooth: bool = True,
) -> Sweep:
    """Do what `build_zlut` does, and say how it went; same parameters and errors."""
    from napari_beadscope.tracking.stack import check_stack

    stack = check_stack(stack)
    heights = _check_heights(stack, z_nm)
    planes, plane_of = _group(heights)
    centres, left_out = _centres(stack, plane_of, backend)
    reach = stack.shape[1] // 2 - STEP_PX
    fits = _fit_planes(stack, plane_of, centres, reach, left_out)
    kept = sorted(fits)
    _check_found(planes, kept)
    z = planes[kept]
    jitter = _settle(stack, z, fits, reach)
    for rows, rings in fits.values():
        centres[rows, 0], centres[rows, 1] = rings.x_px, rings.y_px
    ordered = [fits[plane][1] for plane in kept]
    curves, leverage = _curves(z, ordered, reach, jitter, smooth)
    profiles = curves @ _to_profile(curves.shape[1], reach)
    return Sweep(
        ZLut(z, profiles, STEP_PX),
        np.array([rings.noise for rings in ordered]),
        np.array([len(rings.x_px) for rings in ordered]),
        leverage,
        jitter,
        centres[:, 0],
        centres[:, 1],
        {why: tuple(rows) for why, rows in left_out.items() if rows},
        tuple(float(height) for height in np.delete(planes, kept)),
    )


def _check_heights(stack: np.ndarray, z_nm: np.ndarray) -> np.ndarray:
    heights = np.asarray(z_nm, dtype=np.float64)
    if heights.shape != (len(stack),):
        raise InputError(
            f"{len(stack)} frames in the focus sweep, but heights of shape {heights.shape}",
            "give one height in nm per frame",
        )
    if not np.isfinite(heights).all():
        raise InputError("a height of the focus sweep is not a finite number", "give z in nm")
    return heights


def _check_found(planes: np.ndarray, kept: list[int]) -> None:
    missing = np.delete(planes, kept)
    if len(kept) < max(MIN_PLANES, _LEAST_SHARE * len(planes)):
        raise InputError(
            f"the bead is found at {len(kept)} of {len(planes)} heights of the sweep",
            f"sweep {MIN_PLANES} heights or more at which the rings of one bead are visible",
        )
    if len(missing):
        listed = ", ".join(f"{height:g}" for height in missing)
        _log.warning("no bead at z = %s nm: left out of the Z-LUT", listed)


def _group(heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the heights of the planes, rising, and the plane of every frame."""
    order = np.argsort(heights, kind="stable")
    new = np.diff(heights[order], prepend=-np.inf) > _SAME_NM
    plane_of = np.empty(len(heights), dtype=np.int64)
    plane_of[order] = np.cumsum(new) - 1
    return np.bincount(plane_of, heights) / np.bincount(plane_of), plane_of


def _centres(
    stack: np.ndarray, plane_of: np.ndarray, backend: Backend | str
) -> tuple[np.ndarray, dict[str, list[int]]]:
    """Return centres ``(n, 2)`` as x, y, NaN for frames that do not count, and why they do not."""
    from napari_beadscope.tracking.backend import open_backend

    if isinstance(backend, str):
        precise = not backend.startswith("magtrack")
        backend = open_backend(backend, method="precise" if precise else "magtrack-compatible")
    result = backend.track(stack, None)
    centres = np.column_stack([result.x_px, result.y_px])
    usable = (result.reason == Reason.OK) | (result.reason == Reason.SATURATED)
    usable &= np.isfinite(centres).all(axis=1)
    unlike = usable & _unlike(result.profiles, plane_of, usable)
    centres[~usable | unlike] = np.nan
    left_out = {
        "no bead": np.flatnonzero(~usable).tolist(),
        "unlike the others of its height": np.flatnonzero(unlike).tolist(),
    }
    return centres, left_out


def _unlike(profiles: np.ndarray, plane_of: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return which frames have another profile than most of their height (of three or more)."""
    shape = np.where(usable[:, np.newaxis], profiles[:, 1:], np.nan).astype(np.float64)
    shape -= shape.mean(axis=1, keepdims=True)
    shape /= np.sqrt((shape**2).sum(axis=1, keepdims=True)) + 1e-30
    distance = np.full(len(shape), np.nan)
    for plane in range(plane_of.max() + 1):
        rows = np.flatnonzero(usable & (plane_of == plane))
        if len(rows) >= 3:
            usual = np.median(shape[rows], axis=0)
            distance[rows] = np.sqrt(((shape[rows] - usual) ** 2).sum(axis=1))
    compared = distance[np.isfinite(distance)]
    if not len(compared):
        return np.zeros(len(shape), dtype=bool)
    usual = np.median(compared)
    limit = usual + max(_UNLIKE * 1.4826 * float(np.median(np.abs(compared - usual))), 2 * usual)
    return np.asarray(distance > max(float(limit), 0.02))


def _fit_planes(
    stack: np.ndarray,
    plane_of: np.ndarray,
    centres: np.ndarray,
    reach: float,
    left_out: dict[str, list[int]],
) -> dict[int, _Plane]:
    """Fit the frames of each height; frames that fit much worse than usual are left out."""
    from napari_beadscope.tracking.rings import fit_rings

    fits: dict[int, _Plane] = {}
    for plane in range(plane_of.max() + 1):
        rows = np.flatnonzero((plane_of == plane) & np.isfinite(centres[:, 0]))
        if len(rows):
            fits[plane] = rows, fit_rings(stack[rows], centres[rows, 0], centres[rows, 1], reach)
    if not fits:
        return fits
    errors = {plane: rings.error for plane, (_, rings) in fits.items()}
    usual = float(np.median(np.concatenate(list(errors.values()))))
    astray = left_out.setdefault("rings that are not round or not about one centre", [])
    for plane, (rows, rings) in list(fits.items()):
        nearby = [errors[k] for k in range(plane - 4, plane + 5) if k in errors]
        limit = _MISFIT * max(float(np.median(np.concatenate(nearby))), usual)
        fine = rings.error <= limit
        if fine.all():
            continue
        astray.extend(rows[~fine].tolist())
        centres[rows[~fine]] = np.nan
        rows = rows[fine]
        del fits[plane]
        if len(rows):
            fits[plane] = rows, fit_rings(stack[rows], centres[rows, 0], centres[rows, 1], reach)
    return fits


def _settle(stack: np.ndarray, z: np.ndarray, fits: dict[int, _Plane], reach: float) -> float:
    """Refit planes whose frames differ in height, as those of a bead that trembles do.

    Their plain mean would be blurred. Returns the standard deviation of those heights, nm; nothing
    changes and 0 is returned where noise explains it.
    """
    from scipy.interpolate import CubicSpline

    from napari_beadscope.tracking.rings import fit_rings

    if all(len(rows) < 2 for rows, _ in fits.values()):
        return 0.0
    kept = sorted(fits)
    curves, _ = _curves(z, [fits[plane][1] for plane in kept], reach, 0.0, smooth=True)
    refitted: dict[int, _Plane] = {}
    squares, noise, free = 0.0, 0.0, 0
    for plane, change in zip(kept, CubicSpline(z, curves)(z, 1), strict=True):
        rows, rings = fits[plane]
        n = len(rows)
        if n < 2:
            continue
        again = fit_rings(stack[rows], rings.x_px, rings.y_px, reach, change)
        known = float(change @ np.linalg.solve(rings.spread, change)) / n
        squares += float((again.rise**2).sum())
        noise += (n - 1) * rings.noise**2 / max(known, 1e-30)
        free += n - 1
        refitted[plane] = rows, again
    if not free or squares < _TREMBLE * noise:
        return 0.0
    fits.update(refitted)
    return float(np.sqrt((squares - noise) / free))


def _curves(
    z: np.ndarray, fits: list[Rings], reach: float, jitter: float, smooth: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients ``(p, c)`` without flicker, smoothed along z, and the leverage."""
    from scipy.interpolate import CubicSpline

    from napari_beadscope.tracking import smoothing

    curves = np.array([fit.coefficients for fit in fits])
    radius = np.arange(round(reach / STEP_PX) + 1) * STEP_PX
    brightness = curves @ (_to_profile(curves.shape[1], reach) @ radius)
    curves *= _flicker(z, brightness)[:, np.newaxis]
    if not smooth:
        return curves, np.ones(len(z))
    noise = np.array([fit.noise for fit in fits])
    spread = np.array([np.diag(fit.spread) for fit in fits])
    spread *= (noise**2 + 1e-12 * np.ptp(curves) ** 2)[:, np.newaxis]
    if jitter > 0:
        frames = np.array([len(fit.x_px) for fit in fits])
        change = CubicSpline(z, curves)(z, 1)
        spread += (jitter**2 / frames)[:, np.newaxis] * change**2
    row, column = spread.mean(axis=1), spread.mean(axis=0)
    return smoothing.smooth(z, curves, np.outer(row, column) / column.mean())


def _to_profile(coefficients: int, reach: float) -> np.ndarray:
    """Return the matrix from coefficients to the samples of a profile."""
    from napari_beadscope.tracking.rings import basis

    return basis(coefficients, np.arange(round(reach / STEP_PX) + 1) * STEP_PX)


def _flicker(z: np.ndarray, brightness: np.ndarray) -> np.ndarray:
    """Return the factors that make the brightness change smoothly from height to height."""
    from napari_beadscope.tracking import smoothing

    if not (brightness > 0).all():
        return np.ones(len(z))  # the background was taken off: brightness says nothing
    steady, _ = smoothing.smooth(z, brightness[:, np.newaxis])
    factors = np.asarray(steady[:, 0] / brightness)
    return factors if np.abs(factors - 1).max() < _MOST_FLICKER else np.ones(len(z))

"""A smooth radial function through the pixels of some frames of the same bead at one height.

Owns the least-squares fit: no bins, so no error from where between pixels the centre is; each
frame has its own centre, gain and offset, which are fitted along. Must not know of heights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

#: Spacing of the splines, px: a third of the finest ring a microscope shows at 100 nm per px.
KNOT_PX = 0.5
_STIFF = 1e-3  # pixels' worth of weight on the third differences of the coefficients
_OUTSIDE_PX = 2.0  # fitted beyond the reach, so that the end is as good as the rest
_LEAST_CUT = 0.04  # of the contrast: pixels nearer to the model than this always count
_CUT_SIGMAS = 6.0
_ROUNDS = 3
_FARTHEST_PX = 1.0  # a centre may move from where the tracker saw it


@dataclass(frozen=True, slots=True, eq=False)
class Rings:
    """What the frames of one height have in common, and how each differs.

    Attributes
    ----------
    coefficients : ndarray, shape (c,)
        Of cubic B-splines `KNOT_PX` apart.
    x_px, y_px, gain, offset : ndarray, shape (n,)
        Of each frame: pixels are ``gain * P(r) + offset``, gains with mean 1, offsets with mean 0.
    error : ndarray, shape (n,)
        Root mean square of pixel less model, in units of P.
    noise : float
        Robust standard deviation of pixel less model.
    spread : ndarray, shape (c, c)
        Covariance of the coefficients for noise 1.
    """

    coefficients: np.ndarray
    x_px: np.ndarray
    y_px: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    error: np.ndarray
    noise: float
    spread: np.ndarray


def knots(reach_px: float) -> int:
    """Return how many coefficients a function out to `reach_px` has."""
    return int((reach_px + _OUTSIDE_PX) / KNOT_PX) + 3


def sample(coefficients: np.ndarray, radius_px: np.ndarray, slope: bool = False) -> np.ndarray:
    """Return values (or slopes per px) at radii; the last axis of `coefficients` is summed over.

    Examples
    --------
    >>> sample(np.ones(8), np.array([0.0, 0.3, 1.0])).round(9).tolist()
    [1.0, 1.0, 1.0]
    """
    return np.asarray(coefficients @ basis(coefficients.shape[-1], radius_px, slope))


def basis(n: int, radius_px: np.ndarray, slope: bool = False) -> np.ndarray:
    """Return the matrix ``(n, radii)`` from coefficients to values or slopes per px."""
    from napari_beadscope.tracking.ring_kernels import spline_weights

    matrix = np.zeros((n, len(radius_px)))
    nodes, value, steep = np.empty(4, dtype=np.int64), np.empty(4), np.empty(4)
    for at, radius in enumerate(radius_px):
        spline_weights(float(radius) / KNOT_PX, nodes, value, steep)
        np.add.at(matrix[:, at], nodes, steep / KNOT_PX if slope else value)
    return matrix


def fit_rings(frames: np.ndarray, x_px: np.ndarray, y_px: np.ndarray, reach_px: float) -> Rings:
    """Fit one radial function to all pixels of `frames` ``(n, y, x)``, recentring each.

    Parameters
    ----------
    frames : ndarray, shape (n, y, x)
        The same bead at the same height.
    x_px, y_px : ndarray, shape (n,)
        Centres to begin with, good to half a pixel.
    reach_px : float
        Radius up to which the function is wanted.
    """
    pixels = [np.asarray(frame, dtype=np.float64) for frame in frames]
    n = len(pixels)
    rings = Rings(
        np.zeros(knots(reach_px)),
        np.array(x_px, dtype=np.float64),
        np.array(y_px, dtype=np.float64),
        np.ones(n),
        np.zeros(n),
        np.zeros(n),
        0.0,
        np.zeros((0, 0)),
    )
    limit = np.inf
    rings = _solve(pixels, rings, reach_px, limit)
    for _ in range(_ROUNDS):
        rings, limit = recentre(pixels, rings, reach_px, limit, (x_px, y_px))
        rings = _solve(pixels, rings, reach_px, limit)
    return recentre(pixels, rings, reach_px, limit, (x_px, y_px))[0]


def _solve(
    pixels: list[np.ndarray],
    rings: Rings,
    reach_px: float,
    limit: float,
) -> Rings:
    """Return `rings` with the coefficients that fit best at its centres, gains and offsets."""
    from napari_beadscope.tracking.ring_kernels import add_pixels

    n = len(rings.coefficients)
    ata, atb = np.zeros((n, n)), np.zeros(n)
    grid = (KNOT_PX, reach_px + _OUTSIDE_PX)
    still = np.zeros(n)
    for at, image in enumerate(pixels):
        light = (float(rings.gain[at]), float(rings.offset[at]))
        x, y = float(rings.x_px[at]), float(rings.y_px[at])
        add_pixels(image, x, y, grid, light, still, (rings.coefficients, limit), ata, atb)
    spread = np.linalg.inv(ata + _STIFF * _stiffness(n))
    return replace(rings, coefficients=spread @ atb, spread=spread)


def _stiffness(n: int) -> np.ndarray:
    """Return the penalty of third differences, mirrored at the centre."""
    order = np.abs(np.arange(-1, n))
    third = np.zeros((n - 2, n))
    for row in range(n - 2):
        for k, factor in enumerate((-1.0, 3.0, -3.0, 1.0)):
            third[row, order[row + k]] += factor
    return np.asarray(third.T @ third)


def recentre(
    pixels: list[np.ndarray],
    rings: Rings,
    reach_px: float,
    limit: float,
    begin: tuple[np.ndarray, np.ndarray],
) -> tuple[Rings, float]:
    """Move every frame's centre, gain and offset one step; return them and the new limit."""
    from napari_beadscope.tracking.ring_kernels import frame_equations

    n = len(pixels)
    grid = (KNOT_PX, reach_px + _OUTSIDE_PX)
    curves = (rings.coefficients, np.zeros_like(rings.coefficients))
    steps, residuals = np.zeros((n, 4)), np.empty((n, pixels[0].size))
    for at, image in enumerate(pixels):
        matrix, right = np.zeros((5, 5)), np.zeros(5)
        light = (float(rings.gain[at]), float(rings.offset[at]))
        x, y = float(rings.x_px[at]), float(rings.y_px[at])
        frame_equations(image, x, y, grid, light, curves, limit, matrix, right, residuals[at])
        steps[at] = np.linalg.lstsq(matrix[:4, :4], right[:4], rcond=1e-12)[0]
    gain, offset = rings.gain + steps[:, 0], rings.offset + steps[:, 1]
    gain = np.clip(gain, 0.2, 5.0)
    noise = 1.4826 * float(np.nanmedian(np.abs(residuals)))
    contrast = float(np.ptp(rings.coefficients))
    moved = replace(
        rings,
        x_px=np.clip(rings.x_px + steps[:, 2], begin[0] - _FARTHEST_PX, begin[0] + _FARTHEST_PX),
        y_px=np.clip(rings.y_px + steps[:, 3], begin[1] - _FARTHEST_PX, begin[1] + _FARTHEST_PX),
        gain=gain / gain.mean(),
        offset=offset - offset.mean(),
        error=np.sqrt(np.nanmean(residuals**2, axis=1)),
        noise=noise,
    )
    return moved, max(_CUT_SIGMAS * noise, _LEAST_CUT * contrast)

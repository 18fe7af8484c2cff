"""A smooth radial function through the pixels of some frames of the same bead at one height.

Owns the least-squares fit: no bins, so no error from where between pixels the centre is; each
frame has its own centre, gain and offset, which are fitted along, and, if it is known how the
function changes with height, its own deviation in height. Must not know of other heights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

#: Spacing of the splines, px: a third of the finest ring a microscope shows at 100 nm per px.
KNOT_PX = 0.5
_STIFF = 1e-3  # pixels' worth of weight on the third differences of the coefficients
_OUTSIDE_PX = 2.0  # fitted beyond the reach, so that the end is as good as the rest
_LEAST_CUT = 0.2  # of the contrast: pixels nearer to the model than this always count
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
    rise : ndarray, shape (n,)
        By how much each frame is higher than their mean, nm; 0 if that was not fitted.
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
    rise: np.ndarray
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


def fit_rings(
    frames: np.ndarray,
    x_px: np.ndarray,
    y_px: np.ndarray,
    reach_px: float,
    change: np.ndarray | None = None,
) -> Rings:
    """Fit one radial function to all pixels of `frames` ``(n, y, x)``, recentring each.

    Parameters
    ----------
    frames : ndarray, shape (n, y, x)
        The same bead at the same height.
    x_px, y_px : ndarray, shape (n,)
        Centres to begin with, good to half a pixel.
    reach_px : float
        Radius up to which the function is wanted.
    change : ndarray, shape (c,), optional
        By how much the coefficients rise per nm of height: frames may then differ in height.
    """
    fit = _Fit([np.asarray(frame, dtype=np.float64) for frame in frames], x_px, y_px, reach_px)
    if change is not None:
        fit.change = change
        fit.unknowns = 5
    n = len(fit.pixels)
    rings = Rings(
        np.zeros(knots(reach_px)),
        np.array(x_px, dtype=np.float64),
        np.array(y_px, dtype=np.float64),
        np.ones(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        0.0,
        np.zeros((0, 0)),
    )
    rings = fit.solved(rings)
    for _ in range(_ROUNDS):
        rings = fit.solved(fit.moved(rings))
    return fit.moved(rings)


class _Fit:
    """The frames that are fitted, and from which residual on a pixel is left out."""

    def __init__(
        self, pixels: list[np.ndarray], x_px: np.ndarray, y_px: np.ndarray, reach_px: float
    ) -> None:
        self.pixels = pixels
        self.change = np.zeros(knots(reach_px))
        self.unknowns = 4  # gain, offset, x, y
        self._begin = (np.asarray(x_px), np.asarray(y_px))
        self._grid = (KNOT_PX, reach_px + _OUTSIDE_PX)
        self._limit = np.inf

    def solved(self, rings: Rings) -> Rings:
        """Return `rings` with the coefficients that fit best to the frames as they lie."""
        from scipy.linalg import solveh_banded

        from napari_beadscope.tracking.ring_kernels import add_pixels

        n = len(rings.coefficients)
        ata, atb = np.zeros((n, n)), np.zeros(n)
        last = (rings.coefficients, self._limit)
        for at, image in enumerate(self.pixels):
            x, y, light = _place(rings, at)
            shift = rings.rise[at] * self.change
            add_pixels(image, x, y, self._grid, light, shift, last, ata, atb)
        whole = ata + _STIFF * _stiffness(n)
        bands = np.array([np.pad(np.diagonal(whole, k), (0, k)) for k in range(4)])
        spread = solveh_banded(bands, np.eye(n), lower=True)
        return replace(rings, coefficients=spread @ atb, spread=spread)

    def moved(self, rings: Rings) -> Rings:
        """Return `rings` with every frame's centre, light and rise one step nearer."""
        from napari_beadscope.tracking.ring_kernels import frame_equations

        n, unknowns = len(self.pixels), self.unknowns
        steps, residuals = np.zeros((n, 5)), np.empty((n, self.pixels[0].size))
        for at, image in enumerate(self.pixels):
            matrix, right = np.zeros((5, 5)), np.zeros(5)
            x, y, light = _place(rings, at)
            curves = (rings.coefficients + rings.rise[at] * self.change, self.change)
            frame_equations(
                image, x, y, self._grid, light, curves, self._limit, matrix, right, residuals[at]
            )
            scale = np.sqrt(np.diag(matrix)[:unknowns]) + 1e-30
            part = matrix[:unknowns, :unknowns] / np.outer(scale, scale)
            found = np.linalg.lstsq(part, right[:unknowns] / scale, rcond=1e-10)[0]
            steps[at, :unknowns] = found / scale
        noise = 1.4826 * float(np.nanmedian(np.abs(residuals)))
        self._limit = max(_CUT_SIGMAS * noise, _LEAST_CUT * float(np.ptp(rings.coefficients)))
        gain = np.clip(rings.gain + steps[:, 0], 0.2, 5.0)
        offset = rings.offset + steps[:, 1]
        new_x, new_y = rings.x_px + steps[:, 2], rings.y_px + steps[:, 3]
        rise = rings.rise + steps[:, 4]
        first_x, first_y = self._begin
        return replace(
            rings,
            x_px=np.clip(new_x, first_x - _FARTHEST_PX, first_x + _FARTHEST_PX),
            y_px=np.clip(new_y, first_y - _FARTHEST_PX, first_y + _FARTHEST_PX),
            gain=gain / gain.mean(),
            offset=offset - offset.mean(),
            rise=rise - rise.mean(),
            error=np.sqrt(np.nanmean(residuals**2, axis=1)),
            noise=noise,
        )


def _place(rings: Rings, at: int) -> tuple[float, float, tuple[float, float]]:
    """Return centre and light of one frame."""
    light = (float(rings.gain[at]), float(rings.offset[at]))
    return float(rings.x_px[at]), float(rings.y_px[at]), light


@lru_cache(maxsize=4)
def _stiffness(n: int) -> np.ndarray:
    """Return the penalty of third differences, mirrored at the centre."""
    order = np.abs(np.arange(-1, n))
    third = np.zeros((n - 2, n))
    for row in range(n - 2):
        for k, factor in enumerate((-1.0, 3.0, -3.0, 1.0)):
            third[row, order[row + k]] += factor
    return np.asarray(third.T @ third)

"""The smooth model behind a Z-LUT: intensity as a function of distance and height.

Owns the splines; must not know how they are fitted to pixels (`fit`).

Along the radius a cubic spline, even at the centre; along z a cubic spline through the planes
(Hermite form: value and slope at each plane). Profiles of 1 px wide bins (MagTrack's layout) are
means over rings: the spline is made such that its means over the rings are those values.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from napari_beadscope.tracking.zlut import ZLut

#: Nodes per px of the tables: between them a parabola is exact to 0.1 % of the contrast.
NODES_PER_PX = 8

Model = tuple[np.ndarray, np.ndarray, np.ndarray]


def no_model() -> Model:
    """Return the model without planes: x and y are fitted to the ROI's own rings."""
    return np.zeros((0, 6, 1), np.float32), np.zeros(0, np.float32), np.zeros((0, 1), np.float32)


@lru_cache(maxsize=8)
def model_for(zlut: ZLut, size_px: int) -> tuple[Model, float]:
    """Return the tables for ROIs of `size_px`, and the height in nm their z counts from.

    Returns
    -------
    lines : ndarray, shape (p, 6, nodes + 1), float32
        Per plane and node: value, its slope by z per nm, and the same of the slope and of half
        the curvature along the radius (per node). Normalised: mean 0, standard deviation 1 over
        the whole Z-LUT. The node after the last is 0.
    heights : ndarray, shape (p,), float32
        In nm from the height that is returned last; rising.
    coarse : ndarray, shape (p, size_px // 2), float32
        Means over 1 px wide rings, normalised alike.
    """
    order = np.argsort(zlut.z_nm)
    z_nm = zlut.z_nm[order]
    bins = size_px // 2
    coarse = zlut.at_one_px(bins)[order]
    coarse[:, 0] = np.where(np.isfinite(coarse[:, 0]), coarse[:, 0], coarse[:, 1])
    middle, contrast = coarse.mean(), coarse.std() or 1.0
    reach = min(zlut.reach_px, size_px * np.sqrt(0.5))
    radial = _radial_spline((_profiles(zlut)[order] - middle) / contrast, zlut.radial_step_px)
    at = np.arange(int(reach * NODES_PER_PX + 1e-6) + 1) / NODES_PER_PX
    lines = np.zeros((len(z_nm), 6, len(at) + 1), np.float32)
    origin = float(z_nm.mean())
    for line, degree in enumerate((0, 1, 2)):
        values = radial(at, degree) / (1.0, NODES_PER_PX, 2 * NODES_PER_PX**2)[degree]
        lines[:, 2 * line, :-1] = values
        lines[:, 2 * line + 1, :-1] = _slopes(z_nm, values)
    return (
        (
            lines,
            (z_nm - origin).astype(np.float32),
            ((coarse - middle) / contrast).astype(np.float32),
        ),
        origin,
    )


def _profiles(zlut: ZLut) -> np.ndarray:
    """Profiles without the NaN that the first bin may be."""
    profiles = zlut.profiles.copy()
    lacking = ~np.isfinite(profiles[:, 0])
    profiles[lacking, 0] = profiles[lacking, 1]
    return profiles


def _radial_spline(profiles: np.ndarray, step: float):  # type: ignore[no-untyped-def]
    """Cubic spline along the radius; of 1 px bins one with these means over their rings."""
    from scipy.interpolate import CubicSpline

    r = np.arange(profiles.shape[1]) * step
    ends = ("clamped", "not-a-knot")
    if step != 1.0:
        return CubicSpline(r, profiles, axis=1, bc_type=ends)
    # The spline is linear in its values: invert the matrix of ring means of unit splines.
    unit = CubicSpline(r, np.eye(len(r)), axis=1, bc_type=ends)
    offsets = (np.arange(16) + 0.5) / 16 - 0.5
    at = np.abs(r[:, np.newaxis] + step * offsets)
    at = np.minimum(at, r[-1])
    means = (unit(at) * at).sum(axis=2) / at.sum(axis=1)
    return CubicSpline(r, np.linalg.solve(means.T, profiles.T).T, axis=1, bc_type=ends)


def _slopes(z_nm: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Slopes by z at the planes, shape of `values` (p, nodes)."""
    from scipy.interpolate import CubicSpline

    return np.asarray(CubicSpline(z_nm, values, axis=0)(z_nm, 1))

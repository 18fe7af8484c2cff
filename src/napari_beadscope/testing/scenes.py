"""What trackers are shown in tests: beads with known truth, and things that are no beads.

Owns two kinds of beads: `ring_beads`, a formula that is cheap and exact at any size, with the
Z-LUT that belongs to it, and `bead_light`, wave-optical beads of the simulated microscope, to be
photographed with photon noise; and `not_beads`, stacks from which no position may come. Must not
know of any tracker's limits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking import Backend, ZLut, build_zlut

#: Background of `bead_light` in the microscope's counts: far from both ends of 16 bit.
_LAMP = 2**12


def ring_profile(r_px: Any, z_nm: Any, size_px: int) -> np.ndarray:
    """Brightness of a ring bead at a distance from its centre; phase and width follow z.

    Distinct over ± 1500 nm, smooth at the centre, from about 35 to 165.
    """
    r2 = np.square(np.asarray(r_px, dtype=np.float64))
    z = np.asarray(z_nm, dtype=np.float64)
    width = size_px * (0.13 + z / 60_000)
    phase = np.sqrt(r2 + 4.0) / min(7.0, size_px / 5) - z / 4000
    return 100 + 65 * np.cos(2 * np.pi * phase) * np.exp(-r2 / (2 * width**2))


def ring_beads(x_px: Any, y_px: Any, z_nm: Any, size_px: int, scale_px: int = 0) -> np.ndarray:
    """Images ``(n, y, x)`` of ring beads at the given centres, float64, without noise.

    The pattern is that of ROIs of `scale_px`, if given, on an image of `size_px`.
    """
    x, y, z = (
        np.asarray(v, dtype=np.float64)[:, np.newaxis, np.newaxis]
        for v in np.broadcast_arrays(np.atleast_1d(x_px), y_px, z_nm)
    )
    row = np.arange(size_px)
    distance = np.hypot(row - x, row[:, np.newaxis] - y)
    return ring_profile(distance, z, scale_px or size_px)


def ring_zlut(size_px: int, z_nm: Any = None, step_px: float = 0.25) -> ZLut:
    """Return the exact Z-LUT of ring beads in ROIs of `size_px`; ± 1500 nm in 50 nm steps."""
    z = np.arange(-1500.0, 1501.0, 50.0) if z_nm is None else np.asarray(z_nm, np.float64)
    r = np.arange(0.0, size_px / 2 + 2, step_px)
    return ZLut(z, ring_profile(r, z[:, np.newaxis], size_px), radial_step_px=step_px)


@lru_cache(maxsize=8)
def _microscope(bead_radius_nm: float) -> SimulatedMicroscope:
    return SimulatedMicroscope(
        {
            "beads": 1,
            "height_px": 128,
            "width_px": 128,
            "dtype": "uint16",
            "bit_depth": 16,
            "debris_per_mpx": 0.0,
            "unevenness": 0.0,
            "bead_radius_nm": bead_radius_nm,
            "exposure_ms": 0.2,
            "light_e_per_ms": 25_000.0,
            "full_well_e": 5000.0 * 2**16 / _LAMP,
        }
    )


def bead_light(
    x_px: Any, y_px: Any, z_nm: Any, size_px: int, *, bead_radius_nm: float = 500.0
) -> np.ndarray:
    """Light of wave-optical beads relative to the background, without noise.

    Parameters
    ----------
    x_px, y_px, z_nm : float or array (n,)
        Centres in ROI pixels, also outside the ROI, and heights above the focus.
    size_px : int
        Edge of the images; a pixel is 100 nm.
    bead_radius_nm : float
        Kind of bead.

    Returns
    -------
    ndarray, shape (n, y, x), float64
        1 where there is no bead.
    """
    microscope = _microscope(float(bead_radius_nm))
    middle = (size_px - 1) / 2
    rows = np.broadcast_arrays(np.atleast_1d(x_px), y_px, z_nm)
    images = [
        microscope.focus_sweep([z], 0, size_px, (x - middle, y - middle))[0]
        for x, y, z in zip(*(row.tolist() for row in rows), strict=True)
    ]
    return np.stack(images) / float(_LAMP)


def photograph(
    light: np.ndarray,
    *,
    electrons: float = 5000.0,
    gain: float = 1.0,
    dtype: str = "uint8",
    seed: int = 0,
) -> np.ndarray:
    """Return `light` as a camera sees it: shot noise, 6 electrons of read noise, whole counts.

    The background collects `electrons` per pixel and, with gain 1, is at 0.2 of the full scale of
    8 bit (uint8) or 12 bit (uint16): no bead of 500 nm is saturated.
    """
    rng = np.random.default_rng(seed)
    seen = rng.poisson(np.clip(light, 0, None) * electrons) + rng.normal(0, 6.0, light.shape)
    full = 255 if dtype == "uint8" else 4095
    return np.rint(seen * (0.2 * gain * full / electrons)).clip(0, full).astype(dtype)


def bead_zlut(size_px: int, backend: Backend, z_nm: Any = None, *, inverted: bool = False) -> ZLut:
    """Z-LUT of wave-optical beads over ± 3000 nm, from sweeps at 4 places between pixels."""
    z = np.arange(-3000.0, 3001.0, 50.0) if z_nm is None else np.asarray(z_nm, np.float64)
    halves = (size_px - 1) / 2 + np.array([0.0, 0.5])
    light = np.concatenate([bead_light(x, y, z, size_px) for x in halves for y in halves])
    if inverted:
        light = 2 - light
    return build_zlut(light * 5000.0, np.tile(z, 4), backend)


def not_beads(size_px: int, n: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    """Stacks of `n` uint8 ROIs each that show no bead, by what they show instead.

    Lines, edges and stripes have any direction and place; noise of 2 counts lies on all.
    """
    rng = np.random.default_rng(seed)
    middle = (size_px - 1) / 2
    y, x = np.indices((size_px, size_px)) - middle
    angle = rng.uniform(0, 2 * np.pi, n)[:, np.newaxis, np.newaxis]
    shift = rng.uniform(-size_px / 3, size_px / 3, n)[:, np.newaxis, np.newaxis]
    across = x * np.cos(angle) + y * np.sin(angle) - shift
    cells = np.indices((size_px, size_px))
    hot = np.zeros((n, size_px, size_px))
    hot[np.arange(n), rng.integers(size_px, size=n), rng.integers(size_px, size=n)] = 150
    scenes = {
        "noise": 6 * rng.normal(size=(n, size_px, size_px)),
        "gradient": 0.5 * across,
        "edge": 40 * np.tanh(across / 2),
        "line": 60 * np.exp(-(across**2) / 8),
        "stripes": 40 * np.cos(0.6 * across),
        "rolling stripes": 20 * np.cos(2 * np.pi * (y + shift) / 9),
        "checkerboard": 40.0 * ((cells // 4).sum(axis=0) % 2 * 2 - 1) * np.ones((n, 1, 1)),
        "fine checkerboard": 40.0 * (cells.sum(axis=0) % 2 * 2 - 1) * np.ones((n, 1, 1)),
        "one hot pixel": hot,
        "corner": -50.0 * ((x > shift) & (y > shift[::-1])),
    }
    return {
        what: np.rint(100 + scene + rng.normal(0, 2, (n, size_px, size_px)))
        .clip(1, 254)
        .astype(np.uint8)
        for what, scene in scenes.items()
    }

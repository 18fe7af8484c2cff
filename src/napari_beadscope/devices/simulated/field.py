"""The still part of the field of view: where beads are anchored, uneven light, dirt.

Owns what the seed alone decides. Must not know time, motors or noise.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.core.errors import InputError
from napari_beadscope.devices.simulated.optics import RadialTable
from napari_beadscope.devices.simulated.options import SimulatedOptions

_ANCHORS, _HEIGHTS, _LIGHT, _DIRT = 1, 2, 3, 4
_TRIES = 400


def bead_anchors(options: SimulatedOptions) -> np.ndarray:
    """Return nominal positions ``(beads, 2)`` as x, y in px, the partners of pairs last.

    Beads are placed one after the other at random, `spacing_px` apart; where that many do not
    fit, the spacing shrinks, down to beads that just do not touch.

    Raises
    ------
    InputError
        The beads do not fit into the frame side by side.

    Examples
    --------
    >>> bead_anchors(SimulatedOptions(beads=4)).shape
    (4, 2)
    """
    draw = np.random.default_rng([options.seed, _ANCHORS])
    touching = 2 * options.bead_radius_nm / options.nm_per_px
    smaller = min(options.width_px, options.height_px)
    margin = min(options.margin_px, smaller / 6)
    low = np.array([margin, margin])
    high = np.array([options.width_px - 1 - margin, options.height_px - 1 - margin])
    spacing = max(options.spacing_px, 1.1 * touching)
    singles = options.beads - options.touching_pairs
    while True:
        placed = _scatter(draw, singles, options.touching_pairs, spacing, touching, low, high)
        if placed is not None:
            return placed
        if spacing <= 1.1 * touching:
            raise InputError(
                f"{options.beads} beads of {touching:.3g} px do not fit into"
                f" {options.width_px} x {options.height_px} px",
                "ask for fewer beads or a larger frame",
            )
        spacing = max(spacing * 0.85, 1.1 * touching)


def _scatter(
    draw: np.random.Generator,
    singles: int,
    pairs: int,
    spacing: float,
    touching: float,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray | None:
    taken = np.empty((singles + pairs, 2))
    for bead in range(singles + pairs):
        for _ in range(_TRIES):
            if bead < singles:
                spot = draw.uniform(low, high)
            else:
                angle = draw.uniform(0, 2 * np.pi)
                host = taken[bead - singles]
                spot = host + 1.02 * touching * np.array([np.cos(angle), np.sin(angle)])
            gap = np.hypot(*(taken[:bead] - spot).T)
            if bead >= singles:
                gap[bead - singles] = np.inf
            fits = gap.size == 0 or gap.min() >= (spacing if bead < singles else 1.1 * touching)
            if fits and (spot >= low).all() and (spot <= high).all():
                taken[bead] = spot
                break
        else:
            return None
    return taken


def bead_heights_nm(options: SimulatedOptions) -> np.ndarray:
    """Return each bead's own height above the average, nm, ``(beads,)``."""
    draw = np.random.default_rng([options.seed, _HEIGHTS])
    return np.asarray(draw.standard_normal(options.beads) * options.height_spread_nm)


def _smooth(draw: np.random.Generator, height: int, width: int, grain_px: float) -> np.ndarray:
    """Return smooth noise of unit rms: random weights of Gaussian bumps `grain_px` wide."""
    weights = []
    for size in (height, width):
        centres = np.arange(-2, size / grain_px + 2) * grain_px
        distance = (np.arange(size)[:, None] - centres) / grain_px
        bump = np.exp(-0.5 * np.square(distance / 0.8))
        weights.append((bump / np.linalg.norm(bump, axis=1, keepdims=True)).astype(np.float32))
    rows, columns = weights
    values = draw.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    return np.asarray(rows @ values @ columns.T)


def light_map(options: SimulatedOptions, table: RadialTable) -> np.ndarray:
    """Return the background as a fraction of its mean, float32 ``(y, x)``.

    Broad and fine unevenness of the lamp and of dirt far out of focus, and specks of dirt near
    the focus, which look like faint small beads at any height.
    """
    height, width = options.height_px, options.width_px
    draw = np.random.default_rng([options.seed, _LIGHT])
    level = _smooth(draw, height, width, max(height, width) / 2.5) * (0.8 * options.unevenness)
    level += _smooth(draw, height, width, 7000 / options.nm_per_px) * (0.45 * options.unevenness)
    level += _smooth(draw, height, width, 2500 / options.nm_per_px) * (0.18 * options.unevenness)
    _add_dirt(options, table, level)
    # no hot or black spots: the brightest dirt must not saturate the camera
    np.clip(level, -0.7, 0.6, out=level)
    level += 1
    return level


def _add_dirt(options: SimulatedOptions, table: RadialTable, level: np.ndarray) -> None:
    from napari_beadscope.devices.simulated.kernels import add_pattern

    draw = np.random.default_rng([options.seed, _DIRT])
    height, width = level.shape
    specks = draw.poisson(options.debris_per_mpx * height * width / 1e6)
    for x, y, plane, strength in draw.uniform(0, 1, (specks, 4)):
        profile = table.contrast[int(plane * (len(table.contrast) - 1))].copy()
        count = len(profile) // 2
        # a speck is smaller than a bead: its rings are fainter and end sooner
        profile *= np.float32(0.04 + 0.3 * strength**4)
        profile[:count] *= np.square(np.cos(np.linspace(0, np.pi / 2, count))).astype(np.float32)
        profile[count:] = 0
        per_px = options.nm_per_px / table.r_step_nm
        add_pattern(profile, count / per_px, per_px, x * width, y * height, level)

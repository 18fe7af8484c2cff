"""The force on beads from the motion that is tracked now, for the force clamp.

Owns how long is looked and what is done with several beads; must not know who moves what.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.recfunctions import repack_fields

from napari_beadscope.core.errors import TrackingError

if TYPE_CHECKING:
    from napari_beadscope.script.recipes.models import ForceClamp
    from napari_beadscope.script.scope import Scope

_LOOK_S = 0.2
_FEWEST = 64
_FIELDS = ["time_ns", "bead", "x_px", "y_px"]  # without the profiles, which are large


def watch(scope: Scope, seconds: float) -> np.ndarray:
    """Return the track rows of what is exposed in the next `seconds`."""
    head = scope.tracks()
    since = int(head["seq"][-1]) if len(head) else -1
    parts = []
    for _ in range(max(1, round(seconds / _LOOK_S))):
        scope.sleep(_LOOK_S)
        rows = scope.tracks(since)
        if len(rows):
            since = int(rows["seq"][-1])
            parts.append(repack_fields(rows[_FIELDS]))
    return np.concatenate(parts) if parts else repack_fields(head[:0][_FIELDS])


def measure(
    rows: np.ndarray, beads: Sequence[int], nm_per_px: float, recipe: ForceClamp
) -> tuple[float, float]:
    """Return the median force on beads, pN, and its relative standard error.

    Of each bead by `analysis.forces.force_from_variance`, slow drift taken off as a straight line.

    Parameters
    ----------
    rows : ndarray
        Track rows.
    beads : sequence of int
        Which count.
    nm_per_px : float
        Pixel size.
    recipe : ForceClamp
        Axis, length, temperature, exposure and radius.

    Raises
    ------
    TrackingError
        None of the beads was seen in enough frames.
    """
    from napari_beadscope.analysis.forces import force_from_variance, stokes_drag

    exposure_s = recipe.exposure_ms / 1000
    drag = stokes_drag(recipe.radius_nm) if exposure_s else 0.0
    forces, errors = [], []
    for bead in beads:
        mine = rows[rows["bead"] == bead]
        place_nm = mine[f"{recipe.axis}_px"] * nm_per_px
        good = np.isfinite(place_nm)
        if np.count_nonzero(good) < _FEWEST:
            continue
        place_nm, time_s = place_nm[good], (mine["time_ns"][good] - mine["time_ns"][0]) * 1e-9
        swing_nm = place_nm - np.polyval(np.polyfit(time_s, place_nm, 1), time_s)
        fit = force_from_variance(
            swing_nm,
            recipe.length_nm,
            exposure_s=exposure_s,
            drag_pn_s_per_nm=drag,
            temperature_k=recipe.temperature_k,
        )
        forces.append(fit.force_pn)
        errors.append(fit.error_pn / fit.force_pn)
    if not forces:
        raise TrackingError(
            f"no bead was seen in {_FEWEST} frames, so the force is not known",
            "look whether beads are tracked, or choose a longer window_s",
        )
    several = 1.25 / np.sqrt(len(errors)) if len(errors) > 1 else 1.0  # of a median
    return float(np.median(forces)), float(np.median(errors) * several)

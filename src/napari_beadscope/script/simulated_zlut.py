"""The Z-LUT of a simulated microscope, measured like a real one: by focus sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_beadscope.devices.simulated import SimulatedMicroscope
    from napari_beadscope.tracking import ZLut

#: Heights of the planes above the focal plane, nm: all that a bead at rest or pulled can reach.
PLANES_NM = np.arange(1000.0, 4500.0, 50.0)
_PLACES_PX = ((0.3, -0.2), (-0.1, 0.4))  # no two pixels at the same distance from the centre


def simulated_zlut(microscope: SimulatedMicroscope, size_px: int) -> ZLut:
    """Return a Z-LUT from two sweeps of a bead, at two places between pixels.

    Parameters
    ----------
    microscope : SimulatedMicroscope
        Whose first bead is swept, without noise.
    size_px : int
        Edge of the ROIs that it is for, px.
    """
    from napari_beadscope.tracking import build_zlut

    sweeps = [
        microscope.focus_sweep(PLANES_NM, size_px=size_px, offset_px=place) for place in _PLACES_PX
    ]
    return build_zlut(np.concatenate(sweeps), np.tile(PLANES_NM, len(sweeps)))

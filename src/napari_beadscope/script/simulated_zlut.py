"""The Z-LUT of a simulated microscope, measured like a real one: by focus sweeps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_beadscope.devices.simulated import SimulatedMicroscope
    from napari_beadscope.tracking import ZLut

#: Heights of the planes above the focal plane, nm: all that a bead at rest or pulled can reach.
PLANES_NM = np.arange(1000.0, 4500.0, 50.0)
_OFFSETS = 4


def simulated_zlut(microscope: SimulatedMicroscope, size_px: int) -> ZLut:
    """Return a Z-LUT from sweeps of a bead at many places between pixels.

    One place alone would shift every z: by 78 nm for a centre on a pixel's corner.

    Parameters
    ----------
    microscope : SimulatedMicroscope
        Whose first bead is swept, without noise.
    size_px : int
        Edge of the ROIs that it is for, px.
    """
    from napari_beadscope.tracking import build_zlut, open_backend

    steps = (np.arange(_OFFSETS) + 0.5) / _OFFSETS - 0.5
    sweeps = [
        microscope.focus_sweep(PLANES_NM, size_px=size_px, offset_px=(float(x), float(y)))
        for x in steps
        for y in steps
    ]
    backend = open_backend("auto", threads=os.cpu_count() or 1)
    return build_zlut(np.concatenate(sweeps), np.tile(PLANES_NM, len(sweeps)), backend)

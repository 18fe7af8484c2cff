"""The Z-LUT of the simulated microscope, measured like a real one: by a focus sweep.

Owns the file it is kept in. Must not know Qt or sessions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

PLANES_NM = np.arange(1000.0, 4500.0, 50.0)
#: A Z-LUT averages over where between pixels the centre is; one place would bias every z.
OFFSETS_PX = (-0.25, 0.25)


def simulated_zlut(options: dict[str, Any], size_px: int, folder: Path) -> Path:
    """Measure a Z-LUT for a simulated microscope and save it.

    Parameters
    ----------
    options : dict
        Of the simulated camera.
    size_px : int
        ROI size it is for.
    folder : Path
        Where the file goes; made if need be.

    Returns
    -------
    Path
        The Z-LUT file, in MagTrack's layout, heights in nm above the focal plane.
    """
    from napari_beadscope.devices.simulated.microscope import SimulatedMicroscope
    from napari_beadscope.tracking import build_zlut

    microscope = SimulatedMicroscope(options)
    sweeps = [
        microscope.focus_sweep(PLANES_NM, size_px=size_px, offset_px=(x, y))
        for x in OFFSETS_PX
        for y in OFFSETS_PX
    ]
    zlut = build_zlut(np.concatenate(sweeps), np.tile(PLANES_NM, len(sweeps)))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"zlut_simulated_{size_px}px.txt"
    zlut.save(path)
    return path

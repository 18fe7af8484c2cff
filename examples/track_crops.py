"""Track bead crops that you already have: x, y from the image, z from a Z-LUT.

The crops come from the simulated microscope, which knows the truth, so the example can say how
well it went. Put your own array ``(n, y, x)`` in their place.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope import track_stack
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking import build_zlut

SIZE_PX = 64
HALF = SIZE_PX // 2
microscope = SimulatedMicroscope({"beads": 1, "height_px": 256, "width_px": 256})

# A focus sweep of the bead makes the Z-LUT, its radial profile at known heights.
planes_nm = np.arange(0.0, 6000.0, 50.0)
sweep = microscope.focus_sweep(planes_nm, size_px=SIZE_PX, offset_px=(0.3, -0.2))
zlut = build_zlut(sweep, planes_nm)

# Two hundred frames of the same bead, cropped around its nominal place.
x_px, y_px = np.rint(microscope.bead_positions_px()[0]).astype(int)
rows = slice(y_px - HALF, y_px + HALF)
columns = slice(x_px - HALF, x_px + HALF)
numbers = range(200)
crops = np.stack([microscope.render(k)[rows, columns] for k in numbers])

tracks = track_stack(crops, zlut)

truth = microscope.truth(numbers)[:, 0]  # x_px, y_px, z_nm
nm_per_px = microscope.options.nm_per_px
found = np.column_stack([tracks.x_px + columns.start, tracks.y_px + rows.start, tracks.z_nm])
error_nm = (found - truth) * [nm_per_px, nm_per_px, 1.0]
rmse_nm = np.sqrt(np.mean(error_nm**2, axis=0))
print("RMSE in nm: x {:.1f}, y {:.1f}, z {:.1f}".format(*rmse_nm))
assert (rmse_nm < [5, 5, 30]).all()

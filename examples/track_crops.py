"""Track bead crops that you already have: x, y from the image, z from a Z-LUT.

The crops come from the simulated microscope, which knows the truth, so the example can say how
well it went. Put your own array ``(n, y, x)`` in their place.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope import track_stack
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking import build_zlut, open_backend

SIZE_PX = 64
HALF = SIZE_PX // 2
microscope = SimulatedMicroscope({"beads": 1, "height_px": 256, "width_px": 256})

# Focus sweeps of the bead make the Z-LUT, its radial profile at known heights. A profile depends a
# little on where between pixels the bead is, so the mean of several places is taken.
planes_nm = np.arange(0.0, 6000.0, 50.0)
places = [(x, y) for x in (0.0, 0.25, 0.5, 0.75) for y in (0.0, 0.25, 0.5, 0.75)]
sweeps = [microscope.focus_sweep(planes_nm, size_px=SIZE_PX, offset_px=place) for place in places]
zlut = build_zlut(np.concatenate(sweeps), np.tile(planes_nm, len(sweeps)), open_backend("auto"))

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

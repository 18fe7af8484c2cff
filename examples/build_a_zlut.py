"""Build a Z-LUT from a focus sweep, see what it is good for, and try it between its planes.

The sweep comes from the simulated microscope: three noisy frames every 100 nm. Put your own stack
``(n, y, x)`` and heights in their place.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope import track_stack
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking.zlut_build import measure_sweep
from napari_beadscope.tracking.zlut_report import report_sweep

SIZE_PX = 64
FULL_WELL_E = 10_000  # electrons of the background: its shot noise is 1 %
microscope = SimulatedMicroscope({"beads": 1, "height_px": 200, "width_px": 200})
rng = np.random.default_rng(1)


def frames_at(z_nm: np.ndarray, offset_px: tuple[float, float]) -> np.ndarray:
    """Noisy 8-bit images of the bead at these heights."""
    images = microscope.focus_sweep(z_nm, size_px=SIZE_PX, offset_px=offset_px).astype(float)
    counts_per_e = np.median(images[0]) / FULL_WELL_E
    noisy = images + rng.normal(0, np.sqrt(images * counts_per_e))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


planes_nm = np.repeat(np.arange(-1500.0, 4501.0, 100.0), 3)
sweep = measure_sweep(frames_at(planes_nm, (0.3, -0.2)), planes_nm)
report = report_sweep(sweep)
report.plot("zlut.png")
sweep.zlut.save("zlut.txt")

low_nm, high_nm = report.usable_nm
best_nm, worst_nm = report.usable_sigma_nm
print(f"usable from {low_nm:g} to {high_nm:g} nm, one frame is good to {best_nm:.1f}", end=" ")
print(f"to {worst_nm:.1f} nm")

# Half-way between the planes, and elsewhere between the pixels.
between_nm = np.arange(1050.0, 4000.0, 100.0)
tracks = track_stack(frames_at(between_nm, (-0.4, 0.1)), "zlut.txt")
error_nm = tracks.z_nm - between_nm
print(f"between the planes z is off by {np.sqrt(np.mean(error_nm**2)):.1f} nm (RMS)")
assert np.sqrt(np.mean(error_nm**2)) < 5

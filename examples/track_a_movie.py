"""Track a movie file from the command line, and read the rows back.

The movie is made here, so that the example runs anywhere; name your own TIFF, AVI or MP4.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

from napari_beadscope import open_recording
from napari_beadscope.devices.simulated import SimulatedMicroscope

microscope = SimulatedMicroscope({"beads": 3, "height_px": 256, "width_px": 256, "seed": 2})
movie = np.stack([microscope.render(number) for number in range(100)])
folder = Path(tempfile.mkdtemp(prefix="beadscope-example-"))  # a fresh one for every run
tifffile.imwrite(folder / "movie.tif", movie, photometric="minisblack")

# In a terminal: beadscope track movie.tif --out tracked --nm-per-px 100 --fps 100
subprocess.run(
    [sys.executable, "-m", "napari_beadscope", "track", folder / "movie.tif",
     "--out", folder / "tracked", "--nm-per-px", "100", "--fps", "100"],
    check=True,
)  # fmt: skip

tracks = open_recording(folder / "tracked").tracks
for bead in np.unique(tracks["bead"]):
    rows = tracks[tracks["bead"] == bead]
    print(
        f"bead {bead}: {len(rows)} rows around x {rows['x_px'].mean():.1f} px, "
        f"y {rows['y_px'].mean():.1f} px, jitter {rows['x_nm'].std():.0f} nm"
    )
assert len(tracks) == 100 * len(np.unique(tracks["bead"]))

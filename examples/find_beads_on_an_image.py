"""Find beads on an image, from Python and from the command line, and keep those that stand alone.

The image is made here, so that the example runs anywhere; read your own with
`skimage.io.imread("field.jpg")`, `tifffile.imread`, or `Image.open`.
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from napari_beadscope import find_beads
from napari_beadscope.devices.simulated import SimulatedMicroscope
from napari_beadscope.tracking import suggest_roi_size

microscope = SimulatedMicroscope({"beads": 12, "margin_px": 10, "seed": 4})
image = microscope.render(0)

found = find_beads(image)
print(f"{len(found)} beads, {found.isolated.sum()} alone in ROIs of {suggest_roi_size(found)} px")
for y, x, radius, score in zip(found.y_px, found.x_px, found.radius_px, found.score):
    print(f"  y {y:6.1f}  x {x:6.1f}  radius {radius:4.1f} px  score {score:.2f}")

truth = microscope.truth([0])[0]
away = np.hypot(found.x_px[:, None] - truth[:, 0], found.y_px[:, None] - truth[:, 1]).min(axis=0)
print(f"centres are {np.median(away):.2f} px off (median)")

# In a terminal: beadscope find field.png --isolated-only --out beads.csv --picture found.png
folder = Path(tempfile.mkdtemp(prefix="beadscope-example-"))
Image.fromarray(image).save(folder / "field.png")
subprocess.run(
    [sys.executable, "-m", "napari_beadscope", "find", folder / "field.png", "--isolated-only",
     "--out", folder / "beads.csv", "--picture", folder / "found.png"],
    check=True,
)  # fmt: skip
with open(folder / "beads.csv", newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
assert len(rows) == found.isolated.sum()
assert away.max() < 1

"""Make docs/images/zlut.png: a Z-LUT of the simulated microscope, five frames at each height.

Run ``python tools/make_zlut_picture.py``; prints what the guide to Z-LUTs quotes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tifffile

from napari_beadscope.cli.output import Output
from napari_beadscope.cli.zlut.build import BuildRequest, build
from napari_beadscope.devices.simulated import SimulatedMicroscope

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "zlut.png"
FULL_WELL_E = 10_000  # electrons of the background: its shot noise is 1 %


def main() -> None:
    """Simulate, build, draw."""
    microscope = SimulatedMicroscope({"beads": 1, "height_px": 200, "width_px": 200})
    heights = np.repeat(np.arange(0.0, 5001.0, 100.0), 5)
    images = microscope.focus_sweep(heights, size_px=64, offset_px=(0.3, -0.2)).astype(float)
    variance = images * np.median(images[0]) / FULL_WELL_E
    noisy = images + np.random.default_rng(1).normal(0, np.sqrt(variance))
    with tempfile.TemporaryDirectory() as folder:
        stack = Path(folder) / "sweep.tif"
        counts = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        tifffile.imwrite(stack, counts, photometric="minisblack")
        request = BuildRequest(
            stack,
            "0:5000:100",
            Path(folder) / "zlut.txt",
            frames_per_height=5,
            plot=PICTURE,
            overwrite=True,
        )
        build(request, Output())


if __name__ == "__main__":
    main()

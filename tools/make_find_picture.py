"""Make docs/images/found-beads.png: what `beadscope find` draws of a simulated field.

``python tools/make_find_picture.py``; takes some seconds, overwrites what is there. In the field
are beads at several heights, pairs that touch, beads that are cut by the edge, and dirt.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from napari_beadscope.devices.simulated import SimulatedMicroscope

IMAGE = Path(__file__).parents[1] / "docs" / "images" / "found-beads.png"
FIELD = {
    "beads": 27, "touching_pairs": 3, "height_px": 520, "width_px": 860, "seed": 14,
    "bead_radius_nm": 700, "nm_per_px": 110, "focus_height_nm": -1800, "height_spread_nm": 500,
    "spacing_px": 64, "margin_px": 6, "debris_per_mpx": 110,
}  # fmt: skip


def main() -> None:
    """Render, find, and save the picture in 256 colours, which is what a repository can bear."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGE)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        field, drawn = Path(folder) / "field.png", Path(folder) / "drawn.png"
        Image.fromarray(SimulatedMicroscope(FIELD).render(0)).save(field)
        command = [sys.executable, "-m", "napari_beadscope", "find", field]
        subprocess.run([*command, "--roi-size", "56", "--picture", drawn], check=True)
        with Image.open(drawn) as picture:
            small = picture.convert("RGB").quantize(
                160, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
            )
            small.save(out, optimize=True)
    print(f"{out.name}: {out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

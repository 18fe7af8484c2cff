"""Make docs/images/force-ramp.png: the result of examples/force_ramp.py beside the truth.

Run ``python tools/make_force_ramp_picture.py``; takes half a minute.
"""

from __future__ import annotations

import os
import runpy
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np

from napari_beadscope.devices.simulated import SimulatedOptions
from napari_beadscope.devices.simulated.tether import Tether

REPO = Path(__file__).parents[1]
PICTURE = REPO / "docs" / "images" / "force-ramp.png"


def main() -> None:
    """Run the example, draw what it found."""
    mpl.use("Agg")
    from matplotlib import pyplot

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        ran = runpy.run_path(str(REPO / "examples" / "force_ramp.py"))
        os.chdir(REPO)
    tether = Tether(SimulatedOptions(**ran["MICROSCOPE"]))
    height_mm, length_nm, force_pn = np.array(ran["results"]).T
    fine_mm = np.linspace(0, 9, 100)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    left.plot(fine_mm, [tether.force_pn(one) for one in fine_mm], "0.6", label="given")
    left.plot(height_mm, force_pn, "o", color="#0072b2", label="measured from jitter")
    left.set(yscale="log", xlabel="magnet (mm)", ylabel="force (pN)")
    left.legend(frameon=False)
    given_nm = [tether.extension_nm(one) for one in fine_mm]
    right.plot([tether.force_pn(one) for one in fine_mm], given_nm, "0.6", label="given: WLC")
    right.plot(force_pn, length_nm, "o", color="#d55e00", label="measured")
    right.set(xscale="log", xlabel="force (pN)", ylabel="length of the tether (nm)")
    right.legend(frameon=False)
    figure.savefig(PICTURE, dpi=150)


if __name__ == "__main__":
    main()

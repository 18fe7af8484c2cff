"""Make `docs/images/batch-cells.png`: what each step of a batch makes of one field of cells.

python tools/make_cell_picture.py [OUT.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke

from napari_beadscope.batch.cells import fit_background, link_cells, measure_cells, segment_cells
from napari_beadscope.testing.cells import DARK, FLUORESCENCE, PHASE, SyntheticCells

OUT = Path(__file__).parents[1] / "docs" / "images" / "batch-cells.png"
SHOWN = 32


def main() -> None:
    """Segment, link, correct and measure a scene, and draw it."""
    scene = SyntheticCells(
        frames=40, size_px=(280, 280), cells=9, divisions=3, seed=8, unevenness=0.5
    )
    labels = [segment_cells(scene.image(PHASE, k)) for k in range(scene.frames)]
    links = link_cells(labels)
    traces: dict[int, list[tuple[int, float]]] = {}
    for k, found in enumerate(labels):
        raw = scene.image(FLUORESCENCE, k)
        corrected = fit_background(raw, found).corrected(raw, dark=DARK)
        table = measure_cells(found, {1: corrected}, features=["intensity"])
        here = links.frame == k
        cell = dict(zip(links.label[here].tolist(), links.cell[here].tolist()))
        for label, total in zip(table["label"].tolist(), table["intensity_total_c1"].tolist()):
            traces.setdefault(cell[label], []).append((k, total / 1000))
    halo = [withStroke(linewidth=2.5, foreground="black")]
    colours = plt.get_cmap("tab20")(np.arange(links.cells) % 20)
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
    raw = scene.image(FLUORESCENCE, SHOWN)
    fit = fit_background(raw, labels[SHOWN])
    axes[0].imshow(scene.image(PHASE, SHOWN), cmap="gray")
    for label in range(1, int(labels[SHOWN].max()) + 1):
        row = int(np.flatnonzero((links.frame == SHOWN) & (links.label == label))[0])
        cell = int(links.cell[row])
        axes[0].contour(labels[SHOWN] == label, [0.5], colors=[colours[cell]], linewidths=1.6)
        parent = int(links.parent[row])
        name = f"{cell}" if parent < 0 else f"{cell} of {parent}"
        where = {"ha": "center", "va": "center", "fontsize": 8, "color": "white", "weight": "bold"}
        axes[0].text(links.x_px[row], links.y_px[row], name, path_effects=halo, **where)
    axes[0].set_title("segment, track: cells and mothers")
    axes[1].imshow(raw, cmap="gray", vmin=150, vmax=700)
    axes[1].set_title("fluorescence as recorded")
    corrected = fit.corrected(raw, dark=DARK)
    axes[2].imshow(corrected, cmap="gray", vmin=-60, vmax=490)
    axes[2].set_title("correct: even light, no background")
    for cell, points in traces.items():
        axes[3].plot(*zip(*points), color=colours[cell], lw=1.3)
    axes[3].set_xlabel("frame")
    axes[3].set_title("extract: intensity in 1000 counts")
    for axis in axes[:3]:
        axis.set_axis_off()
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    figure.savefig(out, dpi=90)


if __name__ == "__main__":
    main()

"""The picture of what was found: the frame, a circle and a number for each bead.

Owns the drawing. Must not know how beads are found.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.core.errors import InputError, StorageError
from napari_beadscope.core.whole_file import whole_file

if TYPE_CHECKING:
    from napari_beadscope.tracking import FoundBeads

ENDINGS = (".png", ".svg", ".pdf")
ALONE, CROWDED, CENTRE = "#3ddc84", "#ffb000", "#ff5c5c"
_INK_ALONE, _INK_CROWDED = "#1a9e57", "#c98500"  # the same on white
_MOST_PX, _LEAST_PX = 2400, 600  # of the longer side, of the width
_LEGEND_IN = 0.28
_NUMBERED = 300  # beads; more numbers than that cover each other


def check_ending(path: Path) -> None:
    """Raise `InputError` unless pictures of this kind can be drawn."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            f"a picture cannot be drawn as {path.name}", f"end its name with {' or '.join(ENDINGS)}"
        )


def draw(path: Path, image: np.ndarray, found: FoundBeads, size_px: int) -> None:
    """Draw the beads on the frame: green with an ROI of their own, amber without.

    Parameters
    ----------
    path : Path
        PNG, SVG or PDF to write.
    image : ndarray (y, x)
        The frame they were found on.
    found : FoundBeads
        The beads.
    size_px : int
        Edge of the ROIs, for the legend.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    from matplotlib.collections import EllipseCollection
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    height, width = image.shape
    scale = min(_MOST_PX / max(height, width), max(1.0, _LEAST_PX / width))
    tall = height * scale / 100
    figure = Figure(figsize=(width * scale / 100, tall + _LEGEND_IN), dpi=100)
    axes = figure.add_axes((0.0, _LEGEND_IN / (tall + _LEGEND_IN), 1.0, tall / (tall + _LEGEND_IN)))
    axes.set_axis_off()
    low, high = (float(value) for value in np.percentile(image, (0.2, 99.8)))
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="antialiased")
    colours = [ALONE if alone else CROWDED for alone in found.isolated]
    across = 2 * found.radius_px
    axes.add_collection(
        EllipseCollection(
            across, across, np.zeros(len(found)), units="xy", facecolors="none", linewidths=1.3,
            edgecolors=colours, offsets=np.column_stack([found.x_px, found.y_px]),
            offset_transform=axes.transData,
        )
    )  # fmt: skip
    axes.plot(found.x_px, found.y_px, "+", color=CENTRE, markersize=6, markeredgewidth=0.9)
    for bead in range(min(len(found), _NUMBERED)):
        off = 0.72 * found.radius_px[bead]
        axes.annotate(
            str(bead), (found.x_px[bead] + off, found.y_px[bead] - off), color=colours[bead],
            fontsize=8, ha="left", va="bottom", annotation_clip=True,
            path_effects=[withStroke(linewidth=1.4, foreground="#202020")],
        )  # fmt: skip
    alone = int(found.isolated.sum())
    marks = [
        Line2D([], [], color=colour, marker="o", fillstyle="none", linestyle="none", label=label)
        for colour, label in (
            (_INK_ALONE, f"{alone} alone in an ROI of {size_px} px"),
            (_INK_CROWDED, f"{len(found) - alone} near others or the edge"),
        )
    ]
    figure.legend(handles=marks, loc="lower left", ncols=2, fontsize=8, frameon=False, borderpad=0)
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    try:
        with whole_file(path) as part:
            figure.savefig(part)
    except OSError as error:
        raise StorageError(
            f"cannot draw {path} ({error.strerror or error})", "check the folder and free space"
        ) from error

"""Features of cells: what of every cell is worth a column.

Each function takes a `CellFrame` and returns columns with one value per cell. Owns their formulas.
Must not know files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_beadscope.batch.cells import label_sums as of

if TYPE_CHECKING:
    from napari_beadscope.batch.cells.measure import CellFrame, Columns


def area(frame: CellFrame) -> Columns:
    """Pixels of the cell: ``area_px``."""
    return {"area_px": frame.area_px}


def intensity(frame: CellFrame) -> Columns:
    """Sum and mean of what a cell sends out, and the mean background under it, in counts."""
    columns: Columns = {}
    for channel, image in frame.images.items():
        total = frame.brightness(image)[:, of.TOTAL]
        columns[f"intensity_total_c{channel}"] = total
        columns[f"intensity_mean_c{channel}"] = total / frame.area_px
        below = frame.backgrounds.get(channel)
        columns[f"background_c{channel}"] = (
            np.full(len(total), np.nan)
            if below is None
            else frame.brightness(below)[:, of.TOTAL] / frame.area_px
        )
    return columns


def variation(frame: CellFrame) -> Columns:
    """Standard deviation, least and most of what a cell's pixels send out, in counts."""
    columns: Columns = {}
    for channel, image in frame.images.items():
        sums = frame.brightness(image)
        mean = sums[:, of.TOTAL] / frame.area_px
        square = sums[:, of.SQUARES] / frame.area_px - mean**2
        columns[f"intensity_sd_c{channel}"] = np.sqrt(square.clip(0))
        columns[f"intensity_min_c{channel}"] = sums[:, of.LOWEST]
        columns[f"intensity_max_c{channel}"] = sums[:, of.HIGHEST]
    return columns


def shape(frame: CellFrame) -> Columns:
    """Axes of the ellipse with the same second moments, its direction, border and roundness.

    ``angle_deg`` is from the x axis towards y, above -90 up to 90. The border's length follows
    from how often lines in four directions cross it (Crofton). ``circularity`` is 4 π area /
    border²: 1 for a disc.
    """
    sums = frame.sums[frame.used]
    area_px = frame.area_px
    y, x = sums[:, of.SUM_Y] / area_px, sums[:, of.SUM_X] / area_px
    yy = sums[:, of.SUM_YY] / area_px - y**2 + 1 / 12
    xx = sums[:, of.SUM_XX] / area_px - x**2 + 1 / 12
    xy = sums[:, of.SUM_XY] / area_px - x * y
    middle, half = (yy + xx) / 2, np.hypot((xx - yy) / 2, xy)
    border = np.pi / 8 * (sums[:, of.STRAIGHT] + sums[:, of.DIAGONAL] / np.sqrt(2))
    return {
        "major_px": 4 * np.sqrt(middle + half),
        "minor_px": 4 * np.sqrt((middle - half).clip(0)),
        "angle_deg": np.degrees(np.arctan2(2 * xy, xx - yy) / 2),
        "border_px": border,
        "circularity": 4 * np.pi * area_px / border**2,
    }


def border(frame: CellFrame) -> Columns:
    """1 if the cell reaches the edge of the image, so that a part may be missing, else 0."""
    sums = frame.sums[frame.used]
    height, width = frame.labels.shape
    touches = (sums[:, of.TOP] == 0) | (sums[:, of.LEFT] == 0)
    touches |= (sums[:, of.BOTTOM] == height) | (sums[:, of.RIGHT] == width)
    return {"at_edge": touches.astype(np.int64)}

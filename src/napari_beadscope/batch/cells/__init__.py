"""Cells in arrays: segment, correct, align, link, measure.

Arrays in, arrays out. Knows nothing of plans, files, processes or workers; `batch.services` wraps
what is here. numba, scipy and laptrack are imported when they are needed.
"""

from __future__ import annotations

from napari_beadscope.batch.cells.background import Background, fit_background
from napari_beadscope.batch.cells.drift import drift_of_frames, shift_between
from napari_beadscope.batch.cells.link import CellLinks, LinkOptions, link_cells
from napari_beadscope.batch.cells.measure import CellFrame, measure_cells
from napari_beadscope.batch.cells.segment import SegmentOptions, segment_cells

__all__ = [
    "Background",
    "CellFrame",
    "CellLinks",
    "LinkOptions",
    "SegmentOptions",
    "drift_of_frames",
    "fit_background",
    "link_cells",
    "measure_cells",
    "segment_cells",
    "shift_between",
]

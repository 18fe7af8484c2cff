"""Shared memory between the processes: frame ring, track ring, latest values, recent values.

One writer per segment, no locks: a process killed at any instant leaves the others running.
"""

from __future__ import annotations

from napari_beadscope.ring.frames import FrameReader, FrameRingSpec, FrameWriter
from napari_beadscope.ring.history import SAMPLE, HistorySpec, HistoryTable
from napari_beadscope.ring.latest import LatestTable, TableSpec
from napari_beadscope.ring.segment import SegmentOwner, segment_names, sweep
from napari_beadscope.ring.tracks import TrackReader, TrackRingSpec, TrackWriter

__all__ = [
    "SAMPLE",
    "FrameReader",
    "FrameRingSpec",
    "FrameWriter",
    "HistorySpec",
    "HistoryTable",
    "LatestTable",
    "SegmentOwner",
    "TableSpec",
    "TrackReader",
    "TrackRingSpec",
    "TrackWriter",
    "segment_names",
    "sweep",
]

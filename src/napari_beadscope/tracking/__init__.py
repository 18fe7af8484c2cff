"""Arrays in, tracks out: find beads, centre, profile, look up.

Knows nothing of cameras, files of a recording, processes or Qt. numba, scipy, magtrack and CuPy
are imported only when a backend is opened.
"""

from __future__ import annotations

from napari_beadscope.core.types import METHODS
from napari_beadscope.tracking.backend import (
    Backend,
    BackendInfo,
    list_backends,
    open_backend,
)
from napari_beadscope.tracking.find import (
    FoundBeads,
    beads_from_found,
    find_beads,
    suggest_roi_size,
)
from napari_beadscope.tracking.free_beads import LinkedBeads, find_and_link
from napari_beadscope.tracking.link import link_positions
from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.stack import track_stack
from napari_beadscope.tracking.zlut import ZLut
from napari_beadscope.tracking.zlut_build import build_zlut

__all__ = [
    "METHODS",
    "Backend",
    "BackendInfo",
    "FoundBeads",
    "LinkedBeads",
    "TrackResult",
    "ZLut",
    "beads_from_found",
    "build_zlut",
    "find_and_link",
    "find_beads",
    "link_positions",
    "list_backends",
    "open_backend",
    "suggest_roi_size",
    "track_stack",
]

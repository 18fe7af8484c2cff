"""The method "precise" on the CPU: from pixels to rows, in the calling thread.

Must not know of threads, backends or batches: each row depends on its ROI alone.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.verdict import locate, screen
from napari_beadscope.tracking.zlut import ZLut


def track_precise(stack: np.ndarray, zlut: ZLut | None, result: TrackResult) -> None:
    """Track ``(n, y, x)`` ROIs into the rows of `result`, in the calling thread."""
    screened = screen(stack)
    result.reason[:] = screened.reason
    locate(screened, zlut, result)

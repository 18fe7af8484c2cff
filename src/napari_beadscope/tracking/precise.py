"""The method "precise" on the CPU: from pixels to rows, in the calling thread.

Must not know of threads, backends or batches: each row depends on its ROI alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from napari_beadscope.tracking.result import TrackResult
from napari_beadscope.tracking.stack import check_stack
from napari_beadscope.tracking.verdict import pixel_kind
from napari_beadscope.tracking.zlut import ZLut
from napari_beadscope.tracking.zlut_model import model_for, no_model


def track_precise(stack: np.ndarray, zlut: ZLut | None, result: TrackResult) -> None:
    """Track ``(n, y, x)`` ROIs into the rows of `result`, in the calling thread."""
    from napari_beadscope.tracking.fit_roi import scratch

    pixels = np.ascontiguousarray(check_stack(stack))
    n, size = len(pixels), pixels.shape[1]
    model, origin = (no_model(), 0.0) if zlut is None else model_for(zlut, size)
    rows = np.full((n, 8), np.nan)
    raw = pixels.reshape(n, size * size).view(np.uint8)
    raw.flags.writeable = False
    floats = scratch(size, model[0].shape[2] - 1)
    room = (
        np.empty(size * size),
        np.empty(size * size, np.float32),
        np.empty(size // 2, np.float32),
        np.empty(floats, np.float32),
        np.empty(len(model[1]), np.float32),
    )
    _compiled()(
        raw, pixel_kind(pixels.dtype), size, model, rows, result.reason, result.profiles, room
    )
    result.x_px[:], result.y_px[:], result.z_nm[:] = rows[:, 0], rows[:, 1], rows[:, 2] + origin
    result.quality[:] = np.nan_to_num(rows[:, 3])
    result.sigma_x_px[:], result.sigma_y_px[:] = rows[:, 4], rows[:, 5]
    result.sigma_z_nm[:] = rows[:, 6]


@cache
def _compiled() -> Any:
    from napari_beadscope.tracking.fit_loop import run_precise
    from napari_beadscope.tracking.specialise import for_cpu

    return for_cpu(run_precise, real=np.float32)

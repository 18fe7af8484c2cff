"""Kernels of the method "precise": a block of threads per ROI, from camera pixels to a row.

As in `gpu_compatible`. Must not know how memory came to be on the device.
"""

from __future__ import annotations

from numba import cuda

from napari_beadscope.tracking.cooperative import INF, real
from napari_beadscope.tracking.fit_loop import is_full_scale
from napari_beadscope.tracking.fit_roi import track_roi
from napari_beadscope.tracking.gpu_compatible import begin, rescale
from napari_beadscope.tracking.gpu_loops import normalise, span
from napari_beadscope.tracking.screening import OK, look

# mypy: disable-error-code="no-untyped-def"


def whole_pixels(
    stack, size, kind, lines, heights, coarse, rows, profiles, scores, work_at, marks_at
):
    """Track ROI number ``blockIdx.x`` of `stack` (n, size * size) with the method "precise"."""
    work = cuda.shared.array(0, real)[work_at:marks_at]
    roi = cuda.blockIdx.x
    pix, row, profile = stack[roi], rows[roi], profiles[roi]
    low, high, finite = span(pix, size)
    reason, share = look(pix, size, kind, real(low), real(high), finite)
    begin(row, profile, reason)
    if reason == OK:
        limit = real(high) if is_full_scale(real(high)) else INF
        zero = real(0.5) * (real(low) + real(high))
        model = (lines, heights, coarse)
        track_roi(pix, size, zero, limit, share, model, row, profile, work, scores[roi])


def float_pixels(
    stack,
    values,
    bits,
    size,
    kind,
    lines,
    heights,
    coarse,
    rows,
    profiles,
    scores,
    work_at,
    marks_at,
):
    """The same for float pixels; `values` is scratch of n × size * size, `bits` is not used."""
    work = cuda.shared.array(0, real)[work_at:marks_at]
    roi = cuda.blockIdx.x
    pix, row, profile = values[roi], rows[roi], profiles[roi]
    low, high, finite = span(stack[roi], size)
    reason, share = look(stack[roi], size, kind, low, high, finite)
    begin(row, profile, reason)
    if reason == OK:
        zero, scale = 0.5 * (low + high), 0.5 * (high - low)
        normalise(stack[roi], size, zero, scale, pix)
        limit = real((high - zero) / scale) if is_full_scale(high) else INF
        model = (lines, heights, coarse)
        track_roi(pix, size, real(0.0), limit, share, model, row, profile, work, scores[roi])
        rescale(profile, zero, scale)

"""Kernels of the method "magtrack-compatible": a block of threads per ROI, pixels to row.

Whole-number pixels are read where the camera's bytes were copied to; float pixels are first
brought between 0 and 1 in single precision, because their offset may be large. Must not know how
memory came to be on the device.
"""

from __future__ import annotations

import numpy as np
from numba import cuda

from napari_beadscope.tracking.cooperative import NAN, barrier, real, thread, threads
from napari_beadscope.tracking.gpu_loops import median_of_bits, median_of_whole, normalise, span
from napari_beadscope.tracking.kernels import track_roi
from napari_beadscope.tracking.screening import OK, look

# mypy: disable-error-code="no-untyped-def"

#: Numbers per row: x, y, z, quality, three standard errors, reason.
ROW = 8
QUALITY, REASON = 3, 7


def begin(row, profile, reason):
    """A row that says nothing but why."""
    barrier()
    if thread() == 0:
        for k in range(ROW):
            row[k] = NAN
        row[QUALITY] = 0.0
        row[REASON] = reason
    for b in range(thread(), profile.size, threads()):
        profile[b] = NAN
    barrier()


def rescale(profile, zero, scale):
    """Bring means of normalised pixels back to the values of the camera."""
    barrier()
    for b in range(thread(), profile.size, threads()):
        profile[b] = zero + scale * profile[b]


def whole_pixels(
    stack, size, kind, bell, fit5, fit7, lut, lut_z, rows, profiles, agreed, work_at, marks_at
):
    """Track ROI number ``blockIdx.x`` of `stack` (n, size * size) with magtrack's numbers."""
    work = cuda.shared.array(0, real)[work_at:]
    marks = cuda.shared.array(0, np.int32)[marks_at:]
    roi = cuda.blockIdx.x
    pix, row, profile = stack[roi], rows[roi], profiles[roi]
    low, high, finite = span(pix, size)
    reason, share = look(pix, size, kind, real(low), real(high), finite)
    begin(row, profile, reason)
    if reason == OK:
        median = median_of_whole(pix, size, low, high)
        tables = (bell, fit5, fit7, lut, lut_z)
        track_roi(
            pix, size, kind, True, share, median, tables, row, profile, work, marks, agreed[roi]
        )


def float_pixels(
    stack,
    values,
    bits,
    size,
    kind,
    bell,
    fit5,
    fit7,
    lut,
    lut_z,
    rows,
    profiles,
    agreed,
    work_at,
    marks_at,
):
    """The same for float pixels; `values` and `bits` are one scratch of n × size * size."""
    work = cuda.shared.array(0, real)[work_at:]
    marks = cuda.shared.array(0, np.int32)[marks_at:]
    roi = cuda.blockIdx.x
    pix, row, profile = values[roi], rows[roi], profiles[roi]
    low, high, finite = span(stack[roi], size)
    reason, share = look(stack[roi], size, kind, low, high, finite)
    begin(row, profile, reason)
    if reason == OK:
        normalise(stack[roi], size, low, high - low, pix)
        median = median_of_bits(pix, bits[roi], size)
        tables = (bell, fit5, fit7, lut, lut_z)
        track_roi(
            pix, size, kind, True, share, median, tables, row, profile, work, marks, agreed[roi]
        )
        rescale(profile, low, high - low)

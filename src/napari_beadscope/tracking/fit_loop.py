"""The method "precise" over a batch on one thread of the CPU. Knows no mathematics of a bead.

Pixels of whole numbers are used as they are. Float images may have any range: each ROI is brought
to about ± 1 in double precision first, and its profile back afterwards.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.tracking.cooperative import INF, real
from napari_beadscope.tracking.cpu_loops import FLOAT32, load
from napari_beadscope.tracking.fit_roi import OK, track_roi
from napari_beadscope.tracking.screening import look

# mypy: disable-error-code="no-untyped-def"


def is_full_scale(high):
    """Whether cameras of 8 to 16 bits, or images from 0 to 1, end at this value."""
    return (
        high == 255.0
        or high == 1023.0
        or high == 4095.0
        or high == 16383.0
        or high == 65535.0
        or high == 1.0
    )


def run_precise(raw, kind, size, model, rows, reasons, profiles, scratch):
    """Track each ROI of `raw` (n, bytes) into `rows` (n, 8), `reasons` and `profiles`."""
    wide, pix, profile, work, scores = scratch
    for i in range(raw.shape[0]):
        if kind < FLOAT32:
            low, high, finite = load(raw[i], kind, pix)
            reason, share = look(pix, size, kind, low, high, finite)
            middle, scale = 0.0, 1.0
            zero = real(0.5 * (low + high))
        else:
            low, high, finite = load(raw[i], kind, wide)
            reason, share = look(wide, size, kind, low, high, finite)
            middle, scale = 0.5 * (low + high), 0.5 * (high - low)
            zero = real(0)
        reasons[i] = reason
        if reason != OK:
            continue
        if kind >= FLOAT32:
            for k in range(pix.size):
                pix[k] = real((wide[k] - middle) / scale)
        limit = real((high - middle) / scale) if is_full_scale(high) else INF
        track_roi(pix, size, zero, limit, real(share), model, rows[i], profile, work, scores)
        reasons[i] = np.uint32(rows[i, 7])
        for k in range(profile.size):
            profiles[i, k] = profile[k] * scale + middle

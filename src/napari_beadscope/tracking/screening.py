"""A look at the pixels alone: finite, saturated, constant, padded. Must not know of beads.

Written in the words of `cooperative`; `screen_rois` goes through a batch on a CPU. There the stack
comes as bytes and a code for the pixel type, so that one compiled function serves all types.
"""

from __future__ import annotations

from napari_beadscope.tracking.cooperative import (
    count_up,
    real,
    thread,
    threads,
)
from napari_beadscope.tracking.cpu_loops import FLOAT32, UINT8, UINT16, load, median_of

# mypy: disable-error-code="no-untyped-def"

# core.types.Reason as plain integers (numba resolves globals when it compiles).
OK, EMPTY, SATURATED, CLIPPED, NOT_FINITE = range(5)

SATURATED_HOPELESS = 0.40  # of pixels at full scale: the row is NaN
SMALLEST_SPAN, LARGEST_SPAN = 1e-100, 1e100  # of values, so that squares stay numbers


def _at_full_scale(pix, size, high, kind):
    """Share of pixels at the value where this type, or a 10, 12 or 14 bit camera, saturates."""
    full = False
    if kind == UINT8:
        full = high == 255.0
    elif kind == UINT16:
        full = high == 65535.0 or high == 16383.0 or high == 4095.0 or high == 1023.0
    else:
        full = True  # ties of the highest value have measure zero in float images
    if not full:
        return real(0.0)
    count = 0
    for k in range(thread(), size * size, threads()):
        if pix[k] == high:
            count += 1
    return real(count_up(count) - 1) / real(size * size)


def _is_padded(pix, size, high):
    """Whether one or two sides are filled in: two outermost lines all 0, or all the highest value.

    On more sides that is a black or white background, not the edge of the frame.
    """
    sides = 0
    for side in range(4):
        first = pix[0] if side < 2 else pix[size * size - 1]
        same = first == 0.0 or first == high
        line = 0
        while same and line < 2:
            at = line if side < 2 else size - 1 - line
            differ = 0
            for k in range(thread(), size, threads()):
                value = pix[at * size + k] if side % 2 == 0 else pix[k * size + at]
                differ += value != first
            same = count_up(differ) == 0
            line += 1
        sides += same
    return sides == 1 or sides == 2


def look(pix, size, kind, low, high, finite):
    """Reason that pixels alone give, and the share of them at full scale.

    Parameters
    ----------
    pix : array, shape (size * size,)
    kind : int
        Code of the type that they had in the camera.
    low, high : float
        Lowest and highest pixel.
    finite : bool
        Whether all of them are.
    """
    if not finite:
        return NOT_FINITE, real(0.0)
    share = _at_full_scale(pix, size, high, kind)
    if share > SATURATED_HOPELESS and (kind < FLOAT32 or low < high):
        return SATURATED, share
    if not high - low > SMALLEST_SPAN:
        return EMPTY, share
    if not high - low < LARGEST_SPAN:
        return NOT_FINITE, share
    if _is_padded(pix, size, high):
        return CLIPPED, share
    return OK, share


def screen_rois(raw, kind, size, reason, share, median, scratch):
    """For each ROI of `raw` (n, bytes): reason, share of pixels at full scale, median."""
    pix, codes, histogram, bucket = scratch
    for i in range(raw.shape[0]):
        low, high, finite = load(raw[i], kind, pix)
        reason[i], share[i] = look(pix, size, kind, low, high, finite)
        if reason[i] == OK:
            median[i] = median_of(pix, low, high, kind < FLOAT32, codes, histogram, bucket)

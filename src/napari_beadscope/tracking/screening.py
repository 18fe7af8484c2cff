"""Compiled look at the pixels alone: type, finite, saturated, constant, padded, median.

Must not know of beads. The stack comes as bytes and a code for the pixel type, so that one
compiled function serves all types.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.tracking.compiling import compiled, compiled_for_finite

# Pixel types by code.
UINT8, UINT16, FLOAT32, FLOAT64 = range(4)
# core.types.Reason as plain integers (numba resolves globals when it compiles).
OK, EMPTY, SATURATED, CLIPPED, NOT_FINITE = range(5)

SATURATED_HOPELESS = 0.40  # of pixels at full scale: the row is NaN
SMALLEST_SPAN, LARGEST_SPAN = 1e-100, 1e100  # of values, so that squares stay numbers
BINS = 512  # of the histogram behind the median


@compiled
def _copy(values, pix):  # type: ignore[no-untyped-def]
    """Copy integer pixels as float64 and return the lowest and highest."""
    low = values[0]
    high = values[0]
    for k in range(pix.size):
        pix[k] = values[k]
        low = min(low, values[k])
        high = max(high, values[k])
    return float(low), float(high), True


@compiled
def _copy_floats(values, pix):  # type: ignore[no-untyped-def]
    """Copy float pixels as float64; return the lowest, the highest, and whether all are finite."""
    zero = 0.0
    for k in range(pix.size):
        pix[k] = values[k]
        zero += pix[k] * 0.0
    if zero != 0.0:  # NaN, too, is not 0
        return 0.0, 0.0, False
    low, high = _range(pix)
    return low, high, True


@compiled_for_finite
def _range(pix):  # type: ignore[no-untyped-def]
    """Lowest and highest of finite values."""
    low = pix[0]
    high = pix[0]
    for k in range(pix.size):
        low = min(low, pix[k])
        high = max(high, pix[k])
    return low, high


@compiled
def load(raw, kind, pix):  # type: ignore[no-untyped-def]
    """Copy the ROI's bytes as float64 into `pix` (flat); return lowest, highest, whether finite."""
    if kind == UINT8:
        return _copy(raw, pix)
    if kind == UINT16:
        return _copy(raw.view(np.uint16), pix)
    if kind == FLOAT32:
        return _copy_floats(raw.view(np.float32), pix)
    return _copy_floats(raw.view(np.float64), pix)


@compiled
def _at_full_scale(pix, high, kind):  # type: ignore[no-untyped-def]
    """Share of pixels at the value where this type, or a 10, 12 or 14 bit camera, saturates."""
    full = False
    if kind == UINT8:
        full = high == 255.0
    elif kind == UINT16:
        full = high == 65535.0 or high == 16383.0 or high == 4095.0 or high == 1023.0
    else:
        full = True  # ties of the highest value have measure zero in float images
    if not full:
        return 0.0
    count = 0
    for k in range(pix.size):
        if pix[k] == high:
            count += 1
    return (count - 1) / pix.size


@compiled
def _is_padded(pix, size, high):  # type: ignore[no-untyped-def]
    """Whether one or two sides are filled in: two outermost lines all 0, or all the highest value.

    On more sides that is a black or white background, not the edge of the frame.
    """
    sides = 0
    for side in range(4):
        first = pix[0] if side < 2 else pix[pix.size - 1]
        same = first == 0.0 or first == high
        line = 0
        while same and line < 2:
            at = line if side < 2 else size - 1 - line
            for k in range(size):
                value = pix[at * size + k] if side % 2 == 0 else pix[k * size + at]
                same = same and value == first
            line += 1
        sides += same
    return sides == 1 or sides == 2


@compiled
def _median(pix, low, high, exact, codes, histogram, bucket):  # type: ignore[no-untyped-def]
    """Median of `pix` by histogram (4 interleaved); `exact` if pixels are whole numbers."""
    one_value = exact and high - low < BINS
    scale = 1.0 if one_value else (BINS - 1) / (high - low)
    for k in range(pix.size):
        codes[k] = np.int32((pix[k] - low) * scale) * 4 + (k & 3)
    for b in range(histogram.size):
        histogram[b] = 0
    for k in range(pix.size):
        histogram[codes[k]] += 1
    rank = (pix.size - 1) // 2  # of the lower of the two middle values
    below, at = 0, -1
    inside = 0
    while below + inside <= rank:
        below += inside
        at += 1
        inside = _of_bin(histogram, at)
    upper = at
    if pix.size % 2 == 0 and rank + 1 >= below + inside:
        upper += 1
        while _of_bin(histogram, upper) == 0:
            upper += 1
    if one_value:
        return low + 0.5 * (at + upper)
    n = 0
    for k in range(pix.size):
        bucket[n] = pix[k]
        n += (codes[k] >> 2) == at
    middle = _select(bucket, n, rank - below)
    if pix.size % 2:
        return middle
    above = np.inf
    if upper == at:
        for k in range(rank - below + 1, n):
            above = min(above, bucket[k])
    else:
        for k in range(pix.size):
            if codes[k] >> 2 == upper:
                above = min(above, pix[k])
    return 0.5 * (middle + above)


@compiled
def _select(values, n, rank):  # type: ignore[no-untyped-def]
    """Value of `rank` among the first `n`; they are reordered so that higher ones come after."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        left, right = low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if rank <= right:
            high = right
        elif rank >= left:
            low = left
        else:
            break
    return values[rank]


@compiled
def _of_bin(histogram, at):  # type: ignore[no-untyped-def]
    """Count of one bin over the interleaved histograms."""
    return histogram[4 * at] + histogram[4 * at + 1] + histogram[4 * at + 2] + histogram[4 * at + 3]


@compiled
def _screen(pix, size, kind, low, high, finite):  # type: ignore[no-untyped-def]
    """Reason that pixels alone give, and the share of them at full scale."""
    if not finite:
        return NOT_FINITE, 0.0
    share = _at_full_scale(pix, high, kind)
    if share > SATURATED_HOPELESS and (kind < FLOAT32 or low < high):
        return SATURATED, share
    if not high - low > SMALLEST_SPAN:
        return EMPTY, share
    if not high - low < LARGEST_SPAN:
        return NOT_FINITE, share
    if _is_padded(pix, size, high):
        return CLIPPED, share
    return OK, share


@compiled
def screen_rois(raw, kind, size, reason, share, median, scratch):  # type: ignore[no-untyped-def]
    """For each ROI of `raw` (n, bytes): reason, share of pixels at full scale, median."""
    pix, codes, histogram, bucket = scratch
    for i in range(raw.shape[0]):
        low, high, finite = load(raw[i], kind, pix)
        reason[i], share[i] = _screen(pix, size, kind, low, high, finite)
        if reason[i] == OK:
            median[i] = _median(pix, low, high, kind < FLOAT32, codes, histogram, bucket)

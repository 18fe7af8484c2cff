"""Loops over the pixels of one ROI as one core of a CPU runs them fastest.

Where the order of work that suits a core suits no block of threads, shared mathematics calls the
function of this module and a GPU's `Target` puts its own in its place (`gpu_loops`). Same
arguments, same answers; the tests hold them to it. Knows no words of `cooperative`.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.cooperative import finite

# mypy: disable-error-code="no-untyped-def"

# Pixel types by code.
UINT8, UINT16, FLOAT32, FLOAT64 = range(4)

BINS = 512  # of the histogram behind the median


def _copy(values, pix):
    """Copy integer pixels as float64 and return the lowest and highest."""
    low = values[0]
    high = values[0]
    for k in range(pix.size):
        pix[k] = values[k]
        low = min(low, values[k])
        high = max(high, values[k])
    return float(low), float(high), True


def _copy_floats(values, pix):
    """Copy float pixels as float64; return the lowest, the highest, and whether all are finite."""
    zero = 0.0
    for k in range(pix.size):
        pix[k] = values[k]
        zero += pix[k] * 0.0
    if zero != 0.0:  # NaN, too, is not 0
        return 0.0, 0.0, False
    low, high = _range(pix)
    return low, high, True


@finite
def _range(pix):
    """Lowest and highest of finite values."""
    low = pix[0]
    high = pix[0]
    for k in range(pix.size):
        low = min(low, pix[k])
        high = max(high, pix[k])
    return low, high


def load(raw, kind, pix):
    """Copy the ROI's bytes as float64 into `pix` (flat); return lowest, highest, whether finite."""
    if kind == UINT8:
        return _copy(raw, pix)
    if kind == UINT16:
        return _copy(raw.view(np.uint16), pix)
    if kind == FLOAT32:
        return _copy_floats(raw.view(np.float32), pix)
    return _copy_floats(raw.view(np.float64), pix)


def median_of(pix, low, high, exact, codes, histogram, bucket):
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


def _select(values, n, rank):
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


def _of_bin(histogram, at):
    """Count of one bin over the interleaved histograms."""
    return histogram[4 * at] + histogram[4 * at + 1] + histogram[4 * at + 2] + histogram[4 * at + 3]


def _bins_of_row(dy2, dx, bins, n, at):
    """Place in the sums of pixels at ``dx, dx + 1, …`` into `at`: 8 × radial bin + 2 × lane.

    Single precision, and once more in double where a radius is next to the edge of a bin.
    """
    dy2_single, dx_single = np.float32(dy2), np.float32(dx)
    most = np.int32(bins)
    close = 0
    for j in range(n):
        across = np.float32(j) + dx_single
        r = math.sqrt(across * across + dy2_single)
        b = np.int32(r + np.float32(0.5))
        if abs(r - np.float32(b)) > np.float32(0.4998):
            close += 1
        at[j] = min(b, most) * 8 + (np.int32(j) & np.int32(3)) * 2
    if close:
        for j in range(n):
            exact = int(np.rint(math.sqrt((j + dx) ** 2 + dy2)))
            at[j] = min(exact, bins) * 8 + (j & 3) * 2


def ring_sums(pix, size, x, y, median, exact, about, count, work, marks):
    """Sum the pixels of each radial bin about `x`, `y`.

    Pixels side by side go to different lanes (no waiting for the last sum), and sum and count lie
    side by side (one vector addition).

    Parameters
    ----------
    pix : array, shape (size * size,)
    exact : bool
        Whether pixels are whole numbers, not floats between 0 and 1 (of no account here).
    about, count : array, shape (size // 2,)
        Out: by bin, the sum of ``pix - median``, and the number of pixels.
    work, marks : array
        Scratch: ``8 * (size // 2 + 1)`` floats, `size` integers.

    Returns
    -------
    squares : float
        Sum of ``(pix - median) ** 2`` over all bins.
    """
    bins = size // 2
    for b in range(8 * (bins + 1)):
        work[b] = 0.0
    squares = 0.0
    most = np.int32(8 * bins)
    reach = (bins - 0.5) ** 2
    for i in range(size):
        dy2 = (i - y) ** 2
        if dy2 > reach:
            continue
        width = math.sqrt(reach - dy2) + 1.0
        first = max(0, int(x - width))
        last = min(size, int(x + width) + 2)
        n = max(0, last - first)
        _bins_of_row(dy2, first - x, bins, n, marks)
        start = np.uint64(i * size + first)  # unsigned: no check for negative indices
        for j in range(np.uint64(n)):
            squares += (pix[start + j] - median) ** 2 if marks[j] < most else 0.0
        for j in range(np.uint64(n)):
            k = np.uint64(marks[j])
            work[k] += pix[start + j]
            work[k + np.uint64(1)] += 1.0
    for b in range(bins):
        at = 8 * b
        count[b] = work[at + 1] + work[at + 3] + work[at + 5] + work[at + 7]
        about[b] = (work[at] + work[at + 2] + work[at + 4] + work[at + 6]) - median * count[b]
    return squares

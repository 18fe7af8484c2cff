"""What `cpu_loops` does, done by a block of threads: lowest and highest, median, ring sums.

Ring sums are kept in integers: whole pixels as they are, others, from 0 to 1, in steps of 2⁻²⁰.
Integers are what shared memory adds fastest, and the order in which they are added does not show.
"""

from __future__ import annotations

import math

from napari_beadscope.tracking.cooperative import (
    add_at,
    barrier,
    count_up,
    floor,
    highest,
    lane,
    lanes,
    lowest,
    nearest,
    real,
    thread,
    threads,
    total,
    warp,
    warps,
    wide,
)

# mypy: disable-error-code="no-untyped-def"

STEPS = 1048576.0  # of a pixel between 0 and 1, in ring sums


def span(pix, size):
    """Lowest and highest pixel in double, and whether all are finite."""
    low = high = wide(pix[0])
    strange = 0
    for k in range(thread(), size * size, threads()):
        value = wide(pix[k])
        strange += not math.isfinite(value)
        low = min(low, value)
        high = max(high, value)
    finite = count_up(strange) == 0
    return lowest(low), highest(high), finite


def normalise(pix, size, zero, scale, values):
    """Write ``(pix - zero) / scale`` into `values`, computed in double."""
    inverse = wide(1.0) / wide(scale)
    for k in range(thread(), size * size, threads()):
        values[k] = (wide(pix[k]) - wide(zero)) * inverse
    barrier()


def middle_codes(codes, size, low, high):
    """The two middle ones of whole numbers between `low` and `high`; equal if they are odd many.

    By halving the range: each step counts the pixels below.
    """
    pixels = size * size
    rank = (pixels - 1) // 2
    first, last = low, high
    while first < last:
        at = first + ((last - first) >> 1)
        below = 0
        for k in range(thread(), pixels, threads()):
            below += codes[k] <= at
        if count_up(below) > rank:
            last = at
        else:
            first = at + 1
    upto, above = 0, wide(high)
    for k in range(thread(), pixels, threads()):
        if codes[k] <= first:
            upto += 1
        else:
            above = min(above, wide(codes[k]))
    upto = count_up(upto)
    above = lowest(above)
    if pixels % 2 == 1 or upto > rank + 1:
        return first, first
    return first, int(above)


def median_of_whole(pix, size, low, high):
    """Median of whole numbers."""
    lower, upper = middle_codes(pix, size, int(low), int(high))
    return real(0.5) * (real(lower) + real(upper))


def median_of_bits(values, bits, size):
    """Median of `values` between 0 and 1; `bits` are the same memory as integers."""
    lower, upper = middle_codes(bits, size, 0, 0x3F800000)
    low, high = real(1.0), real(1.0)
    for k in range(thread(), size * size, threads()):
        if bits[k] == lower:
            low = real(values[k])
        if bits[k] == upper:
            high = real(values[k])
    return real(0.5) * (real(lowest(low)) + real(lowest(high)))


def _exact_bin(i, j, x, y):
    """Radial bin of a pixel, in double."""
    across, down = wide(j) - wide(x), wide(i) - wide(y)
    return nearest(math.sqrt(across * across + down * down))


def ring_sums(pix, size, x, y, median, exact, about, count, work, marks):
    """Sum the pixels of each radial bin about `x`, `y`; see `cpu_loops.ring_sums`."""
    bins = size // 2
    scale = real(1.0) if exact else real(STEPS)
    offset = floor(median * scale)
    for k in range(thread(), 2 * bins, threads()):
        marks[k] = 0
    barrier()
    squares = real(0.0)
    reach = (real(bins) - 0.5) * (real(bins) - 0.5)
    for i in range(warp(), size, warps()):
        down = real(i) - y
        if down * down > reach:
            continue
        for j in range(lane(), size, lanes()):
            across = real(j) - x
            r = math.sqrt(across * across + down * down)
            b = int(r + 0.5)
            if abs(r - real(b)) > 0.4998:
                b = _exact_bin(i, j, x, y)
            if b < bins:
                value = real(pix[i * size + j])
                squares += (value - median) * (value - median)
                add_at(marks, b, int(value * scale + 0.5) - offset)
                add_at(marks, bins + b, 1)
    squares = total(squares)
    for b in range(thread(), bins, threads()):
        n = real(marks[bins + b])
        count[b] = n
        about[b] = (real(marks[b]) - n * (median * scale - real(offset))) / scale
    barrier()
    return squares

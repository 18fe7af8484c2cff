"""What one ROI says of its rings: sums over half-pixel rings, and a smooth profile through them.

The profile is a table at nodes of 1/8 px with value, slope and half the curvature per node, like
the one `zlut_model` makes of a Z-LUT: what `fit` needs to fit x and y without one. Mathematics for
one ROI in the words of `cooperative`; must not know of the fit.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.cooperative import (
    NAN,
    add_at,
    barrier,
    ceil,
    floor,
    lane,
    lanes,
    real,
    thread,
    threads,
    total,
    warp,
    warps,
)

# mypy: disable-error-code="no-untyped-def"

NODES_PER_PX = 8.0
NODES_PER_RING = 4
PER_RING = 3  # sums of value and distance, and count


def reach_of_row(size, x, dy2, reach2):
    """First and last + 1 column of a row within the circle; 0, 0 if it misses it."""
    if dy2 >= reach2:
        return 0, 0
    width = math.sqrt(reach2 - dy2)
    return max(0, ceil(x - width)), min(size, floor(x + width) + 1)


def sum_rings(pix, size, x, y, zero, limit, every, rings, sums):
    """Sums over rings 0.5 px wide about `x, y`; return count, sum and squares of ``pix - zero``.

    Ring ``k`` has distances from ``k / 2`` to ``(k + 1) / 2`` px. Only one row in `every` is read;
    pixels at `limit` or above are left out.
    """
    for k in range(thread(), PER_RING * (rings + 1), threads()):
        sums[k] = real(0)
    barrier()
    count, plain, squares = real(0), real(0), real(0)
    reach2 = real(rings * rings) * 0.25
    for i in range(warp() * every, size, warps() * every):
        down = real(i) - y
        first, last = reach_of_row(size, x, down * down, reach2)
        base = np.uint64(i * size)
        for j in range(first + lane(), last, lanes()):
            value = real(pix[base + np.uint64(j)])
            across = real(np.int32(j)) - x
            twice = 2.0 * math.sqrt(across * across + down * down)
            at = np.uint64(min(np.int32(twice), np.int32(rings)) * PER_RING)
            if value < limit:
                value -= zero
                add_at(sums, at, value)
                add_at(sums, at + np.uint64(1), twice)
                add_at(sums, at + np.uint64(2), real(1))
                count += real(1)
                plain += value
                squares += value * value
    barrier()
    return total(count), total(plain), total(squares)


def between_rings(sums, rings):
    """Sum over rings of (sum of values)² / count, and the number of rings with pixels."""
    between, filled = real(0), real(0)
    for k in range(thread(), rings, threads()):
        count = sums[PER_RING * k + 2]
        if count > 0.0:
            between += sums[PER_RING * k] * sums[PER_RING * k] / count
            filled += real(1)
    return total(between), total(filled)


def ring_variances(pix, size, x, y, zero, limit, every, rings, sums):
    """`sum_rings`; return variance about the mean and within rings, each per degree of freedom."""
    count, plain, squares = sum_rings(pix, size, x, y, zero, limit, every, rings, sums)
    between, filled = between_rings(sums, rings)
    free = count - filled
    if not free > 0.0:
        return real(0), real(0)
    return (squares - plain * plain / count) / (count - 1.0), (squares - between) / free


def ring_mean(sums, k, rings):
    """Mean of ring `k`; of one without pixels that of the nearest with some, outwards first."""
    for further in range(4):
        at = k + further
        if at < rings and sums[PER_RING * at + 2] > 0.0:
            return sums[PER_RING * at] / sums[PER_RING * at + 2]
    for at in range(k - 1, -1, -1):
        if sums[PER_RING * at + 2] > 0.0:
            return sums[PER_RING * at] / sums[PER_RING * at + 2]
    return real(0)


def mirrored(k, rings):
    """Index of ring `k`: rings go on evenly through the centre, and the last one for ever."""
    return min(-1 - k if k < 0 else k, rings - 1)


def ring_values(sums, rings, means, values):
    """Values at the middle of each ring, from means over pixels that lie unevenly within it."""
    for k in range(thread(), rings, threads()):
        means[k] = ring_mean(sums, k, rings)
    barrier()
    for k in range(thread(), rings, threads()):
        before, here = means[mirrored(k - 1, rings)], means[k]
        after = means[mirrored(k + 1, rings)]
        count = sums[PER_RING * k + 2]
        shift = real(0)
        if count > 0.0:
            shift = real(k) + 0.5 - sums[PER_RING * k + 1] / count
        values[k] = here + 0.5 * (after - before) * shift - (after - 2.0 * here + before) / 24.0
    barrier()


def slope_at(values, k, rings):
    """Derivative at ring `k`, per ring, from four neighbours."""
    near = values[mirrored(k + 1, rings)] - values[mirrored(k - 1, rings)]
    far = values[mirrored(k + 2, rings)] - values[mirrored(k - 2, rings)]
    return (8.0 * near - far) / 12.0


def own_nodes(rings):
    """Nodes of the table for that many rings: up to the middle of the last but one."""
    return (rings - 1) * NODES_PER_RING + 1


def own_table(values, rings, nodes, table):
    """Fill ``table[0:3, :nodes]`` (flat, rows of ``nodes + 1``) with the smooth profile."""
    row = nodes + 1
    for node in range(thread(), nodes, threads()):
        place = real(node) * 0.25 - 0.5  # in rings, from the middle of the first
        k = floor(place)
        t = place - real(k)
        a, b = values[mirrored(k, rings)], values[mirrored(k + 1, rings)]
        rise, next_rise = slope_at(values, k, rings), slope_at(values, k + 1, rings)
        square, cube = 3.0 * (b - a) - 2.0 * rise - next_rise, 2.0 * (a - b) + rise + next_rise
        table[node] = a + t * (rise + t * (square + t * cube))
        table[row + node] = 0.25 * (rise + t * (2.0 * square + 3.0 * t * cube))
        table[2 * row + node] = 0.0625 * (square + 3.0 * t * cube)
        table[3 * row + node] = real(0)
    if thread() == 0:
        for line in range(4):
            table[line * row + nodes] = real(0)
    barrier()


def one_px_profile(sums, zero, bins, profile):
    """Means over 1 px wide rings, bin ``k`` from ``k - 0.5`` to ``k + 0.5`` px, into `profile`."""
    for k in range(thread(), bins, threads()):
        at = PER_RING * 2 * k
        value, count = sums[at], sums[at + 2]
        if k > 0:
            value += sums[at - PER_RING]
            count += sums[at - PER_RING + 2]
        profile[k] = value / count + zero if count > 0.0 else NAN

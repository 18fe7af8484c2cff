"""Where the bead is, roughly: the point that the lines along the intensity gradient meet in.

Rings have gradients that point to or from their centre, wherever in the ROI it lies and however
much of them the ROI cuts off. The first pass is the radial-symmetry centre of Parthasarathy
(Nature Methods 9, 724, 2012); passes after it count lines the less the farther they miss the last
centre, which sheds neighbours, noise and the pull of a ROI's middle. Mathematics for one ROI in
the words of `cooperative`; must not know of profiles or Z-LUTs.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.cooperative import (
    lane,
    lanes,
    real,
    sum_up,
    warp,
    warps,
)

# mypy: disable-error-code="no-untyped-def"

SPARSE_SIZE = 32  # from this size on every other pair of rows is enough: it has all pixels once
PASSES = 6  # after the first
SETTLED_PX = 0.5  # a pass that moves the centre by less is the last
MISS_PX2 = 1.0  # lines that miss the last centre by this (squared) count half
NEAR_PX2 = 4.0  # of the distance's square, so that pixels at the centre do not count beyond reason


def first_lines(pix, size, x, y, every):
    """Sums for the point nearest to all gradient lines, weighted by gradient² / distance."""
    xx, xy, yy, x_miss, y_miss = real(0), real(0), real(0), real(0), real(0)
    for i in range(warp() * every, size - 1, warps() * every):
        down = real(i) + 0.5 - y
        for j in range(lane(), size - 1, lanes()):
            at = np.uint64(i * size + j)
            below = np.uint64(at + np.uint64(size))
            u = real(pix[below + np.uint64(1)]) - real(pix[at])
            v = real(pix[below]) - real(pix[at + np.uint64(1)])
            gx, gy = u - v, u + v
            across = real(np.int32(j)) + 0.5 - x
            miss = gx * down - gy * across
            weight = 1.0 / math.sqrt(across * across + down * down + 1.0)
            xx += weight * gy * gy
            xy -= weight * gx * gy
            yy += weight * gx * gx
            x_miss -= weight * gy * miss
            y_miss += weight * gx * miss
    return xx, xy, yy, x_miss, y_miss


def near_lines(pix, size, x, y, every):
    """The same, where lines that miss `x, y` by more than about 1 px count little."""
    xx, xy, yy, x_miss, y_miss = real(0), real(0), real(0), real(0), real(0)
    for i in range(warp() * every, size - 1, warps() * every):
        down = real(i) + 0.5 - y
        for j in range(lane(), size - 1, lanes()):
            at = np.uint64(i * size + j)
            below = np.uint64(at + np.uint64(size))
            u = real(pix[below + np.uint64(1)]) - real(pix[at])
            v = real(pix[below]) - real(pix[at + np.uint64(1)])
            gx, gy = u - v, u + v
            across = real(np.int32(j)) + 0.5 - x
            miss = gx * down - gy * across
            square = gx * gx + gy * gy
            distance = across * across + down * down + NEAR_PX2
            weight = square / ((square * MISS_PX2 + miss * miss + 1e-12) * distance)
            xx += weight * gy * gy
            xy -= weight * gx * gy
            yy += weight * gx * gx
            x_miss -= weight * gy * miss
            y_miss += weight * gx * miss
    return xx, xy, yy, x_miss, y_miss


def meeting_point(sums, size, x, y):
    """The point that the sums about `x, y` are for, kept inside the ROI."""
    det = sums[0] * sums[2] - sums[1] * sums[1]
    if det > 0.0:
        x += (sums[3] * sums[2] - sums[4] * sums[1]) / det
        y += (sums[4] * sums[0] - sums[3] * sums[1]) / det
    last = real(size - 1)
    return min(max(x, real(0)), last), min(max(y, real(0)), last)


def seed(pix, size, sums):
    """Return x, y of the rings' centre to a fraction of a pixel."""
    every = 2 if size >= SPARSE_SIZE else 1
    middle = real(size - 1) * 0.5
    x, y = middle, middle
    sum_up(first_lines(pix, size, x, y, every), sums)
    x, y = meeting_point(sums, size, x, y)
    for _ in range(PASSES):
        before_x, before_y = x, y
        sum_up(near_lines(pix, size, x, y, every), sums)
        x, y = meeting_point(sums, size, x, y)
        if abs(x - before_x) + abs(y - before_y) < SETTLED_PX:
            break
    return x, y

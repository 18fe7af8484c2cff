"""Compiled parts of the bead finder that look at every pixel: smooth, vote, peaks.

Must not know what makes a bead (`find_measure`), nor what is kept in the end (`find`).
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.compiling import compiled

#: Votes are counted in cells of 2 x 2 px, one cell to a step.
CELL_PX = 2
_FIRST_PX = 2.0  # from the edge to its first vote


@compiled
def smooth(image, taps, row, out):  # type: ignore[no-untyped-def]
    """Separable symmetric filter with `taps` (centre first); edges are repeated.

    `row` is scratch, float32, ``2 * (len(taps) - 1)`` longer than a row of the image.
    """
    height, width = image.shape
    reach = taps.size - 1
    for i in range(height):
        here = image[i]
        for j in range(width):
            row[reach + j] = taps[0] * here[j]
        for t in range(1, reach + 1):
            above = image[max(i - t, 0)]
            below = image[min(i + t, height - 1)]
            weight = taps[t]
            for j in range(width):
                row[reach + j] += weight * (np.float32(above[j]) + np.float32(below[j]))
        for t in range(reach):
            row[t] = row[reach]
            row[reach + width + t] = row[reach + width - 1]
        line = out[i]
        for j in range(width):
            line[j] = taps[0] * row[reach + j]
        for t in range(1, reach + 1):
            weight = taps[t]
            for j in range(width):
                line[j] += weight * (row[reach + j - t] + row[reach + j + t])


@compiled
def vote(image, threshold, reach, margin, votes):  # type: ignore[no-untyped-def]
    """Every edge of a smoothed image votes along its gradient, both ways, up to `reach` px.

    `votes` has `margin` cells around those of the image, enough for every line to end in them.
    """
    height, width = image.shape
    least = threshold * threshold
    steps = int((reach - _FIRST_PX) / CELL_PX)
    first = np.float32(_FIRST_PX)
    one = np.float32(1.0)
    for i in range(1, height - 1):
        above = image[i - 1]
        here = image[i]
        below = image[i + 1]
        for j in range(1, width - 1):
            dy = below[j] - above[j]
            dx = here[j + 1] - here[j - 1]
            length2 = dy * dy + dx * dx
            if length2 <= least:
                continue
            inverse = one / math.sqrt(length2)
            uy = dy * inverse
            ux = dx * inverse
            cy = np.float32((i + 0.5) / CELL_PX + margin)
            cx = np.float32((j + 0.5) / CELL_PX + margin)
            y1 = cy + first / CELL_PX * uy
            x1 = cx + first / CELL_PX * ux
            y2 = cy - first / CELL_PX * uy
            x2 = cx - first / CELL_PX * ux
            for _ in range(steps):
                votes[int(y1), int(x1)] += one
                votes[int(y2), int(x2)] += one
                y1 += uy
                x1 += ux
                y2 -= uy
                x2 -= ux


@compiled
def peaks(votes, least, apart, ys, xs, values):  # type: ignore[no-untyped-def]
    """Local maxima of at least `least` votes within `apart` cells; return how many."""
    height, width = votes.shape
    n = 0
    for i in range(height):
        row = votes[i]
        for j in range(width):
            here = row[j]
            if here < least or n == ys.size:
                continue
            highest = True
            for a in range(max(i - apart, 0), min(i + apart + 1, height)):
                for b in range(max(j - apart, 0), min(j + apart + 1, width)):
                    other = votes[a, b]
                    earlier = a < i or (a == i and b < j)
                    if other > here or (other == here and earlier):
                        highest = False
                        break
                if not highest:
                    break
            if highest:
                ys[n], xs[n], values[n] = i, j, here
                n += 1
    return n

"""Compiled operations on masks of one bit per pixel: threshold, dilate, erode, runs.

64 pixels travel in a word, so that morphology with a disc costs a few operations per word instead
of many per pixel. Masks are (y, words) uint64, bit b of word w is pixel ``64 * w + b``; bits
beyond the width are 0. Must not know what a mask shows.
"""

from __future__ import annotations

import math

import numpy as np

from napari_beadscope.tracking.compiling import compiled

#: Largest radius of a disc: shifts reach into the next word only.
MAX_RADIUS_PX = 31


@compiled
def pack_above(values, threshold, words):  # type: ignore[no-untyped-def]
    """Set the bits of the pixels of `values` (y, x) that are above `threshold`."""
    height, width = values.shape
    for i in range(height):
        row = values[i]
        for w in range(words.shape[1]):
            word = np.uint64(0)
            first = 64 * w
            for b in range(min(64, width - first)):
                word |= np.uint64(row[first + b] > threshold) << np.uint64(b)
            words[i, w] = word


@compiled
def unpack(words, out):  # type: ignore[no-untyped-def]
    """Write 1 to the pixels of `out` (y, x) whose bit is set, 0 to the others."""
    height, width = out.shape
    for i in range(height):
        for j in range(width):
            out[i, j] = (words[i, j >> 6] >> np.uint64(j & 63)) & np.uint64(1)


@compiled
def dilate(words, width, radius, out):  # type: ignore[no-untyped-def]
    """Dilate by the disc ``dx² + dy² <= radius² + radius``; what is outside the image is 0."""
    height, count = words.shape
    out[:] = np.uint64(0)
    wide = np.empty(count, np.uint64)
    halves = np.empty(radius + 1, np.int64)
    for dy in range(radius + 1):
        halves[dy] = int(math.sqrt(radius * radius + radius - dy * dy))
    for i in range(height):
        row = words[i]
        any_bit = np.uint64(0)
        for w in range(count):
            wide[w] = row[w]
            any_bit |= row[w]
        if any_bit == np.uint64(0):
            continue
        for half in range(radius + 1):
            if half > 0:
                left, right = np.uint64(half), np.uint64(64 - half)
                for w in range(count):
                    here = row[w]
                    grown = (here << left) | (here >> left)
                    if w > 0:
                        grown |= row[w - 1] >> right
                    if w + 1 < count:
                        grown |= row[w + 1] << right
                    wide[w] |= grown
            for dy in range(radius + 1):
                if min(halves[dy], radius) == half:
                    for k in (i - dy, i + dy):
                        if 0 <= k < height:
                            target = out[k]
                            for w in range(count):
                                target[w] |= wide[w]
    _clear_beyond(out, width)


@compiled
def erode(words, width, radius, out):  # type: ignore[no-untyped-def]
    """Erode by the same disc; what is outside the image is 1, so that edges take nothing away."""
    rest = np.empty_like(words)
    invert(words, width, rest)
    dilate(rest, width, radius, out)
    invert(out, width, out)


@compiled
def invert(words, width, out):  # type: ignore[no-untyped-def]
    """Turn every pixel's bit; `out` may be `words`."""
    for i in range(words.shape[0]):
        for w in range(words.shape[1]):
            out[i, w] = ~words[i, w]
    _clear_beyond(out, width)


@compiled
def _clear_beyond(words, width):  # type: ignore[no-untyped-def]
    used = width & 63
    if used:
        keep = (np.uint64(1) << np.uint64(used)) - np.uint64(1)
        last = words.shape[1] - 1
        for i in range(words.shape[0]):
            words[i, last] &= keep


@compiled
def runs_of(words, width):  # type: ignore[no-untyped-def]
    """Return the runs of set pixels in reading order, (n, 3) int32: row, first, past the last."""
    height, count = words.shape
    room = 1024
    runs = np.empty((room, 3), np.int32)
    found = 0
    for i in range(height):
        start = -1
        for w in range(count):
            word = words[i, w]
            if (word == np.uint64(0) and start < 0) or (
                word == np.uint64(0xFFFFFFFFFFFFFFFF) and start >= 0
            ):
                continue
            for b in range(64):
                bit = (word >> np.uint64(b)) & np.uint64(1)
                if bit and start < 0:
                    start = 64 * w + b
                elif not bit and start >= 0:
                    found, runs = _with_run(runs, found, i, start, 64 * w + b)
                    start = -1
        if start >= 0:
            found, runs = _with_run(runs, found, i, start, width)
    return runs[:found].copy()


@compiled
def _with_run(runs, found, row, start, stop):  # type: ignore[no-untyped-def]
    if found == runs.shape[0]:
        longer = np.empty((2 * found, 3), np.int32)
        longer[:found] = runs
        runs = longer
    runs[found, 0] = row
    runs[found, 1] = start
    runs[found, 2] = stop
    return found + 1, runs


@compiled
def group_runs(runs, reach):  # type: ignore[no-untyped-def]
    """Number the connected groups of runs in reading order; return numbers (n,) and their count.

    Pixels touch across edges, with `reach` 1 across corners too.
    """
    count = runs.shape[0]
    parent = np.arange(count)
    above = 0
    for k in range(count):
        row, start, stop = runs[k, 0], runs[k, 1], runs[k, 2]
        while above < k and (
            runs[above, 0] < row - 1
            or (runs[above, 0] == row - 1 and runs[above, 2] + reach <= start)
        ):
            above += 1
        other = above
        while other < k and runs[other, 0] == row - 1 and runs[other, 1] < stop + reach:
            _join(parent, k, other)
            other += 1
    numbers = np.empty(count, np.int32)
    groups = 0
    for k in range(count):
        root = _root(parent, k)
        if root == k:
            numbers[k] = groups
            groups += 1
        else:
            numbers[k] = numbers[root]
    return numbers, groups


@compiled
def _root(parent, k):  # type: ignore[no-untyped-def]
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@compiled
def _join(parent, one, other):  # type: ignore[no-untyped-def]
    one, other = _root(parent, one), _root(parent, other)
    if one < other:
        parent[other] = one
    elif other < one:
        parent[one] = other


@compiled
def measure_groups(runs, numbers, groups, height, width):  # type: ignore[no-untyped-def]
    """Return pixels and bounding boxes of groups, (groups, 6) int64.

    Columns: pixels, first and past the last row, first and past the last column, at the edge.
    """
    found = np.zeros((groups, 6), np.int64)
    found[:, 1] = height
    found[:, 3] = width
    for k in range(runs.shape[0]):
        row, start, stop = runs[k, 0], runs[k, 1], runs[k, 2]
        g = found[numbers[k]]
        g[0] += stop - start
        g[1] = min(g[1], row)
        g[2] = max(g[2], row + 1)
        g[3] = min(g[3], start)
        g[4] = max(g[4], stop)
        if row == 0 or row == height - 1 or start == 0 or stop == width:
            g[5] = 1
    return found


@compiled
def fill_groups(runs, numbers, chosen, words):  # type: ignore[no-untyped-def]
    """Set the bits of the runs of the groups that are `chosen` (groups,) bool."""
    for k in range(runs.shape[0]):
        if chosen[numbers[k]]:
            for j in range(runs[k, 1], runs[k, 2]):
                words[runs[k, 0], j >> 6] |= np.uint64(1) << np.uint64(j & 63)


@compiled
def paint_groups(runs, numbers, values, out):  # type: ignore[no-untyped-def]
    """Write ``values[group]`` (groups,) to the pixels of `out` (y, x) that the runs cover."""
    for k in range(runs.shape[0]):
        value = values[numbers[k]]
        row = out[runs[k, 0]]
        for j in range(runs[k, 1], runs[k, 2]):
            row[j] = value

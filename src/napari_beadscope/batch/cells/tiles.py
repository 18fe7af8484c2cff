"""Compiled: medians of the background in tiles, and a smooth surface from few coefficients.

Must not know what the background is for.
"""

from __future__ import annotations

import numpy as np

from napari_beadscope.tracking.compiling import compiled


@compiled
def tile_medians(image, covered, side, step, least, out):  # type: ignore[no-untyped-def]
    """Write median, pixels and mean place of the pixels that count in every tile, (ny, nx, 4).

    `image` is (y, x), `covered` (y, x) uint8 is not 0 where a pixel does not count. Tiles of
    `side` px overlap by half and reach over the whole image; every `step`-th pixel of a row and
    column is looked at. Tiles with fewer than `least` pixels get 0 pixels.
    """
    height, width = image.shape
    ny, nx = out.shape[0], out.shape[1]
    values = np.empty(side * side, np.float32)
    for ty in range(ny):
        top = _start(ty, ny, height, side)
        for tx in range(nx):
            left = _start(tx, nx, width, side)
            used = 0
            sum_y, sum_x = 0, 0
            for i in range(top + ty % step, min(top + side, height), step):
                for j in range(left + tx % step, min(left + side, width), step):
                    if covered[i, j] == 0:
                        values[used] = image[i, j]
                        used += 1
                        sum_y += i
                        sum_x += j
            if used < least:
                out[ty, tx, 1] = 0
                continue
            out[ty, tx, 0] = _median(values, used)
            out[ty, tx, 1] = used
            out[ty, tx, 2] = sum_y / used
            out[ty, tx, 3] = sum_x / used


@compiled
def _start(k, tiles, size, side):  # type: ignore[no-untyped-def]
    if tiles == 1:
        return 0
    return (k * (size - side)) // (tiles - 1)


@compiled
def _median(values, count):  # type: ignore[no-untyped-def]
    """Return the median of the first `count` values, which are reordered."""
    middle = count // 2
    upper = _nth(values, count, middle)
    if count % 2:
        return upper
    lower = values[0]
    for k in range(1, middle):
        lower = max(lower, values[k])
    return (lower + upper) / 2


@compiled
def _nth(values, count, n):  # type: ignore[no-untyped-def]
    """Return the n-th smallest; afterwards what is before place n is not larger (quickselect)."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if n <= j:
            high = j
        elif n >= i:
            low = i
        else:
            break
    return values[n]


@compiled
def surface(rows, coefficients, columns, out):  # type: ignore[no-untyped-def]
    """Write ``rows @ coefficients @ columns.T`` to `out` (y, x) float32."""
    height, width = out.shape
    count = coefficients.shape[1]
    line = np.empty(count, np.float64)
    for i in range(height):
        for c in range(count):
            total = 0.0
            for r in range(coefficients.shape[0]):
                total += rows[i, r] * coefficients[r, c]
            line[c] = total
        here = out[i]
        for j in range(width):
            here[j] = 0
        for c in range(count):
            weight = np.float32(line[c])
            column = columns[c]
            for j in range(width):
                here[j] += weight * column[j]
